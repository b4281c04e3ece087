package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// unknownLookup is how long an unknown outcome is looked up before it is a 503, and
// lookAgain how long it takes from one look to the next.
const (
	unknownLookup = 5 * time.Second
	lookAgain     = 100 * time.Millisecond
)

// lookUpUnknown finds out whether a commit whose outcome is unknown took place
// (decisions: writing, 4). One that may be on its way is looked for until the time is
// over. It has its own context: the answer must be right even when the caller has
// gone.
func (e *Engine) lookUpUnknown(uid string, cause error) (ci.Pipeline, error) {
	ctx, cancel := context.WithTimeout(context.Background(), unknownLookup)
	defer cancel()
	for {
		found, err := e.view.PipelineByUID(ctx, uid)
		switch {
		case err == nil:
			return found, nil
		case ci.IsNotFound(err) && !errors.Is(cause, store.ErrInFlight), !wait(ctx, lookAgain):
			return ci.Pipeline{}, &ci.Error{Kind: ci.KindUnavailable, Message: "503 Service Unavailable", Err: cause}
		}
	}
}

// settle ends the doubt about a change whose outcome is unknown, by making it again:
// the compare-and-swap lets only one of the two take place, even when the first is
// still on its way. It returns nil when one of them has, store.ErrMoved when neither
// can any more, and cause when that is not known in time. Like lookUpUnknown it goes
// on when the caller has gone.
func (e *Engine) settle(ctx context.Context, changes ci.Changes, running int, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unknownLookup)
	defer cancel()
	for {
		err := e.store.Apply(ctx, changes, running)
		if errors.Is(err, store.ErrMoved) {
			var after *ci.Snapshot
			if after, err = e.view.Snapshot(ctx, changes.Pipeline.ID); err == nil && !holds(after, changes) {
				return store.ErrMoved
			}
		}
		later := ci.KindOf(err) == ci.KindUnavailable || errors.Is(err, store.ErrMoved) || ctx.Err() != nil
		if err == nil || !later {
			return err
		}
		if !wait(ctx, lookAgain) {
			return cause
		}
	}
}

// holds reports whether a pipeline looks as changes leave it, whatever else has moved
// since, and tells changes the ids of the rows that they added.
func holds(after *ci.Snapshot, changes ci.Changes) bool {
	for i := range changes.Jobs {
		if now := after.Job(changes.Jobs[i].ID); now == nil || !sameState(now, &changes.Jobs[i]) {
			return false
		}
	}
	for i := range changes.New {
		added := rowOf(after, &changes.New[i])
		if added == nil {
			return false
		}
		changes.New[i].ID = added.ID
	}
	if len(changes.Jobs)+len(changes.New) > 0 {
		return true
	}
	return after.Pipeline.Status == changes.Pipeline.Status && sameMoment(after.Pipeline.UpdatedAt, changes.Pipeline.UpdatedAt)
}

// rowOf finds the row of a retry: names and attempts together are unique.
func rowOf(s *ci.Snapshot, added *ci.Job) *ci.Job {
	for i := range s.Jobs {
		if j := &s.Jobs[i]; j.Name == added.Name && j.Attempt == added.Attempt && sameMoment(j.CreatedAt, added.CreatedAt) {
			return j
		}
	}
	return nil
}

// sameState reports whether a row is as a change leaves it. Who holds the job, and the
// moments, tell the change from a like one of another process.
func sameState(a, b *ci.Job) bool {
	return a.Status == b.Status && a.Retried == b.Retried && a.UserID == b.UserID && a.Played == b.Played &&
		a.RunnerID == b.RunnerID && a.ManagerID == b.ManagerID && bytes.Equal(a.TokenDigest, b.TokenDigest) &&
		a.FailureReason == b.FailureReason && a.ExitCode == b.ExitCode && sameMoment(a.QueuedAt, b.QueuedAt) &&
		sameMoment(a.StartedAt, b.StartedAt) && sameMoment(a.FinishedAt, b.FinishedAt) && sameMoment(a.ScheduledAt, b.ScheduledAt)
}

// sameMoment compares times as the database keeps them.
func sameMoment(a, b time.Time) bool { return a.UnixMicro() == b.UnixMicro() }

// wait lets d pass and reports whether ctx has not ended before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
