package store

import (
	"context"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Related pipeline is tied to another one by a job that started one of the two
// with its job token.
type Related struct {
	ci.Upstream             // the tie: which job of which pipeline started which
	JobName     string      // of the source job; empty when it is gone
	Pipeline    ci.Pipeline // the other end
	Project     ci.Project  // of the other end
}

// relatedProject is projectColumns under names that leave p to the pipeline.
var relatedProject = strings.ReplaceAll(projectColumns, "p.", "r.")

func scanRelated(s scanner, r *Related) error {
	fields := []any{&r.PipelineID, &r.SourceProjectID, &r.SourcePipelineID, &r.SourceJobID, &r.JobName}
	fields = append(fields, pipelineFields(&r.Pipeline)...)
	return s.Scan(append(fields, projectFields(&r.Project)...)...)
}

// RelatedPipelines lists the pipeline that started this one by a job token, and
// those that jobs of this one started, oldest first, at most limit, in one
// statement. Whoever shows them asks first who may see their projects.
func (v *View) RelatedPipelines(ctx context.Context, id ci.PipelineID, limit int) ([]Related, error) {
	return list(ctx, v, "related pipelines", scanRelated, `
		select u.pipeline_id, u.source_project_id, u.source_pipeline_id, u.source_job_id, coalesce(j.name, ''),
			`+pipelineColumns+`, `+relatedProject+`
		from (
			select pipeline_id, source_project_id, source_pipeline_id, source_job_id, source_pipeline_id as other
			from upstreams where pipeline_id = $1
			union all
			select pipeline_id, source_project_id, source_pipeline_id, source_job_id, pipeline_id
			from upstreams where source_pipeline_id = $1
		) u
		join pipelines p on p.id = u.other
		join projects r on r.id = p.project_id
		join namespaces n on n.id = r.namespace_id
		left join jobs j on j.id = u.source_job_id
		order by p.id limit $2`, id, limit)
}

// NewestPipelines reads the newest pipeline of each of the projects. Those without
// any are not in the map.
func (v *View) NewestPipelines(ctx context.Context, projects []ci.ProjectID) (map[ci.ProjectID]ci.Pipeline, error) {
	found, err := list(ctx, v, "newest pipelines", scanPipeline, `
		select `+pipelineColumns+` from pipelines p where p.id in (
			select (select max(l.id) from pipelines l where l.project_id = r.id)
			from projects r where r.id in {ints $1})`, integers(projects))
	if err != nil {
		return nil, err
	}
	newest := make(map[ci.ProjectID]ci.Pipeline, len(found))
	for _, p := range found {
		newest[p.ProjectID] = p
	}
	return newest, nil
}

// JobInPipeline reads a job with its pipeline, in one statement.
func (v *View) JobInPipeline(ctx context.Context, id ci.JobID) (ci.Job, ci.Pipeline, error) {
	var pipeline ci.Pipeline
	job, err := one(ctx, v, "job", func(s scanner, j *ci.Job) error {
		return s.Scan(append(jobFields(j), pipelineFields(&pipeline)...)...)
	}, `select `+jobColumns+`, `+pipelineColumns+` from jobs j join pipelines p on p.id = j.pipeline_id where j.id = $1`, id)
	return job, pipeline, err
}

// Attempts lists the rows of a job of a pipeline, superseded ones included, oldest
// first.
func (v *View) Attempts(ctx context.Context, pipeline ci.PipelineID, name string) ([]ci.Job, error) {
	return list(ctx, v, "attempts", scanJob, `
		select `+jobColumns+` from jobs j where j.pipeline_id = $1 and j.name = $2 order by j.id`, pipeline, name)
}
