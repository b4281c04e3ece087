package flow

import (
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Finish records how a runner says that a job ended, and starts what waited for
// it. A failed job whose `retry` allows it gets a new row in the same decision, so
// the pipeline does not fail in between. A job that was being canceled is canceled,
// whatever the runner says. A job that no runner holds is refused.
func Finish(s *ci.Snapshot, job ci.JobID, out ci.Outcome, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if !b.jobs[i].Status.Executing() {
			return ci.Forbidden("Job is not running")
		}
		if out.Coverage != nil {
			b.edit(i).Coverage = out.Coverage
		}
		if out.Success {
			b.move(i, succeed)
			return nil
		}
		b.fail(i, out.Reason, out.ExitCode)
		return nil
	})
}

// Drop fails a job from the server's side, whether a runner holds it or not, with
// the same consequences as Finish. A job that has ended answers a conflict.
func Drop(s *ci.Snapshot, job ci.JobID, reason ci.FailureReason, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if !b.fail(i, reason, 0) {
			return ci.Conflict("409 Conflict")
		}
		return nil
	})
}

// fail drops row i and does what follows from that alone: an exit code that is
// allowed, a retry, or the end of all others. It reports whether the job could fail.
func (b *board) fail(i int, reason ci.FailureReason, code int) bool {
	if !b.move(i, drop) {
		return false
	}
	j := b.edit(i)
	if j.Status != ci.Failed {
		return true
	}
	if !slices.Contains(ci.FailureReasons, reason) {
		reason = ci.UnknownFailure
	}
	j.FailureReason, j.ExitCode = reason, code
	if code != 0 && slices.Contains(j.Plan.ExitCodes, code) {
		j.AllowFailure = true
	}
	switch {
	case retries(j):
		b.renew(i, j.UserID, true)
	case j.Plan.CancelOnFailure && !j.AllowFailure:
		b.cancelAll()
	}
	return true
}

// schedulerRetries is how often a job that the server itself failed is tried again
// without being asked to (contract/ci-yaml.md 7.2).
const schedulerRetries = 2

// retries reports whether a failed job is tried again by itself: while there are
// attempts left, when its reason or its exit code is listed, or when nothing is.
func retries(j *ci.Job) bool {
	plan := &j.Plan
	if j.FailureReason == ci.SchedulerFailure && plan.RetryMax == 0 {
		return j.Attempt < schedulerRetries
	}
	if j.Attempt >= plan.RetryMax {
		return false
	}
	return len(plan.RetryWhen) == 0 && len(plan.RetryCodes) == 0 ||
		slices.Contains(plan.RetryWhen, "always") ||
		slices.Contains(plan.RetryWhen, j.FailureReason) ||
		j.ExitCode != 0 && slices.Contains(plan.RetryCodes, j.ExitCode)
}
