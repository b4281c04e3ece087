package store

import (
	"context"
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
	Pipeline    ci.Pipeline // without ID, and without IID unless ReserveIID gave it
	Jobs        []ci.Job    // without ids, in the order of the configuration, as the state machine left them before any runner saw them; they get the pipeline's ids, CreatedAt, UserID and Protected
	Specs       []Spec      // each digest that a job names, once; all digests have the same length
	Variables   []byte      // sealed document; nil: none
	Upstream    *ci.Upstream
	Idempotency *Idempotency

	Supersedes bool            // pipelines for other commits of the branch are looked for
	Older      []ci.PipelineID // these: CreatePipeline fills it in
}

// CreatePipeline writes a pipeline with its jobs in one transaction and returns
// it with ID and IID, its times as stored. The number of statements does not
// depend on the number of jobs.
//
// It returns *Replayed when the idempotency key was used before, ci.NoRecord()
// when the project is gone, and an error that matches ErrUnknown when the commit
// failed: PipelineByUID tells then.
func (db *DB) CreatePipeline(ctx context.Context, n *NewPipeline) (ci.Pipeline, error) {
	const words = "create pipeline"
	c, err := prepareCreate(n)
	if err != nil {
		return ci.Pipeline{}, fmt.Errorf("%s: %w", words, err)
	}
	known := db.specs.has(n.Specs)
	err = db.writes.create(ctx, c, !known)
	if known && errors.Is(err, errSpecs) {
		// The process remembers specifications that the database does not have.
		db.specs.forget()
		err = db.writes.create(ctx, c, true)
	}
	if err != nil {
		return ci.Pipeline{}, db.worded(words, err)
	}
	db.specs.add(n.Specs)
	n.Older, err = pipelineIDs(c.older)
	return c.pipeline, wrap(words, err)
}

// ReserveIID takes the next iid of a project for a pipeline that needs to know it
// before it is created. One that comes to nothing leaves a gap.
func (db *DB) ReserveIID(ctx context.Context, project ci.ProjectID) (int64, error) {
	var iid int64
	err := db.quick(ctx, fmt.Sprintf("reserve iid in project %d", project), func(tx *Tx) error {
		return notFound(tx.Row([]any{&iid}, `
			update project_iids set last_iid = last_iid + 1 where project_id = $1 returning last_iid`, project))
	})
	return iid, err
}

// errSpecs marks a broken reference that is a job's.
var errSpecs = errors.New("job names a specification that is not there")

// A creation is a NewPipeline with what every database needs of it.
type creation struct {
	*NewPipeline
	pipeline ci.Pipeline // with its times as stored; the ids are filled in
	stages   string
	specOf   []int // for each job, the place of its specification
	older    *string
}

func prepareCreate(n *NewPipeline) (*creation, error) {
	c := &creation{NewPipeline: n, pipeline: n.Pipeline, stages: stagesText(n.Pipeline.Stages)}
	p := &c.pipeline
	p.CreatedAt, p.UpdatedAt = stored(p.CreatedAt), stored(p.UpdatedAt)
	p.StartedAt, p.FinishedAt = stored(p.StartedAt), stored(p.FinishedAt)
	places := make(map[string]int, len(n.Specs))
	for i, spec := range n.Specs {
		if len(spec.Digest) != len(n.Specs[0].Digest) {
			return nil, fmt.Errorf("digests of %d and %d bytes", len(n.Specs[0].Digest), len(spec.Digest))
		}
		places[string(spec.Digest)] = i
	}
	c.specOf = make([]int, len(n.Jobs))
	for i := range n.Jobs {
		place, ok := places[string(n.Jobs[i].SpecDigest)]
		if !ok {
			return nil, fmt.Errorf("job %q: %w", n.Jobs[i].Name, errSpecs)
		}
		c.specOf[i] = place
	}
	return c, nil
}

// queue gives the key of the queue that a job waits in.
func (c *creation) queue(j *ci.Job) string {
	return ci.Queue{ProjectID: c.pipeline.ProjectID, Protected: c.pipeline.Protected, Tags: j.Tags}.Key()
}

// usedBefore is *Replayed for a key that could not be claimed.
func usedBefore(tx *Tx, k *Idempotency) error {
	var replayed Replayed
	var body []byte
	err := tx.Row([]any{&replayed.PipelineID, &body}, `
		select pipeline_id, body_digest from idempotency where scope = $1 and key = $2`, k.Scope, k.Key)
	if err != nil {
		return notFound(err)
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
	err := db.quick(ctx, "prune idempotency keys", func(tx *Tx) (err error) {
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
