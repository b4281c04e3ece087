package daemon

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/engine"
)

// TestDirect holds which requests count as made on this machine by nobody else's
// wish.
func TestDirect(t *testing.T) {
	for _, test := range []struct {
		name, peer, host, proto string
		header                  http.Header
		want                    bool
	}{
		{"curl here", "127.0.0.1:5000", "127.0.0.1:8929", "HTTP/1.1", nil, true},
		{"by name", "127.0.0.1:5000", "localhost:8929", "HTTP/1.1", nil, true},
		{"by IPv6", "[::1]:5000", "[::1]:8929", "HTTP/1.1", nil, true},
		{"by IPv4 in IPv6", "[::ffff:127.0.0.1]:5000", "127.0.0.1", "HTTP/1.1", nil, true},
		{"from elsewhere", "10.0.0.7:5000", "127.0.0.1:8929", "HTTP/1.1", nil, false},
		{"from elsewhere, claiming to be here", "10.0.0.7:5000", "localhost", "HTTP/1.1", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, false},
		{"by a proxy", "127.0.0.1:5000", "127.0.0.1:8929", "HTTP/1.1", http.Header{"X-Forwarded-For": {"10.0.0.7"}}, false},
		{"by a proxy for somebody here", "127.0.0.1:5000", "127.0.0.1:8929", "HTTP/1.1", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, false},
		{"by a proxy with an empty header", "127.0.0.1:5000", "127.0.0.1:8929", "HTTP/1.1", http.Header{"X-Real-Ip": {""}}, false},
		{"by a proxy of another kind", "127.0.0.1:5000", "127.0.0.1:8929", "HTTP/1.1", http.Header{"Via": {"1.1 proxy"}}, false},
		{"by a proxy that passes the name on", "127.0.0.1:5000", "ci.example.com", "HTTP/1.1", nil, false},
		{"by a name that leads here", "127.0.0.1:5000", "localhost.evil.example", "HTTP/1.1", nil, false},
		{"by nginx as it is delivered", "127.0.0.1:5000", "127.0.0.1:8929", "HTTP/1.0", nil, false},
	} {
		r := httptest.NewRequest("GET", "/-/metrics", nil)
		r.RemoteAddr, r.Host, r.Proto = test.peer, test.host, test.proto
		r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(test.proto)
		maps.Copy(r.Header, test.header)
		if got := direct(r); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}

// ask makes a request with headers, and gives the answer with its body.
func ask(t *testing.T, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestMetricsToken(t *testing.T) {
	c := config(t)
	c.MetricsToken = "metrics-token-0123456789"
	s := started(t, c)
	stop := running(t, s)
	url := s.LocalURL() + "/-/metrics"
	for _, test := range []struct {
		authorization string
		want          int
	}{
		{"", 401},
		{"Bearer metrics-token-0123456788", 401},
		{"Bearer metrics-token-012345678", 401},
		{"Bearer ", 401},
		{"Basic metrics-token-0123456789", 401},
		{"Bearer metrics-token-0123456789", 200},
		{"bearer metrics-token-0123456789", 200},
	} {
		resp, body := ask(t, url, http.Header{"Authorization": {test.authorization}, "X-Forwarded-For": {"192.0.2.9"}})
		if resp.StatusCode != test.want || strings.Contains(body, "lanyard_jobs") != (test.want == 200) {
			t.Errorf("%q: got %d, want %d", test.authorization, resp.StatusCode, test.want)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); (challenge != "") != (test.want == 401) {
			t.Errorf("%q: challenge %q", test.authorization, challenge)
		}
	}
	last := 0
	for range unknownTokens + 1 {
		resp, _ := ask(t, url, http.Header{"Authorization": {"Bearer guess"}, "X-Forwarded-For": {"192.0.2.10"}})
		last = resp.StatusCode
	}
	if resp, _ := ask(t, url, http.Header{"Authorization": {"Bearer " + c.MetricsToken}}); last != 429 || resp.StatusCode != 200 {
		t.Errorf("after many guesses: got %d, want 429; the right token got %d", last, resp.StatusCode)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestMetricsOfAServer holds that work is counted, and that nothing a caller makes up
// becomes a label.
func TestMetricsOfAServer(t *testing.T) {
	c := config(t)
	c.RootToken = "glpat-metrics-0123456789"
	s := started(t, c)
	stop := running(t, s)
	demo, err := s.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref}); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"/api/v4/projects/madeup%2Fproject", "/api/v4/madeup", "/madeup", "/madeup/project/-/pipelines", "/madeup.git/info/refs?service=git-upload-pack",
		"/-/madeup", "/users/madeup", "/madeup/..%2f", "/-/static/madeup",
	} {
		ask(t, s.LocalURL()+path, http.Header{"X-Request-Id": {"madeup"}, "User-Agent": {"madeup"}})
	}
	resp, body := ask(t, s.LocalURL()+"/-/metrics", nil)
	if resp.StatusCode != 200 {
		t.Fatalf("got %d:\n%s", resp.StatusCode, body)
	}
	for _, want := range []string{
		`lanyard_pipelines_created_total{source="trigger"} 2`,
		`lanyard_jobs{state="pending"} 2`,
		`lanyard_jobs{state="running"} 0`,
		`lanyard_runners_waiting 0`,
		`lanyard_http_requests_total{code="404",method="GET",route="/api/v4/projects/{id}"} 1`,
		`lanyard_writer_queue{database="logs"} 0`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if strings.Contains(body, "madeup") {
		t.Error("what a caller made up is a label")
	}
	for _, label := range regexp.MustCompile(`route="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !strings.HasPrefix(label[1], "/") && label[1] != "none" {
			t.Errorf("route %q is no pattern", label[1])
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestReadiness holds that the failing parts are named, without what only the
// operator should know.
func TestReadiness(t *testing.T) {
	s := started(t, config(t))
	parts := s.parts()
	answer := func() (int, map[string]string, string) {
		w := httptest.NewRecorder()
		s.readiness(parts).ServeHTTP(w, httptest.NewRequest("GET", "/-/readiness", nil))
		var got struct{ Failing map[string]string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return w.Code, got.Failing, w.Body.String()
	}
	if status, failing, _ := answer(); status != 200 || len(failing) > 0 {
		t.Errorf("a sound server: got %d, failing %v", status, failing)
	}
	if err := os.Rename(s.config.repositories(), s.config.repositories()+".away"); err != nil {
		t.Fatal(err)
	}
	s.draining.Store(true)
	status, failing, body := answer()
	if got := slices.Sorted(maps.Keys(failing)); status != 503 || !slices.Equal(got, []string{"repositories", "server"}) || strings.Contains(body, s.config.Data) {
		t.Errorf("without repositories, while draining: got %d %s", status, body)
	}
	if err := s.state.store.Close(); err != nil {
		t.Fatal(err)
	}
	if status, failing, _ = answer(); status != 503 || failing["database"] == "" || failing["writer"] == "" {
		t.Errorf("without a database: got %d, failing %v", status, failing)
	}
}
