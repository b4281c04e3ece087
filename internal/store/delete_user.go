package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// DeleteUser removes an account with its namespace, memberships, tokens and
// sessions, and the trigger tokens that run as it. Pipelines, jobs, runners, groups
// and projects that it made stay and name nobody (contract/trigger-api.md 5, user).
// Its namespace must be empty: a project that is left is *ci.Error of kind
// ci.KindConflict. Nothing may be started in its name meanwhile: block it before.
func (db *DB) DeleteUser(ctx context.Context, id ci.UserID) error {
	words := fmt.Sprintf("delete user %d", id)
	pipeline, err := db.forgetUser(ctx, id, `select id from pipelines where id > $2 and user_id = $1 order by id limit $3`,
		`update pipelines set user_id = 0 where id in {ints $2} and user_id = $1`)
	if err != nil {
		return wrap(words, err)
	}
	job, err := db.forgetUser(ctx, id, `select id from jobs where id > $2 and (user_id = $1 or erased_by = $1) order by id limit $3`, `
		update jobs set user_id = case when user_id = $1 then 0 else user_id end, erased_by = case when erased_by = $1 then 0 else erased_by end
		where id in {ints $2}`)
	if err != nil {
		return wrap(words, err)
	}
	return db.write(ctx, words, func(tx *Tx) error {
		var projects int
		err := tx.Row([]any{&projects}, `
			select count(*) from projects where namespace_id in (select id from namespaces where kind = 'user' and owner_id = $1)`, id)
		if err != nil {
			return err
		}
		if projects > 0 {
			return ci.Conflict("The user's namespace is not empty")
		}
		for _, query := range []string{
			`update projects set creator_id = 0 where id > 0 and creator_id = $1`,
			`update runners set creator_id = 0 where id > 0 and creator_id = $1`,
			`update namespaces set owner_id = 0 where kind = 'group' and owner_id = $1`,
			`delete from namespaces where kind = 'user' and owner_id = $1`,
		} {
			if err := tx.exec(query, id); err != nil {
				return err
			}
		}
		// What began before the account was blocked and was written since.
		if err := tx.exec(`update pipelines set user_id = 0 where id > $2 and user_id = $1`, id, pipeline); err != nil {
			return err
		}
		if err := tx.exec(`update jobs set user_id = 0 where id > $2 and user_id = $1`, id, job); err != nil {
			return err
		}
		return tx.must(`delete from users where id = $1`, id)
	})
}

// forgetUser takes an account out of the rows that find lists after one, in several
// writes, and gives the last one.
func (db *DB) forgetUser(ctx context.Context, id ci.UserID, find, forget string) (last int64, err error) {
	for {
		ids, err := list(ctx, db.view, "rows of a user", scanInto[int64], find, id, last, deleteStep)
		if err != nil || len(ids) == 0 {
			return last, err
		}
		last = ids[len(ids)-1]
		rows := integers(ids)
		err = db.quick(ctx, "forget a user", func(tx *Tx) error { return tx.exec(forget, id, rows) })
		if err != nil {
			return last, err
		}
	}
}

// UnfinishedOf lists the pipelines of an account that have not ended, by id.
func (v *View) UnfinishedOf(ctx context.Context, id ci.UserID) ([]ci.PipelineID, error) {
	return list(ctx, v, "unfinished pipelines of a user", scanInto[ci.PipelineID], `
		select id from pipelines
		where `+activePipelines+` and user_id = $1 order by id`, id)
}

// SoleOwned lists the groups of which an account is the only owner, by id. Owners of
// a group above do not count.
func (v *View) SoleOwned(ctx context.Context, id ci.UserID) ([]ci.NamespaceID, error) {
	return list(ctx, v, "groups of a sole owner", scanInto[ci.NamespaceID], `
		select m.namespace_id from members m
		where m.user_id = $1 and m.namespace_id <> 0 and m.role = $2 and not exists (
			select 1 from members o where o.namespace_id = m.namespace_id and o.namespace_id <> 0 and o.role = $2 and o.user_id <> $1)
		order by 1`, id, ci.Owner)
}
