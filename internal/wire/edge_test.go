package wire

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestEveryAnswerCarriesTheGlobalHeaders(t *testing.T) {
	var log lines
	edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error { return NoContent(w) }, &log)
	for _, path := range []string{"/api/v4/x", "/api/v4/unknown", "/page", "/api/v3/x"} {
		w := httptest.NewRecorder()
		edge.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		for name, want := range map[string]string{
			"X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff", "Vary": "Origin",
			"X-Request-Id": "made-up-id", "X-Gitlab-Meta": `{"correlation_id":"made-up-id","version":"1"}`,
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: got %q, want %q", path, name, got, want)
			}
		}
		if got := w.Header().Get("X-Runtime"); !regexp.MustCompile(`^\d+\.\d{6}$`).MatchString(got) {
			t.Errorf("%s X-Runtime: got %q", path, got)
		}
	}
}

func TestRequestID(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"runner's", "1ba17834e2c24e1cb7061ad330003f92", "1ba17834e2c24e1cb7061ad330003f92"},
		{"uuid", "01932c9e-4a6b-7f00-9c1d-3f1f0c1f2a3b", "01932c9e-4a6b-7f00-9c1d-3f1f0c1f2a3b"},
		{"absent", "", "made-up-id"},
		{"too long", strings.Repeat("a", 65), "made-up-id"},
		{"quote", `a"b`, "made-up-id"},
		{"space", "a b", "made-up-id"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log lines
			var inside string
			edge := edgeWith(func(w http.ResponseWriter, r *http.Request) error {
				inside = RequestID(r.Context())
				return NoContent(w)
			}, &log)
			r := httptest.NewRequest("GET", "/api/v4/x", nil)
			if test.sent != "" {
				r.Header.Set("X-Request-Id", test.sent)
			}
			w := httptest.NewRecorder()
			edge.ServeHTTP(w, r)
			if got := w.Header().Get("X-Request-Id"); got != test.want || inside != test.want {
				t.Errorf("got %q and %q, want %q", got, inside, test.want)
			}
		})
	}
}

func TestMadeUpIDs(t *testing.T) {
	edge := New(Config{Log: new(lines).logger()})
	seen := map[string]bool{}
	for range 3 {
		w := httptest.NewRecorder()
		edge.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		id := w.Header().Get("X-Request-Id")
		if len(id) != 32 || !validID(id) || seen[id] {
			t.Errorf("got %q", id)
		}
		seen[id] = true
	}
}

func TestAccessLog(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var log lines
	var seen []Access
	mux := http.NewServeMux()
	mux.Handle("POST /api/v4/projects/{id}/trigger/pipeline", Handler(func(w http.ResponseWriter, r *http.Request) error {
		clock = clock.Add(12340 * time.Microsecond)
		Annotate(r.Context(), slog.Int64("project_id", 7))
		return JSON(w, 201, "ok")
	}))
	edge := New(Config{
		API: mux, Log: log.logger(), Now: func() time.Time { return clock },
		NewID: func() string { return "made-up-id" }, Observe: func(a Access) { seen = append(seen, a) },
	})
	r := httptest.NewRequest("POST", "/api/v4/projects/g%2Fp/trigger/pipeline?token=glptt-secret&ref=main", nil)
	r.RemoteAddr = "192.0.2.7:4711"
	edge.ServeHTTP(httptest.NewRecorder(), r)
	records := log.records(t)
	if len(records) != 1 {
		t.Fatalf("got %d lines, want one: %s", len(records), log.String())
	}
	for key, want := range map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "route": "/api/v4/projects/{id}/trigger/pipeline",
		"status": float64(201), "bytes": float64(4), "dur_ms": 12.34, "request_id": "made-up-id", "remote": "192.0.2.7", "scheme": "http", "project_id": float64(7),
	} {
		if got := records[0][key]; got != want {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
	for _, secret := range []string{"glptt-secret", "main", "g%2Fp"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, log.String())
		}
	}
	want := Access{Method: "POST", Route: "/api/v4/projects/{id}/trigger/pipeline", Status: 201, Bytes: 4, Duration: 12340 * time.Microsecond}
	if len(seen) != 1 || seen[0] != want {
		t.Errorf("got %v, want %v", seen, want)
	}
}

func TestAccessLogOfUnknownRoutes(t *testing.T) {
	var log lines
	var seen []Access
	rest := http.NewServeMux()
	rest.HandleFunc("GET /-/liveness", func(http.ResponseWriter, *http.Request) {})
	edge := New(Config{Rest: rest, Log: log.logger(), Observe: func(a Access) { seen = append(seen, a) }})
	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/api/v4/nowhere/glptt-secret", nil),
		httptest.NewRequest("BREW", "/api/v4/nowhere", nil),
		httptest.NewRequest("GET", "/-/liveness", nil),
	} {
		edge.ServeHTTP(httptest.NewRecorder(), r)
	}
	want := []Access{
		{Method: "GET", Route: "none", Status: 404},
		{Method: "OTHER", Route: "none", Status: 404},
		{Method: "GET", Route: "/-/liveness", Status: 200},
	}
	for i, a := range seen {
		a.Bytes, a.Duration = 0, 0
		if a != want[i] {
			t.Errorf("got %v, want %v", a, want[i])
		}
	}
	if len(seen) != len(want) || strings.Contains(log.String(), "secret") {
		t.Errorf("got %v, log %s", seen, log.String())
	}
}

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "192.0.2.1:80", nil, "192.0.2.1"},
		{"untrusted claims", "192.0.2.1:80", []string{"8.8.8.8"}, "192.0.2.1"},
		{"one proxy", "127.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1"},
		{"client invents hops", "127.0.0.1:80", []string{"8.8.8.8, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "127.0.0.1:80", []string{"8.8.8.8, 192.0.2.1, 10.1.1.1"}, "192.0.2.1"},
		{"two header lines", "127.0.0.1:80", []string{"8.8.8.8", "192.0.2.1"}, "192.0.2.1"},
		{"garbage stops", "127.0.0.1:80", []string{"192.0.2.1, unknown"}, "127.0.0.1"},
		{"only proxies", "127.0.0.1:80", []string{"10.0.0.2"}, "10.0.0.2"},
		{"no header", "127.0.0.1:80", nil, "127.0.0.1"},
		{"with ports", "[::1]:80", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"bare brackets", "[::1]:80", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"mapped", "[::ffff:127.0.0.1]:80", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"unix socket", "@", []string{"192.0.2.1"}, "unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := addrText(clientAddr(test.remote, test.forwarded, trusted)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSecure(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	tests := []struct {
		name, remote string
		proto        []string
		want         bool
	}{
		{"plain", "127.0.0.1:1", nil, false},
		{"trusted", "127.0.0.1:1", []string{"https"}, true},
		{"trusted, http", "127.0.0.1:1", []string{"http"}, false},
		{"last word counts", "127.0.0.1:1", []string{"https, http"}, false},
		{"untrusted", "192.0.2.1:1", []string{"https"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got bool
			var addr netip.Addr
			edge := New(Config{Proxies: proxies, Log: new(lines).logger(), Rest: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got, addr = Secure(r.Context()), ClientAddr(r.Context())
			})})
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-Proto"] = test.proto
			edge.ServeHTTP(httptest.NewRecorder(), r)
			if got != test.want || addr != netip.MustParseAddrPort(test.remote).Addr() {
				t.Errorf("got %v %v, want %v", got, addr, test.want)
			}
		})
	}
	tls := httptest.NewRequest("GET", "https://localhost/", nil)
	if !secure(tls, nil) {
		t.Error("a TLS connection is not secure")
	}
}
