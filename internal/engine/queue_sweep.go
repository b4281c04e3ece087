package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// wakeForQueues makes up for wake-ups that were lost on their way from another
// process, until ctx ends (decisions: queue, 17). Each process does this for its own
// runners, so it is under no lease.
func (e *Engine) wakeForQueues(ctx context.Context) {
	every := time.NewTicker(e.sweepQueues)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			e.report(ctx, "look through the queues", e.wakeForPending(ctx))
		}
	}
}

// wakeForPending wakes runners that wait in this process although there is work
// for them, at most one for each job that it counts.
func (e *Engine) wakeForPending(ctx context.Context) error {
	if e.hub.Waiting() == 0 {
		return nil
	}
	heads, err := e.view.PendingQueues(ctx, 0)
	if err != nil {
		return fmt.Errorf("read pending queues: %w", err)
	}
	for _, head := range heads {
		queue, err := ci.ParseQueue(head.Key)
		if err != nil {
			return err
		}
		jobs := 1 // the head
		if rest, err := e.view.PendingJobs(ctx, head.Key, head.JobID, maxCandidates); err == nil {
			jobs += len(rest)
		} else {
			return fmt.Errorf("read pending jobs: %w", err)
		}
		e.hub.WakeQueueHere(queue, jobs)
	}
	return nil
}
