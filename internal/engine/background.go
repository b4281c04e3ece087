package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// Intervals and limits of the loops that need no caller.
const (
	tickEvery  = time.Second     // delayed jobs that are due
	sweepEvery = time.Minute     // everything else
	lostAfter  = time.Hour       // a held job that nobody reports on
	answerLate = 2 * time.Minute // a held job that its runner never reported on
	leaseHeld  = 5 * time.Second // how long a lease counts
)

// A background is the work that nobody asks for, as one process does it.
type background struct {
	engine *Engine
	holder string    // of the lease
	swept  time.Time // when it last did what is done once a minute
}

func (e *Engine) newBackground() *background {
	return &background{engine: e, holder: e.randomHex(8)}
}

// Run does the work that nobody asks for: delayed jobs, jobs whose runner is
// lost, removal of what was deleted, care of repositories. It returns nil when ctx
// ends. Of several processes on one database one does it at a time; two would do no
// harm.
func (e *Engine) Run(ctx context.Context) error {
	b := e.newBackground()
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() { e.tidyRepositories(ctx, b.holder) })
	if e.sweepQueues > 0 {
		tidying.Go(func() { e.wakeForQueues(ctx) })
	}
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.end(ctx)
			return nil
		case <-tick.C:
			b.round(ctx)
		}
	}
}

// lease is the name of the lease that the leader holds.
const lease = "background"

// round does what is due, if this process leads.
func (b *background) round(ctx context.Context) {
	e := b.engine
	leads, err := e.store.Lease(ctx, lease, b.holder, leaseHeld)
	e.report(ctx, "take the lease", err)
	if err != nil || !leads {
		return
	}
	e.report(ctx, "start due jobs", e.startDue(ctx))
	e.report(ctx, "pass resource groups on", e.passWaitedFor(ctx))
	if now := e.now(); now.Sub(b.swept) >= sweepEvery {
		b.swept = now
		b.sweep(ctx)
	}
}

// sweep does what is done once a minute.
func (b *background) sweep(ctx context.Context) {
	e := b.engine
	for _, task := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"drop lost jobs", e.dropLost},
		{"drop overdue jobs", e.dropOverdue},
		{"give back unanswered jobs", e.giveBackUnanswered},
		{"remove expired artifacts", e.removeExpired},
		{"empty trash", e.emptyTrash},
		{"forget idempotency keys", e.forgetKeys},
		{"remove expired trigger tokens", e.forgetTriggers},
		{"sweep logs", e.sweepLogs},
		{"checkpoint", e.store.Checkpoint},
	} {
		e.report(ctx, task.what, task.do(ctx))
	}
}

// end gives the lease back, so that another process need not wait for it to run
// out.
func (b *background) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseHeld)
	defer cancel()
	e := b.engine
	_, err := e.store.Lease(ctx, lease, b.holder, 0)
	e.report(ctx, "give the lease back", err)
}

// report logs what a loop could not do. It is the top of these calls: nobody else
// would hear of it, and the next round tries again.
func (e *Engine) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		e.log.ErrorContext(ctx, "background: "+what, "error", err)
	}
}

// startDue moves pipelines with delayed jobs whose time has come.
func (e *Engine) startDue(ctx context.Context) error {
	due, err := e.view.DueScheduled(ctx, e.now())
	return errors.Join(err, e.tick(ctx, due))
}

// dropOverdue moves pipelines with jobs that no runner took for a day or that one
// has held for longer than they may take.
func (e *Engine) dropOverdue(ctx context.Context) error {
	overdue, err := e.view.OverduePipelines(ctx, e.now().Add(-flow.StuckAfter), e.now().Add(-flow.TimeoutGrace))
	return errors.Join(err, e.tick(ctx, overdue))
}

// tick lets time pass in some pipelines.
func (e *Engine) tick(ctx context.Context, pipelines []ci.PipelineID) error {
	var problems []error
	for _, id := range pipelines {
		_, err := e.change(ctx, id, func(s *ci.Snapshot) (ci.Changes, error) { return flow.Tick(s, e.now()) })
		problems = append(problems, unlessOver(err))
	}
	return errors.Join(problems...)
}

// dropLost fails jobs that a runner holds but has not reported on for an hour.
func (e *Engine) dropLost(ctx context.Context) error {
	silent, err := e.view.SilentJobs(ctx, e.now().Add(-lostAfter))
	if err != nil {
		return err
	}
	var problems []error
	for _, job := range silent {
		problems = append(problems, unlessOver(e.DropJob(ctx, job.ID, ci.StuckOrTimeout)))
	}
	return errors.Join(problems...)
}

// giveBackUnanswered offers jobs again whose runner probably never learned that it
// has them: the answer was lost on its way. Every runner says something about a job
// within seconds; one that comes later than this is told that the job is not its
// own any more (contract/runner-protocol.md 3, the time limit of an
// acknowledgement).
func (e *Engine) giveBackUnanswered(ctx context.Context) error {
	silent, err := e.view.UnansweredJobs(ctx, e.now().Add(-answerLate))
	if err != nil {
		return err
	}
	var problems []error
	for _, job := range silent {
		problems = append(problems, unlessOver(e.Unassign(ctx, job.ID)))
	}
	return errors.Join(problems...)
}

// unlessOver drops the error of a job that has ended, or is gone, since it was
// looked for.
func unlessOver(err error) error {
	switch ci.KindOf(err) {
	case ci.KindConflict, ci.KindNotFound:
		return nil
	}
	return err
}

// removeExpired removes the artifacts whose time is over.
func (e *Engine) removeExpired(ctx context.Context) error {
	return inPortions(func() (int, error) {
		expired, err := e.view.ExpiredArtifacts(ctx, e.now(), atOnce)
		problems := []error{err}
		for _, job := range expired {
			problems = append(problems, e.store.RemoveExpiredArtifacts(ctx, job))
		}
		return len(expired), errors.Join(problems...)
	})
}

// emptyTrash removes blobs, logs and repositories whose rows are gone.
func (e *Engine) emptyTrash(ctx context.Context) error {
	return inPortions(func() (int, error) {
		items, err := e.view.Trash(ctx, atOnce)
		problems := []error{err}
		var done []int64
		for _, item := range items {
			if err := e.remove(ctx, item); err != nil {
				problems = append(problems, fmt.Errorf("remove %s %s: %w", item.Kind, item.Key, err))
				continue
			}
			done = append(done, item.ID)
		}
		if len(done) > 0 {
			problems = append(problems, e.store.EmptyTrash(ctx, done))
		}
		return len(items), errors.Join(problems...)
	})
}

// remove removes one thing from disk; what is not there any more is no error.
func (e *Engine) remove(ctx context.Context, item store.Trash) error {
	switch item.Kind {
	case store.TrashBlob:
		return e.blobs.Delete(ctx, item.Key)
	case store.TrashSpec:
		return e.store.DeleteSpec(ctx, item.Key)
	}
	id, err := strconv.ParseInt(item.Key, 10, 64)
	if err != nil {
		return err
	}
	switch item.Kind {
	case store.TrashLog:
		return e.traces.Erase(ctx, id)
	case store.TrashRepository:
		return e.git.Remove(ctx, id)
	}
	return fmt.Errorf("unknown kind %q", item.Kind)
}

// sweepLogs removes what deleted and erased logs left behind.
func (e *Engine) sweepLogs(ctx context.Context) error {
	return inPortions(func() (int, error) { return e.traces.Sweep(ctx, atOnce) })
}

// forgetKeys removes idempotency keys that no longer count.
func (e *Engine) forgetKeys(ctx context.Context) error {
	return inPortions(func() (int, error) {
		return e.store.PruneIdempotency(ctx, e.now().Add(-idempotencyLife), atOnce)
	})
}

// expiredTriggerKept is how long an expired trigger token stays to be seen
// (contract/trigger-api.md 1.6).
const expiredTriggerKept = 30 * 24 * time.Hour

// forgetTriggers removes trigger tokens that expired long ago.
func (e *Engine) forgetTriggers(ctx context.Context) error {
	return inPortions(func() (int, error) {
		return e.store.PruneTriggers(ctx, e.now().Add(-expiredTriggerKept), atOnce)
	})
}

// Removals are done so many at once, and so often at most in one sweep.
const (
	atOnce   = 200
	portions = 50
)

// inPortions removes things until a portion is not full, or something fails.
func inPortions(remove func() (int, error)) error {
	for range portions {
		if n, err := remove(); err != nil || n < atOnce {
			return err
		}
	}
	return nil
}
