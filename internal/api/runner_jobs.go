package api

import (
	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// runnerJob is GitLab's JobBasicWithProject: one that says which project it is of.
type runnerJob struct {
	basicJob
	Project runnerProject `json:"project"`
}

// listRunnerJobs lists the jobs that a runner has or had, newest first, in projects
// whose jobs the caller may read. GitLab's Runners API, "List jobs processed by a
// runner". Those of runners for everybody are for administrators.
func (a *API) listRunnerJobs(c *call) error {
	p, page := c.params, c.params.Page()
	filter := store.RunnerJobFilter{Limit: page.PerPage, Offset: page.Offset()}
	if status := p.Enum("status", "", "running", "success", "failed", "canceled"); status != "" {
		filter.Statuses = []ci.Status{ci.Status(status)}
	}
	p.Enum("order_by", "id", "id")
	filter.Ascending = p.Enum("sort", "desc", "asc", "desc") == "asc"
	system := p.String("system_id")
	runner, err := c.runner()
	if err != nil {
		return err
	}
	if filter.ProjectIDs, err = c.projectsWithJobs(runner); err != nil {
		return err
	}
	filter.RunnerID = runner.ID
	if system != "" {
		managers, err := a.view.Managers(c.ctx(), runner.ID)
		if err != nil {
			return err
		}
		filter.ManagerID = -1 // of a machine that nobody has heard of
		for _, m := range managers {
			if m.SystemID == system {
				filter.ManagerID = m.ID
			}
		}
	}
	list, total, err := a.view.RunnerJobs(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes, err := c.runnerJobs(list)
	if err != nil {
		return err
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// projectsWithJobs gives the projects whose jobs on a runner the caller may read,
// nil for all: administrators, and owners of the runner's group.
func (c *call) projectsWithJobs(runner ci.Runner) ([]ci.ProjectID, error) {
	switch {
	case c.caller.User.Admin, runner.Type == ci.GroupRunner:
		return nil, nil
	case runner.Type == ci.InstanceRunner:
		return nil, ci.Forbidden("No access granted")
	}
	ids := []ci.ProjectID{}
	for _, id := range runner.ProjectIDs {
		project, err := c.api.view.Project(c.ctx(), id)
		if err != nil {
			return nil, err
		}
		actor, err := c.api.engine.Actor(c.ctx(), c.caller, project)
		if err != nil {
			return nil, err
		}
		if auth.Allow(actor, auth.ReadBuild, project) == auth.Allowed {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// runnerJobs shows jobs of several projects.
func (c *call) runnerJobs(list []ci.Job) ([]runnerJob, error) {
	byProject := map[ci.ProjectID][]ci.Job{}
	for _, job := range list {
		byProject[job.ProjectID] = append(byProject[job.ProjectID], job)
	}
	shown, namespaces := map[ci.JobID]runnerJob{}, c.namespaces()
	for id, jobs := range byProject {
		project, err := c.api.view.Project(c.ctx(), id)
		if err != nil {
			return nil, err
		}
		identity, err := c.runnerProject(project, namespaces)
		if err != nil {
			return nil, err
		}
		shapes, err := c.api.jobShapes(c.ctx(), project, jobs)
		if err != nil {
			return nil, err
		}
		for _, shape := range shapes {
			shown[shape.ID] = runnerJob{basicJob{jobShape: shape}, identity}
		}
	}
	shapes := make([]runnerJob, len(list))
	for i, job := range list {
		shapes[i] = shown[job.ID]
	}
	return shapes, nil
}
