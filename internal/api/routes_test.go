package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// serve makes the API of a world, behind the edge that it has in the server.
func serve(t testing.TB, w *enginetest.World) (*API, http.Handler) {
	t.Helper()
	a, err := New(Config{
		Engine: w.Engine, View: w.View, Blobs: w.Blobs, Git: w.Git, Traces: w.Traces, Hub: w.Hub, URLs: w.URLs,
		Limiter: wire.NewLimiter(wire.LimiterConfig{PerMinute: 1 << 20}), Now: w.Clock.Now, Logger: w.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	a.Routes(mux)
	return a, wire.New(wire.Config{URLs: w.URLs, API: mux, Log: w.Logger, Now: w.Clock.Now})
}

// ask sends one request and gives status and body.
func ask(t *testing.T, h http.Handler, method, path string, form url.Values, header ...string) (int, string) {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/v4"+path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}

// address fills the wildcards of a pattern.
func address(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	for _, name := range wildcards(pattern) {
		value := "1"
		switch name {
		case "part":
			value = "artifacts"
		case "artifact_path":
			value = "raw/1"
		}
		path = strings.NewReplacer("{"+name+"}", value, "{"+name+"...}", value).Replace(path)
	}
	return method, path
}

// TestEveryRouteAsksWhoIsCalling tries each route as nobody and with a token that
// does not exist, on a public project. Where the route is not for everybody the
// answer is 401, or what is wrong with the parameters.
func TestEveryRouteAsksWhoIsCalling(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	w.Set(w.Project("open", ".gitlab-ci.yml", "build: {script: [make]}"), func(p *ci.Project) { p.Visibility = ci.Public })
	a, h := serve(t, w)
	for _, r := range a.routes {
		method, path := address(r.pattern)
		refused := func(status int) bool { return status == http.StatusUnauthorized || status == http.StatusBadRequest }
		if status, body := ask(t, h, method, path, nil); r.who&(signedIn|admins) != 0 && !refused(status) {
			t.Errorf("%s answers nobody with %d: %s", r.pattern, status, body)
		}
		if r.who&byToken != 0 || strings.HasSuffix(r.pattern, "/trigger/pipeline") {
			continue
		}
		if status, body := ask(t, h, method, path, nil, "PRIVATE-TOKEN", "glpat-unknown"); !refused(status) {
			t.Errorf("%s answers an unknown token with %d: %s", r.pattern, status, body)
		}
	}
}

// TestTriggerDependsOnItsOwner changes the owner of a trigger token and triggers
// (contract/trigger-api.md 1.7, cases 23 to 24b).
func TestTriggerDependsOnItsOwner(t *testing.T) {
	const (
		denied = `{"message":{"base":["Insufficient permissions to create a new pipeline"]}}`
		noRef  = `{"message":{"base":["You do not have sufficient permission to run a pipeline on 'main'. ` +
			`Please select a different branch or contact your administrator for assistance."]}}`
	)
	for _, tt := range []struct {
		name   string
		change func(*ci.User)
		status int
		body   string // empty: not compared
	}{
		{"as they are", func(*ci.User) {}, 201, ""},
		{"blocked", func(u *ci.User) { u.State = ci.UserBlocked }, 400, denied},
		{"unconfirmed", func(u *ci.User) { u.Confirmed = false }, 400, denied},
		{"deactivated", func(u *ci.User) { u.State = ci.UserDeactivated }, 400, noRef},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := enginetest.New(t, enginetest.Config{})
			project := w.Project("hello", ".gitlab-ci.yml", "build: {script: [make]}")
			owner := w.Someone(project, ci.Maintainer)
			token := w.TriggerToken(project, owner)
			w.Change(owner, tt.change)
			_, h := serve(t, w)
			status, body := ask(t, h, "POST", "/projects/1/trigger/pipeline", url.Values{"token": {token}, "ref": {"main"}}, "X-Lanyard-Hints", "off")
			if status != tt.status || tt.body != "" && !sameJSON(t, body, tt.body) {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, tt.body)
			}
		})
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	first, err := json.Marshal(values[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(values[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(first) == string(second)
}
