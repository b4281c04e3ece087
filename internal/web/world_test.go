package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/web"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// password is everybody's in these tests.
const password = "correct horse battery"

// A world is a server with pages and nothing else before the engine.
type world struct {
	*enginetest.World
	t       testing.TB
	handler http.Handler
	number  int
	server  *httptest.Server // for streams; nil until there is one
}

func newWorld(t testing.TB, c enginetest.Config) *world {
	t.Helper()
	w := &world{World: enginetest.New(t, c), t: t}
	pages := enginetest.Must(web.New(web.Config{
		Engine: w.Engine, View: w.View, Blobs: w.Blobs, Traces: w.Traces, Hub: w.Hub, URLs: w.URLs, Now: w.Now,
		Ping: 50 * time.Millisecond,
	}))(t)
	w.handler = wire.New(wire.Config{URLs: w.URLs, Rest: pages, Log: w.Logger, Now: w.Now})
	return w
}

// person makes an account that can sign in by password.
func (w *world) person(name string) ci.User {
	w.t.Helper()
	return enginetest.Must(w.Engine.CreateUser(w.t.Context(), w.Root, engine.NewUser{
		Username: name, Name: name, Email: name + "@example.com", Password: password,
	}))(w.t)
}

// A browser has cookies and calls the server by its name.
type browser struct {
	w       *world
	base    *url.URL // of the server; its path is put before every path
	remote  string
	cookies map[string]*http.Cookie
	headers map[string]string
}

func (w *world) browser() *browser {
	return &browser{w: w, base: w.URLs.External, remote: "192.0.2.1:1234", cookies: map[string]*http.Cookie{}, headers: map[string]string{}}
}

// A reply is an answer that has been read.
type reply struct {
	*http.Response
	body string
}

// as signs somebody in by the form.
func (w *world) as(name string) *browser {
	w.t.Helper()
	b := w.browser()
	if got := b.signIn(name, password); got.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("sign in as %s: got status %d", name, got.StatusCode)
	}
	return b
}

func (b *browser) signIn(login, password string) *reply {
	b.w.t.Helper()
	form := b.get("/users/sign_in")
	return b.post("/users/sign_in", form.token(b.w.t), "user[login]", login, "user[password]", password)
}

// get asks for a page.
func (b *browser) get(path string) *reply { return b.do(http.MethodGet, path, nil) }

// post sends a form with a token and fields, given as name and value by turns.
func (b *browser) post(path, token string, fields ...string) *reply {
	form := url.Values{}
	if token != "" {
		form.Set("form_token", token)
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// press sends a form that is on a page, found by its action, with more fields.
func (b *browser) press(page, action string, fields ...string) *reply {
	b.w.t.Helper()
	shown := b.get(page)
	form := shown.doc(b.w.t).find(`form[action="` + b.base.Path + action + `"]`)
	if len(form) == 0 {
		b.w.t.Fatalf("%s has no form for %s:\n%s", page, action, shown.body)
	}
	return b.post(action, form[0].find("input[name=form_token]")[0].attr("value"), fields...)
}

func (b *browser) do(method, path string, form url.Values) *reply {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, b.base.String()+path, body)
	r.RemoteAddr = b.remote
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.base.Scheme+"://"+b.base.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range b.headers {
		switch {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	recorder := httptest.NewRecorder()
	b.w.handler.ServeHTTP(recorder, r)
	answer := recorder.Result()
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	return &reply{answer, recorder.Body.String()}
}

// token is the form token of a page.
func (r *reply) token(t testing.TB) string {
	t.Helper()
	fields := r.doc(t).find("input[name=form_token]")
	if len(fields) == 0 {
		t.Fatalf("the page has no form token:\n%s", r.body)
	}
	return fields[0].attr("value")
}

func (r *reply) doc(t testing.TB) *node {
	t.Helper()
	return parseHTML(t, r.body)
}

// texts are those of the elements that a selector finds.
func (r *reply) texts(t testing.TB, selector string) []string {
	t.Helper()
	var texts []string
	for _, n := range r.doc(t).find(selector) {
		texts = append(texts, n.text())
	}
	return texts
}

func status(t *testing.T, what string, got *reply, want int) {
	t.Helper()
	if got.StatusCode != want {
		t.Errorf("%s: got status %d, want %d; %s", what, got.StatusCode, want, strings.Join(got.texts(t, "main p"), " | "))
	}
}

func location(t *testing.T, what string, got *reply, want string) {
	t.Helper()
	if where := got.Header.Get("Location"); where != want {
		t.Errorf("%s: got status %d to %q, want %q", what, got.StatusCode, where, want)
	}
}

func has(t *testing.T, what string, got []string, want string) {
	t.Helper()
	for _, text := range got {
		if strings.Contains(text, want) {
			return
		}
	}
	t.Errorf("%s: got %q, want one with %q", what, got, want)
}
