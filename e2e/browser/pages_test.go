package browser_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/browser"
	"github.com/lanyard-ci/lanyard/e2e/process"
)

func TestMain(m *testing.M) { process.Main(m) }

const password = "correct horse battery"

// A scene is a server with a runner and two projects: a job of the first, which
// waits for a file of the test between two lines, starts a pipeline of the second.
type scene struct {
	*process.Server
	t     *testing.T
	up    int64
	token string
	gate  string // the job goes on when this file is there
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, gate: filepath.Join(t.TempDir(), "gate")}
	s.Server = process.Start(t, t.TempDir(), "--runner", "2", "--runner-trusted")
	down, _ := s.Project("down", "receive:\n  script: echo received\n")
	s.up, s.token = s.Project("up", fmt.Sprintf(`
stages: [build, test, deploy]
compile:
  stage: build
  script:
    - printf '\033[32mfirst line\033[0m\n'
    - while [ ! -e %s ]; do sleep 0.05; done
    - echo '<b>second line</b>'
    - echo data > data.txt
  artifacts: {paths: [data.txt], expire_in: 1 week}
unit:
  stage: test
  needs: [compile]
  script: echo unit
lint:
  stage: test
  allow_failure: true
  script: [echo lint, exit 3]
start:
  stage: deploy
  script: curl --fail-with-body --silent --form-string "token=$CI_JOB_TOKEN" --form-string ref=main "$CI_API_V4_URL/projects/%d/trigger/pipeline"
ship:
  stage: deploy
  when: manual
  script: echo shipped
`, s.gate, down))
	s.Must("POST", fmt.Sprintf("/projects/%d/job_token_scope/allowlist", down), map[string]any{"target_project_id": s.up}, nil)
	var ana struct{ ID int64 }
	s.Must("POST", "/users", map[string]any{"username": "ana", "name": "Ana", "email": "ana@example.com", "password": password}, &ana)
	for project, role := range map[int64]int{s.up: 40, down: 20} {
		s.Must("POST", fmt.Sprintf("/projects/%d/members", project), map[string]any{"user_id": ana.ID, "access_level": role}, nil)
	}
	return s
}

// trigger starts a pipeline of the first project.
func (s *scene) trigger() (pipeline int64) {
	s.t.Helper()
	var made struct{ ID int64 }
	s.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", s.up), map[string]any{
		"token": s.token, "ref": "main", "variables": map[string]string{"COLOR": "red"},
	}, &made)
	return made.ID
}

// job finds a job of a pipeline.
func (s *scene) job(pipeline int64, name string) (id int64) {
	s.t.Helper()
	var jobs []struct {
		ID   int64
		Name string
	}
	s.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/jobs", s.up, pipeline), nil, &jobs)
	for _, job := range jobs {
		if job.Name == name {
			return job.ID
		}
	}
	s.t.Fatalf("pipeline %d has no job %s", pipeline, name)
	return 0
}

func (s *scene) open() {
	s.t.Helper()
	if err := os.WriteFile(s.gate, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// TestWatchAPipeline follows a pipeline from its start to its end without a reload.
func TestWatchAPipeline(t *testing.T) {
	s := newScene(t)
	p := browser.Start(t, s.URL)
	p.Open("/root/up/-/pipelines")
	p.Arrive("/users/sign_in")
	p.Type("#login", "ana")
	p.Type("#password", password)
	p.Click("button.primary")
	p.Arrive("/root/up/-/pipelines")
	p.See("h1", "Pipelines")
	browser.Eval[bool](p, "window.stays = true")
	pipeline := s.trigger()
	p.See("#list", fmt.Sprintf("#%d", pipeline))
	p.See("#list tbody tr:first-child .status", "Running")
	stays(t, p)

	p.Click("#list td a")
	p.Arrive(fmt.Sprintf("/root/up/-/pipelines/%d", pipeline))
	p.See("h1", fmt.Sprintf("Pipeline #%d", pipeline))
	browser.Eval[bool](p, "window.stays = true")
	p.See("#live .head .status", "Running")
	job := s.job(pipeline, "compile")
	compile := fmt.Sprintf("#job-%d", job)
	p.See(compile, "Running")
	p.Click(compile)
	p.Arrive(fmt.Sprintf("/root/up/-/jobs/%d", job))
	browser.Eval[bool](p, "window.stays = true")
	p.See("#log", "first line")
	if look := browser.Eval[string](p, "[...document.querySelectorAll('#log .t span')].find(e => e.textContent == 'first line').className"); look != "f2" {
		t.Errorf("the first line looks like %q", look)
	}
	if strings.Contains(p.Text("#log"), "second line") {
		t.Error("the second line is there before it was written")
	}
	p.See("#live .head .status", "Running")
	s.open()
	opened := time.Now()
	p.See("#log", "\n<b>second line</b>")
	t.Logf("the line was there after %v", time.Since(opened).Round(time.Millisecond))
	p.See("#live .head .status", "Passed")
	p.See("#live", "artifacts.zip")
	stays(t, p)
	checkFold(t, p)

	p.Open(fmt.Sprintf("/root/up/-/pipelines/%d", pipeline))
	browser.Eval[bool](p, "window.stays = true")
	p.See("#live .head .status", "Passed with warnings")
	p.See(".column.downstream", "root/down")
	p.See(".column.downstream .state", "Passed")
	p.See(".ties", "by job start")
	stays(t, p)
	p.Click(".column.downstream .card")
	p.See(".column.upstream", "root/up")
	p.See(".ties", "by its job start")
	p.Click(".ties li .muted a")
	p.See("h1", "start")
	p.See("#live", "root/down")

	ship := s.job(pipeline, "ship")
	p.Open(fmt.Sprintf("/root/up/-/pipelines/%d", pipeline))
	p.Click("#manual button")
	p.Arrive(fmt.Sprintf("/root/up/-/jobs/%d", ship))
	p.See("#log", "shipped")
	p.See("#live .head .status", "Passed")

	// A server that stops does not wait for pages that are open, and they say so.
	p.Open("/root/up/-/pipelines")
	p.See("#list", "Passed")
	process.Eventually(t, "the stream of the list", func() (bool, string) {
		return strings.Contains(s.Log(), `"route":"/-/pipelines"`), "no request"
	})
	stopping := time.Now()
	if err := s.Stop(); err != nil || time.Since(stopping) > 5*time.Second {
		t.Errorf("the server stopped after %v with %v", time.Since(stopping), err)
	}
	process.Eventually(t, "the word that live updates are paused", func() (bool, string) {
		return browser.Eval[bool](p, "!document.getElementById('paused').hidden"), "hidden"
	})
}

// stays holds that the page was not loaded anew.
func stays(t *testing.T, p *browser.Page) {
	t.Helper()
	if !browser.Eval[bool](p, "window.stays === true") {
		t.Error("the page was loaded anew")
	}
}

// checkFold folds and unfolds a section of the log.
func checkFold(t *testing.T, p *browser.Page) {
	t.Helper()
	visible := func() bool {
		return browser.Eval[bool](p, "[...document.querySelectorAll('#log .l')].some(e => !e.hidden && e.innerText.includes('first line'))")
	}
	head := browser.Eval[string](p, `(() => {
		const rows = [...document.querySelectorAll('#log .l')], at = rows.findIndex(e => e.innerText.includes('first line'));
		return '#' + rows.slice(0, at).reverse().find(e => e.classList.contains('sec')).id;
	})()`)
	p.Click(head + " .fold")
	if visible() {
		t.Error("a line of a folded section is visible")
	}
	p.Click(head + " .fold")
	if !visible() {
		t.Error("a line of an unfolded section is not visible")
	}
}

// TestTriggerTokens makes a token, uses the line that the page shows, and revokes it.
func TestTriggerTokens(t *testing.T) {
	s := newScene(t)
	p := browser.Start(t, s.URL)
	p.SignIn("ana", password)
	p.Open("/root/up/-/settings/ci_cd")
	p.Type("#description", "from the browser")
	p.Click("#new button")
	p.Arrive("#js-pipeline-triggers")
	p.See(".note", "The trigger token was created.")
	p.See("#new-token", "glptt-")
	line := p.Text("#snippet")
	if !strings.Contains(line, p.Text("#new-token")) {
		t.Errorf("the line does not hold the token:\n%s", line)
	}
	run := func() (string, error) {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err != nil || !strings.Contains(out, `"source":"trigger"`) {
		t.Errorf("the line of the page: %v\n%s", err, out)
	}
	p.Open("/root/up/-/settings/ci_cd")
	mine := "#" + browser.Eval[string](p, "document.querySelector(`tr:has(input[value='from the browser'])`).id")
	p.See(mine, "ago")
	p.Type(mine+" input[name=description]", "changed")
	p.Click(mine + " form.inline button")
	p.See(".note", "The description was changed.")
	p.Click(mine + ":has(input[value='changed']) button.danger")
	p.See(".note", "The trigger token was revoked")
	if out, err := run(); err == nil || !strings.Contains(out, "404 Not Found") {
		t.Errorf("the line with a revoked token: %v\n%s", err, out)
	}
}

// TestWithoutJavaScript does everything that matters with forms and links alone.
func TestWithoutJavaScript(t *testing.T) {
	s := newScene(t)
	p := browser.Start(t, s.URL)
	p.Scripts(false)
	p.SignIn("ana", password)
	p.Click("tbody a[href='/root/up/-/pipelines']")
	p.See("h1", "Pipelines")
	pipeline := s.trigger()
	job := s.job(pipeline, "compile")
	read := func(path, selector, text string) {
		t.Helper()
		process.Eventually(t, text, func() (bool, string) {
			p.Open(path)
			shown := p.Text(selector)
			return strings.Contains(shown, text), shown
		})
	}
	read(fmt.Sprintf("/root/up/-/jobs/%d", job), "#log", "first line")
	p.See("noscript", "Reload for new lines")
	s.open()
	read(fmt.Sprintf("/root/up/-/jobs/%d", job), "#log", "<b>second line</b>")
	read(fmt.Sprintf("/root/up/-/pipelines/%d", pipeline), ".column.downstream .state", "Passed")
	if got := browser.Eval[int](p, "document.querySelectorAll('.edges path').length"); got != 2 {
		t.Errorf("the graph has %d edges, want 2", got)
	}
	p.See("#live time", "UTC")
	p.Click("#manual button")
	p.See("h1", "ship")
	read(p.Path(), "#log", "shipped")
	read(p.Path(), "#live .head .status", "Passed") // by itself the page does not change
	p.Click("#retry")
	p.See("#attempts summary", "Other attempts (1)")
	read(p.Path(), "#live .head .status", "Passed")
	p.Open("/root/up/-/pipelines")
	p.Type("#ref", "nothing")
	p.Click(".filters button")
	p.See(".empty", "Clear the filters")
	p.Open("/root/up/-/settings/ci_cd")
	p.Type("#description", "plain")
	p.Click("#new button")
	p.See("#new-token", "glptt-")
	p.Click("tr:has(input[value='plain']) button.danger")
	p.See(".note", "was revoked")
	p.Click(".who button")
	p.Arrive("/users/sign_in")
}

// TestLooks makes pictures of all pages, and holds that none is wider than the
// window.
func TestLooks(t *testing.T) {
	s := newScene(t)
	s.open()
	pipeline := s.trigger()
	process.Eventually(t, "the end of the pipeline", func() (bool, string) {
		var now struct{ Status string }
		s.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d", s.up, pipeline), nil, &now)
		return now.Status == "success", now.Status
	})
	s.Must("POST", fmt.Sprintf("/projects/%d/triggers", s.up), map[string]any{"description": "a token of somebody else"}, nil)
	p := browser.Start(t, s.URL)
	looks := []struct {
		name          string
		width, height int64
		dark          bool
	}{{"light", 1280, 900, false}, {"dark", 1280, 900, true}, {"phone", 390, 844, false}, {"narrow", 320, 640, true}}
	pages := []struct{ name, path string }{
		{"projects", "/"}, {"group", "/root?search=up"}, {"pipelines", "/root/up/-/pipelines"}, {"filtered", "/root/up/-/pipelines?status=failed"},
		{"pipeline", fmt.Sprintf("/root/up/-/pipelines/%d", pipeline)}, {"job", fmt.Sprintf("/root/up/-/jobs/%d", s.job(pipeline, "compile"))},
		{"failed", fmt.Sprintf("/root/up/-/jobs/%d", s.job(pipeline, "lint"))}, {"manual", fmt.Sprintf("/root/up/-/jobs/%d", s.job(pipeline, "ship"))},
		{"triggers", "/root/up/-/settings/ci_cd"}, {"missing", "/root/up/-/pipelines/999"},
	}
	shoot := func(name, path string) {
		t.Helper()
		for _, look := range looks {
			p.Look(look.width, look.height, look.dark)
			p.Open(path)
			if wide := browser.Eval[int64](p, "document.documentElement.scrollWidth"); wide > look.width {
				t.Errorf("%s is %d pixels wide in a window of %d", name, wide, look.width)
			}
			p.Shot(name + "-" + look.name)
		}
	}
	shoot("signin", "/users/sign_in")
	p.SignIn("ana", password)
	p.Open("/root/up/-/settings/ci_cd")
	p.Type("#description", "nightly build of the release branch")
	p.Click("#new button")
	p.See("#new-token", "glptt-")
	shoot("created", strings.TrimSuffix(p.Path(), "#js-pipeline-triggers"))
	for _, page := range pages {
		shoot(page.name, page.path)
	}
}
