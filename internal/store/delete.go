package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// deleteStep is how many pipelines one write of DeleteProject removes, so that
// other writers never wait long.
const deleteStep = 200

// DeleteProject removes a project with all its rows and the runners that work for
// no other one; its repository, blobs and
// logs go by way of the trash. Its pipelines are removed first, in several writes;
// the last one removes the project and whatever was added meanwhile. When a write
// fails, the project stands with the pipelines that are left, and the call can be
// made again.
func (db *DB) DeleteProject(ctx context.Context, id ci.ProjectID) error {
	words := fmt.Sprintf("delete project %d", id)
	now := micros(db.now())
	for more := true; more; {
		err := db.write(ctx, words, func(tx *Tx) (err error) {
			more, err = deleteSomePipelines(tx, id, now)
			return err
		})
		if err != nil {
			return err
		}
	}
	return db.write(ctx, words, func(tx *Tx) error {
		for more := true; more; {
			var err error
			if more, err = deleteSomePipelines(tx, id, now); err != nil {
				return err
			}
		}
		return deleteProject(tx, id, now)
	})
}

// deleteSomePipelines removes the newest pipelines of a project and reports
// whether there may be more.
func deleteSomePipelines(tx *Tx, id ci.ProjectID, now int64) (more bool, err error) {
	var ids []ci.PipelineID
	rows, err := tx.Query(`select id from pipelines where project_id = $1 order by id desc limit $2`, id, deleteStep)
	if err != nil {
		return false, err
	}
	err = each(rows, func(s scanner) error {
		var id ci.PipelineID
		err := s.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return false, err
	}
	_, err = deletePipelines(tx, integers(ids), now)
	return len(ids) == deleteStep, err
}

// deleteProject removes the row, and with it those that refer to it.
func deleteProject(tx *Tx, id ci.ProjectID, now int64) error {
	for _, query := range []string{
		`delete from runners where type = 'project_type' and id in (select runner_id from runner_projects where project_id = $1)
			and not exists (select 1 from runner_projects o where o.runner_id = runners.id and o.project_id <> $1)`,
		`delete from members where project_id = $1 and project_id <> 0`,
		`delete from job_token_allowlist where source_project_id = $1 and source_project_id <> 0`,
	} {
		if err := tx.exec(query, id); err != nil {
			return err
		}
	}
	if err := tx.must(`delete from projects where id = $1`, id); err != nil {
		return err
	}
	return tx.exec(`insert into trash (kind, key, created_at) values ($1, $2, $3)`, TrashRepository, strconv.FormatInt(int64(id), 10), now)
}
