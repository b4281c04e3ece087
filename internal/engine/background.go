package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
)

// Intervals and limits of the loops that need no caller.
const (
	tickEvery   = time.Second     // delayed jobs that are due
	sweepEvery  = time.Minute     // silent jobs, trash
	lostAfter   = time.Hour       // a held job that nobody reports on
	answerLate  = 2 * time.Minute // a held job that its runner never reported on
	leaseHeld   = 5 * time.Second // how long a lease counts
	trashAtOnce = 200
)

// Run does the work that nobody asks for: delayed jobs, jobs whose runner is
// lost, removal of what was deleted, care of repositories. It returns when ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	holder := e.randomHex(8)
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() { e.tidyRepositories(ctx, holder) })
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		leads, err := e.store.Lease(ctx, "background", holder, leaseHeld)
		if err != nil || !leads {
			e.report(ctx, "take the background lease", err)
			continue
		}
		e.report(ctx, "start due jobs", e.startDue(ctx))
		if now := e.now(); now.Sub(swept) >= sweepEvery {
			swept = now
			e.report(ctx, "drop lost jobs", e.dropLost(ctx))
			e.report(ctx, "give back unanswered jobs", e.giveBackUnanswered(ctx))
			e.report(ctx, "remove expired artifacts", e.removeExpired(ctx))
			e.report(ctx, "empty trash", e.emptyTrash(ctx))
			e.report(ctx, "forget idempotency keys", e.forgetKeys(ctx))
			e.report(ctx, "remove expired trigger tokens", e.forgetTriggers(ctx))
			e.report(ctx, "sweep logs", e.sweepLogs(ctx))
		}
	}
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
	if err != nil {
		return err
	}
	var problems []error
	for _, id := range due {
		_, err := e.change(ctx, id, func(s *ci.Snapshot) (ci.Changes, error) { return flow.Tick(s, e.now()) })
		problems = append(problems, err)
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
		problems = append(problems, e.DropJob(ctx, job.ID, ci.StuckOrTimeout))
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
		if err := e.Unassign(ctx, job.ID); ci.KindOf(err) != ci.KindConflict { // a conflict: it has ended
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// forgetKeys removes idempotency keys that no longer count.
func (e *Engine) forgetKeys(ctx context.Context) error {
	for {
		n, err := e.store.PruneIdempotency(ctx, e.now().Add(-idempotencyLife), trashAtOnce)
		if err != nil || n < trashAtOnce {
			return err
		}
	}
}

// expiredTriggerKept is how long an expired trigger token stays to be seen
// (contract/trigger-api.md 1.6).
const expiredTriggerKept = 30 * 24 * time.Hour

// forgetTriggers removes trigger tokens that expired long ago.
func (e *Engine) forgetTriggers(ctx context.Context) error {
	for {
		n, err := e.store.PruneTriggers(ctx, e.now().Add(-expiredTriggerKept), trashAtOnce)
		if err != nil || n < trashAtOnce {
			return err
		}
	}
}

// removeExpired removes the artifacts whose time is over.
func (e *Engine) removeExpired(ctx context.Context) error {
	expired, err := e.view.ExpiredArtifacts(ctx, e.now(), trashAtOnce)
	if err != nil {
		return err
	}
	var problems []error
	for _, job := range expired {
		problems = append(problems, e.store.RemoveExpiredArtifacts(ctx, job))
	}
	return errors.Join(problems...)
}

// emptyTrash removes blobs, logs and repositories whose rows are gone.
func (e *Engine) emptyTrash(ctx context.Context) error {
	items, err := e.view.Trash(ctx, trashAtOnce)
	if err != nil {
		return err
	}
	var done []int64
	var problems []error
	for _, item := range items {
		var err error
		switch item.Kind {
		case "blob":
			err = e.blobs.Delete(ctx, item.Key)
		case "log":
			var id int64
			if _, err = fmt.Sscan(item.Key, &id); err == nil {
				err = e.traces.Erase(ctx, id)
			}
		case "repository":
			var id int64
			if _, err = fmt.Sscan(item.Key, &id); err == nil {
				err = e.git.Remove(ctx, id)
			}
		default:
			err = fmt.Errorf("unknown kind %q", item.Kind)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("remove %s %s: %w", item.Kind, item.Key, err))
			continue
		}
		done = append(done, item.ID)
	}
	if len(done) > 0 {
		problems = append(problems, e.store.EmptyTrash(ctx, done))
	}
	return errors.Join(problems...)
}

// sweepLogs removes what deleted and erased logs left behind.
func (e *Engine) sweepLogs(ctx context.Context) error {
	_, err := e.traces.Sweep(ctx, trashAtOnce)
	return err
}
