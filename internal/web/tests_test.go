package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// report stores a test report of a running job.
func (s *scene) report(a *engine.Assignment, xml string) {
	s.t.Helper()
	_, err := s.Engine.SaveArtifact(s.t.Context(), a.Job.ID, a.Token, engine.Upload{
		Type: "junit", Format: "gzip", Name: "junit.xml.gz", Body: strings.NewReader(xml),
	})
	enginetest.Check(s.t, err)
}

func TestTests(t *testing.T) {
	s := newScene(t, "stages: [test]\nunit: {script: make}\nlint: {script: make}\nsecret: {script: make, artifacts: {access: maintainer, reports: {junit: x}}}\n")
	pipeline := s.path("/-/pipelines/%d", s.pipeline.ID)
	if got := s.developer.get(pipeline).texts(t, "#tests"); got != nil {
		t.Errorf("tests of a pipeline without any: %q", got)
	}
	unit := s.runner.Take()
	s.report(unit, `<testsuite><testcase name="one"/><testcase name="&lt;b&gt;two" classname="calc"><failure message="got &lt;script&gt; 3"/></testcase>`+
		`<testcase><error>boom</error></testcase><testcase name="four"><skipped/></testcase></testsuite>`)
	lint := s.runner.Take()
	s.report(lint, `<testsuite>`)
	secret := s.runner.Take()
	s.report(secret, `<testsuite><testcase name="hush"><failure>psst</failure></testcase></testsuite>`)

	page := s.developer.get(pipeline)
	checkPage(t, page)
	equal(t, "sum", page.texts(t, "#tests h2"), "Tests: 1 passed, 2 failed, 1 with an error, 1 skipped")
	equal(t, "broken tests", page.texts(t, "#tests li b"), "A report could not be read.", "(no name)", "<b>two")
	equal(t, "messages", page.texts(t, "#tests li pre"),
		"JUnit XML parsing failed: 1:12: FATAL: Premature end of data in tag testsuite line 1", "boom", "got <script> 3")
	equal(t, "what is not listed", page.texts(t, "#tests p"), "1 more that did not pass is not listed here.")
	if got, want := page.doc(t).find("#tests li a")[2].attr("href"), s.path("/-/jobs/%d", unit.Job.ID); got != want {
		t.Errorf("link to the job: got %s, want %s", got, want)
	}
	if strings.Contains(page.body, "psst") || strings.Contains(page.body, "hush") {
		t.Error("a report that is for maintainers is shown to a developer")
	}
	page = s.maintainer.get(pipeline)
	has(t, "tests for a maintainer", page.texts(t, "#tests pre"), "psst")
	equal(t, "nothing else", page.texts(t, "#tests p"))

	page = s.developer.get(s.path("/-/jobs/%d", unit.Job.ID))
	checkPage(t, page)
	equal(t, "sum of a job", page.texts(t, "#tests h2"), "Tests: 1 passed, 1 failed, 1 with an error, 1 skipped")
	equal(t, "links of a job", page.texts(t, "#tests a"))
	page = s.developer.get(s.path("/-/jobs/%d", lint.Job.ID))
	equal(t, "sum of a broken report", page.texts(t, "#tests h2"), "Tests: none")
	page = s.developer.get(s.path("/-/jobs/%d", secret.Job.ID))
	equal(t, "sum of a secret report", page.texts(t, "#tests h2"), "Tests: 0 passed, 1 failed")
	equal(t, "secret tests", page.texts(t, "#tests li"))
}

// TestManyTests holds that a page lists no more tests than people read.
func TestManyTests(t *testing.T) {
	s := newScene(t, "stages: [test]\na: {script: make}\nb: {script: make}\n")
	for i := range 2 {
		a := s.runner.Take()
		var xml strings.Builder
		for j := range 40 {
			fmt.Fprintf(&xml, `<testcase name="%d.%d"><failure/></testcase>`, i, j)
		}
		s.report(a, "<testsuite>"+xml.String()+"</testsuite>")
	}
	page := s.developer.get(s.path("/-/pipelines/%d", s.pipeline.ID))
	checkPage(t, page)
	if got := len(page.doc(t).find("#tests li")); got != 50 {
		t.Errorf("got %d tests, want 50", got)
	}
	equal(t, "what is not listed", page.texts(t, "#tests p"), "30 more that did not pass are not listed here.")
}
