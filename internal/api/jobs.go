package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// statuses reads the parameter scope: the statuses that a list of jobs is to have.
func statuses(p *wire.Params) []ci.Status {
	var list []ci.Status
	for _, name := range p.Enums("scope", statusNames()...) {
		list = append(list, ci.Status(name))
	}
	return list
}

// listPipelineJobs lists the jobs of a pipeline, newest first.
func (a *API) listPipelineJobs(c *call) error {
	filter := store.JobFilter{Statuses: statuses(c.params), Retried: c.params.Bool("include_retried", false)}
	page := c.params.Page()
	pipeline, project, err := c.pipeline(auth.ReadPipeline, auth.ReadBuild)
	if err != nil {
		return err
	}
	filter.PipelineID, filter.Limit, filter.Offset = pipeline.ID, page.PerPage, page.Offset()
	list, total, err := a.view.Jobs(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes, err := a.jobShapes(c.ctx(), project, list)
	if err != nil {
		return err
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// listJobs lists the jobs of a project, newest first. Nobody counts them; they can
// be paged by key too.
func (a *API) listJobs(c *call) error {
	filter := store.JobFilter{Statuses: statuses(c.params), Ref: c.params.String("ref"), Retried: true}
	page := c.params.Page()
	keyset := c.params.String("pagination") == "keyset"
	cursor, err := readCursor(c.params)
	if err != nil {
		return err
	}
	project, err := c.project(auth.ReadBuild)
	if err != nil {
		return err
	}
	filter.ProjectID, filter.Limit, filter.Offset = project.ID, page.PerPage+1, page.Offset()
	if keyset {
		filter.BeforeID, filter.Offset = ci.JobID(cursor), 0
	}
	list, _, err := a.view.Jobs(c.ctx(), filter)
	if err != nil {
		return err
	}
	more := len(list) > page.PerPage
	if more {
		list = list[:page.PerPage]
	}
	shapes, err := a.jobShapes(c.ctx(), project, list)
	if err != nil {
		return err
	}
	if !keyset {
		return c.page(page, wire.Found{Total: -1, More: more}, shapes)
	}
	if more {
		c.w.Header().Set("Link", c.nextCursor(int64(list[len(list)-1].ID), page.PerPage))
	}
	return c.json(http.StatusOK, shapes)
}

// job finds the job that the path names and checks that the caller may do
// something with it.
func (c *call) job(actions ...auth.Action) (ci.Job, ci.Project, error) {
	id := ci.JobID(c.params.Int("job_id", 0))
	project, err := c.project()
	if err != nil {
		return ci.Job{}, ci.Project{}, err
	}
	job, err := c.api.engine.ProjectJob(c.ctx(), project, id)
	if err != nil {
		return ci.Job{}, ci.Project{}, err
	}
	for _, action := range actions {
		if _, err := c.api.engine.Authorize(c.ctx(), c.caller, project, action); err != nil {
			return ci.Job{}, ci.Project{}, err
		}
	}
	return job, project, nil
}

// getJob shows one job, and why it waits if it does.
func (a *API) getJob(c *call) error {
	job, project, err := c.job(auth.ReadBuild)
	if err != nil {
		return err
	}
	shapes, err := a.jobShapes(c.ctx(), project, []ci.Job{job})
	if err != nil {
		return err
	}
	if shapes[0].WaitingReason, err = a.engine.WaitingReason(c.ctx(), project, job); err != nil {
		return err
	}
	return c.json(http.StatusOK, shapes[0])
}

// getOwnJob shows a job to itself: the one whose token was sent. Any other
// credential finds no job.
func (a *API) getOwnJob(c *call) error {
	if err := c.begin(); err != nil {
		return err
	}
	if c.caller.Job == nil {
		return ci.NotFound("Job")
	}
	project, err := a.view.Project(c.ctx(), c.caller.Job.ProjectID)
	if err != nil {
		return err
	}
	return c.answerJob(http.StatusOK, project, *c.caller.Job)
}

// cancelJob stops a job.
func (a *API) cancelJob(c *call) error {
	force := c.params.Bool("force", false)
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if job, err = a.engine.CancelJob(c.ctx(), c.caller, project, job.ID, force); err != nil {
		return err
	}
	return c.answerJob(http.StatusCreated, project, job)
}

// retryJob runs a job once more and shows the new row.
func (a *API) retryJob(c *call) error {
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if job, err = a.engine.RetryJob(c.ctx(), c.caller, project, job.ID); err != nil {
		return err
	}
	return c.answerJob(http.StatusCreated, project, job)
}

// eraseJob removes the log and the artifacts of a job.
func (a *API) eraseJob(c *call) error {
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if job, err = a.engine.EraseJob(c.ctx(), c.caller, project, job.ID); err != nil {
		return err
	}
	return c.answerJob(http.StatusCreated, project, job)
}

// playJob starts a manual or delayed job, with variables of its own.
func (a *API) playJob(c *call) error {
	variables := variableList(c.params, "job_variables_attributes")
	job, project, err := c.job()
	if err != nil {
		return err
	}
	if job, err = a.engine.PlayJob(c.ctx(), c.caller, project, job.ID, variables); err != nil {
		return err
	}
	return c.answerJob(http.StatusOK, project, job)
}
