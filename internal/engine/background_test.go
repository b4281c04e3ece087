package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

func TestDelayedJobsStart(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "delayed", "a: {script: x, when: delayed, start_in: 1 hour}\nb: {script: x, needs: [a]}\n")
	p := w.Started(s.project, s.token, "main")
	rounds := w.Engine.Background()
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "a scheduled, b created"},
		{59 * time.Minute, "a scheduled, b created"},
		{time.Minute, "a pending, b created"},
		{time.Minute, "a pending, b created"},
	} {
		w.Clock.Advance(step.after)
		rounds.Round(t.Context())
		enginetest.Equal(t, "jobs", w.Jobs(p.ID), step.want)
	}
	late := w.Started(s.project, s.token, "main")
	w.Clock.Advance(2*time.Hour + time.Second)
	rounds.Round(t.Context())
	enginetest.Equal(t, "due for more than an hour", w.Jobs(late.ID), "a failed, b skipped")
	enginetest.Equal(t, "reason", w.Snapshot(late.ID).Jobs[0].FailureReason, ci.StaleSchedule)
}

// Jobs of runners that fell silent end, are retried if their configuration says so,
// or are offered again if nothing was ever heard of them.
func TestSilentJobs(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "silent", "a: {script: x, timeout: 3h}\nb: {script: x, timeout: 3h, retry: {max: 1, when: stuck_or_timeout_failure}}\nc: {script: x, timeout: 3h}\n")
	p := w.Started(s.project, s.token, "main")
	runner, rounds, ctx := w.Runner(), w.Engine.Background(), t.Context()
	a, b, c := runner.Take(), runner.Take(), runner.Take()
	lengths := map[ci.JobID]int64{}
	talk := func(of ...*engine.Assignment) {
		for _, a := range of {
			length, _, err := w.Engine.AppendLog(ctx, a.Job.ID, a.Token, lengths[a.Job.ID], strings.NewReader("x\n"))
			if err != nil {
				t.Errorf("log of %s: %v", a.Job.Name, err)
			}
			lengths[a.Job.ID] = length
		}
	}
	step := func(after time.Duration, want string) {
		t.Helper()
		w.Clock.Advance(after)
		rounds.Round(ctx)
		enginetest.Equal(t, "jobs", w.Jobs(p.ID), want)
	}
	step(time.Minute, "a running, b running, c running")
	talk(a, b)
	step(time.Minute, "a running, b running, c running")
	step(time.Minute, "a running, b running, c pending")
	if _, err := w.Engine.UpdateJob(ctx, c.Job.ID, c.Token, engine.JobUpdate{State: "success"}); ci.KindOf(err) != ci.KindForbidden {
		t.Errorf("report on a job that was offered again: got %v, want a refusal", err)
	}
	enginetest.Equal(t, "taken again", runner.Take().Job.ID, c.Job.ID)
	talk(a, b)
	runner.Finish(&engine.Assignment{Job: c.Job, Token: tokenOf(w, c.Job.ID)}, true)
	step(time.Hour, "a running, b running, c success")
	step(time.Minute, "a failed, b failed, c success, b pending")
	for _, job := range w.Snapshot(p.ID).Jobs[:2] {
		enginetest.Equal(t, job.Name+": reason", job.FailureReason, ci.StuckOrTimeout)
		enginetest.Equal(t, job.Name+": log is over", enginetest.Must(w.Traces.Stat(ctx, int64(job.ID)))(t).Finished, true)
	}
}

// tokenOf makes the token of a job again, as a server does that has restarted.
func tokenOf(w *enginetest.World, id ci.JobID) string {
	job, err := w.View.Job(context.Background(), id)
	if err != nil {
		return ""
	}
	return w.Keys.JobToken(int64(id), job.TokenNonce)
}

// Time ends what waits or runs for too long, although its runner talks.
func TestOverdueJobs(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "overdue", "a: {script: x, timeout: 10 minutes}\nb: {script: x, tags: [nobody]}\n")
	p := w.Started(s.project, s.token, "main")
	a, rounds, ctx := w.Runner().Take(), w.Engine.Background(), t.Context()
	talk := func() {
		if _, err := w.Engine.UpdateJob(ctx, a.Job.ID, a.Token, engine.JobUpdate{State: "running"}); err != nil {
			t.Errorf("report: %v", err)
		}
	}
	for _, step := range []struct {
		after        time.Duration
		want, reason string
	}{
		{time.Minute, "a running, b pending", ""},
		{23 * time.Minute, "a running, b pending", ""},
		{time.Minute, "a running, b pending", ""},
		{time.Minute, "a failed, b pending", string(ci.JobExecutionTimeout)},
		{23 * time.Hour, "a failed, b pending", string(ci.JobExecutionTimeout)},
		{time.Hour, "a failed, b failed", string(ci.JobExecutionTimeout)},
	} {
		w.Clock.Advance(step.after)
		if step.reason == "" {
			talk()
		}
		rounds.Round(ctx)
		enginetest.Equal(t, "jobs", w.Jobs(p.ID), step.want)
		enginetest.Equal(t, "reason of a", string(w.Snapshot(p.ID).Jobs[0].FailureReason), step.reason)
	}
	enginetest.Equal(t, "reason of b", w.Snapshot(p.ID).Jobs[1].FailureReason, ci.StuckOrTimeout)
	quiet(t, w)
}

// What is deleted leaves the disk, more of it than one portion has.
func TestTrash(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "trash", "a: {script: x, artifacts: {paths: [x]}}")
	runner, rounds, ctx := w.Runner(), w.Engine.Background(), t.Context()
	for range 3 {
		w.Started(s.project, s.token, "main")
		a := runner.Take()
		enginetest.Must(w.Engine.SaveArtifact(ctx, a.Job.ID, a.Token, engine.Upload{
			Type: "archive", Format: "zip", Name: "artifacts.zip", Body: bytes.NewReader([]byte("zip")),
		}))(t)
		_, _, err := w.Engine.AppendLog(ctx, a.Job.ID, a.Token, 0, strings.NewReader(strings.Repeat("line\n", 1000)))
		enginetest.Check(t, err)
		runner.Finish(a, true)
	}
	stored := func() string {
		n := 0
		enginetest.Check(t, w.Blobs.List(ctx, "", func(blob.Info) error { n++; return nil }))
		exists := enginetest.Must(w.Git.Exists(ctx, int64(s.project.ID)))(t)
		return fmt.Sprintf("%d blobs, repository %v, %d rows of trash", n, exists, len(enginetest.Must(w.View.Trash(ctx, 1000))(t)))
	}
	enginetest.Equal(t, "at first", stored(), "6 blobs, repository true, 0 rows of trash")
	enginetest.Check(t, w.Store.DeletePipeline(ctx, s.latest().ID))
	rounds.Round(ctx)
	enginetest.Equal(t, "a pipeline less", stored(), "4 blobs, repository true, 0 rows of trash")
	enginetest.Check(t, w.Engine.DeleteProject(ctx, w.Root, s.project))
	rounds.Round(ctx)
	enginetest.Equal(t, "too early for the next sweep", strings.HasSuffix(stored(), " 0 rows of trash"), false)
	w.Clock.Advance(time.Minute)
	rounds.Round(ctx)
	enginetest.Equal(t, "no project", stored(), "0 blobs, repository false, 0 rows of trash")
	quiet(t, w)
}

// quiet holds that no background work failed.
func quiet(t *testing.T, w *enginetest.World) {
	t.Helper()
	if log := w.Log(); strings.Contains(log, "level=ERROR") {
		t.Errorf("background work failed:\n%s", log)
	}
}

// What has had its time is forgotten: keys after a day, trigger tokens a month after
// they expired, artifacts.
func TestForgets(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "forget", "a: {script: x, artifacts: {paths: [x], expire_in: 2 days}}")
	ctx, rounds := t.Context(), w.Engine.Background()
	r := enginetest.Request(s.project, s.token, "main")
	r.IdempotencyKey, r.BodyDigest = "k", []byte("b")
	enginetest.Must(w.Engine.Trigger(ctx, r))(t)
	a := w.Runner().Take()
	enginetest.Must(w.Engine.SaveArtifact(ctx, a.Job.ID, a.Token, engine.Upload{
		Type: "archive", Format: "zip", Name: "artifacts.zip", ExpireIn: "2 days", Body: bytes.NewReader([]byte("zip")),
	}))(t)
	enginetest.Must(w.Engine.CreateTrigger(ctx, w.Root, s.project, "short", w.Now().Add(24*time.Hour)))(t)
	left := func() string {
		_, triggers, err := w.Engine.ListTriggers(ctx, w.Root, s.project, 10, 0)
		enginetest.Check(t, err)
		artifacts := enginetest.Must(w.View.Artifacts(ctx, []ci.JobID{a.Job.ID}))(t)
		return fmt.Sprintf("%d tokens %d artifacts", triggers, len(artifacts[a.Job.ID]))
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "2 tokens 1 artifacts"},
		{48*time.Hour - time.Second, "2 tokens 1 artifacts"},
		{time.Minute, "2 tokens 0 artifacts"},
		{28 * 24 * time.Hour, "2 tokens 0 artifacts"},
		{24 * time.Hour, "1 tokens 0 artifacts"},
	} {
		w.Clock.Advance(step.after)
		rounds.Round(ctx)
		enginetest.Equal(t, "left", left(), step.want)
	}
	keys := enginetest.Must(w.Store.PruneIdempotency(ctx, w.Now(), 10))(t)
	enginetest.Equal(t, "keys that were left", keys, 0)
	quiet(t, w)
}

func TestMuchTrash(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "much", jobs(450))
	w.Started(s.project, s.token, "main")
	enginetest.Check(t, w.Store.DeletePipeline(t.Context(), s.latest().ID))                       // a log for each job
	enginetest.Equal(t, "trash", len(enginetest.Must(w.View.Trash(t.Context(), 1000))(t)), 450+1) // and their specification
	w.Engine.Background().Round(t.Context())
	enginetest.Equal(t, "trash after one round", len(enginetest.Must(w.View.Trash(t.Context(), 1000))(t)), 0)
}

// Of two processes one works; when it ends, the other one does at once.
func TestLease(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "lease", "a: {script: x, when: delayed, start_in: 1 hour}")
	p := w.Started(s.project, s.token, "main")
	first, second := w.Engine.Background(), w.NewEngine().Background()
	first.Round(t.Context())
	w.Clock.Advance(time.Hour)
	second.Round(t.Context())
	enginetest.Equal(t, "second one, while the first has the lease", w.Jobs(p.ID), "a scheduled")
	first.End(t.Context())
	second.Round(t.Context())
	enginetest.Equal(t, "second one, after the first", w.Jobs(p.ID), "a pending")
}

// Run is what a server starts: it does the rounds, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	w := enginetest.New(t, enginetest.Config{Now: time.Now})
	s := newScene(t, w, "run", "a: {script: x, when: delayed, start_in: 1 second}")
	p := w.Started(s.project, s.token, "main")
	changed, stop := w.Hub.Watch(p.ID)
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Engine.Run(ctx) }()
	select {
	case <-changed:
	case <-time.After(30 * time.Second):
		t.Error("nothing happened for 30s")
	}
	enginetest.Equal(t, "jobs", w.Jobs(p.ID), "a pending")
	cancel()
	enginetest.Equal(t, "end", <-ended, nil)
	leads := enginetest.Must(w.Store.Lease(t.Context(), "background", "another", time.Second))(t)
	enginetest.Equal(t, "the lease is free", leads, true)
}
