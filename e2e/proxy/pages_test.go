package proxy

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestPages signs in and goes wherever pages lead: nowhere but below the path of the
// external URL, and always to something.
func TestPages(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		f.project(map[string]string{".gitlab-ci.yml": "build:\n  script: \"true\"\n"})
		f.trigger()
		b := f.browser()
		f.cookies(b.get("/users/sign_in"), "lanyard_form")
		a := b.signIn()
		f.cookies(a, "lanyard_session")
		if got := a.Header.Get("Location"); got != f.path+"/" {
			t.Errorf("after signing in: got %s", got)
		}
		b.walk("/", "/team/app", "/team/app/-/pipelines", "/team/app/-/settings/ci_cd")
		if a := b.get("/"); f.gzip != a.Uncompressed {
			t.Errorf("packed: got %t, want %t", a.Uncompressed, f.gzip)
		}
	})
}

// cookies holds how an answer sets a cookie.
func (f *front) cookies(a answer, name string) {
	f.t.Helper()
	path := f.path
	if path == "" {
		path = "/"
	}
	u, err := url.Parse(f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	if f.tls && f.path == "" {
		name = "__Host-" + name
	} else {
		name += "_" + u.Port()
	}
	for _, c := range a.Cookies() {
		if c.Name != name {
			continue
		}
		if c.Path != path || c.Secure != f.tls || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			f.t.Errorf("got cookie %s, want path %s, secure %t", strings.ReplaceAll(c.String(), c.Value, "…"), path, f.tls)
		}
		return
	}
	f.t.Errorf("%s %s sets no cookie %s", a.Request.Method, a.Request.URL.Path, name)
}

var (
	address = regexp.MustCompile(`\s(href|src|action|data-live)="([^"]*)"`)
	static  = regexp.MustCompile(`^/-/static/[^/]+\.[0-9a-f]{16}\.(css|js|svg)$`)
)

// walk goes from pages to whatever they lead to.
func (b *browser) walk(paths ...string) {
	b.t.Helper()
	seen, forms, files := map[string]bool{}, 0, 0
	for len(paths) > 0 {
		path := paths[0]
		if paths = paths[1:]; seen[path] {
			continue
		}
		if seen[path] = true; len(seen) > 100 {
			b.t.Fatal("pages lead to ever more pages")
		}
		a := b.get(path)
		for hops := 0; a.StatusCode/100 == 3 && hops < 3; hops++ {
			next, own := strings.CutPrefix(a.Header.Get("Location"), b.path+"/")
			if !own {
				b.t.Fatalf("%s leads to %s", path, a.Header.Get("Location"))
			}
			a = b.get("/" + next)
		}
		if a.StatusCode != http.StatusOK {
			b.t.Errorf("%s: got %d", path, a.StatusCode)
		}
		if static.MatchString(path) {
			if files++; !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
				b.t.Errorf("%s: Cache-Control is %s", path, a.Header.Get("Cache-Control"))
			}
		}
		if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, match := range address.FindAllStringSubmatch(a.body, -1) {
			kind, to := match[1], html.UnescapeString(match[2])
			below, own := strings.CutPrefix(to, b.path+"/")
			switch {
			case to == "" || strings.HasPrefix(to, "#"):
			case !own || strings.HasPrefix(below, "/"):
				b.t.Errorf("%s: %s leads to %s", path, kind, to)
			case kind == "action":
				forms++
			case kind != "data-live": // a stream does not end
				to, _, _ = strings.Cut("/"+below, "#")
				paths = append(paths, to)
			}
		}
	}
	if len(seen) < 8 || forms < 5 || files < 3 {
		b.t.Errorf("went to %d addresses, with %d forms and %d static files", len(seen), forms, files)
	}
}

// TestForms holds which forms are taken: those of pages of this server, as it is
// called from outside.
func TestForms(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		b := f.browser()
		b.signIn()
		token := b.token(b.get("/"))
		inside := f.server.URL[:strings.LastIndexByte(f.server.URL, ':')] // of another port, as other servers of the machine are
		for _, test := range []struct {
			name, origin, token string
		}{
			{"another site", "https://evil.test", token},
			{"another site of this name", strings.Replace(f.origin(), "localhost", "localhost.evil.test", 1), token},
			{"the address behind the proxy", inside + ":1", token},
			{"another scheme", map[bool]string{true: "http", false: "https"}[f.tls] + f.origin()[strings.Index(f.origin(), "://"):] + "1", token},
			{"no origin at all", "null", token},
			{"a token of nobody", f.origin(), "guess"},
			{"no token", f.origin(), ""},
		} {
			if a := b.send("/users/sign_out", test.origin, url.Values{"form_token": {test.token}}); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: got %d %s", test.name, a.StatusCode, a.Header.Get("Location"))
			}
		}
		a := b.send("/users/sign_out", f.origin(), url.Values{"form_token": {token}})
		if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != f.path+"/users/sign_in" {
			t.Errorf("its own: got %d %s", a.StatusCode, got)
		}
	})
}

// TestHost holds that no header of a caller changes what the server calls itself, and
// that pages answer to its name only.
func TestHost(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		f.project(map[string]string{"README.md": "x\n"})
		spoof := func(r *http.Request) {
			r.Header.Set("X-Forwarded-Host", "evil.test")
			r.Header.Set("X-Forwarded-Server", "evil.test")
			r.Header.Set("X-Forwarded-Port", "1")
			r.Header.Set("X-Forwarded-Prefix", "/evil")
			r.Header.Set("X-Original-URL", "/-/liveness")
			r.Header.Set("X-Rewrite-URL", "/-/liveness")
			r.Header.Set("Forwarded", "host=evil.test;proto=http")
		}
		for _, path := range []string{"/api/v4/projects/team%2Fapp", "/api/v4/projects?per_page=1", "/", "/users/sign_in"} {
			a := f.request(f.client, "GET", path, nil, func(r *http.Request) { asRoot(r); spoof(r) })
			if said := a.body + fmt.Sprint(a.Header); a.StatusCode >= 400 || strings.Contains(said, "evil") {
				t.Errorf("%s: got %d %s", path, a.StatusCode, said)
			}
		}
		a := f.request(f.client, "GET", "/api/v4/projects/team%2Fapp", nil, func(r *http.Request) { asRoot(r); r.Host = "evil.test" })
		if strings.Contains(a.body, "evil.test") || !strings.Contains(a.body, f.url+"/team/app") {
			t.Errorf("the API under another name: got %d %s", a.StatusCode, a.body)
		}
		a = f.request(f.client, "GET", "/users/sign_in", nil, func(r *http.Request) { r.Host = "evil.test" })
		if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "--external-url") {
			t.Errorf("a page under another name: got %d %s", a.StatusCode, a.body)
		}
	})
}
