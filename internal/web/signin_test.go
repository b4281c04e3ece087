package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

func TestSignInAndOut(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	w.person("ana")
	project := w.Project("secret")
	path := "/" + project.FullPath + "/-/pipelines"

	b := w.browser()
	asked := b.get(path + "?status=failed&page=2")
	status(t, "private project", asked, http.StatusSeeOther)
	location(t, "private project", asked, "/users/sign_in?return_to="+url.QueryEscape(path+"?status=failed&page=2"))
	location(t, "no project", b.get("/root/nothing/-/pipelines/7"), "/users/sign_in?return_to=%2Froot%2Fnothing%2F-%2Fpipelines%2F7")

	form := b.get(asked.Header.Get("Location"))
	checkPage(t, form)
	token := form.token(t)
	in := b.post("/users/sign_in", token, "user[login]", "ana", "user[password]", password, "return_to", path)
	status(t, "sign in", in, http.StatusSeeOther)
	location(t, "sign in", in, path)
	cookie := b.cookies["__Host-lanyard_session"]
	if cookie == nil || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("got cookie %+v", cookie)
	}
	if b.cookies["__Host-lanyard_form"] != nil {
		t.Error("the cookie of the form is still there")
	}
	home := b.get("/")
	checkPage(t, home)
	has(t, "visitor", home.texts(t, ".user"), "ana")
	status(t, "somebody else's project", b.get(path), http.StatusNotFound)
	location(t, "sign-in page when signed in", b.get("/users/sign_in?return_to=%2Fdemo"), "/demo")

	out := b.press("/", "/users/sign_out")
	location(t, "sign out", out, "/users/sign_in")
	if len(b.cookies) != 0 {
		t.Errorf("cookies after sign-out: %v", b.cookies)
	}
	b.cookies[cookie.Name] = cookie
	location(t, "session that was ended", b.get("/"), "/users/sign_in?return_to=%2F")
	if strings.Contains(w.Log(), cookie.Value) || strings.Contains(w.Log(), token) || strings.Contains(w.Log(), password) {
		t.Error("a secret was logged")
	}
}

func TestSignInRefused(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	ana := w.person("ana")
	for _, test := range []struct{ name, login, password string }{
		{"wrong password", "ana", "wrong"},
		{"unknown user", "bob", password},
		{"nothing", "", ""},
	} {
		b := w.browser()
		got := b.signIn(test.login, test.password)
		status(t, test.name, got, http.StatusUnprocessableEntity)
		has(t, test.name, got.texts(t, "[role=alert]"), "Invalid login or password.")
		checkPage(t, got)
		if b.cookies["__Host-lanyard_session"] != nil {
			t.Errorf("%s: got a session", test.name)
		}
		if value := got.doc(t).find("#login")[0].attr("value"); value != test.login {
			t.Errorf("%s: got user name %q back", test.name, value)
		}
	}
	w.Change(ana, func(u *ci.User) { u.State = ci.UserBlocked })
	got := w.browser().signIn("ana", password)
	status(t, "blocked", got, http.StatusForbidden)
	has(t, "blocked", got.texts(t, "[role=alert]"), "Your account has been blocked.")
}

func TestSignInIsLimited(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	w.person("ana")
	w.person("bob")
	for range 12 { // what is right costs nothing
		w.as("ana")
	}
	b := w.browser()
	for range 10 {
		status(t, "wrong", b.signIn("bob", "wrong"), http.StatusUnprocessableEntity)
	}
	limited := b.signIn("bob", password)
	status(t, "eleventh from the address", limited, http.StatusTooManyRequests)
	if limited.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	status(t, "another account from the address", b.signIn("ana", password), http.StatusTooManyRequests)
	other := w.browser()
	other.remote = "198.51.100.1:1"
	status(t, "the account from another address", other.signIn("BOB", password), http.StatusTooManyRequests)
	status(t, "another account from another address", other.signIn("ana", password), http.StatusSeeOther)
	here := w.browser()
	here.remote = "127.0.0.1:1"
	status(t, "the account from the machine itself", here.signIn("bob", password), http.StatusSeeOther)
	w.Clock.Advance(6 * time.Second)
	status(t, "after a while", b.signIn("bob", password), http.StatusSeeOther)
}

func TestReturnTo(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	w.person("ana")
	for to, want := range map[string]string{
		"/demo/hello/-/pipelines?page=2":   "/demo/hello/-/pipelines?page=2",
		"https://evil.example/":            "/",
		"//evil.example/":                  "/",
		`/\evil.example/`:                  "/",
		"/\t/evil.example/":                "/",
		"javascript:alert(1)":              "/",
		"evil":                             "/",
		"":                                 "/",
		"/users/sign_in?return_to=%2Fx":    "/",
		"/a b":                             "/a%20b",
		"/demo\r\nSet-Cookie: x=y":         "/",
		"http:///demo":                     "/",
		"/demo/hello/-/jobs/1#L5":          "/demo/hello/-/jobs/1",
		"/demo/hello/-/pipelines?ref=a%2F": "/demo/hello/-/pipelines?ref=a%2F",
	} {
		b := w.browser()
		token := b.get("/users/sign_in").token(t)
		got := b.post("/users/sign_in", token, "user[login]", "ana", "user[password]", password, "return_to", to)
		location(t, "return to "+to, got, want)
	}
}

func TestForeignForms(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	ana := w.person("ana")
	project := w.Member(ana, w.Project("app"), ci.Maintainer)
	_ = project
	path := "/root/app"
	b := w.as("ana")
	token := b.get(path + "/-/settings/ci_cd").token(t)
	other := w.as("ana")
	otherToken := other.get(path + "/-/settings/ci_cd").token(t)
	create := path + "/-/triggers"
	for _, test := range []struct {
		name    string
		token   string
		headers map[string]string
		want    int
	}{
		{"right", token, nil, http.StatusSeeOther},
		{"without Origin, as some programs send", token, map[string]string{"Origin": "", "Sec-Fetch-Site": ""}, http.StatusSeeOther},
		{"without a token", "", nil, http.StatusForbidden},
		{"with another session's token", otherToken, nil, http.StatusForbidden},
		{"from another site", token, map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		{"from the other scheme", token, map[string]string{"Origin": "http://ci.example.com"}, http.StatusForbidden},
		{"from another port", token, map[string]string{"Origin": "https://ci.example.com:8443"}, http.StatusForbidden},
		{"from nowhere", token, map[string]string{"Origin": "null"}, http.StatusForbidden},
		{"from a sister site", token, map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		{"by JSON", token, map[string]string{"Content-Type": "application/json"}, http.StatusForbidden},
	} {
		b.headers = test.headers
		status(t, test.name, b.post(create, test.token, "description", test.name), test.want)
	}
	b.headers = nil
	var made []string
	list, _, err := w.View.Triggers(t.Context(), enginetest.Must(w.Engine.FindProject(t.Context(), "root/app"))(t).ID, 100, 0)
	enginetest.Check(t, err)
	for _, trigger := range list {
		made = append(made, *trigger.Description)
	}
	if got, want := strings.Join(made, ", "), "right, without Origin, as some programs send"; got != want {
		t.Errorf("made %s, want %s", got, want)
	}
	// Nobody is signed in: the form leads to the sign-in page.
	location(t, "without a session", w.browser().post(create, token, "description", "x"), "/users/sign_in")
	// A sign-in form of another browser does not count.
	foreign := w.browser().get("/users/sign_in").token(t)
	status(t, "another browser's form", w.browser().post("/users/sign_in", foreign, "user[login]", "ana", "user[password]", password), http.StatusForbidden)
}

func TestSessionExpires(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	w.person("ana")
	b := w.as("ana")
	has(t, "signed in", b.get("/").texts(t, ".user"), "ana")
	w.Clock.Advance(14 * 24 * time.Hour)
	location(t, "expired", b.get("/"), "/users/sign_in?return_to=%2F")
	// Signing in again works with the old cookie still there.
	status(t, "sign in again", b.signIn("ana", password), http.StatusSeeOther)
	has(t, "signed in again", b.get("/").texts(t, ".user"), "ana")
}

func TestSignInLink(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	path := enginetest.Must(w.Engine.NewSignInLink(t.Context()))(t)
	b := w.browser()
	b.do(http.MethodHead, path, nil)
	b.headers["Sec-Purpose"] = "prefetch"
	b.get(path)
	delete(b.headers, "Sec-Purpose")
	if b.cookies["__Host-lanyard_session"] != nil {
		t.Fatal("a look at the link signed in")
	}
	location(t, "link", b.get(path), "/")
	has(t, "visitor", b.get("/").texts(t, ".user"), "root")
	again := w.browser()
	used := again.get(path)
	status(t, "used link", used, http.StatusNotFound)
	has(t, "used link", used.texts(t, "[role=alert]"), "works once")
	checkPage(t, used)
	if strings.Contains(w.Log(), strings.TrimPrefix(path, "/-/first/")) {
		t.Error("the link was logged")
	}
}

// TestSignInPageSaysHow holds that whoever cannot get in learns how.
func TestSignInPageSaysHow(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	page := w.browser().get("/users/sign_in")
	has(t, "without a password", page.texts(t, "main"), "No account has a password yet")
	has(t, "without a password", page.texts(t, "main"), "sign-in link")
	w.person("ana")
	page = w.browser().get("/users/sign_in")
	if text := page.doc(t).find("main")[0].text(); strings.Contains(text, "password yet") {
		t.Errorf("with a password: got %s", text)
	}
}

func TestHostRule(t *testing.T) {
	w := newWorld(t, enginetest.Config{})
	b := w.browser()
	for host, want := range map[string]int{
		"ci.example.com":       http.StatusOK,
		"CI.example.com:443":   http.StatusOK,
		"localhost":            http.StatusOK,
		"localhost:8929":       http.StatusOK,
		"ci.localhost":         http.StatusOK,
		"127.0.0.1:8929":       http.StatusOK,
		"127.9.9.9":            http.StatusOK,
		"[::1]:8929":           http.StatusOK,
		"ci.example.com:8929":  http.StatusBadRequest,
		"evil.example":         http.StatusBadRequest,
		"127.0.0.1.evil.com":   http.StatusBadRequest,
		"localhost.evil.com":   http.StatusBadRequest,
		"192.0.2.7:8929":       http.StatusBadRequest,
		"ci.example.com.evil":  http.StatusBadRequest,
		"[::ffff:192.0.2.1]:1": http.StatusBadRequest,
	} {
		b.headers["Host"] = host
		got := b.get("/users/sign_in")
		status(t, host, got, want)
		if want == http.StatusBadRequest {
			has(t, host, got.texts(t, "main p"), "--external-url")
			checkPage(t, got)
		}
	}
}

// TestOverHTTPBelowAPath holds what differs where the server has no https, a port
// and a path.
func TestOverHTTPBelowAPath(t *testing.T) {
	w := newWorld(t, enginetest.Config{URL: "http://ci.example.com:8080/ci"})
	w.person("ana")
	b := w.browser()
	form := b.get("/users/sign_in")
	checkPage(t, form)
	if got := form.doc(t).find("form.stack")[0].attr("action"); got != "/ci/users/sign_in" {
		t.Errorf("form posts to %s", got)
	}
	in := b.signIn("ana", password)
	location(t, "sign in", in, "/ci/")
	cookie := b.cookies["lanyard_session_8080"]
	if cookie == nil || cookie.Secure || cookie.Path != "/ci" || !cookie.HttpOnly {
		t.Fatalf("got cookies %v", b.cookies)
	}
	home := b.get("/")
	checkPage(t, home)
	for _, link := range home.doc(t).find("a") {
		if href := link.attr("href"); !strings.HasPrefix(href, "/ci/") && !strings.HasPrefix(href, "#") && href != "" {
			t.Errorf("link %q leads out of the path", href)
		}
	}
	style := home.doc(t).find("link[rel=stylesheet]")[0].attr("href")
	got := b.get(strings.TrimPrefix(style, "/ci"))
	status(t, "style sheet", got, http.StatusOK)
	if got.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("cache control of a static file: %s", got.Header.Get("Cache-Control"))
	}
}
