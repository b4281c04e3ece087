package store

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// insertSpecs adds what is not there yet. $1: JSON array of [index, body],
// $2: digests, one after the other, $3: bytes of one digest.
const insertSpecs = `
	insert into specs (digest, body)
	select substr($2, 1 + $3 * (value ->> 0), $3), value ->> 1
	from jsonb_each($1) where true
	on conflict (digest) do nothing`

// insertJobs adds all jobs of a pipeline. $1 to $5: what they share, $6: JSON array
// of what job gives, $7, $8: as $2 and $3 of insertSpecs.
const insertJobs = `
	insert into jobs (pipeline_id, project_id, created_at, user_id, protected, spec_digest,
		name, stage, stage_index, status, plan, allow_failure, queue, timeout,
		queued_at, finished_at, scheduled_at, failure_reason, resource_group)
	select $1, $2, $3, $4, $5, substr($7, 1 + $8 * (value ->> 0), $8),
		value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8,
		value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
	from jsonb_each($6)`

// A sqliteCreation is a creation in the form that the writer needs: all that can
// be computed before is.
type sqliteCreation struct {
	*creation
	jobs    string // JSON for insertJobs; empty: no jobs
	specs   string // JSON for insertSpecs; empty: they are in the database already
	digests []byte // of the specifications, one after the other
	size    int    // bytes of one digest
}

func (s *sqliteWrites) create(ctx context.Context, c *creation, specs bool) error {
	w := &sqliteCreation{creation: c}
	if len(c.Jobs) > 0 {
		w.size = len(c.Specs[0].Digest)
		for _, spec := range c.Specs {
			w.digests = append(w.digests, spec.Digest...)
		}
		rows := make([][14]any, len(c.Jobs))
		for i := range c.Jobs {
			rows[i] = w.job(&c.Jobs[i], c.specOf[i])
		}
		w.jobs = text(rows)
	}
	if specs {
		w.specs = specsText(c.Specs)
	}
	return s.writer.Do(ctx, w.run)
}

// specsText gives the specifications in the form that insertSpecs reads.
func specsText(specs []Spec) string {
	rows := make([][2]any, len(specs))
	for i, spec := range specs {
		rows[i] = [2]any{i, string(spec.Body)}
	}
	return text(rows)
}

// job gives a job's values in the order in which insertJobs reads them. What no
// new job has, since no runner saw it yet, is not among them.
func (c *sqliteCreation) job(j *ci.Job, spec int) [14]any {
	return [14]any{
		spec, j.Name, j.Stage, j.StageIndex, j.Status, json.RawMessage(text(j.Plan)), j.AllowFailure, c.queue(j), j.Timeout,
		micros(j.QueuedAt), micros(j.FinishedAt), micros(j.ScheduledAt), j.FailureReason, j.Plan.ResourceGroup,
	}
}

// run writes the pipeline.
func (c *sqliteCreation) run(tx *Tx) error {
	p := &c.pipeline
	// Not an upsert: the row goes with the project, so that no pipeline is made in
	// a project that was just deleted.
	if err := c.count(tx); err != nil {
		return notFound(err)
	}
	err := tx.Row([]any{&p.ID}, `
		insert into pipelines (iid, uid, project_id, ref, tag, sha, before_sha, source, status, protected,
			user_id, trigger_id, name, yaml_errors, failure_reason, stages,
			created_at, updated_at, started_at, finished_at, duration, version)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
		returning id`,
		p.IID, p.UID, p.ProjectID, p.Ref, p.Tag, p.SHA, p.BeforeSHA, p.Source, p.Status, p.Protected,
		p.UserID, p.TriggerID, p.Name, p.YAMLErrors, p.FailureReason, c.stages,
		micros(p.CreatedAt), micros(p.UpdatedAt), micros(p.StartedAt), micros(p.FinishedAt), p.Duration, p.Version)
	if err != nil {
		return err
	}
	if err := c.insertJobs(tx); err != nil {
		return err
	}
	return c.insertRest(tx)
}

// The statements that count gives in one with what olderPipelines gives.
var (
	countAndLook = `
		update project_iids set last_iid = last_iid + 1 where project_id = $1
		returning last_iid, ` + olderPipelines("$1", "$2", "$3", "$4")
	onlyLook = `select last_iid, ` + olderPipelines("$1", "$2", "$3", "$4") + ` from project_iids where project_id = $1`
)

// count takes the next iid of the project, unless one was reserved, and looks for
// older pipelines on the way.
func (c *sqliteCreation) count(tx *Tx) error {
	p := &c.pipeline
	query, look, counted := `update project_iids set last_iid = last_iid + 1 where project_id = $1 returning last_iid`, countAndLook, &p.IID
	if c.Pipeline.IID != 0 { // reserved
		query, look, counted = `select last_iid from project_iids where project_id = $1`, onlyLook, new(int64)
	}
	if !c.Supersedes {
		return tx.Row([]any{counted}, query, p.ProjectID)
	}
	return tx.Row([]any{counted, &c.older}, look, p.ProjectID, p.Ref, p.SHA, micros(p.CreatedAt.Add(-redundantFor)))
}

func (c *sqliteCreation) insertJobs(tx *Tx) error {
	if c.jobs == "" {
		return nil
	}
	if c.specs != "" {
		if err := tx.exec(insertSpecs, c.specs, c.digests, c.size); err != nil {
			return err
		}
	}
	p := &c.pipeline
	err := tx.exec(insertJobs, p.ID, p.ProjectID, micros(p.CreatedAt), p.UserID, p.Protected, c.jobs, c.digests, c.size)
	if sqliteDialect.orphan(err) {
		return errors.Join(errSpecs, err)
	}
	return err
}

func (c *sqliteCreation) insertRest(tx *Tx) error {
	id := c.pipeline.ID
	if c.Variables != nil {
		if err := tx.exec(`insert into pipeline_variables (pipeline_id, sealed) values ($1, $2)`, id, c.Variables); err != nil {
			return err
		}
	}
	if u := c.Upstream; u != nil {
		err := tx.exec(`
			insert into upstreams (pipeline_id, source_project_id, source_pipeline_id, source_job_id)
			values ($1, $2, $3, $4)`, id, u.SourceProjectID, u.SourcePipelineID, u.SourceJobID)
		if err != nil {
			return err
		}
	}
	if c.Idempotency != nil {
		return c.claimKey(tx, c.Idempotency)
	}
	return nil
}

// claimKey records the idempotency key, or finds the pipeline that has it; then
// everything written before it is undone.
func (c *sqliteCreation) claimKey(tx *Tx, k *Idempotency) error {
	n, err := tx.Exec(`
		insert into idempotency (scope, key, body_digest, pipeline_id, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (scope, key) do update
		set body_digest = excluded.body_digest, pipeline_id = excluded.pipeline_id, created_at = excluded.created_at
		where idempotency.created_at < $6`,
		k.Scope, k.Key, k.BodyDigest, c.pipeline.ID, micros(c.pipeline.CreatedAt), micros(k.Since))
	if err != nil || n == 1 {
		return err
	}
	return usedBefore(tx, k)
}
