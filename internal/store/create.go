package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Spec is a job specification in its JSON form under its digest.
type Spec struct {
	Digest []byte
	Body   []byte
}

// An Idempotency is a key under which a caller may ask again.
type Idempotency struct {
	Scope      []byte // whose key it is: a digest of the caller's token
	Key        string
	BodyDigest []byte    // of the request
	Since      time.Time // older rows do not count
}

// A NewPipeline is everything that is written when a pipeline is created.
type NewPipeline struct {
	Pipeline    ci.Pipeline // without ID and IID
	Jobs        []ci.Job    // without ids, in the order of the configuration, as the state machine left them before any runner saw them; they get the pipeline's ids, CreatedAt, UserID and Protected
	Specs       []Spec      // each digest that a job names, once; all digests have the same length
	Variables   []byte      // sealed document; nil: none
	Upstream    *ci.Upstream
	Idempotency *Idempotency
}

// CreatePipeline writes a pipeline with its jobs in one transaction and returns
// it with ID and IID, its times as stored. The number of statements does not
// depend on the number of jobs.
//
// It returns *Replayed when the idempotency key was used before, ci.NoRecord()
// when the project is gone, and an error that matches ErrUnknown when the commit
// failed: PipelineByUID tells then.
func (db *DB) CreatePipeline(ctx context.Context, n *NewPipeline) (ci.Pipeline, error) {
	c, err := db.prepareCreate(n)
	if err != nil {
		return ci.Pipeline{}, fmt.Errorf("create pipeline: %w", err)
	}
	if !db.specs.has(n.Specs) {
		c.specs = specsText(n.Specs)
	}
	err = db.write(ctx, "create pipeline", c.run)
	if errors.Is(err, errSpecs) && c.specs == "" {
		// The process remembers specifications that the database does not have.
		db.specs.forget()
		c.specs = specsText(n.Specs)
		err = db.write(ctx, "create pipeline", c.run)
	}
	if err != nil {
		return ci.Pipeline{}, err
	}
	db.specs.add(n.Specs)
	return c.pipeline, nil
}

// errSpecs marks a broken reference that is a job's.
var errSpecs = errors.New("job names a specification that is not there")

// creation is a NewPipeline in the form that the writer needs: all that can be
// computed before is.
type creation struct {
	dialect  *dialect
	new      *NewPipeline
	pipeline ci.Pipeline
	stages   string
	jobs     string // JSON for insertJobs; empty: no jobs
	specs    string // JSON for insertSpecs; empty: they are in the database already
	digests  []byte // of the specifications, one after the other
	size     int    // bytes of one digest
}

func (db *DB) prepareCreate(n *NewPipeline) (*creation, error) {
	c := &creation{dialect: db.dialect, new: n, pipeline: n.Pipeline, stages: stagesText(n.Pipeline.Stages)}
	p := &c.pipeline
	p.CreatedAt, p.UpdatedAt = stored(p.CreatedAt), stored(p.UpdatedAt)
	p.StartedAt, p.FinishedAt = stored(p.StartedAt), stored(p.FinishedAt)
	if len(n.Jobs) == 0 {
		return c, nil
	}
	index := make(map[string]int, len(n.Specs))
	for i, spec := range n.Specs {
		c.size = len(n.Specs[0].Digest)
		if len(spec.Digest) != c.size {
			return nil, fmt.Errorf("digests of %d and %d bytes", c.size, len(spec.Digest))
		}
		index[string(spec.Digest)] = i
		c.digests = append(c.digests, spec.Digest...)
	}
	rows := make([][13]any, len(n.Jobs))
	for i := range n.Jobs {
		at, ok := index[string(n.Jobs[i].SpecDigest)]
		if !ok {
			return nil, fmt.Errorf("job %q: %w", n.Jobs[i].Name, errSpecs)
		}
		job := n.Jobs[i]
		job.ProjectID, job.Protected = p.ProjectID, p.Protected
		rows[i] = jobRow(&job, at)
	}
	c.jobs = text(rows)
	return c, nil
}

// specsText gives the specifications in the form that insertSpecs reads.
func specsText(specs []Spec) string {
	rows := make([][2]any, len(specs))
	for i, spec := range specs {
		rows[i] = [2]any{i, string(spec.Body)}
	}
	return text(rows)
}

// jobRow gives a job's values in the order in which insertJobs reads them. What
// no new job has, since no runner saw it yet, is not among them.
func jobRow(j *ci.Job, spec int) [13]any {
	return [13]any{
		spec, j.Name, j.Stage, j.StageIndex, j.Status, json.RawMessage(text(j.Plan)), j.AllowFailure, j.Queue().Key(), j.Timeout,
		micros(j.QueuedAt), micros(j.FinishedAt), micros(j.ScheduledAt), j.FailureReason,
	}
}

// run writes the pipeline.
func (c *creation) run(tx *Tx) error {
	p := &c.pipeline
	// Not an upsert: the row goes with the project, so that no pipeline is made in
	// a project that was just deleted.
	err := tx.Row([]any{&p.IID}, `
		update project_iids set last_iid = last_iid + 1 where project_id = $1 returning last_iid`, p.ProjectID)
	if err != nil {
		return notFound(err)
	}
	err = tx.Row([]any{&p.ID}, `
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

func (c *creation) insertJobs(tx *Tx) error {
	if c.jobs == "" {
		return nil
	}
	if c.specs != "" {
		if err := tx.exec(c.dialect.insertSpecs, c.specs, c.digests, c.size); err != nil {
			return err
		}
	}
	p := &c.pipeline
	err := tx.exec(c.dialect.insertJobs, p.ID, p.ProjectID, micros(p.CreatedAt), p.UserID, p.Protected, c.jobs, c.digests, c.size)
	if c.dialect.orphan(err) {
		return errors.Join(errSpecs, err)
	}
	return err
}

func (c *creation) insertRest(tx *Tx) error {
	n, id := c.new, c.pipeline.ID
	if n.Variables != nil {
		if err := tx.exec(`insert into pipeline_variables (pipeline_id, sealed) values ($1, $2)`, id, n.Variables); err != nil {
			return err
		}
	}
	if u := n.Upstream; u != nil {
		err := tx.exec(`
			insert into upstreams (pipeline_id, source_project_id, source_pipeline_id, source_job_id)
			values ($1, $2, $3, $4)`, id, u.SourceProjectID, u.SourcePipelineID, u.SourceJobID)
		if err != nil {
			return err
		}
	}
	if n.Idempotency != nil {
		return c.claimKey(tx, n.Idempotency)
	}
	return nil
}

// claimKey records the idempotency key, or finds the pipeline that has it; then
// everything written before it is undone.
func (c *creation) claimKey(tx *Tx, k *Idempotency) error {
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
	var replayed Replayed
	var body []byte
	err = tx.Row([]any{&replayed.PipelineID, &body}, `
		select pipeline_id, body_digest from idempotency where scope = $1 and key = $2`, k.Scope, k.Key)
	if err != nil {
		return err
	}
	replayed.SameBody = slices.Equal(body, k.BodyDigest)
	return &replayed
}

// UsedKey tells which pipeline was created under an idempotency key, so that a
// repeated request need not be carried out to learn it. ci.NoRecord() for a key
// that is free.
func (v *View) UsedKey(ctx context.Context, k *Idempotency) (Replayed, error) {
	return one(ctx, v, "idempotency key", func(s scanner, r *Replayed) error {
		var body []byte
		err := s.Scan(&r.PipelineID, &body)
		r.SameBody = slices.Equal(body, k.BodyDigest)
		return err
	}, `select pipeline_id, body_digest from idempotency where scope = $1 and key = $2 and created_at >= $3`,
		k.Scope, k.Key, micros(k.Since))
}

// PruneIdempotency forgets at most limit keys older than before and returns how
// many there were.
func (db *DB) PruneIdempotency(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := db.write(ctx, "prune idempotency keys", func(tx *Tx) (err error) {
		n, err = tx.Exec(`
			delete from idempotency where (scope, key) in (
				select scope, key from idempotency where created_at < $1 order by created_at limit $2)`, micros(before), limit)
		return err
	})
	return int(n), err
}

// maxKnownSpecs bounds the memory of knownSpecs to a few megabytes.
const maxKnownSpecs = 1 << 15

// knownSpecs remembers digests of specifications that are in the database, since
// most pipelines repeat those of the one before.
type knownSpecs struct {
	mu  sync.RWMutex
	set map[string]struct{} // protected by mu
}

// has reports whether all are known.
func (k *knownSpecs) has(specs []Spec) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, spec := range specs {
		if _, ok := k.set[string(spec.Digest)]; !ok {
			return false
		}
	}
	return true
}

// add remembers the specs of a committed pipeline.
func (k *knownSpecs) add(specs []Spec) {
	if k.has(specs) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil || len(k.set) >= maxKnownSpecs {
		k.set = make(map[string]struct{})
	}
	for _, spec := range specs {
		k.set[string(spec.Digest)] = struct{}{}
	}
}

func (k *knownSpecs) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set = nil
}
