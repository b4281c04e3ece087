package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// report stores a test report for a job that a runner holds.
func report(t *testing.T, w *enginetest.World, a *engine.Assignment, xml string) {
	t.Helper()
	enginetest.Must(w.Engine.SaveArtifact(t.Context(), a.Job.ID, a.Token, engine.Upload{
		Type: "junit", Format: "gzip", Name: "junit.xml.gz", ExpireIn: "1 hour", Body: strings.NewReader(xml),
	}))(t)
}

// What is kept of a report beside it.
func TestTestSummary(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "summaries", "rspec:\n  parallel: 2\n  script: x\n  artifacts: {access: maintainer, reports: {junit: x.xml}}\n")
	p := w.Started(s.project, s.token, "main")
	a := w.Runner().Take()
	long := strings.Repeat("ä", 200)
	xml := `<testsuite><testcase name="good" time="0.5"/><testcase name="` + long + `" classname="c"><error message="m">text</error></testcase>`
	for i := range 60 {
		xml += fmt.Sprintf(`<testcase name="bad %d"><failure> got %d </failure></testcase>`, i, i)
	}
	report(t, w, a, xml+"</testsuite>")
	got := enginetest.Must(w.View.TestSummary(t.Context(), a.Job.ID))(t)
	broken := got.Broken
	got.Broken = nil
	enginetest.Equal(t, "summary", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", ci.TestSummary{
		JobID: a.Job.ID, Suite: "rspec", Time: 0.5, Success: 1, Failed: 60, Errors: 1, Access: "maintainer",
	}))
	enginetest.Equal(t, "broken tests", len(broken), 50)
	enginetest.Equal(t, "error", broken[0], ci.Test{Name: strings.Repeat("ä", 150) + "…", Class: "c", Message: "m"})
	enginetest.Equal(t, "failure", broken[1], ci.Test{Name: "bad 0", Message: "got 0"})

	for _, c := range []struct {
		role ci.Role
		want int
	}{{ci.Developer, 0}, {ci.Maintainer, 1}} {
		suites := enginetest.Must(w.Engine.TestReport(t.Context(), auth.Actor{User: ci.User{ID: 99}, Role: c.role}, s.project, p.ID))(t)
		enginetest.Equal(t, "suites for "+c.role.Title(), len(suites), c.want)
	}
	w.Clock.Advance(2 * time.Hour)
	suites := enginetest.Must(w.Engine.TestReport(t.Context(), auth.Actor{User: ci.User{ID: 99}, Role: ci.Owner}, s.project, p.ID))(t)
	enginetest.Equal(t, "suites after expiry", len(suites), 0)
}
