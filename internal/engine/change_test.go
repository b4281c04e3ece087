package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store"
)

const crowd = 16

// crowded is a configuration of as many jobs as there are goroutines, half of them
// manual, and one after them.
func crowded() string {
	config := "stages: [work, end]\nend: {stage: end, script: x}\n"
	for i := range crowd {
		config += fmt.Sprintf("job%d: {stage: work, script: x}\n", i)
		config += fmt.Sprintf("manual%d: {stage: work, script: x, when: manual}\n", i)
	}
	return config
}

// together runs fn for each number below n at the same time, by turns with one of
// two engines, and joins the errors. What loses every race tries again, as runners
// do.
func together(w *enginetest.World, n int, fn func(e *engine.Engine, i int) error) error {
	engines := []*engine.Engine{w.Engine, w.NewEngine()}
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			for errs[i] = fn(engines[i%2], i); ci.KindOf(errs[i]) == ci.KindConflict; {
				errs[i] = fn(engines[i%2], i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// Jobs of one pipeline are taken, played and finished all at once, through two
// engines that share nothing but the database.
func TestOnePipelineInManyHands(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "crowd", crowded())
	p := w.Started(s.project, s.token, "main")
	runner, ctx := w.Runner(), t.Context()

	taken := make([]*engine.Assignment, crowd)
	take := func(e *engine.Engine, i int) (err error) {
		taken[i], err = e.RequestJob(ctx, runner.Contact())
		return err
	}
	enginetest.Check(t, together(w, crowd, take))
	checkTaken(t, w, taken)

	var manual []ci.JobID
	for _, job := range w.Snapshot(p.ID).Jobs {
		if job.Status == ci.Manual {
			manual = append(manual, job.ID)
		}
	}
	enginetest.Equal(t, "manual jobs", len(manual), crowd)
	enginetest.Check(t, together(w, 2*crowd, func(e *engine.Engine, i int) error {
		if i < crowd {
			_, err := e.PlayJob(ctx, engine.Caller{User: s.owner}, s.project, manual[i], nil)
			return err
		}
		a := taken[i-crowd]
		_, err := e.UpdateJob(ctx, a.Job.ID, a.Token, engine.JobUpdate{State: "success"})
		return err
	}))
	clear(taken)
	enginetest.Check(t, together(w, crowd, take))
	checkTaken(t, w, taken)
	enginetest.Equal(t, "last job: it waits for those", statusOf(w, p.ID, "end"), ci.Created)
	enginetest.Check(t, together(w, crowd, func(e *engine.Engine, i int) error {
		_, err := e.UpdateJob(ctx, taken[i].Job.ID, taken[i].Token, engine.JobUpdate{State: "success"})
		return err
	}))
	enginetest.Equal(t, "last job: once", len(slices.DeleteFunc(w.Snapshot(p.ID).Jobs, func(j ci.Job) bool { return j.Name != "end" })), 1)
	runner.Run()
	enginetest.Equal(t, "pipeline", w.Snapshot(p.ID).Pipeline.Status, ci.Success)
}

// checkTaken holds that each was given another job, all of which run.
func checkTaken(t *testing.T, w *enginetest.World, taken []*engine.Assignment) {
	t.Helper()
	seen := map[ci.JobID]bool{}
	for _, a := range taken {
		if a == nil || seen[a.Job.ID] {
			t.Fatalf("job was given twice, or none: %v", a)
		}
		seen[a.Job.ID] = true
		if job := enginetest.Must(w.View.Job(t.Context(), a.Job.ID))(t); job.Status != ci.Running {
			t.Errorf("job %d: got %s, want running", job.ID, job.Status)
		}
	}
}

func statusOf(w *enginetest.World, id ci.PipelineID, job string) ci.Status {
	for _, j := range slices.Backward(w.Snapshot(id).Jobs) {
		if j.Name == job {
			return j.Status
		}
	}
	return ""
}

// While jobs end, somebody cancels their pipeline: each job ends one way or the
// other, and the pipeline says what became of them.
func TestCancelAmongTheFinishing(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "cancel", jobs(crowd))
	runner, ctx := w.Runner(), t.Context()
	p := w.Started(s.project, s.token, "main")
	taken := make([]*engine.Assignment, crowd)
	for i := range taken {
		taken[i] = runner.Take()
	}
	enginetest.Check(t, together(w, crowd+1, func(e *engine.Engine, i int) error {
		if i == crowd/2 {
			_, err := e.CancelPipeline(ctx, engine.Caller{User: s.owner}, s.project, p.ID)
			return err
		}
		a := taken[min(i, crowd-1)]
		_, err := e.UpdateJob(ctx, a.Job.ID, a.Token, engine.JobUpdate{State: "success"})
		if notRunning := (*engine.NotRunning)(nil); errors.As(err, &notRunning) {
			return nil // the job of the canceler's number is reported by its neighbour, too
		}
		return err
	}))
	runner.Finish(taken[crowd/2], true)
	snapshot := w.Snapshot(p.ID)
	want := ci.Success
	for _, job := range snapshot.Jobs {
		if !job.Status.Complete() {
			t.Errorf("%s: got %s, want an end", job.Name, job.Status)
		}
		if job.Status == ci.Canceled {
			want = ci.Canceled
		}
	}
	enginetest.Equal(t, "pipeline", snapshot.Pipeline.Status, want)
}

// A decision that was made on something old is made again; one that is always too
// late gives up.
func TestChangeDecidesAgain(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "again", simple)
	p := w.Started(s.project, s.token, "main")
	rename := func(s *ci.Snapshot, name string) ci.Changes {
		changes := ci.Changes{Pipeline: s.Pipeline, Moved: true}
		changes.Pipeline.Name = name
		return changes
	}
	for _, test := range []struct {
		faster int // decisions that somebody else is faster than
		tries  int
		want   string
	}{
		{0, 1, ""},
		{1, 2, ""},
		{7, 8, ""},
		{100, 8, "conflict: 409 Conflict: Resource lock"},
	} {
		tries := 0
		_, err := w.Engine.Change(t.Context(), p.ID, func(s *ci.Snapshot) (ci.Changes, error) {
			if tries++; tries <= test.faster {
				enginetest.Check(t, w.Store.Apply(t.Context(), rename(s, fmt.Sprint("faster ", tries)), 0))
			}
			return rename(s, "mine"), nil
		})
		enginetest.Equal(t, "error", enginetest.Text(err), test.want)
		enginetest.Equal(t, "tries", tries, test.tries)
		if name := w.Snapshot(p.ID).Pipeline.Name; (name == "mine") != (test.want == "") {
			t.Errorf("somebody faster %d times: the name is %q", test.faster, name)
		}
	}
	version := w.Snapshot(p.ID).Pipeline.Version
	_, err := w.Engine.Change(t.Context(), p.ID, func(*ci.Snapshot) (ci.Changes, error) { return ci.Changes{}, nil })
	enginetest.Equal(t, "nothing to change", err, nil)
	enginetest.Equal(t, "nothing changed", w.Snapshot(p.ID).Pipeline.Version, version)
	_, err = w.Engine.Change(t.Context(), 4711, func(*ci.Snapshot) (ci.Changes, error) { return ci.Changes{}, nil })
	enginetest.Equal(t, "no such pipeline", enginetest.Text(err), "not_found: 404 Not found")
}

// What changes wakes those who wait for it.
func TestWakeUps(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "wake", "stages: [one, two]\na: {stage: one, script: x}\nb: {stage: two, script: x, tags: [special]}\n")
	listen := func(tags int) func(bool) {
		waiter := w.Hub.Listen(func(q ci.Queue) bool { return q.ProjectID == s.project.ID && len(q.Tags) == tags })
		t.Cleanup(waiter.Stop)
		return func(want bool) {
			t.Helper()
			if !want {
				defer waiter.Stop()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if want {
				ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
			}
			defer cancel()
			enginetest.Equal(t, "woken", waiter.Wait(ctx), want)
		}
	}
	plain, special := listen(0), listen(1)
	p := w.Started(s.project, s.token, "main")
	plain(true)
	special(false)
	pipeline, stop := w.Hub.Watch(p.ID)
	defer stop()
	runner := w.Runner("special")
	a := runner.Take()
	<-pipeline
	log, stop := w.Hub.WatchLog(a.Job.ID)
	defer stop()
	special = listen(1) // the former one ended with its time
	runner.Finish(a, true)
	<-pipeline
	<-log
	special(true)
	b := runner.Take()
	<-pipeline
	enginetest.Check(t, w.Engine.Unassign(t.Context(), b.Job.ID))
	special(true)
}

// An outcome that nobody knows is looked up (decisions: writing, 4).
func TestUnknownOutcome(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "unknown", simple)
	p := w.Started(s.project, s.token, "main")
	stored := w.Snapshot(p.ID).Pipeline
	cause := fmt.Errorf("commit: %w", store.ErrUnknown)
	found, err := w.Engine.LookUpUnknown(stored.UID, cause)
	enginetest.Equal(t, "it took place", err, nil)
	enginetest.Equal(t, "pipeline", found.ID, p.ID)
	_, err = w.Engine.LookUpUnknown("0123456789abcdef0123456789abcdef", cause)
	enginetest.Equal(t, "it did not", enginetest.Text(err), "unavailable: 503 Service Unavailable")
	if !errors.Is(err, store.ErrUnknown) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// An outcome that cannot be looked up is given up on after five seconds.
func TestUnknownForever(t *testing.T) {
	t.Parallel()
	w := enginetest.New(t, enginetest.Config{})
	closed := enginetest.Must(store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "closed.db")}))(t)
	enginetest.Check(t, closed.Close())
	e := enginetest.Must(engine.New(engine.Config{
		Store: closed, Git: w.Git, Blobs: w.Blobs, Traces: w.Traces, Hub: w.Hub, Keys: w.Keys, Now: w.Now, Rand: rand.Reader, URLs: w.URLs,
	}))(t)
	start := time.Now()
	_, err := e.LookUpUnknown("0123456789abcdef0123456789abcdef", store.ErrUnknown)
	enginetest.Equal(t, "answer", enginetest.Text(err), "unavailable: 503 Service Unavailable")
	if took := time.Since(start); took < 4*time.Second || took > 20*time.Second {
		t.Errorf("gave up after %s, want 5s", took)
	}
}
