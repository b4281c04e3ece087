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
)

// A Trash row names something outside the database that nothing in it needs any
// more.
type Trash struct {
	ID        int64
	Kind      string
	Key       string
	CreatedAt time.Time
}

// Trash lists what waits to be removed, oldest first, at most limit rows.
func (v *View) Trash(ctx context.Context, limit int) ([]Trash, error) {
	return list(ctx, v, "trash", func(s scanner, t *Trash) error {
		return s.Scan(&t.ID, &t.Kind, &t.Key, at(&t.CreatedAt))
	}, `select id, kind, key, created_at from trash order by id limit $1`, limit)
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
	return tx.Exec(`delete from pipelines where id in {ints $1}`, pipelines)
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
