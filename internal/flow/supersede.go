package flow

import (
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Supersede cancels what a newer commit of the same branch makes redundant, as the
// pipeline's own configuration says (contract/ci-yaml.md 8.6): all of it unless a
// job that may not be interrupted has begun; or, with interruptible, the jobs that
// may be; or nothing. Manual jobs stay for somebody to play.
func Supersede(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
	b := newBoard(s, now)
	switch onNewCommit(s.Jobs) {
	case ci.NewCommitNone:
		return b.changes(), nil
	case ci.NewCommitInterruptible:
		b.cancelEach(func(j *ci.Job) bool { return j.Plan.Interruptible })
	default:
		if slices.ContainsFunc(s.Jobs, committed) {
			return b.changes(), nil
		}
		b.cancelAll()
	}
	b.settle()
	return b.changes(), nil
}

// onNewCommit is what the configuration says; all jobs have it.
func onNewCommit(jobs []ci.Job) ci.OnNewCommit {
	if len(jobs) == 0 {
		return ci.NewCommitNone
	}
	return jobs[0].Plan.OnNewCommit
}

// committed reports whether a job that may not be interrupted has begun, so that
// its pipeline is no longer canceled as a whole. A row that was retried counts: it
// did something.
func committed(j ci.Job) bool {
	return !j.Plan.Interruptible && (j.Status.Executing() || j.Status == ci.Success || j.Status == ci.Failed)
}
