package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A QueueHead is the oldest pending job of a queue.
type QueueHead struct {
	Key        string // of ci.Queue
	JobID      ci.JobID
	PipelineID ci.PipelineID
	Running    int64 // jobs of the same project that runners hold, for fairness
	Below      bool  // the project is in the group that was asked for, or in one below it

	ProjectSettings string // of that project, as stored; empty when it is gone
}

// Settings gives those of the project, and whether it is still there. Most heads
// are never looked at, so they are decoded only here.
func (h *QueueHead) Settings() (settings ci.ProjectSettings, there bool, err error) {
	if h.ProjectSettings == "" {
		return settings, false, nil
	}
	if err := (document{&settings}).Scan(h.ProjectSettings); err != nil {
		return settings, false, fmt.Errorf("decode settings of the project of job %d: %w", h.JobID, err)
	}
	return settings, true, nil
}

// pendingQueues walks the index jobs_pending from one queue to the next (a loose
// index scan), so that its cost grows with the queues that have work and not with
// their jobs. Each step is a search in an index, and so is what is looked up for
// each head: a join could be planned as a walk over all jobs while there are few,
// and PostgreSQL keeps a plan.
const pendingQueues = `
	with recursive heads (queue) as (
		select * from (select queue from jobs where status = 'pending' order by queue limit 1) as lowest
		union all
		select (select j.queue from jobs j where j.status = 'pending' and j.queue > heads.queue order by j.queue limit 1)
		from heads where heads.queue is not null
	), firsts (queue, job_id) as (
		select queue, (select j.id from jobs j where j.status = 'pending' and j.queue = heads.queue order by j.id limit 1)
		from heads where queue is not null
	)
	select f.queue, f.job_id, (select j.pipeline_id from jobs j where j.id = f.job_id),
		coalesce((select r.running from jobs j join project_running r on r.project_id = j.project_id where j.id = f.job_id), 0),
		coalesce((select pr.settings from jobs j join projects pr on pr.id = j.project_id where j.id = f.job_id), ''),
		case when cast($1 as bigint) = 0 then false else exists (
			select 1 from namespaces g join jobs j on j.id = f.job_id join projects pr on pr.id = j.project_id
			where g.id = cast($1 as bigint) and substr(lower(pr.full_path), 1, length(g.full_path) + 1) = lower(g.full_path) || '/'
		) end
	from firsts f`

// PendingQueues gives the head of every queue in which a job is pending, in no
// promised order, and says which are below a group; 0: nobody asks. Taking a job is
// an Apply to its pipeline, so two runners never get the same one.
func (v *View) PendingQueues(ctx context.Context, group ci.NamespaceID) ([]QueueHead, error) {
	return list(ctx, v, "pending queues", func(s scanner, h *QueueHead) error {
		return s.Scan(&h.Key, &h.JobID, &h.PipelineID, &h.Running, &h.ProjectSettings, &h.Below)
	}, pendingQueues, group)
}

// PendingJobs gives at most limit pending jobs of a queue that come after a job,
// oldest first. The Running of each is 0.
func (v *View) PendingJobs(ctx context.Context, queue string, after ci.JobID, limit int) ([]QueueHead, error) {
	return list(ctx, v, "pending jobs", func(s scanner, h *QueueHead) error {
		h.Key = queue
		return s.Scan(&h.JobID, &h.PipelineID)
	}, `
		select j.id, j.pipeline_id from jobs j
		where j.status = 'pending' and j.queue = $1 and j.id > $2 order by j.id limit $3`, queue, after, limit)
}

// PendingBefore counts the pending jobs of a queue that come before a job.
func (v *View) PendingBefore(ctx context.Context, queue string, before ci.JobID) (int, error) {
	return one(ctx, v, "number of pending jobs", scanInto[int], `
		select count(*) from jobs j where j.status = 'pending' and j.queue = $1 and j.id < $2`, queue, before)
}

// heldJobs is the condition of the index jobs_held, word for word, and allHeld a
// way to read that index as a whole.
const (
	heldJobs = `j.status in ('running', 'canceling')`
	allHeld  = `j.id in (select j.id from jobs j where ` + heldJobs + `)`
)

// Work counts the jobs that wait for a runner, and those that runners have.
func (v *View) Work(ctx context.Context) (pending, held int64, err error) {
	err = v.row(ctx, []any{&pending, &held}, `
		select (select count(*) from jobs j where j.status = 'pending'), (select count(*) from jobs j where `+heldJobs+`)`)
	if err != nil {
		return 0, 0, fmt.Errorf("count work: %w", err)
	}
	return pending, held, nil
}

// HeldJobs lists the jobs that a machine of a runner holds, oldest first.
func (v *View) HeldJobs(ctx context.Context, managerID int64) ([]ci.Job, error) {
	return list(ctx, v, "held jobs", scanJob, `
		select `+jobColumns+` from jobs j where `+heldJobs+` and j.manager_id = $1 order by j.id`, managerID)
}

// HeldByRunner lists the jobs that all machines of a runner hold, oldest first.
func (v *View) HeldByRunner(ctx context.Context, runner ci.RunnerID) ([]ci.Job, error) {
	return list(ctx, v, "held jobs", scanJob, `
		select `+jobColumns+` from jobs j where `+allHeld+` and j.runner_id = $1 order by j.id`, runner)
}

// SilentJobs lists the jobs that a runner holds and that were neither started nor
// touched since before, oldest first.
func (v *View) SilentJobs(ctx context.Context, before time.Time) ([]ci.Job, error) {
	return list(ctx, v, "silent jobs", scanJob, `
		select `+jobColumns+` from jobs j
		where `+allHeld+` and j.contacted_at < $1 and j.started_at < $1 order by j.id`, micros(before))
}

// UnansweredJobs lists the jobs that were given to a runner before a time and that
// nothing was heard of since, oldest first.
func (v *View) UnansweredJobs(ctx context.Context, before time.Time) ([]ci.Job, error) {
	return list(ctx, v, "unanswered jobs", scanJob, `
		select `+jobColumns+` from jobs j
		where `+allHeld+` and j.contacted_at < j.started_at and j.started_at < $1 order by j.id`, micros(before))
}

// DueScheduled lists the pipelines with a delayed job whose time has come, the
// longest due first.
func (v *View) DueScheduled(ctx context.Context, now time.Time) ([]ci.PipelineID, error) {
	jobs, err := list(ctx, v, "due pipelines", scanInto[ci.PipelineID], `
		select pipeline_id from jobs where status = 'scheduled' and scheduled_at <= $1 order by scheduled_at`, micros(now))
	seen := make(map[ci.PipelineID]bool)
	return slices.DeleteFunc(jobs, func(id ci.PipelineID) bool {
		again := seen[id]
		seen[id] = true
		return again
	}), err
}

// OverduePipelines lists the pipelines with a job that has been pending since before
// queued, or that a runner still holds although its time was over before ended.
func (v *View) OverduePipelines(ctx context.Context, queued, ended time.Time) ([]ci.PipelineID, error) {
	return list(ctx, v, "overdue pipelines", scanInto[ci.PipelineID], `
		select j.pipeline_id from jobs j where j.status = 'pending' and j.queued_at < $1
		union
		select j.pipeline_id from jobs j
		where `+allHeld+` and j.timeout > 0 and j.started_at + j.timeout * 1000000 < $2
		order by 1`, micros(queued), micros(ended))
}
