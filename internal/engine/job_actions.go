package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
)

// PlayJob starts a manual or delayed job now, with variables of its own. GitLab's
// Jobs API, "Run a job". Errors: ci.BadRequest("Unplayable Job"), ci.Forbidden.
func (e *Engine) PlayJob(ctx context.Context, c Caller, project ci.Project, id ci.JobID, variables []ci.Variable) (ci.Job, error) {
	job, err := e.ProjectJob(ctx, project, id)
	if err != nil {
		return ci.Job{}, err
	}
	if err := e.mayChangeJob(ctx, c, project, job, auth.PlayJob); err != nil {
		return ci.Job{}, err
	}
	var sealed []byte
	if len(variables) > 0 {
		plain, err := json.Marshal(variables)
		if err != nil {
			return ci.Job{}, fmt.Errorf("encode job variables: %w", err)
		}
		if sealed, err = e.keys.Seal(plain, []byte(jobContext(job.PipelineID, job.Name))); err != nil {
			return ci.Job{}, fmt.Errorf("seal job variables: %w", err)
		}
	}
	_, err = e.changeJob(ctx, id, func(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
		return flow.Play(s, id, c.User.ID, sealed, now)
	})
	if err != nil {
		return ci.Job{}, err
	}
	return e.view.Job(ctx, id)
}

// RetryJob makes a new row for a job that has ended and gives that row. Errors:
// ci.Forbidden("Job is not retryable").
func (e *Engine) RetryJob(ctx context.Context, c Caller, project ci.Project, id ci.JobID) (ci.Job, error) {
	job, err := e.ProjectJob(ctx, project, id)
	if err != nil {
		return ci.Job{}, err
	}
	if err := e.mayChangeJob(ctx, c, project, job, auth.RetryJob); err != nil {
		return ci.Job{}, err
	}
	_, err = e.changeJob(ctx, id, func(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
		return flow.Retry(s, id, c.User.ID, now)
	})
	if err != nil {
		return ci.Job{}, err
	}
	return e.currentJob(ctx, job.PipelineID, job.Name)
}

// currentJob finds the row of a name that counts.
func (e *Engine) currentJob(ctx context.Context, pipeline ci.PipelineID, name string) (ci.Job, error) {
	s, err := e.view.Snapshot(ctx, pipeline)
	if err != nil {
		return ci.Job{}, err
	}
	for i := len(s.Jobs) - 1; i >= 0; i-- {
		if s.Jobs[i].Name == name && !s.Jobs[i].Retried {
			return s.Jobs[i], nil
		}
	}
	return ci.Job{}, ci.NoRecord()
}

// CancelJob ends a job: at once if no runner holds it or the runner cannot wind
// it down, else through canceling. force ends a canceling job, for maintainers.
func (e *Engine) CancelJob(ctx context.Context, c Caller, project ci.Project, id ci.JobID, force bool) (ci.Job, error) {
	job, err := e.ProjectJob(ctx, project, id)
	if err != nil {
		return ci.Job{}, err
	}
	action := auth.CancelBuild
	if force {
		action = auth.ForceCancelBuild
	}
	if err := e.mayChangeJob(ctx, c, project, job, action); err != nil {
		return ci.Job{}, err
	}
	_, err = e.changeJob(ctx, id, func(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
		return flow.Cancel(s, id, force, now)
	})
	if err != nil {
		return ci.Job{}, err
	}
	return e.view.Job(ctx, id)
}

// EraseJob removes the log and the artifacts of a job that has ended. Errors:
// ci.Forbidden("Job is not erasable!").
func (e *Engine) EraseJob(ctx context.Context, c Caller, project ci.Project, id ci.JobID) (ci.Job, error) {
	job, err := e.ProjectJob(ctx, project, id)
	if err != nil {
		return ci.Job{}, err
	}
	if err := e.mayErase(ctx, c, project, job); err != nil {
		return ci.Job{}, err
	}
	if !job.Status.Complete() || !job.ErasedAt.IsZero() {
		return ci.Job{}, ci.Forbidden("Job is not erasable!")
	}
	if _, err := e.store.EraseJob(ctx, id, e.now(), c.User.ID); err != nil {
		return ci.Job{}, fmt.Errorf("erase job %d: %w", id, err)
	}
	if err := e.traces.Erase(ctx, int64(id)); err != nil {
		return ci.Job{}, fmt.Errorf("erase log of job %d: %w", id, err)
	}
	return e.view.Job(ctx, id)
}

// mayErase checks the right to erase a job, which depends on who started it and on
// its ref.
func (e *Engine) mayErase(ctx context.Context, c Caller, project ci.Project, job ci.Job) error {
	actor, err := e.Actor(ctx, c, project)
	if err != nil {
		return err
	}
	pipeline, err := e.view.Pipeline(ctx, job.PipelineID)
	if err != nil {
		return err
	}
	protections, err := e.view.Protections(ctx, project.ID)
	if err != nil {
		return fmt.Errorf("read protections of project %d: %w", project.ID, err)
	}
	if !auth.MayErase(actor, project, job, pipeline, protections) {
		return ci.Forbidden("")
	}
	return nil
}

// ProjectJob loads a job of this project; another project's is unknown.
func (e *Engine) ProjectJob(ctx context.Context, project ci.Project, id ci.JobID) (ci.Job, error) {
	job, err := e.view.Job(ctx, id)
	if err != nil {
		return ci.Job{}, err
	}
	if job.ProjectID != project.ID {
		return ci.Job{}, ci.NoRecord()
	}
	return job, nil
}

// mayChangeJob checks the ability and, on protected refs, the right to the ref.
func (e *Engine) mayChangeJob(ctx context.Context, c Caller, project ci.Project, job ci.Job, action auth.Action) error {
	pipeline, err := e.view.Pipeline(ctx, job.PipelineID)
	if err != nil {
		return err
	}
	return e.mayOnRef(ctx, c, project, pipeline.Ref, pipeline.Tag, action)
}

func (e *Engine) mayOnRef(ctx context.Context, c Caller, project ci.Project, ref string, tag bool, action auth.Action) error {
	actor, err := e.Authorize(ctx, c, project, action)
	if err != nil {
		return err
	}
	protections, err := e.view.Protections(ctx, project.ID)
	if err != nil {
		return fmt.Errorf("read protections of project %d: %w", project.ID, err)
	}
	if !auth.MayRunOnRef(actor, ref, tag, protections) {
		return ci.Forbidden("")
	}
	return nil
}
