package flow

import (
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// How long the server waits before it gives a job up (contract/ci-yaml.md 8.7,
// contract/runner-protocol.md 9).
const (
	StaleAfter   = time.Hour        // a delayed job that was due and could not be offered
	StuckAfter   = 24 * time.Hour   // a pending job that no runner took
	TimeoutGrace = 15 * time.Minute // beyond its timeout, which the runner is there to keep
)

// Tick does what time alone brings: delayed jobs that are due become pending, jobs
// that waited or ran for too long fail (`retry` counts for them too), and one that
// was being canceled for too long is canceled. Whether a runner has fallen silent
// is not in the snapshot: whoever knows that calls Drop.
func Tick(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
	b := newBoard(s, now)
	for i := range s.Jobs {
		b.tick(i)
	}
	b.settle()
	return b.changes(), nil
}

func (b *board) tick(i int) {
	j := b.jobs[i]
	switch {
	case j.Status == ci.Scheduled && b.past(j.ScheduledAt, StaleAfter):
		b.fail(i, ci.StaleSchedule, 0)
	case j.Status == ci.Scheduled && !j.ScheduledAt.After(b.now):
		b.start(i)
	case j.Status == ci.Pending && b.past(j.QueuedAt, StuckAfter):
		b.fail(i, ci.StuckOrTimeout, 0)
	case j.Status.Executing() && j.Timeout > 0 && b.past(j.StartedAt, time.Duration(j.Timeout)*time.Second+TimeoutGrace):
		b.fail(i, ci.JobExecutionTimeout, 0)
	}
}

// past reports whether more than limit has gone by since a time that is set.
func (b *board) past(since time.Time, limit time.Duration) bool {
	return !since.IsZero() && b.now.Sub(since) > limit
}
