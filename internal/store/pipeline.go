package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// pipelineColumns is what scanPipeline reads, of a table named p.
const pipelineColumns = `p.id, p.iid, p.uid, p.project_id, p.ref, p.tag, p.sha, p.before_sha, p.source, p.status, p.protected,
	p.user_id, p.trigger_id, p.name, p.yaml_errors, p.failure_reason, p.stages,
	p.created_at, p.updated_at, p.started_at, p.finished_at, p.duration, p.version`

// pipelineFields gives the places for pipelineColumns.
func pipelineFields(p *ci.Pipeline) []any {
	return []any{&p.ID, &p.IID, &p.UID, &p.ProjectID, &p.Ref, &p.Tag, &p.SHA, &p.BeforeSHA, &p.Source, &p.Status, &p.Protected,
		&p.UserID, &p.TriggerID, &p.Name, &p.YAMLErrors, &p.FailureReason, document{&p.Stages},
		at(&p.CreatedAt), at(&p.UpdatedAt), at(&p.StartedAt), at(&p.FinishedAt), &p.Duration, &p.Version}
}

func scanPipeline(s scanner, p *ci.Pipeline) error { return s.Scan(pipelineFields(p)...) }

// Pipeline reads one pipeline.
func (v *View) Pipeline(ctx context.Context, id ci.PipelineID) (ci.Pipeline, error) {
	return one(ctx, v, "pipeline", scanPipeline, `select `+pipelineColumns+` from pipelines p where p.id = $1`, id)
}

// PipelinesByID reads several pipelines. Those that are not there are not in the
// map.
func (v *View) PipelinesByID(ctx context.Context, ids []ci.PipelineID) (map[ci.PipelineID]ci.Pipeline, error) {
	found, err := list(ctx, v, "pipelines", scanPipeline, `
		select `+pipelineColumns+` from pipelines p where p.id in {ints $1}`, integers(ids))
	if err != nil {
		return nil, err
	}
	byID := make(map[ci.PipelineID]ci.Pipeline, len(found))
	for _, p := range found {
		byID[p.ID] = p
	}
	return byID, nil
}

// PipelineByUID finds the pipeline whose creation had an unknown outcome.
func (v *View) PipelineByUID(ctx context.Context, uid string) (ci.Pipeline, error) {
	return one(ctx, v, "pipeline", scanPipeline, `select `+pipelineColumns+` from pipelines p where p.uid = $1`, uid)
}

// JobVariables is PipelineVariables with what VariablesVersion gives, in one
// statement.
func (v *View) JobVariables(ctx context.Context, id ci.PipelineID) (sealed []byte, version int64, err error) {
	err = v.row(ctx, []any{&sealed, &version}, `
		select (select sealed from pipeline_variables where pipeline_id = $1), version from variables_version where id = 1`, id)
	return sealed, version, wrap(fmt.Sprintf("read variables of pipeline %d", id), err)
}

// PipelineVariables reads the sealed document of a pipeline's variables: an empty
// slice when it has none.
func (v *View) PipelineVariables(ctx context.Context, id ci.PipelineID) ([]byte, error) {
	var sealed []byte
	err := v.row(ctx, []any{&sealed}, `select sealed from pipeline_variables where pipeline_id = $1`, id)
	switch {
	case ci.IsNotFound(err):
		return []byte{}, nil
	case err != nil:
		return nil, fmt.Errorf("read variables of pipeline %d: %w", id, err)
	}
	return sealed, nil
}

// LatestPipeline reads the newest pipeline of a ref, by its short name, at a
// commit; an empty sha means any commit.
func (v *View) LatestPipeline(ctx context.Context, project ci.ProjectID, ref, sha string) (ci.Pipeline, error) {
	return one(ctx, v, "pipeline", scanPipeline, `
		select `+pipelineColumns+` from pipelines p
		where p.project_id = $1 and p.ref = $2 and ($3 = '' or p.sha = $3)
		order by p.id desc limit 1`, project, ref, sha)
}

// PipelineCoverage gives the mean coverage of each pipeline's jobs that have one,
// superseded jobs aside. Pipelines without any are not in the map.
func (v *View) PipelineCoverage(ctx context.Context, ids []ci.PipelineID) (map[ci.PipelineID]float64, error) {
	coverage := make(map[ci.PipelineID]float64)
	rows, err := v.query(ctx, `
		select pipeline_id, avg(coverage) from jobs
		where pipeline_id in {ints $1} and coverage is not null and not retried
		group by pipeline_id`, integers(ids))
	if err == nil {
		err = each(rows, func(s scanner) error {
			var id ci.PipelineID
			var mean float64
			err := s.Scan(&id, &mean)
			coverage[id] = mean
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read coverage of pipelines: %w", err)
	}
	return coverage, nil
}

// HasWarnings tells which of the pipelines have a job that failed and was allowed
// to, superseded jobs aside.
func (v *View) HasWarnings(ctx context.Context, ids []ci.PipelineID) (map[ci.PipelineID]bool, error) {
	found, err := list(ctx, v, "warnings of pipelines", scanInto[ci.PipelineID], `
		select distinct pipeline_id from jobs
		where pipeline_id in {ints $1} and status = 'failed' and allow_failure and not retried`, integers(ids))
	if err != nil {
		return nil, err
	}
	warnings := make(map[ci.PipelineID]bool, len(found))
	for _, id := range found {
		warnings[id] = true
	}
	return warnings, nil
}

// activePipelines is the condition of the index pipelines_active, word for word.
const activePipelines = `status in ('created', 'waiting_for_resource', 'pending', 'running', 'scheduled', 'manual', 'canceling')`

// ActivePipelines lists the pipelines that have not ended, oldest first.
func (v *View) ActivePipelines(ctx context.Context) ([]ci.PipelineID, error) {
	return list(ctx, v, "active pipelines", scanInto[ci.PipelineID],
		`select id from pipelines where `+activePipelines+` order by id`)
}

func scanUpstream(s scanner, u *ci.Upstream) error {
	return s.Scan(&u.PipelineID, &u.SourceProjectID, &u.SourcePipelineID, &u.SourceJobID)
}

// Upstream reads what started a pipeline by a job token.
func (v *View) Upstream(ctx context.Context, id ci.PipelineID) (ci.Upstream, error) {
	return one(ctx, v, "upstream", scanUpstream, `
		select pipeline_id, source_project_id, source_pipeline_id, source_job_id
		from upstreams where pipeline_id = $1`, id)
}

// Downstreams lists what the jobs of a pipeline started, oldest first.
func (v *View) Downstreams(ctx context.Context, source ci.PipelineID) ([]ci.Upstream, error) {
	return list(ctx, v, "downstreams", scanUpstream, `
		select pipeline_id, source_project_id, source_pipeline_id, source_job_id
		from upstreams where source_pipeline_id = $1 order by pipeline_id`, source)
}
