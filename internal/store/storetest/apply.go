package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// started creates a pipeline and reads it back.
func (w World) started(t *testing.T, uid string, jobs int) *ci.Snapshot {
	t.Helper()
	p := must(w.DB.CreatePipeline(t.Context(), w.NewPipeline(uid, jobs)))(t)
	return must(w.DB.View().Snapshot(t.Context(), p.ID))(t)
}

// running is what a queue head says of the project's running jobs.
func running(t *testing.T, v *store.View) int64 {
	t.Helper()
	heads := must(v.PendingQueues(t.Context(), 0))(t)
	if len(heads) == 0 {
		t.Fatal("no pending job to read the count from")
	}
	return heads[0].Running
}

func testApply(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	w.started(t, "witness", 1)
	s := w.started(t, "u", 3)
	coverage := 98.25
	later := Epoch.Add(time.Minute)

	p := s.Pipeline
	p.Status, p.UpdatedAt, p.StartedAt, p.FinishedAt, p.Duration = ci.Running, later, later, later.Add(time.Second), 7
	p.Name, p.FailureReason = "nightly", "config_error"
	p.Stages = []ci.Stage{{Name: "test", Index: 0, Status: ci.Running}}
	job := s.Jobs[0]
	job.Status, job.AllowFailure, job.Retried, job.UserID, job.Played = ci.Running, true, true, 5, true
	job.SealedVariables, job.Timeout, job.RunnerID, job.ManagerID, job.Graceful = []byte{1}, 60, 8, 9, true
	job.TokenNonce, job.TokenDigest, job.FailureReason, job.ExitCode, job.Coverage = []byte{2}, []byte{3}, ci.ScriptFailure, 137, &coverage
	job.QueuedAt, job.StartedAt, job.FinishedAt, job.ScheduledAt = later, later, later, later
	retry := ci.Job{
		Name: "job 0", Stage: "test", StageIndex: 1, Status: ci.Pending, Plan: s.Jobs[0].Plan, Attempt: 1, Protected: true, UserID: 4,
		SealedVariables: []byte{7}, SpecDigest: s.Jobs[0].SpecDigest, Tags: []string{"x64"}, Timeout: 60, CreatedAt: later, QueuedAt: later,
	}
	changes := ci.Changes{Pipeline: p, Jobs: []ci.Job{job}, New: []ci.Job{retry}, Moved: true}
	ok(t, db.Apply(ctx, changes, 1))

	retry.ID = changes.New[0].ID
	if retry.ID <= s.Jobs[2].ID {
		t.Errorf("new job: got id %d, want more than %d", retry.ID, s.Jobs[2].ID)
	}
	retry.PipelineID, retry.ProjectID = p.ID, p.ProjectID
	p.Version++
	same(t, "snapshot", must(v.Snapshot(ctx, p.ID))(t), &ci.Snapshot{Pipeline: p, Jobs: []ci.Job{job, s.Jobs[1], s.Jobs[2], retry}})
	if got := running(t, v); got != 1 {
		t.Errorf("running jobs: got %d, want 1", got)
	}

	ok(t, db.Apply(ctx, ci.Changes{Pipeline: p}, -1))
	if got := running(t, v); got != 0 {
		t.Errorf("running jobs: got %d, want 0", got)
	}
	if got := must(v.Pipeline(ctx, p.ID))(t).Version; got != p.Version+1 {
		t.Errorf("version: got %d, want %d", got, p.Version+1)
	}
}

func testApplyMoved(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	w.started(t, "witness", 1)
	s := w.started(t, "u", 2)
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline}, 0))
	before := must(v.Snapshot(ctx, s.Pipeline.ID))(t)

	late := s.Clone()
	late.Pipeline.Status, late.Jobs[0].Status = ci.Canceled, ci.Canceled
	err := db.Apply(ctx, ci.Changes{Pipeline: late.Pipeline, Jobs: late.Jobs[:1], New: late.Jobs[1:]}, 1)
	if !errors.Is(err, store.ErrMoved) {
		t.Errorf("late change: got error %v, want ErrMoved", err)
	}
	same(t, "snapshot after a late change", must(v.Snapshot(ctx, s.Pipeline.ID))(t), before)

	stray := before.Jobs[1]
	stray.ID = 999
	changed := before.Clone()
	changed.Jobs[0].Status = ci.Running
	err = db.Apply(ctx, ci.Changes{Pipeline: before.Pipeline, Jobs: []ci.Job{changed.Jobs[0], stray}}, 1)
	missing(t, "change of a job that is gone", err)
	same(t, "snapshot after a change that failed half-way", must(v.Snapshot(ctx, s.Pipeline.ID))(t), before)
	if got := running(t, v); got != 0 {
		t.Errorf("running jobs: got %d, want 0", got)
	}
	if err := db.Apply(ctx, ci.Changes{Pipeline: ci.Pipeline{ID: 999}}, 0); !errors.Is(err, store.ErrMoved) {
		t.Errorf("change of a pipeline that is gone: got error %v, want ErrMoved", err)
	}
}
