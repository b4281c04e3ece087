package web_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// TestNothingBreaksOut puts markup into everything that people and jobs name.
func TestNothingBreaksOut(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>'`
	s := newScene(t, "stages: ['<b>stage</b>']\n'<img src=x>\"':\n  stage: '<b>stage</b>'\n  script: make\n  tags: []\n")
	s.Set(s.project, func(p *ci.Project) { p.Name, p.Description = evil, evil })
	mia := enginetest.Must(s.View.UserByName(t.Context(), "mia"))(t)
	enginetest.Must(s.Engine.CreateTrigger(t.Context(), engine.Caller{User: mia}, s.project, evil, s.Now().AddDate(0, 1, 0)))(t)
	s.Commit(s.project, `a<script>"'&b`, "Branch", "x", "y")
	s.pipeline = s.Started(s.project, s.token, `a<script>"'&b`, "KEY", evil)
	enginetest.Must(s.Engine.RenamePipeline(t.Context(), s.Root, s.project, s.pipeline.ID, evil))(t)
	s.run(true, "")
	log := s.run(true, evil+"\n\x1b[31m"+evil+"\x1b]8;;javascript:alert(3)\x07link\x1b]8;;\x07\x1b]0;"+evil+"\x07\n</span></div><script>alert(4)</script>\n")
	for _, path := range []string{
		"/", "/?search=" + `%22%3E%3Cscript%3E`, "/acme", s.path("/-/pipelines"), s.path("/-/pipelines?ref=%%22%%3E%%3Cscript%%3E"),
		s.path("/-/pipelines/%d", s.pipeline.ID), s.path("/-/jobs/%d", log.Job.ID), s.path("/-/settings/ci_cd"),
		"/users/%22%3E%3Cscript%3E", "/%3Cscript%3E/-/pipelines",
	} {
		page := s.maintainer.get(path)
		checkPage(t, page)
		if got := len(page.doc(t).find("script")); got != 1 {
			t.Errorf("%s: got %d scripts", path, got)
		}
		if got := len(page.doc(t).find("img")); got != 1 {
			t.Errorf("%s: got %d images", path, got)
		}
		if strings.Contains(page.body, "javascript:") {
			t.Errorf("%s has a link of a log", path)
		}
	}
	page := s.maintainer.get(s.path("/-/jobs/%d", log.Job.ID))
	equal(t, "log", page.texts(t, "#log .t"), evil, evil+"link", "</span></div><script>alert(4)</script>")
	page = s.maintainer.get(s.path("/-/pipelines/%d", s.pipeline.ID))
	has(t, "variable", page.texts(t, "#variables pre"), evil)
	has(t, "name", page.texts(t, "h1"), evil)
	link := page.doc(t).find(".facts a.ref")[0].attr("href")
	if got := len(s.maintainer.get(link).doc(t).find("#list tbody tr")); got != 1 {
		t.Errorf("link to the ref %s finds %d pipelines", link, got)
	}
}

// TestStatements holds that no page asks the database more when there is more to
// show.
func TestStatements(t *testing.T) {
	const most = 13
	s := newScene(t, sceneConfig)
	a := s.runner.Take()
	s.downstream(a, ci.Internal)
	s.write(a, "hello\n")
	s.upload(a, "x")
	s.runner.Finish(a, true)
	s.developer.press(s.path("/-/jobs/%d", a.Job.ID), s.path("/-/jobs/%d", a.Job.ID)+"/retry")
	a = s.runner.Take() // lint or compile, again
	s.downstream(a, ci.Private)
	s.runner.Finish(a, true)
	pages := []string{
		"/", "/acme", s.path("/-/pipelines"), s.path("/-/pipelines/%d", s.pipeline.ID), s.path("/-/jobs/%d", a.Job.ID),
		s.path("/-/jobs/%d", s.Snapshot(s.pipeline.ID).Jobs[0].ID), s.path("/-/settings/ci_cd"),
	}
	visitors := map[string]*browser{"maintainer": s.maintainer, "developer": s.developer, "reporter": s.browserOf("rita")}
	s.Member(enginetest.Must(s.View.UserByName(t.Context(), "rita"))(t), s.project, ci.Reporter)
	count := func() map[string]int {
		counts := map[string]int{}
		for who, b := range visitors {
			for _, page := range pages {
				b.get(page) // what is only asked once
				statements := s.Statements.During(func() { b.get(page) })
				counts[who+" "+page] = len(statements)
				if len(statements) > most {
					t.Errorf("%s as %s: %d statements, want %d at most:\n%s", page, who, len(statements), most, strings.Join(statements, "\n"))
				}
			}
		}
		return counts
	}
	few := count()
	mia := engine.Caller{User: enginetest.Must(s.View.UserByName(t.Context(), "mia"))(t)}
	for i := range 24 {
		p := s.Project(fmt.Sprintf("more%d", i), ".gitlab-ci.yml", "job:\n  script: make\n")
		s.Set(p, func(p *ci.Project) { p.Visibility = ci.Internal })
		enginetest.Must(s.Engine.RunPipeline(t.Context(), s.Root, p, "main", nil))(t)
		s.Started(s.project, s.token, "main")
		enginetest.Must(s.Engine.CreateTrigger(t.Context(), mia, s.project, "more", s.Now()))(t)
	}
	for page, n := range count() {
		if n > few[page] {
			t.Errorf("%s: %d statements with few rows, %d with many", page, few[page], n)
		}
	}
}

// TestWeight holds what pages weigh on the wire.
func TestWeight(t *testing.T) {
	var config strings.Builder
	for i := range 200 {
		fmt.Fprintf(&config, "job %d:\n  stage: %s\n  script: make %d\n", i, []string{"build", "test", "deploy"}[i%3], i)
	}
	s := newScene(t, config.String())
	for range 24 {
		s.Started(s.project, s.token, "main")
	}
	a := s.runner.Take()
	for i := range 1500 {
		if i%500 == 0 {
			s.write(a, strings.Repeat(fmt.Sprintf("line %d of a log with a \x1b[32mcolour\x1b[0m in it\n", i), 500))
		}
	}
	for path, most := range map[string]int{
		s.path("/-/pipelines"): 30 << 10, s.path("/-/pipelines/%d", s.pipeline.ID): 60 << 10, s.path("/-/settings/ci_cd"): 30 << 10,
		s.path("/-/jobs/%d", a.Job.ID): 30 << 10,
	} {
		page := s.maintainer.get(path)
		status(t, path, page, http.StatusOK)
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Write([]byte(page.body))
		enginetest.Check(t, z.Close())
		if out.Len() > most {
			t.Errorf("%s: %d bytes, want %d at most", path, out.Len(), most)
		}
	}
	page := s.maintainer.get(s.path("/-/jobs/%d", a.Job.ID))
	if got := len(page.doc(t).find("#log .l")); got != 1000 {
		t.Errorf("got %d rows of a long log, want 1000", got)
	}
}

// BenchmarkPages measures whole pages, from the request to the last byte.
func BenchmarkPages(b *testing.B) {
	var config strings.Builder
	for i := range 200 {
		fmt.Fprintf(&config, "job %d:\n  stage: %s\n  script: make %d\n", i, []string{"build", "test", "deploy"}[i%3], i)
	}
	s := newScene(b, config.String())
	for range 24 {
		s.Started(s.project, s.token, "main")
	}
	a := s.runner.Take()
	s.write(a, strings.Repeat("a line of a log with a \x1b[32mcolour\x1b[0m in it\n", 1000))
	for name, path := range map[string]string{
		"projects": "/", "pipelines": s.path("/-/pipelines"), "pipeline of 200 jobs": s.path("/-/pipelines/%d", s.pipeline.ID),
		"job with 1000 lines": s.path("/-/jobs/%d", a.Job.ID), "trigger tokens": s.path("/-/settings/ci_cd"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := s.maintainer.get(path); got.StatusCode != http.StatusOK {
					b.Fatalf("got status %d", got.StatusCode)
				}
			}
		})
	}
}
