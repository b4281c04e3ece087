package engine_test

import (
	"crypto/rand"
	"path/filepath"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// The built-in runner of a new process ends what that of the former one was running,
// and `retry:` counts for it (decisions: queue, 19).
func TestBuiltInRunnerStartsAgain(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "restart", "a: {script: x}\nb: {script: x, retry: {max: 1, when: runner_system_failure}}\nc: {script: x}\nd: {script: x}\n")
	p := w.Started(s.project, s.token, "main")
	ctx := t.Context()
	start := func(e *engine.Engine, systemID string) (*enginetest.Runner, string) {
		t.Helper()
		token := enginetest.Must(e.BuiltInRunner(ctx, 1))(t)
		runner := enginetest.Must(e.AuthenticateRunner(ctx, token))(t)
		manager := enginetest.Must(e.ContactRunner(ctx, runner, ci.RunnerManager{SystemID: systemID}))(t)
		return &enginetest.Runner{Runner: runner, Manager: manager, Engine: e}, token
	}
	take := func(r *enginetest.Runner) *engine.Assignment {
		t.Helper()
		return enginetest.Must(r.Engine.RequestJob(ctx, r.Contact()))(t)
	}
	first, old := start(w.Engine, "s_first")
	take(first)
	b := take(first)
	other := w.Runner()
	other.Take()
	enginetest.Equal(t, "before", w.Jobs(p.ID), "a running, b running, c running, d pending")

	again := w.NewEngine() // another process, with nothing in memory
	second, token := start(again, "s_second")
	enginetest.Equal(t, "the same runner", second.Runner.ID, first.Runner.ID)
	enginetest.Equal(t, "another token", token == old, false)
	enginetest.Equal(t, "after", w.Jobs(p.ID), "a failed, b failed, c running, d pending, b pending")
	for _, job := range w.Snapshot(p.ID).Jobs[:2] {
		enginetest.Equal(t, job.Name+": reason", job.FailureReason, ci.RunnerSystemFailure)
	}
	_, err := w.Engine.AuthenticateRunner(ctx, old)
	enginetest.Equal(t, "the old token", enginetest.Text(err), "forbidden: 403 Forbidden")
	_, err = w.Engine.UpdateJob(ctx, b.Job.ID, b.Token, engine.JobUpdate{State: "success"})
	if _, over := err.(*engine.NotRunning); !over {
		t.Errorf("report of the former process: got %v, want NotRunning", err)
	}

	d := take(second)
	enginetest.Equal(t, "next job", d.Job.Name, "d")
	enginetest.Must(again.ContactRunner(ctx, second.Runner, ci.RunnerManager{SystemID: "s_second", Version: "2"}))(t)
	enginetest.Equal(t, "its own jobs go on", w.Jobs(p.ID), "a failed, b failed, c running, d running, b pending")
	w.Machine(other.Runner, "s_2")
	enginetest.Equal(t, "other runners have many machines", statusOf(w, p.ID, "c"), ci.Running)
}

// The first administrator is made once, with what was given from outside.
func TestBootstrap(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	ctx := t.Context()
	const token = "a token of more than twenty characters"
	enginetest.Check(t, w.Engine.Bootstrap(ctx, "a password", token)) // there is root already
	_, err := w.Engine.AuthenticateAccessToken(ctx, token)
	enginetest.Equal(t, "token given too late", enginetest.Text(err), "unauthorized: 401 Unauthorized")
	made := enginetest.Must(w.Engine.NewRootToken(ctx, w.Root.User, "laptop"))(t)
	caller := enginetest.Must(w.Engine.AuthenticateAccessToken(ctx, made))(t)
	enginetest.Equal(t, "user", caller.User.Username, "root")
	enginetest.Equal(t, "administrator", caller.User.Admin, true)

	db := enginetest.Must(store.Open(ctx, store.Config{Path: filepath.Join(t.TempDir(), "empty.db")}))(t)
	t.Cleanup(func() { enginetest.Check(t, db.Close()) })
	e := enginetest.Must(engine.New(engine.Config{
		Store: db, Git: w.Git, Blobs: w.Blobs, Traces: w.Traces, Hub: w.Hub, Keys: w.Keys, Now: w.Now, Rand: rand.Reader, URLs: w.URLs,
	}))(t)
	for _, step := range []struct {
		password, token string
		refused, admin  bool
	}{
		{"", "", false, false},
		{"", "too short", true, false},
		{"a password", token, false, true},
		{"another", token + "x", false, true},
	} {
		err := e.Bootstrap(ctx, step.password, step.token)
		enginetest.Equal(t, "refused", ci.KindOf(err) == ci.KindInvalid, step.refused)
		enginetest.Equal(t, "administrator", enginetest.Must(e.HasAdministrator(ctx))(t), step.admin)
	}
	_, err = e.AuthenticateAccessToken(ctx, token)
	enginetest.Equal(t, "token of the first start", enginetest.Text(err), "")
	_, err = e.AuthenticateAccessToken(ctx, token+"x")
	enginetest.Equal(t, "token of a later start", enginetest.Text(err), "unauthorized: 401 Unauthorized")
}
