package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "93.184.216.34": true, "2606:2800:220:1::1": true, "::ffff:1.1.1.1": true, "64:ff9b::101:101": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false,
		"224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "::1": false, "::": false, "fe80::1": false,
		"fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2002:a00:1::1": false, "2001:db8::1": false,
		"2001::1": false, "fec0::1": false,
	} {
		if got := Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

// problem is the text of a RemoteError.
func problem(t *testing.T, err error) string {
	t.Helper()
	var remote *ciyaml.RemoteError
	if !errors.As(err, &remote) {
		t.Fatalf("got %v, want a RemoteError", err)
	}
	return remote.Problem
}

// server answers by path and counts what it is asked.
func server(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/a.yml", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "a: %s%s", r.Header.Get("Authorization"), r.Header.Get("Cookie"))
	})
	mux.HandleFunc("/big.yml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 3*MaxBytes))
	})
	mux.HandleFunc("/slow.yml", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/cut.yml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "short")
	})
	mux.Handle("/moved.yml", http.RedirectHandler("/a.yml", http.StatusFound))
	mux.Handle("/round.yml", http.RedirectHandler("/round.yml", http.StatusFound))
	mux.Handle("/file.yml", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s, &asked
}

func TestFetch(t *testing.T) {
	s, _ := server(t)
	f := New(Config{AllowPrivate: true, Timeout: 300 * time.Millisecond})
	for path, want := range map[string]string{"/a.yml": "a: ", "/moved.yml": "a: "} {
		if got, err := f.Fetch(t.Context(), s.URL+path); string(got) != want || err != nil {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	if got, err := f.Fetch(t.Context(), s.URL+"/big.yml"); len(got) != MaxBytes+1 || err != nil {
		t.Errorf("big: got %d bytes, %v", len(got), err)
	}
	for path, want := range map[string]string{
		"/none.yml":  "could not be fetched because of HTTP code `404` error!",
		"/round.yml": ciyaml.RemoteHTTP,
		"/file.yml":  ciyaml.RemoteHTTP,
		"/cut.yml":   ciyaml.RemoteHTTP,
		"/slow.yml":  ciyaml.RemoteTimeout,
	} {
		_, err := f.Fetch(t.Context(), s.URL+path)
		if got := problem(t, err); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	address := s.URL
	s.Close()
	_, err := f.Fetch(t.Context(), address+"/gone.yml")
	if got := problem(t, err); got != ciyaml.RemoteSocket {
		t.Errorf("gone: got %q", got)
	}
}

// A server of this machine is not asked: by its address, by a name for it, by a
// redirect from elsewhere, by another way to write its address.
func TestBlocked(t *testing.T) {
	s, asked := server(t)
	f := New(Config{})
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"} {
		_, err := f.Fetch(t.Context(), "http://"+host+port+"/a.yml")
		if got := problem(t, err); got != ciyaml.RemoteBlocked {
			t.Errorf("%s: got %q, want %q", host, got, ciyaml.RemoteBlocked)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// outside answers for the rest of the world and lets the guarded transport do the
// redirect.
type outside struct{ inside http.RoundTripper }

func (o outside) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() != "example.com" {
		return o.inside.RoundTrip(r)
	}
	recorder := httptest.NewRecorder()
	http.Redirect(recorder, r, r.URL.Query().Get("to"), http.StatusMovedPermanently)
	return recorder.Result(), nil
}

func TestRedirectIsChecked(t *testing.T) {
	s, asked := server(t)
	inside := New(Config{}).client.Transport
	f := New(Config{Transport: outside{inside}})
	_, err := f.Fetch(t.Context(), "https://example.com/a.yml?to="+strings.Replace(s.URL, "http", "https", 1))
	if got := problem(t, err); got != ciyaml.RemoteBlocked {
		t.Errorf("got %q, want %q", got, ciyaml.RemoteBlocked)
	}
	_, err = f.Fetch(t.Context(), "https://example.com/b.yml?to="+s.URL)
	if got := problem(t, err); got != ciyaml.RemoteHTTP {
		t.Errorf("to plain http: got %q, want %q", got, ciyaml.RemoteHTTP)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestUsualPort(t *testing.T) {
	for port, want := range map[uint16]bool{22: false, 25: false, 80: true, 443: true, 1023: false, 1024: true, 8080: true} {
		if got := usualPort(port); got != want {
			t.Errorf("%d: got %v, want %v", port, got, want)
		}
	}
}

func TestOutcomesAreRemembered(t *testing.T) {
	s, asked := server(t)
	now := time.Unix(0, 0)
	var mu sync.Mutex
	f := New(Config{AllowPrivate: true, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	for _, step := range []struct {
		path  string
		after time.Duration
		asked int64
	}{
		{"/a.yml", 0, 1}, {"/a.yml", 59 * time.Second, 1}, {"/a.yml", time.Second, 2},
		{"/none.yml", 0, 3}, {"/none.yml", 9 * time.Second, 3}, {"/none.yml", time.Second, 4},
	} {
		pass(step.after)
		_, err := f.Fetch(t.Context(), s.URL+step.path)
		if got := asked.Load(); got != step.asked || (err == nil) != (step.path == "/a.yml") {
			t.Errorf("%s after %v: asked %d times, want %d: %v", step.path, step.after, got, step.asked, err)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := New(Config{})
	for i := range 2 * maxEntries {
		f.keep(fmt.Sprint("https://example.com/", i), entry{content: make([]byte, 1<<20)})
		if len(f.entries) > maxEntries || f.bytes > maxCachedBytes {
			t.Fatalf("%d entries of %d bytes", len(f.entries), f.bytes)
		}
	}
	sum := 0
	for _, e := range f.entries {
		sum += len(e.content)
	}
	if sum != f.bytes || sum == 0 {
		t.Errorf("got %d bytes, counted %d", sum, f.bytes)
	}
}

func TestCallerMayLeave(t *testing.T) {
	s, _ := server(t)
	f := New(Config{AllowPrivate: true, Timeout: time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Fetch(ctx, s.URL+"/slow.yml"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}
