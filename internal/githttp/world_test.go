package githttp_test

import (
	"context"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/githttp"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// demoConfig is the pipeline of most projects here.
const demoConfig = "build:\n  script: make\n"

// A world is a whole server but for the API: a real engine on SQLite, real
// repositories, and the git handler behind the edge.
type world struct {
	t       testing.TB
	engine  *engine.Engine
	store   *store.DB
	git     *git.Server
	handler *githttp.Handler
	server  *httptest.Server
	urls    wire.URLs
	logged  func() string // what the server logged
	root    engine.Caller
}

// settings are what tests change about a world.
type settings struct {
	maxPush   int64 // bytes of a pack
	misses    int   // unknown tokens a minute
	processes int   // of git at once
}

// newWorld starts one.
func newWorld(t testing.TB, changes ...func(*settings)) *world {
	t.Helper()
	var s settings
	for _, change := range changes {
		change(&s)
	}
	server := httptest.NewUnstartedServer(nil)
	base := enginetest.New(t, enginetest.Config{
		URL: "http://" + server.Listener.Addr().String(), Git: git.Config{MaxPush: s.maxPush}, Now: time.Now,
	})
	w := &world{
		t: t, engine: base.Engine, store: base.Store, git: base.Git, server: server, urls: base.URLs, logged: base.Log, root: base.Root,
	}
	w.handler = must(githttp.New(githttp.Config{
		Engine: w.engine, View: w.store.View(), Git: w.git, URLs: w.urls, Limiter: wire.NewLimiter(wire.LimiterConfig{PerMinute: s.misses}),
		Logger: base.Logger, Processes: s.processes,
	}))(t)
	w.server.Config.Handler = wire.New(wire.Config{URLs: w.urls, Rest: w.handler, Log: base.Logger})
	w.server.Start()
	t.Cleanup(w.server.Close)
	return w
}

// must gives a value, or ends the test for its error.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closing(t testing.TB, close func() error) {
	t.Cleanup(func() {
		if err := close(); err != nil {
			t.Error(err)
		}
	})
}

// project makes a private project of root with a first commit that holds a pipeline.
func (w *world) project(path string) ci.Project {
	w.t.Helper()
	p := must(w.engine.CreateProject(w.t.Context(), w.root, engine.NewProject{Path: path}))(w.t)
	w.commit(p, "main", "First commit", ".gitlab-ci.yml", demoConfig)
	return p
}

// commit adds a commit with one file, past every check.
func (w *world) commit(p ci.Project, branch, message, file, content string) string {
	w.t.Helper()
	kind := git.ActionCreate
	if _, err := w.git.ReadFile(w.t.Context(), int64(p.ID), w.sha(p, branch), file); err == nil {
		kind = git.ActionUpdate
	}
	return must(w.engine.CommitFiles(w.t.Context(), w.root, p, git.CommitRequest{
		Branch: branch, Message: message, Actions: []git.Action{{Kind: kind, Path: file, Content: []byte(content)}},
	}))(w.t)
}

// sha is the commit of a branch or tag in the repository, "" when there is none.
func (w *world) sha(p ci.Project, rev string) string {
	w.t.Helper()
	sha, err := w.git.Resolve(w.t.Context(), int64(p.ID), rev)
	if err != nil {
		return ""
	}
	return sha
}

// recorded is what the table of refs says, "" for nothing.
func (w *world) recorded(p ci.Project, name string) string {
	w.t.Helper()
	ref, err := w.store.View().Ref(w.t.Context(), p.ID, name)
	if ci.IsNotFound(err) {
		return ""
	}
	check(w.t, err)
	return ref.SHA
}

// user makes a user with a role in a project, none for ci.NoRole.
func (w *world) user(name string, p ci.Project, role ci.Role) ci.User {
	w.t.Helper()
	user := must(w.engine.CreateUser(w.t.Context(), w.root, engine.NewUser{
		Username: name, Name: name, Email: name + "@example.com",
	}))(w.t)
	if role != ci.NoRole {
		check(w.t, w.store.SetMember(w.t.Context(), ci.Member{UserID: user.ID, ProjectID: p.ID, Role: role, CreatedAt: time.Now()}))
	}
	return user
}

// token makes an access token; without scopes it has "api".
func (w *world) token(user ci.User, scopes ...string) string {
	w.t.Helper()
	if len(scopes) == 0 {
		scopes = []string{auth.ScopeAPI}
	}
	_, token, err := w.engine.CreateAccessToken(w.t.Context(), w.root, user.ID, engine.NewAccessToken{Name: "t", Scopes: scopes})
	check(w.t, err)
	return token
}

// developer makes a developer of a project and gives a token of theirs.
func (w *world) developer(p ci.Project) string {
	w.t.Helper()
	return w.token(w.user("dev", p, ci.Developer))
}

// protect protects main as new projects have it: maintainers push, nobody forces.
func (w *world) protect(p ci.Project, pattern string, tag bool, level ci.Role) {
	w.t.Helper()
	must(w.store.Protect(w.t.Context(), ci.Protection{ProjectID: p.ID, Pattern: pattern, Tag: tag, PushLevel: level, MergeLevel: level}))(w.t)
}

// jobToken lets a runner take the next job and gives the token of it.
func (w *world) jobToken() (token string, job ci.Job) {
	w.t.Helper()
	ctx := w.t.Context()
	runner := must(w.engine.AuthenticateRunner(ctx, must(w.engine.BuiltInRunner(ctx, 1))(w.t)))(w.t)
	manager := must(w.engine.ContactRunner(ctx, runner, ci.RunnerManager{SystemID: "s"}))(w.t)
	a := must(w.engine.RequestJob(ctx, engine.RunnerContact{Runner: runner, Manager: manager}))(w.t)
	if a == nil {
		w.t.Fatal("there is no job to take")
	}
	return a.Token, a.Job
}

// pipelines of a project, oldest first.
func (w *world) pipelines(p ci.Project) []ci.Pipeline {
	w.t.Helper()
	list, _, err := w.store.View().Pipelines(w.t.Context(), store.PipelineFilter{ProjectID: p.ID, Limit: 1000})
	check(w.t, err)
	slices.SortFunc(list, func(a, b ci.Pipeline) int { return int(a.ID - b.ID) })
	return list
}

// url is the address of a repository with credentials in it; without a token it
// has none.
func (w *world) url(path, user, token string) string {
	u := must(url.Parse(w.urls.Clone(path)))(w.t)
	if token != "" {
		u.User = url.UserPassword(user, token)
	}
	return u.String()
}

// clone makes a work tree as a user with a token.
func (w *world) clone(p ci.Project, token string) *workTree {
	w.t.Helper()
	dir := w.t.TempDir()
	work := &workTree{t: w.t, home: dir, dir: filepath.Join(dir, "work")}
	(&workTree{t: w.t, home: dir, dir: dir}).must("clone", "-q", w.url(p.FullPath, "anybody", token), "work")
	return work
}

// A workTree is where a git client works.
type workTree struct {
	t         testing.TB
	home, dir string
}

// emptyTree is a work tree with nothing in it.
func emptyTree(t testing.TB) *workTree {
	dir := t.TempDir()
	g := &workTree{t: t, home: dir, dir: dir}
	g.must("init", "-q")
	return g
}

// run lets a git client do something and gives all that it says.
func (g *workTree) run(args ...string) (string, error) {
	g.t.Helper()
	return runGit(g.t.Context(), g.home, g.dir, args...)
}

func runGit(ctx context.Context, home, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{
		"-c", "user.name=U", "-c", "user.email=u@example.com", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + git.DefaultPath, "HOME=" + home, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (g *workTree) must(args ...string) string {
	g.t.Helper()
	out, err := g.run(args...)
	if err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

// refused expects git to fail and to say all of the words.
func (g *workTree) refused(words []string, args ...string) {
	g.t.Helper()
	out, err := g.run(args...)
	if err == nil {
		g.t.Errorf("git %v went through:\n%s", args, out)
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			g.t.Errorf("git %v says\n%s\nwithout %q", args, out, word)
		}
	}
}

// commit writes a file and commits it; it gives the commit.
func (g *workTree) commit(file, content, message string) string {
	g.t.Helper()
	check(g.t, os.WriteFile(filepath.Join(g.dir, file), []byte(content), 0o600))
	g.must("add", file)
	g.must("commit", "-q", "-m", message)
	return g.must("rev-parse", "HEAD")
}

// equal compares what a test got with what it wants.
func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// newProject is a private project of its maker.
func newProject(path string) engine.NewProject { return engine.NewProject{Path: path} }
