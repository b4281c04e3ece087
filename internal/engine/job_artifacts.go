package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// KeepArtifacts takes the expiry away from the artifacts of a job. GitLab's Job
// artifacts API, "Keep artifacts". Errors: ci.NotFound when it has none.
func (e *Engine) KeepArtifacts(ctx context.Context, c Caller, project ci.Project, id ci.JobID) (ci.Job, error) {
	job, err := e.artifactsToChange(ctx, c, project, id, auth.KeepJobArtifacts)
	if err != nil {
		return ci.Job{}, err
	}
	if _, err := e.Archive(ctx, job); err != nil {
		return ci.Job{}, err
	}
	if err := e.store.KeepArtifacts(ctx, id); err != nil {
		return ci.Job{}, fmt.Errorf("keep artifacts of job %d: %w", id, err)
	}
	return e.view.Job(ctx, id)
}

// DeleteArtifacts removes the artifacts of a job but not its log. GitLab's Job
// artifacts API, "Delete job artifacts".
func (e *Engine) DeleteArtifacts(ctx context.Context, c Caller, project ci.Project, id ci.JobID) error {
	if _, err := e.artifactsToChange(ctx, c, project, id, auth.DeleteJobArtifact); err != nil {
		return err
	}
	if _, err := e.store.DeleteArtifacts(ctx, id); err != nil {
		return fmt.Errorf("delete artifacts of job %d: %w", id, err)
	}
	return nil
}

// DeleteProjectArtifacts lets all artifacts of a project expire now, those that
// were to be kept aside, as GitLab does: the loop that removes expired ones does
// the rest.
func (e *Engine) DeleteProjectArtifacts(ctx context.Context, c Caller, project ci.Project) error {
	if _, err := e.Authorize(ctx, c, project, auth.DeleteJobArtifact); err != nil {
		return err
	}
	if err := e.store.ExpireArtifacts(ctx, project.ID, e.now()); err != nil {
		return fmt.Errorf("expire artifacts of project %d: %w", project.ID, err)
	}
	return nil
}

// artifactsToChange loads a job whose artifacts the caller may change.
func (e *Engine) artifactsToChange(ctx context.Context, c Caller, project ci.Project, id ci.JobID, action auth.Action) (ci.Job, error) {
	job, err := e.ProjectJob(ctx, project, id)
	if err != nil {
		return ci.Job{}, err
	}
	_, err = e.Authorize(ctx, c, project, action)
	return job, err
}

// DebugMode reports whether a job of a project prints all its variables into its
// log, secret ones too, since somebody set CI_DEBUG_TRACE or CI_DEBUG_SERVICES.
func (e *Engine) DebugMode(ctx context.Context, project ci.Project, job ci.Job) (bool, error) {
	pipeline, err := e.view.Pipeline(ctx, job.PipelineID)
	if err != nil {
		return false, err
	}
	return e.DebugModeIn(ctx, project, job, pipeline)
}

// DebugModeIn is DebugMode for a caller who has the pipeline of the job.
func (e *Engine) DebugModeIn(ctx context.Context, project ci.Project, job ci.Job, pipeline ci.Pipeline) (bool, error) {
	spec, err := e.Spec(ctx, job)
	if err != nil {
		return false, err
	}
	sealed, version, err := e.view.JobVariables(ctx, pipeline.ID)
	if err != nil {
		return false, err
	}
	given, err := e.openVariables(sealed, pipeline.UID)
	if err != nil {
		return false, err
	}
	own, err := e.openVariables(job.SealedVariables, jobContext(job.PipelineID, job.Name))
	if err != nil {
		return false, err
	}
	reaching, err := e.reaching(ctx, project, version)
	if err != nil {
		return false, err
	}
	owned := reaching.visible(job.Protected, job.Plan.EnvironmentName())
	for _, list := range [][]ci.Variable{spec.Variables, owned, given, own} {
		for _, v := range list {
			if (v.Key == "CI_DEBUG_TRACE" || v.Key == "CI_DEBUG_SERVICES") && strings.EqualFold(v.Value, "true") {
				return true, nil
			}
		}
	}
	return false, nil
}
