package flow

import (
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Cancel stops a job. One that runs under a runner which can wind it down becomes
// canceling and ends when the runner says so; force does not wait for that. Nothing
// changes when the job has ended, or is canceling and not forced: GitLab answers as
// if it had been canceled.
func Cancel(s *ci.Snapshot, job ci.JobID, force bool, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if force || b.jobs[i].Status != ci.Canceling {
			b.cancel(i, force)
		}
		return nil
	})
}

// CancelPipeline stops every job that can be canceled, but leaves manual jobs for
// somebody to play, as GitLab does (contract/ci-yaml.md 8.1, cancelable).
func CancelPipeline(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
	b := newBoard(s, now)
	b.cancelAll()
	b.settle()
	return b.changes(), nil
}

func (b *board) cancelAll() { b.cancelEach(func(*ci.Job) bool { return true }) }

// cancelEach cancels the jobs that can be and that which picks, manual ones aside.
func (b *board) cancelEach(which func(*ci.Job) bool) {
	for i, j := range b.jobs {
		if j.Status.Cancelable() && j.Status != ci.Manual && which(j) {
			b.cancel(i, false)
		}
	}
}

// cancel moves row i towards canceled, gently where its runner can.
func (b *board) cancel(i int, force bool) {
	if b.jobs[i].Graceful && !force && b.move(i, windDown) {
		return
	}
	b.move(i, cancel)
}
