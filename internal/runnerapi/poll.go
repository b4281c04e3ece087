package runnerapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// lastUpdate carries the cursor of the queues: what a runner has seen.
const lastUpdate = "X-GitLab-Last-Update"

// requestJob gives a runner its next job. A runner that sends back the cursor of
// an earlier answer can wait: its request is held until a job comes, at most
// PollTime. One without a cursor is answered at once
// (contract/runner-protocol.md 3).
func (a *API) requestJob(w http.ResponseWriter, r *http.Request) error {
	p, err := read(w, r)
	if err != nil {
		return err
	}
	seen := p.String("last_update")
	runner, err := a.runner(r, p)
	if err != nil {
		return err
	}
	contact, err := a.contact(r, runner, p)
	if err != nil {
		return err
	}
	assignment, cursor, err := a.poll(r.Context(), contact, p.String("token"), seen)
	if err != nil {
		return err
	}
	if assignment == nil {
		w.Header().Set(lastUpdate, cursor)
		return wire.NoContent(w)
	}
	return a.give(w, r, assignment)
}

// poll looks for a job until there is one or, for a runner that waits, PollTime is
// over; then it looks once more, for the case that a wake-up was lost. Without a
// job it gives the cursor that the queues had before the last look.
func (a *API) poll(ctx context.Context, c engine.RunnerContact, token, seen string) (*engine.Assignment, string, error) {
	waiting, cancel := context.WithTimeout(ctx, a.pollTime)
	defer cancel()
	w := a.hub.Listen(c.Reach.Match)
	defer func() { w.Stop() }()
	look, last := seen != w.Cursor(), seen == "" // else nothing has changed since the last answer
	for {
		cursor := w.Cursor()
		if look {
			found, err := a.engine.RequestJob(ctx, c)
			if err != nil {
				return nil, "", err
			}
			if found != nil {
				w.Took(found.Job.Queue())
				return found, "", nil
			}
			if c.Reach.Narrowed() {
				w = a.relisten(w, c.Reach)
				continue
			}
		}
		if last {
			return nil, cursor, nil
		}
		look, last = true, !w.Wait(waiting)
		if err := ctx.Err(); err != nil || a.draining() {
			return nil, cursor, err
		}
		runner, err := a.engine.AuthenticateRunner(ctx, token) // it may have been paused, or removed
		if err != nil {
			return nil, "", err
		}
		c.Runner = runner
		c.Reach.Reset(runner)
	}
}

// relisten passes on what the waiter was told and cannot use, after the reach
// turned out to be narrower: the job may be somebody else's. The new waiter is
// there before the old one goes, so that it misses nothing.
func (a *API) relisten(old *hub.Waiter, reach *engine.Reach) *hub.Waiter {
	w := a.hub.Listen(reach.Match)
	old.Stop()
	return w
}

// draining reports whether the server is about to end.
func (a *API) draining() bool {
	select {
	case <-a.hub.Done():
		return true
	default:
		return false
	}
}

// give sends a job to its runner. When that fails the job goes back to its queue;
// one that cannot be described fails, since it would not get better.
func (a *API) give(w http.ResponseWriter, r *http.Request, assignment *engine.Assignment) error {
	ctx, id := context.WithoutCancel(r.Context()), assignment.Job.ID
	p, err := a.payload(assignment)
	if err != nil {
		return errors.Join(err, a.engine.DropJob(ctx, id, ci.SchedulerFailure))
	}
	if err = r.Context().Err(); err == nil { // a client that is gone takes no job
		err = wire.JSON(w, http.StatusCreated, p)
	}
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	if err != nil {
		a.log.InfoContext(ctx, "job given back: its answer did not reach the runner", "job_id", int64(id))
		return errors.Join(err, a.takeBack(ctx, id))
	}
	return nil
}

// takeBack offers a job again whose answer did not reach the runner.
func (a *API) takeBack(ctx context.Context, id ci.JobID) error {
	err := a.engine.Unassign(ctx, id)
	if ci.KindOf(err) == ci.KindConflict { // canceled meanwhile
		return nil
	}
	return err
}
