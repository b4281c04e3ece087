package wire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Config says what an Edge is made of.
type Config struct {
	URLs    URLs           // how the server is called from outside; its path is stripped from requests
	API     *http.ServeMux // everything under /api/; its 404 and 405 are answered in GitLab's JSON
	Rest    http.Handler   // everything else: pages, git, health; nil answers 404
	Proxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
	Log     *slog.Logger   // nil for slog.Default
	Observe func(Access)   // told of every request when it is over, for metrics; may be nil
	Now     func() time.Time
	NewID   func() string // makes request ids; nil for 32 random hexadecimal digits
}

// Access is one line of the access log. It never holds a path as it was sent or
// a value of the query: both may contain tokens.
type Access struct {
	Method   string // OTHER when it is none of HTTP's own
	Route    string // the pattern that matched, without the method; "none" when nothing did
	Status   int    // 499 when the client left before the answer
	Bytes    int64  // of the body that was sent
	Duration time.Duration
}

// An Edge is the outermost handler of the server. It gives each request an id
// and a client address, sets the headers that every answer carries, repairs the
// path, and logs one line when the answer is out.
type Edge struct {
	cfg    Config
	prefix string
}

// New returns an Edge; the fields of cfg that may be nil get their defaults.
func New(cfg Config) *Edge {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = newID
	}
	if cfg.API == nil {
		cfg.API = http.NewServeMux()
	}
	return &Edge{cfg: cfg, prefix: cfg.URLs.Prefix()}
}

// ServeHTTP answers one request.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		id:     r.Header.Get("X-Request-Id"),
		log:    e.cfg.Log,
		now:    e.cfg.Now,
		start:  e.cfg.Now(),
		client: clientAddr(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), e.cfg.Proxies),
		secure: secure(r, e.cfg.Proxies),
	}
	if !validID(x.id) {
		x.id = e.cfg.NewID()
	}
	out := &response{ResponseWriter: w, x: x}
	x.headers(out.Header())
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	defer e.finish(out, r, x)
	serve(e.dispatch, problemJSON, out, r)
}

// finish writes the access log, also when the connection is being cut.
func (e *Edge) finish(out *response, r *http.Request, x *exchange) {
	a := Access{Method: method(r), Route: route(x.route), Status: out.status, Bytes: out.bytes, Duration: x.age()}
	switch {
	case x.gone:
		a.Status = statusClientGone
	case a.Status == 0:
		a.Status = http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	attrs := []slog.Attr{
		slog.String("method", a.Method),
		slog.String("route", a.Route),
		slog.Int("status", a.Status),
		slog.Int64("bytes", a.Bytes),
		slog.Float64("dur_ms", float64(a.Duration.Microseconds())/1000),
		slog.String("request_id", x.id),
		slog.String("remote", addrText(x.client)),
		slog.String("scheme", x.scheme()),
	}
	attrs = append(attrs, x.notes...)
	if x.cause != nil {
		attrs = append(attrs, slog.String("cause", x.cause.Error()))
	}
	x.log.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
	if e.cfg.Observe != nil {
		e.cfg.Observe(a)
	}
}

// An exchange is what wire knows about the request in hand. Only the goroutine of
// the handler touches it.
type exchange struct {
	id     string
	client netip.Addr // the zero Addr when unknown
	secure bool
	log    *slog.Logger
	now    func() time.Time
	start  time.Time
	route  string      // the pattern that matched, with its method
	gone   bool        // the client left
	cause  error       // behind a refusal
	notes  []slog.Attr // what handlers add to the access log
}

type exchangeKey struct{}

// exchangeOf gives the exchange of a request, or a plain one for a handler that
// runs without an Edge.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{id: newID(), log: slog.Default(), now: time.Now, start: time.Now()}
}

// scheme is what the client spoke, for the log: behind a proxy that does not say so,
// https is http.
func (x *exchange) scheme() string {
	if x.secure {
		return "https"
	}
	return "http"
}

func (x *exchange) age() time.Duration { return x.now().Sub(x.start) }

// headers sets what every answer carries (contract/trigger-api.md 0.3).
func (x *exchange) headers(h http.Header) {
	h.Set("X-Request-Id", x.id)
	h.Set("X-Gitlab-Meta", `{"correlation_id":"`+x.id+`","version":"1"}`)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Origin")
}

// RequestID is the id of the request in hand, empty outside of one.
func RequestID(ctx context.Context) string {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.id
	}
	return ""
}

// Annotate adds attributes to the access log line of the request in hand, such
// as the user or the project. They must not hold secrets. Only the handler's own
// goroutine may call it.
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		x.notes = append(x.notes, attrs...)
	}
}

// validID accepts the ids that clients may bring along: they are echoed in
// headers and logs, so they are short and plain.
func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
		if !plain {
			return false
		}
	}
	return true
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, by the contract of crypto/rand
	return hex.EncodeToString(b[:])
}

func method(r *http.Request) string {
	switch r.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE":
		return r.Method
	}
	return "OTHER"
}

// route is a pattern without its method.
func route(pattern string) string {
	if pattern == "" {
		return "none"
	}
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return pattern
}
