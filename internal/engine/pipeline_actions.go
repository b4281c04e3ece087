package engine

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
)

// RunPipeline makes a pipeline for a user who asks for one by the API. It keeps
// nothing of a refused one. GitLab's Pipelines API, "Create a new pipeline".
// Errors: ci.Forbidden for less than developers, else those of CreatePipeline.
func (e *Engine) RunPipeline(ctx context.Context, c Caller, project ci.Project, ref string, variables []ci.Variable, inputs ...ci.Input,
) (ci.Pipeline, error) {
	actor, err := e.Authorize(ctx, c, project, auth.CreatePipeline)
	if err != nil {
		return ci.Pipeline{}, err
	}
	pipeline, err := e.CreatePipeline(ctx, PipelineRequest{
		Project: project, Actor: actor, Source: ci.SourceAPI, Ref: ref, Variables: variables, Inputs: inputs,
	})
	if err != nil {
		return ci.Pipeline{}, err
	}
	return asCreated(pipeline), nil
}

// RetryPipeline retries the failed and canceled jobs of a pipeline.
func (e *Engine) RetryPipeline(ctx context.Context, c Caller, project ci.Project, id ci.PipelineID) (ci.Pipeline, error) {
	return e.changePipeline(ctx, c, project, id, auth.UpdatePipeline, func(s *ci.Snapshot) (ci.Changes, error) {
		return flow.RetryPipeline(s, c.User.ID, e.now())
	})
}

// CancelPipeline cancels every job of a pipeline that can be.
func (e *Engine) CancelPipeline(ctx context.Context, c Caller, project ci.Project, id ci.PipelineID) (ci.Pipeline, error) {
	return e.changePipeline(ctx, c, project, id, auth.CancelPipeline, func(s *ci.Snapshot) (ci.Changes, error) {
		return flow.CancelPipeline(s, e.now())
	})
}

func (e *Engine) changePipeline(ctx context.Context, c Caller, project ci.Project, id ci.PipelineID, action auth.Action,
	decide func(*ci.Snapshot) (ci.Changes, error),
) (ci.Pipeline, error) {
	pipeline, err := e.ProjectPipeline(ctx, project, id)
	if err != nil {
		return ci.Pipeline{}, err
	}
	if err := e.mayOnRef(ctx, c, project, pipeline.Ref, pipeline.Tag, action); err != nil {
		return ci.Pipeline{}, err
	}
	if _, err := e.change(ctx, id, decide); err != nil {
		return ci.Pipeline{}, err
	}
	return e.view.Pipeline(ctx, id)
}

// maxPipelineName is the longest name of a pipeline, in characters.
const maxPipelineName = 255

// RenamePipeline gives a pipeline another name, or none. GitLab's Pipelines API,
// "Update pipeline metadata".
func (e *Engine) RenamePipeline(ctx context.Context, c Caller, project ci.Project, id ci.PipelineID, name string) (ci.Pipeline, error) {
	return e.changePipeline(ctx, c, project, id, auth.UpdatePipeline, func(s *ci.Snapshot) (ci.Changes, error) {
		if utf8.RuneCountInString(name) > maxPipelineName {
			return ci.Changes{}, ci.Invalid("name", fmt.Sprintf("is too long (maximum is %d characters)", maxPipelineName))
		}
		changes := ci.Changes{Pipeline: s.Pipeline, Moved: s.Pipeline.Name != name}
		changes.Pipeline.Name = name
		return changes, nil
	})
}

// DeletePipeline removes a pipeline with its jobs, logs and artifacts; a runner
// that works on one of them learns it with its next report. Owners only. unless is
// checked with the pipeline's time of change before anything is removed; nil skips
// it.
func (e *Engine) DeletePipeline(ctx context.Context, c Caller, project ci.Project, id ci.PipelineID, unless func(updatedAt time.Time) error) error {
	pipeline, err := e.ProjectPipeline(ctx, project, id)
	if err != nil {
		return err
	}
	if _, err := e.Authorize(ctx, c, project, auth.DestroyPipeline); err != nil {
		return err
	}
	if unless != nil {
		if err := unless(pipeline.UpdatedAt); err != nil {
			return err
		}
	}
	defer e.lock(id)()
	s, err := e.view.Snapshot(ctx, id)
	if err != nil {
		return err
	}
	if err := e.store.DeletePipeline(ctx, id); err != nil {
		return fmt.Errorf("delete pipeline %d: %w", id, err)
	}
	jobs := make([]int64, len(s.Jobs))
	for i := range s.Jobs {
		jobs[i] = int64(s.Jobs[i].ID)
	}
	if err := e.traces.Delete(ctx, jobs); err != nil {
		return fmt.Errorf("delete logs of pipeline %d: %w", id, err)
	}
	e.hub.WakePipeline(pipeline.ProjectID, id)
	for i := range s.Jobs {
		s.Jobs[i].Status = ci.Canceled // or as good as that, for those that wait for what it held
	}
	e.passResources(ctx, pipeline.ProjectID, s.Jobs)
	return nil
}

// VariablesOf opens the variables of a pipeline for somebody who may see them:
// maintainers, and who started it and may still change it.
func (e *Engine) VariablesOf(ctx context.Context, c Caller, project ci.Project, id ci.PipelineID) ([]ci.Variable, error) {
	pipeline, err := e.ProjectPipeline(ctx, project, id)
	if err != nil {
		return nil, err
	}
	actor, err := e.Actor(ctx, c, project)
	if err != nil {
		return nil, err
	}
	protections, err := e.view.Protections(ctx, project.ID)
	if err != nil {
		return nil, fmt.Errorf("read protections of project %d: %w", project.ID, err)
	}
	if !auth.MayReadVariables(actor, project, pipeline, protections) {
		return nil, ci.Forbidden("")
	}
	return e.PipelineVariables(ctx, pipeline)
}

// ProjectPipeline loads a pipeline of this project; another project's is unknown.
func (e *Engine) ProjectPipeline(ctx context.Context, project ci.Project, id ci.PipelineID) (ci.Pipeline, error) {
	pipeline, err := e.view.Pipeline(ctx, id)
	if err != nil {
		return ci.Pipeline{}, err
	}
	if pipeline.ProjectID != project.ID {
		return ci.Pipeline{}, ci.NoRecord()
	}
	return pipeline, nil
}
