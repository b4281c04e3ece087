package flow

import (
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Retry runs a job that succeeded, failed or was canceled once more: as a new row
// (the one in Changes.New), made by user, while the old row counts no longer. A
// manual or delayed job starts without being asked for again. What was skipped
// because of the job is looked at again. Any other job is refused.
func Retry(s *ci.Snapshot, job ci.JobID, user ci.UserID, now time.Time) (ci.Changes, error) {
	return decide(s, job, now, func(b *board, i int) error {
		if !retryable(b.jobs[i]) {
			return ci.Forbidden("Job is not retryable")
		}
		b.reviveAfter(b.renew(i, user, true), user)
		return nil
	})
}

// RetryPipeline runs every job that failed or was canceled once more, and looks
// again at every job that was skipped. Manual jobs among them ask again to be
// played. Nothing changes when there is nothing to retry, which is no error.
func RetryPipeline(s *ci.Snapshot, user ci.UserID, now time.Time) (ci.Changes, error) {
	b := newBoard(s, now)
	for i := range s.Jobs {
		switch j := b.jobs[i]; {
		case j.Retried:
		case j.Status == ci.Failed || j.Status == ci.Canceled:
			b.renew(i, user, false)
		case j.Status == ci.Skipped:
			b.reviveRow(i, user)
		}
	}
	b.settle()
	return b.changes(), nil
}

// retryable reports whether a new row may take the place of j.
func retryable(j *ci.Job) bool {
	return !j.Retried && j.Status.Complete() && j.Status != ci.Skipped
}

// renew puts a new row in the place of row i and returns its index. The new row is
// created and waits like any other; atOnce says that it does not ask to be played,
// nor counts down, when its turn comes.
func (b *board) renew(i int, user ci.UserID, atOnce bool) int {
	old := b.edit(i)
	old.Retried = true
	return b.add(&ci.Job{
		PipelineID: old.PipelineID, ProjectID: old.ProjectID,
		Name: old.Name, Stage: old.Stage, StageIndex: old.StageIndex,
		Status: ci.Created, Plan: old.Plan,
		// A listed exit code allowed that one failure, not those to come.
		AllowFailure:    old.AllowFailure && len(old.Plan.ExitCodes) == 0,
		Attempt:         old.Attempt + 1,
		Protected:       old.Protected,
		UserID:          user,
		Played:          atOnce && asksFirst(old),
		SealedVariables: old.SealedVariables,
		SpecDigest:      old.SpecDigest,
		Tags:            old.Tags,
		Timeout:         old.Plan.Timeout,
		CreatedAt:       b.now,
	})
}
