package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// A kind is a way in which a server may stand behind something.
type kind struct {
	name     string
	tls      bool
	path     string // of the external URL
	removes  bool   // the proxy takes the path away
	buffered bool   // the proxy reads requests to their end first
	gzip     bool   // the proxy packs answers
	metrics  bool   // the proxy passes requests for metrics on
	alone    bool   // no proxy: the server speaks https itself
}

var kinds = []kind{
	{name: "https with a path", tls: true, path: "/ci", gzip: true},
	{name: "http at the root", buffered: true, metrics: true},
	{name: "a proxy that removes the path", tls: true, path: "/deep/ci", removes: true},
	{name: "https at the root", tls: true},
	alone,
}

// Addresses that tests call from. The server trusts only the first, which is the
// proxy's.
const (
	proxyAddr  = "127.0.0.1"
	personAddr = "127.0.0.2"
)

// A front is a server as it is seen from outside.
type front struct {
	kind
	t      *testing.T
	url    string // external
	ca     string // file with the certificate; empty: plain http
	server *process.Server
	client *http.Client // follows no redirection
}

// each runs a test for every kind of front.
func each(t *testing.T, test func(*testing.T, *front)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, newFront(t, k))
		})
	}
}

// newFront starts a server and what stands before it.
func newFront(t *testing.T, k kind) *front {
	t.Helper()
	port, scheme := freePort(t), "http"
	if k.tls {
		scheme = "https"
	}
	f := &front{kind: k, t: t, url: fmt.Sprintf("%s://localhost:%d%s", scheme, port, k.path)}
	dir := t.TempDir()
	files := map[string][]byte{}
	if k.tls {
		files["cert.pem"], files["key.pem"] = newPair(t)
		f.ca = filepath.Join(dir, "cert.pem")
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.client = f.clientFrom(personAddr)
	args := []string{"--external-url", f.url, "--trusted-proxies", proxyAddr + "/32"}
	if k.alone {
		args = append(args, "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--tls-cert", f.ca, "--tls-key", filepath.Join(dir, "key.pem"))
	}
	f.server = process.Start(t, filepath.Join(dir, "data"), args...)
	if !k.alone {
		startNginx(t, port, nginxConfig(t, k, port, strings.TrimSuffix(strings.TrimPrefix(f.server.URL, "http://"), k.path)), files)
	}
	return f
}

// clientFrom is a client at an address of this machine. It trusts the certificate of
// the front and follows no redirection.
func (f *front) clientFrom(addr string) *http.Client {
	f.t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}, Timeout: 10 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp4", addr)
		},
		// Only with this does it try HTTP/2 on a connection of its own making.
		ForceAttemptHTTP2: true,
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			f.t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// An answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// request makes a request of an address below the external URL. change may be nil.
func (f *front) request(client *http.Client, method, path string, body io.Reader, change func(*http.Request)) answer {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp, string(data)}
}

// asRoot adds root's token to a request.
func asRoot(r *http.Request) { r.Header.Set("PRIVATE-TOKEN", process.RootToken) }

// api makes a request of the API as root, with a JSON body if there is one.
func (f *front) api(method, path string, body any) answer {
	f.t.Helper()
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			f.t.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	return f.request(f.client, method, "/api/v4"+path, reader, func(r *http.Request) {
		asRoot(r)
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
	})
}

// must is api for what must succeed; into may be nil.
func (f *front) must(method, path string, body, into any) {
	f.t.Helper()
	a := f.api(method, path, body)
	if a.StatusCode >= 300 {
		f.t.Fatalf("%s %s: got %d %s", method, path, a.StatusCode, a.body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			f.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
}

// project makes the private project team/app with files on main.
func (f *front) project(files map[string]string) (id int64) {
	f.t.Helper()
	var group, project struct{ ID int64 }
	f.must("POST", "/groups", map[string]any{"name": "Team", "path": "team"}, &group)
	f.must("POST", "/projects", map[string]any{"name": "app", "path": "app", "namespace_id": group.ID}, &project)
	var actions []map[string]any
	for name, content := range files {
		actions = append(actions, map[string]any{"action": "create", "file_path": name, "content": content})
	}
	f.must("POST", "/projects/team%2Fapp/repository/commits", map[string]any{"branch": "main", "commit_message": "first [skip ci]", "actions": actions}, nil)
	return project.ID
}

// trigger starts a pipeline on main with a new trigger token.
func (f *front) trigger() (pipeline int64) {
	f.t.Helper()
	var token struct{ Token string }
	f.must("POST", "/projects/team%2Fapp/triggers", map[string]any{"description": "proxy"}, &token)
	var p struct{ ID int64 }
	f.must("POST", "/projects/team%2Fapp/trigger/pipeline", map[string]any{"token": token.Token, "ref": "main"}, &p)
	return p.ID
}

// runnerToken makes a runner for all projects.
func (f *front) runnerToken() string {
	f.t.Helper()
	var made struct{ Token string }
	f.must("POST", "/user/runners", map[string]any{"runner_type": "instance_type", "run_untagged": true}, &made)
	return made.Token
}

// origin is what a browser puts into the header Origin.
func (f *front) origin() string { return strings.TrimSuffix(f.url, f.path) }

// A browser is somebody with cookies.
type browser struct {
	*front
	client *http.Client
}

func (f *front) browser() *browser {
	f.t.Helper()
	client := f.clientFrom(personAddr)
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	client.Jar = jar
	return &browser{f, client}
}

// get asks for a page.
func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.request(b.client, "GET", path, nil, nil)
}

// send sends a form as a browser does, from a page of an origin.
func (b *browser) send(path, origin string, form url.Values) answer {
	b.t.Helper()
	return b.request(b.client, "POST", path, strings.NewReader(form.Encode()), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
	})
}

var formToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// token is the form token of a page.
func (b *browser) token(a answer) string {
	b.t.Helper()
	match := formToken.FindStringSubmatch(a.body)
	if match == nil {
		b.t.Fatalf("%s has no form: %d %s", a.Request.URL, a.StatusCode, a.body)
	}
	return match[1]
}

// signIn makes an account with a password, the administrator's kind, and signs in. It
// gives the answer to the form.
func (b *browser) signIn() answer {
	b.t.Helper()
	const password = "correct horse battery staple"
	b.must("POST", "/users", map[string]any{
		"username": "maya", "name": "Maya", "email": "maya@example.com", "password": password, "admin": true, "skip_confirmation": true,
	}, nil)
	a := b.send("/users/sign_in", b.origin(), url.Values{
		"form_token": {b.token(b.get("/users/sign_in"))}, "user[login]": {"maya"}, "user[password]": {password}, "return_to": {"/"},
	})
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("sign in: got %d %s", a.StatusCode, a.body)
	}
	return a
}
