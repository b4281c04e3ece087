package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// logged is what the log says about a request.
type logged struct {
	Remote, Scheme string
}

// logOf makes a request and gives its line in the server's log.
func (f *front) logOf(client *http.Client, url, id string, header http.Header) logged {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "GET", url+"/-/liveness", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("X-Request-Id", id)
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		f.t.Fatal(err)
	}
	var found logged
	process.Eventually(f.t, "log of "+id, func() (bool, string) {
		for line := range strings.Lines(f.server.Log()) {
			if strings.Contains(line, `"request_id":"`+id+`"`) {
				return json.Unmarshal([]byte(line), &found) == nil, line
			}
		}
		return false, "no line"
	})
	return found
}

// TestClient holds who counts as the client and what as https: what the proxy that is
// trusted says, whatever the client had it say before, and nobody else.
func TestClient(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		const strangerAddr = "127.0.0.3"
		inside := f.server.URL
		if f.alone {
			inside = f.url
		}
		scheme, direct := "http", "http" // as people speak to the front, and to the server itself
		if f.tls {
			scheme = "https"
		}
		if f.alone {
			direct = "https"
		}
		spoof := http.Header{
			"X-Forwarded-For": {"192.0.2.66, 127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Real-Ip": {"192.0.2.66"}, "Forwarded": {"for=192.0.2.66"},
		}
		spoofHTTP := spoof.Clone()
		spoofHTTP.Set("X-Forwarded-Proto", "http")
		for n, test := range []struct {
			name   string
			from   string
			url    string
			header http.Header
			want   logged
		}{
			{"a person", personAddr, f.url, http.Header{}, logged{personAddr, scheme}},
			{"a person who claims to be somebody else", personAddr, f.url, spoof, logged{personAddr, scheme}},
			{"a person who claims to speak http", personAddr, f.url, spoofHTTP, logged{personAddr, scheme}},
			{"a stranger past the proxy", strangerAddr, inside, http.Header{}, logged{strangerAddr, direct}},
			{"a stranger past the proxy with claims", strangerAddr, inside, spoof, logged{strangerAddr, direct}},
			{"the trusted address", proxyAddr, inside, http.Header{"X-Forwarded-For": {"192.0.2.1, 192.0.2.9"}, "X-Forwarded-Proto": {"https"}}, logged{"192.0.2.9", "https"}},
		} {
			client := f.clientFrom(test.from)
			if got := f.logOf(client, test.url, fmt.Sprintf("probe-%d-", n)+strings.Repeat("x", 8), test.header); got != test.want {
				t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
			}
		}
	})
}

// TestMetrics holds that nobody gets at the metrics through a proxy, and programs on
// the server's machine do.
func TestMetrics(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		want := http.StatusNotFound // by the documented configuration
		switch {
		case f.alone:
			want = http.StatusOK // who calls is on this machine
		case f.metrics:
			want = http.StatusForbidden // by the server itself
		}
		for name, change := range map[string]func(*http.Request){
			"plain":                func(*http.Request) {},
			"with a local name":    func(r *http.Request) { r.Host = "127.0.0.1" },
			"with a local address": func(r *http.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") },
		} {
			expect := want
			if f.alone && name == "with a local address" {
				expect = http.StatusForbidden
			}
			if a := f.request(f.client, "GET", "/-/metrics", nil, change); a.StatusCode != expect {
				t.Errorf("%s: got %d, want %d", name, a.StatusCode, expect)
			}
		}
		if f.alone {
			return
		}
		resp, err := f.clientFrom(proxyAddr).Get(f.server.URL + "/-/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "lanyard_build_info") {
			t.Errorf("on this machine: got %d, error %v", resp.StatusCode, err)
		}
	})
}
