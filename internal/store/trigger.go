package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// triggerColumns is what scanTrigger reads, of a table named t. The time of last
// use follows where a caller wants it.
const triggerColumns = `t.id, t.project_id, t.owner_id, t.description, t.digest, t.sealed, t.short,
	t.created_at, t.updated_at, t.expires_at`

// lastUsed is when the trigger's newest pipeline was created
// (contract/trigger-api.md 1.4), found by the index pipelines_trigger.
const lastUsed = `coalesce((select p.created_at from pipelines p
	where p.trigger_id = t.id and p.trigger_id <> 0 order by p.id desc limit 1), 0)`

func triggerFields(t *ci.Trigger) []any {
	return []any{&t.ID, &t.ProjectID, &t.OwnerID, &t.Description, &t.Digest, &t.Sealed, &t.Short,
		at(&t.CreatedAt), at(&t.UpdatedAt), at(&t.ExpiresAt)}
}

func scanTrigger(s scanner, t *ci.Trigger) error { return s.Scan(triggerFields(t)...) }

func scanTriggerUse(s scanner, t *ci.Trigger) error {
	return s.Scan(append(triggerFields(t), at(&t.LastUsed))...)
}

// CreateTrigger adds a trigger token, unless the project has max of them
// (ErrTooMany), and returns it with its ID.
func (db *DB) CreateTrigger(ctx context.Context, t ci.Trigger, max int) (ci.Trigger, error) {
	t.CreatedAt, t.UpdatedAt, t.ExpiresAt = stored(t.CreatedAt), stored(t.UpdatedAt), stored(t.ExpiresAt)
	err := db.write(ctx, fmt.Sprintf("create trigger of project %d", t.ProjectID), func(tx *Tx) error {
		var count int
		if err := tx.Row([]any{&count}, `select count(*) from triggers where project_id = $1`, t.ProjectID); err != nil {
			return err
		}
		if count >= max {
			return ErrTooMany
		}
		return tx.Row([]any{&t.ID}, `
			insert into triggers (project_id, owner_id, description, digest, sealed, short, expires_at, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id`,
			t.ProjectID, t.OwnerID, t.Description, t.Digest, t.Sealed, t.Short,
			micros(t.ExpiresAt), micros(t.CreatedAt), micros(t.UpdatedAt))
	})
	return t, err
}

// UpdateTrigger writes description, expiry and the time of the update.
func (db *DB) UpdateTrigger(ctx context.Context, t ci.Trigger) error {
	return db.write(ctx, fmt.Sprintf("update trigger %d", t.ID), func(tx *Tx) error {
		return tx.must(`
			update triggers set description = $3, expires_at = $4, updated_at = $5
			where project_id = $1 and id = $2`,
			t.ProjectID, t.ID, t.Description, micros(t.ExpiresAt), micros(t.UpdatedAt))
	})
}

// DeleteTrigger removes a trigger token of a project.
func (db *DB) DeleteTrigger(ctx context.Context, project ci.ProjectID, id ci.TriggerID) error {
	return db.write(ctx, fmt.Sprintf("delete trigger %d", id), func(tx *Tx) error {
		return tx.must(`delete from triggers where project_id = $1 and id = $2`, project, id)
	})
}

// PruneTriggers removes at most limit trigger tokens that were made and expired
// before a time, and returns how many there were.
func (db *DB) PruneTriggers(ctx context.Context, before time.Time, limit int) (int, error) {
	var n int64
	err := db.quick(ctx, "prune expired triggers", func(tx *Tx) (err error) {
		n, err = tx.Exec(`
			delete from triggers where id in (
				select id from triggers
				where expires_at <> 0 and expires_at < $1 and created_at < $1 order by expires_at limit $2)`, micros(before), limit)
		return err
	})
	return int(n), err
}

// Trigger reads a trigger token of a project, with LastUsed.
func (v *View) Trigger(ctx context.Context, project ci.ProjectID, id ci.TriggerID) (ci.Trigger, error) {
	return one(ctx, v, "trigger", scanTriggerUse, `
		select `+triggerColumns+`, `+lastUsed+` from triggers t where t.project_id = $1 and t.id = $2`, project, id)
}

// An OwnedTrigger is a trigger token with the account that it acts for, its project
// and the role that the account has there: as View.Role.
type OwnedTrigger struct {
	ci.Trigger
	Owner   ci.User
	Project ci.Project
	Role    ci.Role
}

var triggerByDigest = `
	with recursive called (id, owner_id, project_id) as (
		select id, owner_id, project_id from triggers where digest = $1
	), above (id, parent_id) as (
		select ns.id, ns.parent_id from called join projects pr on pr.id = called.project_id join namespaces ns on ns.id = pr.namespace_id
		union all
		select ns.id, ns.parent_id from above join namespaces ns on ns.id = above.parent_id
	)
	select ` + triggerColumns + `, ` + renamed(userColumns, "u", "o") + `, ` + renamed(projectColumns, "p", "pr", "n", "ns") + `,
		coalesce((select max(role) from (
			select m.role from called join members m on m.user_id = called.owner_id and m.project_id = called.project_id and m.namespace_id = 0
			where m.expires_at = 0 or m.expires_at > $2
			union all
			select m.role from called join above on true
				join members m on m.user_id = called.owner_id and m.project_id = 0 and m.namespace_id = above.id
			where m.expires_at = 0 or m.expires_at > $2
		) as roles), 0),
		ns.kind = 'user' and ns.owner_id = t.owner_id
	from triggers t join users o on o.id = t.owner_id join projects pr on pr.id = t.project_id join namespaces ns on ns.id = pr.namespace_id
	where t.digest = $1`

// TriggerByDigest finds a trigger token by the keyed digest of its body. It
// leaves LastUsed empty: every trigger call goes through it.
func (v *View) TriggerByDigest(ctx context.Context, digest []byte) (OwnedTrigger, error) {
	return one(ctx, v, "trigger", func(s scanner, t *OwnedTrigger) error {
		var home bool // of the owner, who is above all members there
		places := append(triggerFields(&t.Trigger), userFields(&t.Owner)...)
		err := s.Scan(append(append(places, projectFields(&t.Project)...), &t.Role, &home)...)
		if home {
			t.Role = max(t.Role, ci.Owner)
		}
		return err
	}, triggerByDigest, digest, micros(v.now()))
}

// Triggers lists a project's trigger tokens with LastUsed, oldest first, and says
// how many there are in all.
func (v *View) Triggers(ctx context.Context, project ci.ProjectID, limit, offset int) ([]ci.Trigger, int, error) {
	var total int
	err := v.row(ctx, []any{&total}, `select count(*) from triggers where project_id = $1`, project)
	if err != nil {
		return nil, 0, fmt.Errorf("count triggers: %w", err)
	}
	triggers, err := list(ctx, v, "triggers", scanTriggerUse, `
		select `+triggerColumns+`, `+lastUsed+` from triggers t
		where t.project_id = $1 order by t.id limit $2 offset $3`, project, limit, offset)
	return triggers, total, err
}
