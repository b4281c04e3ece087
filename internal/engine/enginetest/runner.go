package enginetest

import (
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A Runner is an instance runner with one machine that speaks to an engine
// directly.
type Runner struct {
	Runner  ci.Runner
	Manager ci.RunnerManager
	Engine  *engine.Engine
	Token   string // of an instance runner that World.Runner made

	world *World
}

// Runner makes an instance runner that takes jobs with these tags and those
// without.
func (w *World) Runner(tags ...string) *Runner {
	w.t.Helper()
	w.number++
	token := fmt.Sprintf("token %d", w.number)
	runner := Must(w.Store.CreateRunner(w.t.Context(), ci.Runner{
		Type: ci.InstanceRunner, Description: fmt.Sprintf("runner %d", w.number), RunUntagged: true, Tags: tags, CreatedAt: w.Now(),
		Digest: w.Keys.Digest(auth.RunnerTokens, token), Short: "shor",
	}))(w.t)
	r := w.Machine(runner, "s_1")
	r.Token = token
	return r
}

// Machine lets a machine of a runner make itself known.
func (w *World) Machine(runner ci.Runner, systemID string) *Runner {
	w.t.Helper()
	manager := Must(w.Engine.ContactRunner(w.t.Context(), runner, ci.RunnerManager{SystemID: systemID}))(w.t)
	return &Runner{Runner: runner, Manager: manager, Engine: w.Engine, world: w}
}

// Contact is how the machine asks for work.
func (r *Runner) Contact() engine.RunnerContact {
	return engine.RunnerContact{Runner: r.Runner, Manager: r.Manager, Features: map[string]bool{
		"upload_multiple_artifacts": true, "artifacts_exclude": true, "fallback_cache_keys": true, "return_exit_code": true,
		"cancel_gracefully": true,
	}}
}

// Take takes a job that must be there.
func (r *Runner) Take() *engine.Assignment {
	t := r.world.t
	t.Helper()
	a := Must(r.Engine.RequestJob(t.Context(), r.Contact()))(t)
	if a == nil {
		t.Fatal("there is no job to take")
	}
	return a
}

// Finish reports how a job ended.
func (r *Runner) Finish(a *engine.Assignment, success bool) {
	t := r.world.t
	t.Helper()
	update := engine.JobUpdate{State: "success"}
	if !success {
		update = engine.JobUpdate{State: "failed", Reason: string(ci.ScriptFailure), ExitCode: 1}
	}
	Must(r.Engine.UpdateJob(t.Context(), a.Job.ID, a.Token, update))(t)
}

// Run takes the next job and ends it well.
func (r *Runner) Run() *engine.Assignment {
	r.world.t.Helper()
	a := r.Take()
	r.Finish(a, true)
	return a
}

// Now is the time that the engine sees.
func (w *World) Now() time.Time { return w.config.Now() }
