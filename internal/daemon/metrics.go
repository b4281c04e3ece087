package daemon

import (
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/telemetry"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// told hands the engine what counts its work.
func told(m *telemetry.Metrics) engine.Told {
	return engine.Told{
		PipelineCreated: func(source ci.Source) { m.PipelineCreated(string(source)) },
		JobEnded:        func(status ci.Status) { m.JobEnded(string(status)) },
	}
}

// observe counts requests.
func observe(m *telemetry.Metrics) func(wire.Access) {
	return func(a wire.Access) { m.Request(a.Method, a.Route, a.Status, a.Duration) }
}

// sources say how things are when the metrics are asked for.
func (s *Server) sources() telemetry.Sources {
	state := s.state // close drops it, while a last scrape may still be answered
	return telemetry.Sources{
		Work:    state.store.View().Work,
		Waiting: s.hub.Waiting,
		Queued: func() map[string]int {
			return map[string]int{telemetry.Main: state.store.Queued(), telemetry.Logs: state.logs.Queued()}
		},
		Pools: func() map[string]sql.DBStats {
			writes, reads := state.store.Pools()
			return map[string]sql.DBStats{"write": writes, "read": reads}
		},
	}
}

// metricsPage shows the metrics to whoever has the token, or without one to
// programs on this machine.
func (s *Server) metricsPage(limiter *wire.Limiter) http.Handler {
	page := s.config.metrics.Handler(s.config.Logger)
	return wire.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.mayScrape(r, limiter); err != nil {
			if ci.KindOf(err) == ci.KindUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="metrics"`)
			}
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		page.ServeHTTP(w, r)
		return nil
	})
}

func (s *Server) mayScrape(r *http.Request, limiter *wire.Limiter) error {
	if s.config.MetricsToken == "" {
		if direct(r) {
			return nil
		}
		return ci.Forbidden("Metrics are shown on this machine only. Set --metrics-token-file to ask for them from elsewhere.")
	}
	token, found := bearer(r)
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.config.MetricsToken))
	if found && subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
		return nil
	}
	if found {
		if ok, after := limiter.Take(wire.LimitKey(wire.ClientAddr(r.Context()))); !ok {
			return wire.TooMany(after)
		}
	}
	return &ci.Error{Kind: ci.KindUnauthorized}
}

func bearer(r *http.Request) (token string, found bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), found && strings.EqualFold(scheme, "Bearer")
}

// forwarding are the headers by which a proxy says that it is one.
var forwarding = []string{
	"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-Ip", "X-Original-Forwarded-For",
}

// direct reports whether a program on this machine made a request itself. What a
// proxy on this machine passes on comes from loopback too; it names itself in a
// header, passes on the name that others call the server by, or speaks HTTP/1.0 as
// nginx does unless told otherwise.
func direct(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || !r.ProtoAtLeast(1, 1) || !loopbackHost(r.Host) {
		return false
	}
	for _, name := range forwarding {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	return true
}

// loopbackHost reports whether the header Host is a name of this machine that no
// other site can make its own.
func loopbackHost(host string) bool {
	if pair, err := netip.ParseAddrPort(host); err == nil {
		return pair.Addr().IsLoopback()
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.EqualFold(name, "localhost")
}
