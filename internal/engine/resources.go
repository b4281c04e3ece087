package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// addResourceGroups makes the resource groups that new jobs name.
func (e *Engine) addResourceGroups(ctx context.Context, project ci.ProjectID, jobs []ci.Job) error {
	var keys []string
	for i := range jobs {
		if key := jobs[i].Plan.ResourceGroup; key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if keys == nil {
		return nil
	}
	slices.Sort(keys) // so that two processes do not wait for each other
	return e.store.AddResourceGroups(ctx, project, keys, e.now())
}

// passResources gives the resource groups that jobs have come to wait for, or may
// have released, or stand in the way of no longer, to whoever is next. The jobs are
// written already. What cannot be done now, a round of the background does.
func (e *Engine) passResources(ctx context.Context, project ci.ProjectID, lists ...[]ci.Job) {
	var done []string
	for _, jobs := range lists {
		for i := range jobs {
			job := &jobs[i]
			key := job.Plan.ResourceGroup
			if key == "" || slices.Contains(done, key) || job.Status == ci.Pending || job.Status == ci.Created || job.Status.Executing() {
				continue
			}
			done = append(done, key)
			e.report(ctx, "assign resource group", e.assignResource(context.WithoutCancel(ctx), project, key))
		}
	}
}

// assignResource gives a resource group, if it is free, to the job that is next.
// Of two processes that try, the database lets one (index jobs_resource); the other
// is content, since whoever holds the group passes it on.
func (e *Engine) assignResource(ctx context.Context, project ci.ProjectID, key string) error {
	for range maxTries {
		group, err := e.view.ResourceGroup(ctx, project, key)
		if err != nil || group.Holder != 0 {
			return unlessOver(err)
		}
		next, _, err := e.view.UpcomingJobs(ctx, group, 1, 0)
		if err != nil || len(next) == 0 || next[0].Status != ci.WaitingForResource {
			return err
		}
		changes, err := e.change(ctx, next[0].PipelineID, func(s *ci.Snapshot) (ci.Changes, error) {
			if job := s.Job(next[0].ID); job == nil || job.Status != ci.WaitingForResource {
				return ci.Changes{}, nil
			}
			return flow.Assign(s, next[0].ID, e.now())
		})
		var taken *store.Taken
		switch {
		case errors.As(err, &taken):
			return nil
		case err != nil && !ci.IsNotFound(err):
			return fmt.Errorf("give resource group of project %d to job %d: %w", project, next[0].ID, err)
		case !changes.Empty():
			return nil
		}
	}
	return ci.Busy("resource group of project %d keeps moving", project)
}

// passWaitedFor gives away the resource groups that are free although jobs wait: a
// process ended between a change and what follows from it.
func (e *Engine) passWaitedFor(ctx context.Context) error {
	groups, err := e.view.WaitedFor(ctx)
	problems := []error{err}
	for _, g := range groups {
		problems = append(problems, e.assignResource(ctx, g.ProjectID, g.Key))
	}
	return errors.Join(problems...)
}

// SetProcessMode changes which job gets a resource group next. GitLab's Resource
// groups API, "Edit an existing resource group". Errors: ci.KindNotFound.
func (e *Engine) SetProcessMode(ctx context.Context, c Caller, project ci.Project, key string, mode ci.ProcessMode) (ci.ResourceGroup, error) {
	if _, err := e.Authorize(ctx, c, project, auth.UpdateResourceGroup); err != nil {
		return ci.ResourceGroup{}, err
	}
	group, err := e.view.ResourceGroup(ctx, project.ID, key)
	if err != nil {
		return ci.ResourceGroup{}, err
	}
	if err := e.store.SetProcessMode(ctx, group.ID, mode, e.now()); err != nil {
		return ci.ResourceGroup{}, err
	}
	e.report(ctx, "assign resource group", e.assignResource(context.WithoutCancel(ctx), project.ID, key))
	return e.view.ResourceGroup(ctx, project.ID, key)
}
