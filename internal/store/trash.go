package store

import (
	"context"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Kinds of trash: what a loop removes from disk after its rows are gone
// (decisions, 10).
const (
	TrashBlob       = "blob"       // Key is the blob's
	TrashLog        = "log"        // Key is the id of the job
	TrashRepository = "repository" // Key is the id of the project
	TrashSpec       = "spec"       // Key is the digest in hexadecimal digits
)

// A Trash row names something that nothing needs any more: outside the database, or
// a specification, which is dear to find out about. It may also name a blob that is
// being written, see AnnounceBlob.
type Trash struct {
	ID        int64
	Kind      string
	Key       string
	CreatedAt time.Time // of one that is being written: when it counts as left behind
}

func scanTrash(s scanner, t *Trash) error {
	return s.Scan(&t.ID, &t.Kind, &t.Key, at(&t.CreatedAt))
}

// Trash lists what waits to be removed, oldest first, at most limit rows.
func (v *View) Trash(ctx context.Context, limit int) ([]Trash, error) {
	return list(ctx, v, "trash", scanTrash, `
		select id, kind, key, created_at from trash where id > 0 and created_at <= $2 order by id limit $1`, limit, micros(v.now()))
}

// AnnounceBlob tells of a blob that is about to be written, so that it is removed
// if what writes it ends before there is a row that needs it: late is when it counts
// as left behind. EmptyTrash takes the announcement back, and so does AddArtifact.
func (db *DB) AnnounceBlob(ctx context.Context, key string, late time.Time) (announced int64, err error) {
	err = db.quick(ctx, "announce a blob", func(tx *Tx) error {
		return tx.Row([]any{&announced}, `
			insert into trash (kind, key, created_at) values ($1, $2, $3) returning id`, TrashBlob, key, micros(late))
	})
	return announced, err
}

// EmptyTrash forgets rows whose things are removed.
func (db *DB) EmptyTrash(ctx context.Context, ids []int64) error {
	list := integers(ids)
	return db.quick(ctx, "empty trash", func(tx *Tx) error {
		return tx.exec(`delete from trash where id in {ints $1}`, list)
	})
}

// trashPipelines moves the blobs and logs of pipelines to the trash.
func trashPipelines(tx *Tx, pipelines intList, now int64) error {
	err := tx.exec(`
		insert into trash (kind, key, created_at)
		select $2, a.blob_key, $3 from jobs j join artifacts a on a.job_id = j.id
		where j.pipeline_id in {ints $1}`, pipelines, TrashBlob, now)
	if err != nil {
		return err
	}
	return tx.exec(`
		insert into trash (kind, key, created_at)
		select $2, cast(j.id as text), $3 from jobs j where j.pipeline_id in {ints $1}`, pipelines, TrashLog, now)
}

// deletePipelines removes pipelines with all their rows.
func deletePipelines(tx *Tx, pipelines intList, now int64) (int64, error) {
	if err := trashPipelines(tx, pipelines, now); err != nil {
		return 0, err
	}
	specs, err := specsOf(tx, pipelines)
	if err != nil {
		return 0, err
	}
	for _, query := range []string{
		`update project_running set running = running - (
			select count(*) from jobs j join pipelines p on p.id = j.pipeline_id
			where p.id in {ints $1} and p.project_id = project_running.project_id and ` + heldJobs + `)
		where project_id in (select project_id from pipelines where id in {ints $1})`,
		`delete from upstreams where source_pipeline_id in {ints $1}`,
		`delete from idempotency where pipeline_id in {ints $1}`,
	} {
		if err := tx.exec(query, pipelines); err != nil {
			return 0, err
		}
	}
	n, err := tx.Exec(`delete from pipelines where id in {ints $1}`, pipelines)
	if err != nil {
		return 0, err
	}
	return n, trashSpecs(tx, specs, now)
}

// DeletePipeline removes a pipeline with all its rows. Its blobs and logs go by
// way of the trash.
func (db *DB) DeletePipeline(ctx context.Context, id ci.PipelineID) error {
	ids, now := integers([]ci.PipelineID{id}), micros(db.now())
	return db.write(ctx, "delete pipeline", func(tx *Tx) error {
		n, err := deletePipelines(tx, ids, now)
		if err == nil && n == 0 {
			return ci.NoRecord()
		}
		return err
	})
}
