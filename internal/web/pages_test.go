package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestProjects(t *testing.T) {
	s := newScene(t, sceneConfig)
	open := s.Project("open", "README", "x")
	s.Set(open, func(p *ci.Project) { p.Visibility, p.Description = ci.Public, "for <everybody>" })
	page := s.maintainer.get("/")
	checkPage(t, page)
	equal(t, "projects of a member", page.texts(t, "tbody tr a b"), "app", "open")
	has(t, "status", page.texts(t, "tbody .status"), "Pending")
	has(t, "description", page.texts(t, "tbody td"), "for <everybody>")

	nobody := s.browser().get("/")
	checkPage(t, nobody)
	equal(t, "projects of nobody", nobody.texts(t, "tbody tr a b"), "open")
	equal(t, "search", s.maintainer.get("/?search=AP").texts(t, "tbody tr a b"), "app")
	has(t, "nothing found", s.maintainer.get("/?search=zzz").texts(t, ".empty"), "No project has this in its name.")

	group := s.maintainer.get("/acme")
	checkPage(t, group)
	equal(t, "crumbs", group.texts(t, ".crumbs a"), "acme")
	equal(t, "projects of a group", group.texts(t, "tbody tr a b"), "app")
	location(t, "group that nobody may see", s.browser().get("/acme"), "/users/sign_in?return_to=%2Facme")
	location(t, "project", s.maintainer.get("/acme/tools/app"), "/acme/tools/app/-/pipelines")
	location(t, "project with a slash", s.maintainer.get("/acme/tools/app/"), "/acme/tools/app/-/pipelines")
	status(t, "nothing", s.maintainer.get("/acme/nothing"), http.StatusNotFound)

	s.Set(s.project, func(p *ci.Project) { p.Path, p.FullPath = "renamed", "acme/tools/renamed" })
	location(t, "renamed", s.maintainer.get("/acme/tools/app/-/pipelines?page=2"), "/acme/tools/renamed/-/pipelines?page=2")
	location(t, "in another case", s.maintainer.get("/ACME/tools/Renamed/-/pipelines"), "/acme/tools/renamed/-/pipelines")
}

func TestPipelines(t *testing.T) {
	s := newScene(t, sceneConfig)
	page := s.developer.get(s.path("/-/pipelines"))
	checkPage(t, page)
	equal(t, "crumbs", page.texts(t, ".crumbs a"), "acme", "tools", "app")
	equal(t, "tabs of a developer", page.texts(t, ".tabs a"), "Pipelines")
	equal(t, "tabs of a maintainer", s.maintainer.get(s.path("/-/pipelines")).texts(t, ".tabs a"), "Pipelines", "Trigger tokens")
	cells := page.texts(t, "#list tbody td")
	for i, want := range []string{"Pending", fmt.Sprintf("#%d", s.pipeline.ID), "main " + s.pipeline.SHA[:8], "build: Pending", "trigger token", "mia", "2 Jan 2026, 03:04 UTC"} {
		if !strings.Contains(cells[i], want) {
			t.Errorf("cell %d: got %q, want %q", i, cells[i], want)
		}
	}
	for query, want := range map[string]int{
		"?status=pending": 1, "?status=failed": 0, "?ref=main": 1, "?ref=mai": 0, "?source=trigger": 1, "?source=push": 0,
		"?status=pending&ref=main&source=trigger": 1, "?status=nonsense": 0, "?page=2": 0, "?page=x": 1,
	} {
		got := s.developer.get(s.path("/-/pipelines%s", query))
		checkPage(t, got)
		if rows := len(got.doc(t).find("#list tbody tr")); rows != want {
			t.Errorf("%s: got %d rows, want %d", query, rows, want)
		}
	}
	filtered := s.developer.get(s.path("/-/pipelines?status=failed&ref=x"))
	has(t, "filters find nothing", filtered.texts(t, ".empty"), "status failed, on x. Clear the filters")
	if got := filtered.doc(t).find("#status option[selected]")[0].text(); got != "Failed" {
		t.Errorf("selected: got %s", got)
	}
	status(t, "visitor without rights", s.browserOf("stranger").get(s.path("/-/pipelines")), http.StatusNotFound)

	empty := s.Project("empty")
	w := s.as("mia")
	s.Member(enginetest.Must(s.View.UserByName(t.Context(), "mia"))(t), empty, ci.Maintainer)
	got := w.get("/root/empty/-/pipelines")
	checkPage(t, got)
	has(t, "empty", got.texts(t, ".empty"), "Nothing has run here yet.")
}

// browserOf is the browser of a new account.
func (w *world) browserOf(name string) *browser {
	w.t.Helper()
	w.person(name)
	return w.as(name)
}

func TestPipelinesPages(t *testing.T) {
	s := newScene(t, sceneConfig)
	for range 30 {
		s.Started(s.project, s.token, "main")
	}
	first := s.developer.get(s.path("/-/pipelines?ref=main"))
	if got := len(first.doc(t).find("#list tbody tr")); got != 25 {
		t.Errorf("first page: got %d rows", got)
	}
	equal(t, "pager", first.texts(t, ".pager span"), "1 to 25 of 31")
	next := first.doc(t).find(".pager a[rel=next]")
	if len(next) != 1 || next[0].attr("href") != s.path("/-/pipelines?page=2&ref=main") {
		t.Fatalf("next: %v", next)
	}
	second := s.developer.get(next[0].attr("href"))
	checkPage(t, second)
	if got := len(second.doc(t).find("#list tbody tr")); got != 6 {
		t.Errorf("second page: got %d rows", got)
	}
	equal(t, "back", []string{second.doc(t).find(".pager a[rel=prev]")[0].attr("href")}, s.path("/-/pipelines?ref=main"))
}

func TestPipeline(t *testing.T) {
	s := newScene(t, sceneConfig)
	a := s.runner.Take()
	below, started := s.downstream(a, ci.Public)
	hidden, _ := s.downstream(a, ci.Private)
	s.Member(s.userOf(a), hidden, ci.NoRole)
	s.runner.Finish(a, true)
	s.run(false, "")
	path := s.path("/-/pipelines/%d", s.pipeline.ID)
	page := s.maintainer.get(path)
	checkPage(t, page)
	equal(t, "heading", page.texts(t, "h1"), fmt.Sprintf("Pipeline #%d", s.pipeline.ID))
	equal(t, "status", page.texts(t, "#live .head .status"), "Running")
	equal(t, "columns", page.texts(t, ".column h3"), "build", "test", "deploy", "Downstream")
	equal(t, "stages", page.texts(t, ".column.stage .name"), "compile", "lint", "unit", "ship")
	equal(t, "states", page.texts(t, ".column.stage .state"), "Passed · under 0.1 s", "Failed, allowed · under 0.1 s", "Pending", "Created")
	has(t, "needs", page.texts(t, ".card"), ", needs compile")
	equal(t, "downstream", page.texts(t, ".column.downstream .name"), below.FullPath, "Another project")
	has(t, "tie", page.texts(t, ".ties li"), fmt.Sprintf("%s #%d on main by job compile", below.FullPath, started.ID))
	has(t, "tie that is hidden", page.texts(t, ".ties li"), "compile: a pipeline of a project that you may not see")
	if strings.Contains(page.body, hidden.FullPath) {
		t.Error("the page names a project that the visitor may not see")
	}
	if got := len(page.doc(t).find(".edges path")); got != 4 {
		t.Errorf("got %d edges, want 4", got)
	}
	has(t, "facts", page.texts(t, ".facts dd"), "trigger token (nightly)")
	has(t, "failed", page.texts(t, ".lines li"), "its script failed with exit status 1.")
	has(t, "variables", page.texts(t, "#variables tr"), "COLORred")
	has(t, "variables", page.texts(t, "#variables tr"), "TRIGGER_PAYLOAD file")

	for _, b := range []*browser{s.developer, s.browserOf("guest")} {
		if got := b.get(path); len(got.doc(t).find("#variables")) != 0 {
			t.Error("variables are shown to somebody who may not see them")
		}
	}

	other := s.browser().get(fmt.Sprintf("/%s/-/pipelines/%d", below.FullPath, started.ID))
	checkPage(t, other)
	has(t, "upstream to nobody", other.texts(t, ".ties li"), "a pipeline of a project that you may not see")
	if strings.Contains(other.body, "compile") || strings.Contains(other.body, "acme") {
		t.Error("the page tells of a project that the visitor may not see")
	}
	mine := s.maintainer.get(fmt.Sprintf("/%s/-/pipelines/%d", below.FullPath, started.ID))
	checkPage(t, mine)
	has(t, "upstream", mine.texts(t, ".ties li"), fmt.Sprintf("acme/tools/app #%d on main by its job compile", s.pipeline.ID))
	equal(t, "upstream card", mine.texts(t, ".column.upstream .name"), "acme/tools/app")

	for _, nothing := range []string{s.path("/-/pipelines/999"), s.path("/-/pipelines/x"), s.path("/-/pipelines/%d", started.ID), s.path("/-/pipelines/-1")} {
		got := s.maintainer.get(nothing)
		status(t, nothing, got, http.StatusNotFound)
		checkPage(t, got)
		has(t, nothing, got.texts(t, "main code"), got.Header.Get("X-Request-Id"))
	}
}

func TestPipelineActions(t *testing.T) {
	s := newScene(t, sceneConfig)
	path := s.path("/-/pipelines/%d", s.pipeline.ID)
	stranger := s.browserOf("stranger")
	s.Set(s.project, func(p *ci.Project) { p.Visibility = ci.Public })
	page := stranger.get(path)
	checkPage(t, page)
	equal(t, "buttons of a stranger", page.texts(t, "main button"))
	token := stranger.get("/").token(t)
	for _, action := range []string{"/retry", "/cancel"} {
		status(t, "stranger: "+action, stranger.post(path+action, token), http.StatusForbidden)
		location(t, "nobody: "+action, s.browser().post(path+action, token), "/users/sign_in")
	}
	equal(t, "buttons", s.developer.get(path).texts(t, ".buttons button"), "Cancel")
	got := s.developer.press(path, path+"/cancel")
	location(t, "cancel", got, path)
	equal(t, "status", s.developer.get(path).texts(t, "#live .head .status"), "Canceled")
	equal(t, "buttons", s.developer.get(path).texts(t, ".buttons button"), "Retry")
	location(t, "retry", s.developer.press(path, path+"/retry"), path)
	page = s.developer.get(path)
	checkPage(t, page)
	equal(t, "status", page.texts(t, "#live .head .status"), "Running")
	has(t, "earlier attempts", page.texts(t, "#retried li"), "Canceled compile")

	for range 3 {
		s.run(true, "")
	}
	ship := s.job("ship")
	has(t, "manual job", s.developer.get(path).texts(t, ".lines li"), "Manual ship deploy Start")
	play := s.path("/-/jobs/%d", ship.ID)
	location(t, "play", s.developer.press(path, play+"/play"), play)
	equal(t, "played", s.developer.get(play).texts(t, "#live .head .status"), "Pending")
	status(t, "get of an action", s.developer.get(path+"/retry"), http.StatusMethodNotAllowed)
}

func TestInvalidConfiguration(t *testing.T) {
	s := newScene(t, sceneConfig)
	s.Commit(s.project, "main", "Break it", ".gitlab-ci.yml", "job:\n  script: make\n  scirpt: <b>make</b>\n")
	refused := enginetest.Must(s.Engine.Pushed(t.Context(), engine.Push{
		Project: s.project, Caller: s.Root, Changes: []engine.RefChange{{
			Name: "refs/heads/main", Before: s.pipeline.SHA, After: enginetest.Must(s.Git.Resolve(t.Context(), int64(s.project.ID), "main"))(t),
		}},
	}))(t)
	if len(refused) == 0 {
		t.Fatal("nothing was pushed")
	}
	list := s.Pipelines(s.project)
	page := s.maintainer.get(s.path("/-/pipelines/%d", list[len(list)-1].ID))
	checkPage(t, page)
	has(t, "sentence", page.texts(t, "#live p"), "Its configuration is not valid.")
	has(t, "errors", page.texts(t, ".box.bad pre"), "unknown keys: scirpt")
}

func TestJob(t *testing.T) {
	s := newScene(t, sceneConfig)
	a := s.runner.Take()
	s.write(a, "section_start:1700000000:build[collapsed=true]\r\x1b[0K\x1b[36;1mBuilding\x1b[0;m\nhello\nsection_end:1700000003:build\r\x1b[0K\nbye")
	s.upload(a, "PK-not-really")
	path := s.path("/-/jobs/%d", a.Job.ID)
	page := s.developer.get(path)
	checkPage(t, page)
	equal(t, "heading", page.texts(t, "h1"), fmt.Sprintf("compile #%d", a.Job.ID))
	equal(t, "status", page.texts(t, "#live .head .status"), "Running")
	equal(t, "log", page.texts(t, "#log .t"), "Building", "hello", "bye")
	equal(t, "numbers", page.texts(t, "#log .n"), "1", "2", "4")
	head := page.doc(t).find("#L1")[0]
	if !head.matches(".sec") || head.attr("data-c") != "1" || head.find(".k")[0].text() != "3 s" || len(head.find(".f6.b")) != 1 {
		t.Errorf("head of the section: %v", head.attrs)
	}
	if page.doc(t).find("#L2")[0].attr("data-d") != "1" || page.doc(t).find("#L4")[0].attr("data-d") != "0" {
		t.Error("rows are not in their sections")
	}
	if page.doc(t).find("body")[0].attr("data-live") != path+"/events" || page.doc(t).find("#log")[0].attr("data-after") == "" {
		t.Error("the log of a running job is not followed")
	}
	equal(t, "buttons", page.texts(t, ".buttons button"), "Cancel")

	s.runner.Finish(a, true)
	page = s.developer.get(path)
	checkPage(t, page)
	if page.doc(t).find("body")[0].attr("data-live") != "" {
		t.Error("the log of a job that has ended is followed")
	}
	has(t, "facts", page.texts(t, ".facts dd"), fmt.Sprintf("#%d runner", s.runner.Runner.ID))
	has(t, "artifacts", page.texts(t, ".lines li"), "artifacts.zip archive, 13 bytes")
	raw := s.developer.get(path + "/raw")
	if !strings.HasPrefix(raw.body, "section_start:") || raw.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		raw.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox; frame-ancestors 'none'" {
		t.Errorf("raw log: %v %q", raw.Header, raw.body)
	}
	archive := s.developer.get(page.doc(t).find(".lines a")[0].attr("href"))
	if archive.body != "PK-not-really" || archive.Header.Get("Content-Disposition") != "attachment; filename=artifacts.zip" {
		t.Errorf("archive: %v %q", archive.Header, archive.body)
	}
	status(t, "artifact of another type", s.developer.get(path+"/artifacts/download?file_type=junit"), http.StatusNotFound)

}

func TestRetryAndErase(t *testing.T) {
	s := newScene(t, sceneConfig)
	a := s.runner.Take()
	s.write(a, "hello\n")
	s.upload(a, "PK-not-really")
	s.runner.Finish(a, true)
	path := s.path("/-/jobs/%d", a.Job.ID)
	again := s.developer.press(path, path+"/retry")
	newer := again.Header.Get("Location")
	if newer == path || !strings.HasPrefix(newer, s.path("/-/jobs/")) {
		t.Fatalf("retry leads to %s", newer)
	}
	page := s.developer.get(newer)
	checkPage(t, page)
	has(t, "attempts", page.texts(t, "#attempts li"), fmt.Sprintf("Passed #%d", a.Job.ID))
	has(t, "no log yet", page.texts(t, ".empty"), "The job has not started yet.")
	has(t, "waits", page.texts(t, "#live p"), "It waits: 2 jobs ahead.")
	location(t, "cancel", s.developer.press(newer, newer+"/cancel"), newer)

	erased := s.maintainer.press(path, path+"/erase")
	location(t, "erase", erased, path)
	page = s.maintainer.get(path)
	checkPage(t, page)
	has(t, "erased", page.texts(t, ".empty"), "The log was erased.")
	if strings.Contains(page.body, "artifacts.zip") {
		t.Error("artifacts are still there after erasing")
	}
	status(t, "erased twice", s.maintainer.post(path+"/erase", page.token(t)), http.StatusForbidden)
}

func TestJobRights(t *testing.T) {
	s := newScene(t, strings.Replace(sceneConfig, "  script: make\n", "  script: make\n  artifacts: {paths: [x], access: maintainer}\n", 1))
	s.Set(s.project, func(p *ci.Project) { p.Visibility = ci.Public })
	a := s.runner.Take()
	s.upload(a, "secret")
	s.runner.Finish(a, true)
	path := s.path("/-/jobs/%d", a.Job.ID)
	nobody := s.browser().get(path)
	checkPage(t, nobody)
	equal(t, "buttons of nobody", nobody.texts(t, "main button"))
	if got := len(nobody.doc(t).find(".lines a")); got != 0 {
		t.Error("nobody gets a link to the artifacts")
	}
	status(t, "artifacts for nobody", s.browser().get(path+"/artifacts/download"), http.StatusForbidden)
	status(t, "artifacts for a developer", s.developer.get(path+"/artifacts/download"), http.StatusForbidden)
	status(t, "artifacts for a maintainer", s.maintainer.get(path+"/artifacts/download"), http.StatusOK)
	equal(t, "buttons of a developer", s.developer.get(path).texts(t, ".buttons button"), "Retry")
	s.Protect(s.project, "main", false, ci.Maintainer)
	equal(t, "buttons of a developer on a protected branch", s.developer.get(path).texts(t, ".buttons button"))
	equal(t, "buttons of a maintainer", s.maintainer.get(path).texts(t, ".buttons button"), "Retry", "Erase")

	s.pipeline = s.Started(s.project, s.token, "main", "CI_DEBUG_TRACE", "true")
	s.run(true, "") // of the first pipeline: lint
	s.run(true, "")
	debug := s.run(true, "PASSWORD=hunter2\n")
	path = s.path("/-/jobs/%d", debug.Job.ID)
	nobody = s.browser().get(path)
	checkPage(t, nobody)
	has(t, "log in debug mode", nobody.texts(t, ".empty"), "Only developers may read it.")
	status(t, "raw log in debug mode", s.browser().get(path+"/raw"), http.StatusForbidden)
	if events := s.events(s.browser(), path+"/events", nil).rest(); strings.Contains(events, "hunter2") || !strings.Contains(events, "event: end") {
		t.Errorf("a log in debug mode was sent to nobody: %s", events)
	}
	has(t, "log for a developer", s.developer.get(path).texts(t, "#log .t"), "PASSWORD=hunter2")
}

// TestLogWindows walks through a log that is longer than a page.
func TestLogWindows(t *testing.T) {
	s := newScene(t, sceneConfig)
	a := s.runner.Take()
	var log strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&log, "line %d\n", i+1)
	}
	s.write(a, log.String())
	path := s.path("/-/jobs/%d", a.Job.ID)
	bounds := func(page *reply) []string {
		rows := page.doc(t).find("#log .l")
		first, last := rows[0], rows[len(rows)-1]
		if "line "+first.find(".n")[0].text() != first.find(".t")[0].text() || "line "+last.find(".n")[0].text() != last.find(".t")[0].text() {
			t.Errorf("numbers and lines differ: %s, %s", first.text(), last.text())
		}
		return []string{first.attr("id"), last.attr("id")}
	}
	page := s.developer.get(path)
	equal(t, "end", bounds(page), "L1501", "L2500")
	links := page.doc(t).find(".more a")
	if len(links) != 1 {
		t.Fatalf("got %d links", len(links))
	}
	query, _, _ := strings.Cut(links[0].attr("href"), "#")
	page = s.developer.get(path + query)
	checkPage(t, page)
	equal(t, "before", bounds(page), "L501", "L1500")
	if page.doc(t).find("body")[0].attr("data-live") != "" {
		t.Error("a page of the middle is followed")
	}
	equal(t, "links", page.texts(t, ".more a"), "Earlier lines", "Later lines")
	equal(t, "first", bounds(s.developer.get(path+"?from=1")), "L1", "L1000")
	last := s.developer.get(path + "?from=2499")
	equal(t, "last", bounds(last), "L2499", "L2500")
	if last.doc(t).find("#log")[0].attr("data-after") == "" {
		t.Error("the end is not followed")
	}
	for _, odd := range []string{"?from=99999", "?from=x", "?from=-1", "?from=0"} {
		status(t, odd, s.developer.get(path+odd), http.StatusOK)
	}
}
