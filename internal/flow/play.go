package flow

import (
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Play starts a manual job, or a delayed one before its time. The player becomes
// its user; sealed variables, if any, replace those of an earlier play. A manual or
// delayed job that has ended is played again as a new row. What was skipped
// because the job did not run is looked at again. Any other job is refused.
func Play(s *ci.Snapshot, job ci.JobID, user ci.UserID, sealed []byte, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if !playable(b.jobs[i]) {
			return ci.BadRequest("Unplayable Job")
		}
		if !b.start(i) {
			i = b.renew(i, user, true)
		}
		j := b.edit(i)
		j.UserID, j.Played = user, true
		if len(sealed) > 0 {
			j.SealedVariables = sealed
		}
		b.reviveAfter(i, user)
		return nil
	})
}

// playable reports whether somebody can start the job: it waits for that, or it is
// of the kind that does and may be retried.
func playable(j *ci.Job) bool {
	switch j.Status {
	case ci.Manual, ci.Scheduled:
		return true
	}
	return asksFirst(j) && retryable(j)
}

// asksFirst reports whether the job does not start by itself at once.
func asksFirst(j *ci.Job) bool {
	return j.Plan.When == ci.WhenManual || j.Plan.When == ci.WhenDelayed
}
