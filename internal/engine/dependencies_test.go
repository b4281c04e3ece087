package engine_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// Whose artifacts a job gets (contract/ci-yaml.md 6.2 and 6.3).
func TestDependencies(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "dependencies", `
stages: [one, two, three]
default: {artifacts: {paths: [x]}}
a: {stage: one, script: x}
b: {stage: one, script: x}
c: {stage: two, script: x}
.last: {stage: three, script: x, artifacts: {}}
all: {extends: .last}
listed: {extends: .last, dependencies: [a, c]}
none: {extends: .last, dependencies: []}
needs: {extends: .last, needs: [b, c]}
quiet needs: {extends: .last, needs: [{job: b, artifacts: false}, c]}
no needs: {extends: .last, needs: []}
both: {extends: .last, needs: [a, {job: b, artifacts: false}, c], dependencies: [a, b]}
`)
	p := w.Started(s.project, s.token, "main")
	runner, want := w.Runner(), map[string]string{
		"a": "", "b": "", "c": "a b", "all": "a b c", "listed": "a c", "none": "", "needs": "b c", "quiet needs": "c", "no needs": "", "both": "a",
	}
	for range want {
		a := runner.Take()
		var got []string
		for _, d := range a.Dependencies {
			got = append(got, d.Job.Name)
		}
		enginetest.Equal(t, a.Job.Name, strings.Join(got, " "), want[a.Job.Name])
		upload(t, w, a, "")
		runner.Finish(a, true)
	}
	enginetest.Equal(t, "pipeline", w.Snapshot(p.ID).Pipeline.Status, ci.Success)
}

// upload stores an archive for a job that a runner holds.
func upload(t *testing.T, w *enginetest.World, a *engine.Assignment, expireIn string) {
	t.Helper()
	enginetest.Must(w.Engine.SaveArtifact(t.Context(), a.Job.ID, a.Token, engine.Upload{
		Type: "archive", Format: "zip", Name: "artifacts.zip", ExpireIn: expireIn, Body: bytes.NewReader([]byte("zip")),
	}))(t)
}

// A job whose artifacts are needed and gone ends instead of running without them.
func TestMissingDependencies(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "missing", `
stages: [one, two]
a: {stage: one, script: x, artifacts: {paths: [x], expire_in: 1 hour}}
b: {stage: two, script: x, when: manual}
`)
	runner, ctx := w.Runner(), t.Context()
	for _, test := range []struct {
		name string
		lose func(job ci.JobID)
		want string
	}{
		{"kept", func(ci.JobID) {}, "a success, b running"},
		{"erased", func(id ci.JobID) {
			enginetest.Must(w.Engine.EraseJob(ctx, w.Root, s.project, id))(t)
		}, "a success, b failed"},
		{"expired", func(ci.JobID) { w.Clock.Advance(2 * time.Hour) }, "a success, b failed"},
		{"expired and swept", func(ci.JobID) {
			w.Clock.Advance(2 * time.Hour)
			w.Engine.Background().Round(ctx)
		}, "a success, b failed"},
	} {
		p := w.Started(s.project, s.token, "main")
		a := runner.Take()
		upload(t, w, a, "1 hour")
		runner.Finish(a, true)
		test.lose(a.Job.ID)
		b := w.Snapshot(p.ID).Jobs[1]
		enginetest.Must(w.Engine.PlayJob(ctx, w.Root, s.project, b.ID, nil))(t)
		taken := enginetest.Must(w.Engine.RequestJob(ctx, runner.Contact()))(t)
		enginetest.Equal(t, test.name, w.Jobs(p.ID), test.want)
		if taken != nil {
			runner.Finish(taken, true)
			continue
		}
		enginetest.Equal(t, test.name+": reason", w.Snapshot(p.ID).Jobs[1].FailureReason, ci.MissingDependencyFailure)
	}
}
