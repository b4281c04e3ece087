package flow

import (
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Claim says who takes a job, and with which token.
type Claim struct {
	Runner      ci.RunnerID
	Manager     int64 // the machine of the runner
	Graceful    bool  // it can wind a job down when that is canceled
	Timeout     int64 // seconds that the runner gives a job at most; 0: no limit
	TokenNonce  []byte
	TokenDigest []byte
}

// start offers row i to runners. A job with a resource group waits for that first:
// Assign offers it.
func (b *board) start(i int) bool {
	if b.jobs[i].Plan.ResourceGroup != "" {
		return b.move(i, await)
	}
	return b.move(i, enqueue)
}

// Assign gives a job the resource group that it waits for, which the job then holds
// until it has ended. A job that does not wait any more answers a conflict. Whether
// the group is free, and whose turn it is, is the caller's to know: it is a matter of
// several pipelines.
func Assign(s *ci.Snapshot, job ci.JobID, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if !b.move(i, assign) {
			return ci.Conflict("409 Conflict")
		}
		return nil
	})
}

// Take gives a pending job to a runner. Its timeout becomes the smaller of its own
// and the runner's. A job that is not pending any more answers
// a conflict: somebody else was faster.
func Take(s *ci.Snapshot, job ci.JobID, by Claim, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if !b.move(i, take) {
			return ci.Conflict("409 Conflict")
		}
		j := b.edit(i)
		j.RunnerID, j.ManagerID, j.Graceful = by.Runner, by.Manager, by.Graceful
		j.TokenNonce, j.TokenDigest = by.TokenNonce, by.TokenDigest
		if by.Timeout > 0 && (j.Timeout == 0 || by.Timeout < j.Timeout) {
			j.Timeout = by.Timeout
		}
		return nil
	})
}

// Unassign undoes Take when the answer never reached the runner: the job is
// offered again, with the place in the queue that it had (its QueuedAt stays). One
// that was canceled meanwhile is canceled. A job that no runner holds answers a
// conflict.
func Unassign(s *ci.Snapshot, job ci.JobID, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		queued := b.jobs[i].QueuedAt
		if !b.move(i, giveBack) {
			return ci.Conflict("409 Conflict")
		}
		j := b.edit(i)
		if j.Status != ci.Pending {
			return nil
		}
		j.QueuedAt, j.StartedAt = queued, time.Time{}
		j.RunnerID, j.ManagerID, j.Graceful = 0, 0, false
		j.TokenNonce, j.TokenDigest = nil, nil
		j.Timeout = j.Plan.Timeout
		return nil
	})
}
