package web

import (
	"net/url"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// queryEscape writes a value into a query.
func queryEscape(value string) string { return url.QueryEscape(value) }

// retryPipeline runs again what failed in a pipeline.
func (v *visit) retryPipeline() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if _, err := v.web.engine.RetryPipeline(v.ctx(), v.caller, v.project, ci.PipelineID(id)); err != nil {
		return err
	}
	return v.after(v.web.pipelinePath(v.project, ci.PipelineID(id)))
}

// cancelPipeline stops what of a pipeline can be stopped.
func (v *visit) cancelPipeline() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	if _, err := v.web.engine.CancelPipeline(v.ctx(), v.caller, v.project, ci.PipelineID(id)); err != nil {
		return err
	}
	return v.after(v.web.pipelinePath(v.project, ci.PipelineID(id)))
}

// playJob starts a manual or delayed job, and shows the row that runs.
func (v *visit) playJob() error {
	return v.actOnJob(func(id ci.JobID) (ci.Job, error) {
		return v.web.engine.PlayJob(v.ctx(), v.caller, v.project, id, nil)
	})
}

// retryJob runs a job again, and shows the new row.
func (v *visit) retryJob() error {
	return v.actOnJob(func(id ci.JobID) (ci.Job, error) {
		return v.web.engine.RetryJob(v.ctx(), v.caller, v.project, id)
	})
}

// cancelJob stops a job.
func (v *visit) cancelJob() error {
	return v.actOnJob(func(id ci.JobID) (ci.Job, error) {
		return v.web.engine.CancelJob(v.ctx(), v.caller, v.project, id, false)
	})
}

// eraseJob removes the log and the artifacts of a job.
func (v *visit) eraseJob() error {
	return v.actOnJob(func(id ci.JobID) (ci.Job, error) {
		return v.web.engine.EraseJob(v.ctx(), v.caller, v.project, id)
	})
}

// actOnJob does something with a job and shows the one that came out of it.
func (v *visit) actOnJob(act func(ci.JobID) (ci.Job, error)) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	job, err := act(ci.JobID(id))
	if err != nil {
		return err
	}
	return v.after(v.web.jobPath(v.project, job.ID))
}
