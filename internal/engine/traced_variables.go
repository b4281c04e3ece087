package engine

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// JobVariables is the final list of a job with where each value comes from and what
// it overrode: what a runner got or, for a job that no runner has taken, would get
// now. Values are as they were written, before references in them are replaced. For
// those who may see the variables of the project.
//
// A value is not Shown when it is masked or a secret of the server, or belongs to a
// group or the instance whose variables the caller may not see.
func (e *Engine) JobVariables(ctx context.Context, c Caller, project ci.Project, id ci.JobID) ([]TracedVariable, error) {
	if _, err := e.Authorize(ctx, c, project, auth.AdminVariables); err != nil {
		return nil, err
	}
	layers, err := e.pastLayers(ctx, project, id)
	if err != nil {
		return nil, err
	}
	seen, err := e.originsSeen(ctx, c, layers)
	if err != nil {
		return nil, err
	}
	var secrets []string
	for i := range layers {
		for _, v := range layers[i].list {
			if v.Masked && len(v.Value) >= len(concealed) {
				secrets = append(secrets, v.Value)
			}
		}
	}
	list := traceLayers(layers)
	for i := range list {
		v := &list[i]
		predefinedSecret := v.Origin.Kind == OriginPredefined && v.Secret
		if v.Shown = !v.Masked && !predefinedSecret && seen(v.Origin); !v.Shown {
			v.Value = ""
			continue
		}
		v.Value = conceal(v.Value, secrets) // somebody may have written one elsewhere, too
	}
	return list, nil
}

// pastLayers are the layers of a job's variables, whether or not it was taken.
func (e *Engine) pastLayers(ctx context.Context, project ci.Project, id ci.JobID) ([]variableLayer, error) {
	found, err := e.view.Candidate(ctx, id)
	if err != nil {
		return nil, err
	}
	job := found.Snapshot.Job(id)
	if job == nil || job.ProjectID != project.ID {
		return nil, ci.NoRecord()
	}
	a := &Assignment{Job: *job, Pipeline: found.Snapshot.Pipeline, Project: found.Project, User: found.User}
	if a.Spec, err = decodeSpec(*job, found.Spec); err != nil {
		return nil, err
	}
	if job.RunnerID != 0 {
		a.Runner, err = e.view.Runner(ctx, job.RunnerID)
		if err != nil && !ci.IsNotFound(err) {
			return nil, fmt.Errorf("load runner of job %d: %w", id, err)
		}
	}
	e.dependencies(found, *job, a) // those that are gone report nothing any more
	return e.jobLayers(ctx, a, found)
}

// originsSeen tells of which origins the caller may see values.
func (e *Engine) originsSeen(ctx context.Context, c Caller, layers []variableLayer) (func(Origin) bool, error) {
	refused := map[Origin]bool{}
	for i := range layers {
		var h Holder
		switch origin := layers[i].origin; origin.Kind {
		case OriginGroup:
			group, err := e.view.NamespaceByPath(ctx, origin.Group)
			if err != nil {
				return nil, fmt.Errorf("find group of a variable: %w", err)
			}
			h.Group = group
		case OriginInstance:
		default:
			continue
		}
		switch err := e.AuthorizeVariables(ctx, c, h); ci.KindOf(err) {
		case ci.KindForbidden, ci.KindNotFound:
			refused[layers[i].origin] = true
		default:
			if err != nil {
				return nil, err
			}
		}
	}
	return func(o Origin) bool { return !refused[o] }, nil
}
