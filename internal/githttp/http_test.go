package githttp_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/githttp"
)

// A reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
}

// request sends a request with no redirects followed; change may adapt it.
func (w *world) request(method, path, body string, change ...func(*http.Request)) reply {
	w.t.Helper()
	r := must(http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body)))(w.t)
	for _, c := range change {
		c(r)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	got := must(client.Do(r))(w.t)
	defer got.Body.Close()
	return reply{got.StatusCode, got.Header, string(must(io.ReadAll(got.Body))(w.t))}
}

func basic(user, token string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, token) }
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

const (
	fetchRefs = "/info/refs?service=git-upload-pack"
	pushRefs  = "/info/refs?service=git-receive-pack"
)

func TestMatch(t *testing.T) {
	h := newWorld(t).handler
	for path, want := range map[string]bool{
		"/group/project.git/info/refs":              true,
		"/group/sub/project.git/git-upload-pack":    true,
		"/group/sub/project.git/git-receive-pack":   true,
		"/group/project/info/refs":                  true,
		"/group/project.git/HEAD":                   true,
		"/group/project.git/objects/info/packs":     true,
		"/project.git/info/refs":                    false,
		"/.git/info/refs":                           false,
		"/group/project":                            false,
		"/group/project.git":                        false,
		"/group/project/-/blob/main/x.git/info/ref": false,
		"/group/project/-/tree/info/refs":           false,
		"/api/v4/projects/x.git/info/refs":          false,
		"/-/static/x.git/info/refs":                 false,
		"/info/refs":                                false,
		"":                                          false,
	} {
		equal(t, path, h.Match(path), want)
	}
}

func TestAnswersOfInfoRefs(t *testing.T) {
	w := newWorld(t)
	w.project("demo")
	token := w.token(w.root.User)
	for _, test := range []struct {
		method, path string
		auth         func(*http.Request)
		status       int
		body         string // its beginning
	}{
		{"GET", "/root/demo.git" + fetchRefs, basic("x", token), 200, "001e# service=git-upload-pack\n0000"},
		{"GET", "/root/demo.git" + pushRefs, basic("x", token), 200, "001f# service=git-receive-pack\n0000"},
		{"GET", "/root%2Fdemo.git" + fetchRefs, basic("x", token), 200, "001e# service=git-upload-pack\n0000"},
		{"HEAD", "/root/demo.git" + fetchRefs, basic("x", token), 200, ""},
		{"POST", "/root/demo.git" + fetchRefs, basic("x", token), 405, "405 Method Not Allowed\n"},
		{"GET", "/root/demo.git/git-upload-pack", basic("x", token), 405, "405 Method Not Allowed\n"},
		{"GET", "/root/demo.git/info/refs", basic("x", token), 403, "Only git's smart HTTP protocol"},
		{"GET", "/root/demo.git/info/refs?service=git-upload-archive", basic("x", token), 403, "Only git's smart HTTP protocol"},
		{"GET", "/root/demo.git/HEAD", basic("x", token), 403, "Only git's smart HTTP protocol"},
		{"GET", "/root/demo.git/objects/info/packs", basic("x", token), 403, "Only git's smart HTTP protocol"},
		{"GET", "/root/demo/info/refs", nil, 403, "Only git's smart HTTP protocol"},
		{"GET", "/root/demo" + fetchRefs, nil, 301, ""},
		{"GET", "/no/where" + fetchRefs, nil, 301, ""},
		{"POST", "/root/demo/git-upload-pack", nil, 404, "404 Not Found\n"},
		{"GET", "/root/none.git" + fetchRefs, basic("x", token), 404, "The project you were looking for could not be found"},
		{"GET", "/7/1.git" + fetchRefs, basic("x", token), 404, "The project you were looking for could not be found"},
	} {
		auth := test.auth
		if auth == nil {
			auth = func(*http.Request) {}
		}
		got := w.request(test.method, test.path, "", auth)
		if got.status != test.status || !strings.HasPrefix(got.body, test.body) || test.body == "" && got.body != "" {
			t.Errorf("%s %s: got %d %.200q, want %d %q", test.method, test.path, got.status, got.body, test.status, test.body)
		}
	}
	got := w.request("HEAD", "/root/demo.git"+fetchRefs, "", basic("x", token))
	equal(t, "Content-Type", got.header.Get("Content-Type"), "application/x-git-upload-pack-advertisement")
	equal(t, "Cache-Control", got.header.Get("Cache-Control"), "no-cache, max-age=0, must-revalidate")
	got = w.request("GET", "/root/demo/info/refs?service=git-upload-pack&private_token=secret", "")
	equal(t, "Location", got.header.Get("Location"), "/root/demo.git/info/refs?service=git-upload-pack")
	equal(t, "Allow", w.request("PUT", "/root/demo.git"+fetchRefs, "").header.Get("Allow"), "GET, HEAD")
}

// Who gets which status at which project, for a fetch and for a push.
func TestWhoMayEnter(t *testing.T) {
	w := newWorld(t)
	private := w.project("private")
	projects := map[string]ci.Project{"private": private}
	for _, v := range []ci.Visibility{ci.Internal, ci.Public} {
		projects[string(v)] = must(w.engine.CreateProject(t.Context(), w.root, engine.NewProject{Path: string(v), Visibility: v}))(t)
	}
	stranger := w.token(w.user("stranger", private, ci.NoRole))
	guest := w.token(w.user("guest", private, ci.Guest))
	dev := w.user("dev", private, ci.Developer)
	for _, test := range []struct {
		who, user, token string
		want             string // status of fetch and push: private, internal, public, missing
	}{
		{"nobody", "", "", "401 401 401 401 200 401 401 401"},
		{"a stranger", "x", stranger, "404 404 200 403 200 403 404 404"},
		{"a guest", "x", guest, "403 403 200 403 200 403 404 404"},
		{"a developer", "x", w.token(dev), "200 200 200 403 200 403 404 404"},
		{"read_repository", "x", w.token(dev, auth.ScopeReadRepository), "200 403 200 403 200 403 404 404"},
		{"write_repository", "x", w.token(dev, auth.ScopeWriteRepository), "200 200 200 403 200 403 404 404"},
		{"read_api", "x", w.token(dev, auth.ScopeReadAPI), "403 403 403 403 403 403 404 404"},
		{"an unknown token", "x", "glpat-unknown", "401 401 401 401 401 401 401 401"},
		{"an access token as a job's", "gitlab-ci-token", w.token(dev), "401 401 401 401 401 401 401 401"},
		{"an empty password", "x", "", "401 401 401 401 401 401 401 401"},
	} {
		var got []string
		for _, name := range []string{"private", "internal", "public", "missing"} {
			for _, service := range []string{fetchRefs, pushRefs} {
				r := w.request("HEAD", "/root/"+name+".git"+service, "", func(r *http.Request) {
					if test.user != "" {
						r.SetBasicAuth(test.user, test.token)
					}
				})
				got = append(got, fmt.Sprint(r.status))
				if challenge := r.header.Get("WWW-Authenticate"); (challenge == `Basic realm="GitLab"`) != (r.status == 401) {
					t.Errorf("%s: status %d with challenge %q", test.who, r.status, challenge)
				}
			}
		}
		equal(t, test.who, strings.Join(got, " "), test.want)
	}
}

func TestTokensThatNoLongerCount(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	dev := w.user("dev", p, ci.Developer)
	path := "/root/demo.git" + fetchRefs
	_, expired, err := w.engine.CreateAccessToken(t.Context(), w.root, dev.ID,
		engine.NewAccessToken{Name: "t", Scopes: []string{auth.ScopeAPI}, ExpiresAt: time.Now().Add(-time.Hour)})
	check(t, err)
	got := w.request("GET", path, "", basic("x", expired))
	equal(t, "status of an expired token", got.status, 401)
	equal(t, "text", got.body, "Token is expired. You can either do re-authorization or token refresh.\n")

	token := w.token(dev)
	equal(t, "status before", w.request("GET", path, "", basic("x", token)).status, 200)
	_, _, err = w.engine.SetUserState(t.Context(), w.root, dev.ID, ci.UserBlocked)
	check(t, err)
	got = w.request("GET", path, "", basic("x", token))
	equal(t, "status of a blocked user", got.status, 403)
	equal(t, "text", got.body, "Your account has been blocked.\n")
	work := emptyTree(t)
	work.refused([]string{"remote: Your account has been blocked."}, "clone", w.url(p.FullPath, "x", token), "c")
}

func TestJobTokens(t *testing.T) {
	w := newWorld(t)
	own := w.project("own")
	other := must(w.engine.CreateProject(t.Context(), w.root, newProject("other")))(t)
	public := must(w.engine.CreateProject(t.Context(), w.root, engine.NewProject{Path: "public", Visibility: ci.Public}))(t)
	token, job := w.jobToken()
	status := func(p ci.Project, service string) int {
		return w.request("HEAD", "/"+p.FullPath+".git"+service, "", basic("gitlab-ci-token", token)).status
	}
	equal(t, "own project", status(own, fetchRefs), 200)
	equal(t, "own project, push", status(own, pushRefs), 403)
	equal(t, "another", status(other, fetchRefs), 404)
	equal(t, "a public one", status(public, fetchRefs), 200)
	equal(t, "a public one, push", status(public, pushRefs), 403)
	check(t, w.engine.AllowJobTokenOf(t.Context(), w.root, other, own.ID))
	equal(t, "another that allows it", status(other, fetchRefs), 200)
	equal(t, "another that allows it, push", status(other, pushRefs), 403)
	equal(t, "with another user name", w.request("HEAD", "/root/own.git"+fetchRefs, "", basic("x", token)).status, 401)
	_, err := w.engine.FinishJob(t.Context(), job, ci.Outcome{Success: true})
	check(t, err)
	equal(t, "after the job", status(own, fetchRefs), 401)
}

func TestUnknownTokensAreLimited(t *testing.T) {
	w := newWorld(t, func(s *settings) { s.misses = 5 })
	p := w.project("demo")
	path, token := "/"+p.FullPath+".git"+fetchRefs, w.token(w.root.User)
	for range 20 { // a client's first try never has credentials
		equal(t, "without a token", w.request("GET", path, "").status, 401)
	}
	for i := range 10 {
		got := w.request("GET", path, "", basic("x", fmt.Sprint("glpat-", i)))
		want := 401
		if i >= 5 {
			want = 429
		}
		equal(t, fmt.Sprint("try ", i+1), got.status, want)
		if want == 429 && got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	equal(t, "the right token", w.request("GET", path, "", basic("x", token)).status, 200)
}

// Credentials of clients stand in no log and no answer.
func TestSecretsStayOutOfLogs(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	token, wrong := w.token(w.root.User), "glpat-wrongwrongwrongwrong"
	job, _ := w.jobToken()
	work := w.clone(p, token)
	work.commit("a", "1", "x")
	work.must("push", "-o", "ci.variable=PASSWORD=hushhush", "origin", "main")
	said := ""
	for _, credential := range []struct{ user, token string }{{"x", wrong}, {"gitlab-ci-token", wrong}, {"gitlab-ci-token", job}, {token, ""}} {
		for _, path := range []string{"/root/demo.git" + fetchRefs, "/root/demo.git" + pushRefs, "/root/none.git" + fetchRefs} {
			got := w.request("GET", path+"&private_token="+token, "", basic(credential.user, credential.token))
			said += fmt.Sprint(got.status, got.header, got.body)
		}
	}
	said += fmt.Sprint(w.request("POST", "/root/demo.git/git-upload-pack", "0032want "+token, basic("x", token), fetchType))
	for _, secret := range []string{token, wrong, job, "hushhush"} {
		if strings.Contains(w.logged(), secret) || strings.Contains(said, secret) {
			t.Errorf("%s can be read:\n%s\n%s", secret, w.logged(), said)
		}
	}
	for _, want := range []string{"route=/{project}.git/info/refs", "route=/{project}.git/git-receive-pack", "project=1", "user=1"} {
		if !strings.Contains(w.logged(), want) {
			t.Errorf("the log has no %s:\n%s", want, w.logged())
		}
	}
}

var (
	fetchType = header("Content-Type", "application/x-git-upload-pack-request")
	pushType  = header("Content-Type", "application/x-git-receive-pack-request")
)

// Requests that no git client sends are the client's fault, and not logged as ours.
func TestBrokenRequests(t *testing.T) {
	w := newWorld(t)
	w.project("demo")
	const fetch, push = "/root/demo.git/git-upload-pack", "/root/demo.git/git-receive-pack"
	token := basic("x", w.token(w.root.User))
	zipped := zip(t, "0000")
	for _, test := range []struct {
		what, path, body string
		change           []func(*http.Request)
		status           int
	}{
		{"other type", fetch, "0000", []func(*http.Request){header("Content-Type", "text/plain")}, 415},
		{"other encoding", fetch, "0000", []func(*http.Request){fetchType, header("Content-Encoding", "br")}, 415},
		{"no gzip", fetch, "0000", []func(*http.Request){fetchType, header("Content-Encoding", "gzip")}, 400},
		{"cut gzip", push, zipped[:len(zipped)/2], []func(*http.Request){pushType, header("Content-Encoding", "gzip")}, 400},
		{"no packets", push, "hello", []func(*http.Request){pushType}, 400},
		{"cut head", push, "00", []func(*http.Request){pushType}, 400},
		{"probe", push, "0000", []func(*http.Request){pushType}, 200},
		{"zipped probe", push, zipped, []func(*http.Request){pushType, header("Content-Encoding", "gzip")}, 200},
		{"empty fetch", fetch, "0000", []func(*http.Request){fetchType}, 200},
	} {
		got := w.request("POST", test.path, test.body, append(test.change, token)...)
		if got.status != test.status {
			t.Errorf("%s: got %d %q, want %d", test.what, got.status, got.body, test.status)
		}
	}
	if got := w.request("POST", fetch, "nonsense", fetchType, token); got.status != 200 && got.status != 400 {
		t.Errorf("nonsense: got %d %q", got.status, got.body)
	}
	if strings.Contains(w.logged(), "level=ERROR") {
		t.Errorf("logged an error:\n%s", w.logged())
	}
}

// A client that says that a branch held nothing still deletes it: git would let it.
func TestDeletionOfWhateverIsThere(t *testing.T) {
	w := newWorld(t)
	p := w.project("demo")
	w.protect(p, "keep", false, ci.Developer)
	must(w.git.CreateBranch(t.Context(), int64(p.ID), "keep", "main"))(t)
	must(w.git.CreateBranch(t.Context(), int64(p.ID), "spare", "main"))(t)
	token := basic("x", w.token(w.user("dev", p, ci.Developer)))
	remove := func(name string) string {
		line := ci.ZeroSHA + " " + ci.ZeroSHA + " " + name + "\x00 report-status delete-refs"
		got := w.request("POST", "/root/demo.git/git-receive-pack", fmt.Sprintf("%04x%s0000", len(line)+4, line), token, pushType)
		equal(t, "status", got.status, 200)
		return got.body
	}
	for _, name := range []string{"refs/heads/keep", "refs/heads/main"} {
		if said := remove(name); !strings.Contains(said, "ng "+name+" pre-receive hook declined") || w.sha(p, name) == "" {
			t.Errorf("%s: %q", name, said)
		}
	}
	if said := remove("refs/heads/spare"); !strings.Contains(said, "ok refs/heads/spare") || w.sha(p, "refs/heads/spare") != "" {
		t.Errorf("spare: %q", said)
	}
	equal(t, "spare in the table", w.recorded(p, "refs/heads/spare"), "")
	enginetest.Check(t, w.engine.CompareRefs(t.Context())) // the refs that the test made past the table
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := githttp.New(githttp.Config{}); err == nil {
		t.Error("a handler of nothing was made")
	}
}
