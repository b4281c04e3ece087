package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Protect adds a protection and returns it with its ID. It returns *Taken for
// "pattern" when the project has one of the same kind and pattern.
func (db *DB) Protect(ctx context.Context, p ci.Protection) (ci.Protection, error) {
	err := db.write(ctx, fmt.Sprintf("protect %q", p.Pattern), func(tx *Tx) error {
		return tx.Row([]any{&p.ID}, `
			insert into protections (project_id, tag, pattern, push_level, merge_level, force_push)
			values ($1, $2, $3, $4, $5, $6) returning id`,
			p.ProjectID, p.Tag, p.Pattern, p.PushLevel, p.MergeLevel, p.ForcePush)
	})
	return p, err
}

// UpdateProtection writes the levels of the protection with the same project,
// kind and pattern.
func (db *DB) UpdateProtection(ctx context.Context, p ci.Protection) error {
	return db.write(ctx, fmt.Sprintf("update protection of %q", p.Pattern), func(tx *Tx) error {
		return tx.must(`
			update protections set push_level = $4, merge_level = $5, force_push = $6
			where project_id = $1 and tag = $2 and pattern = $3`,
			p.ProjectID, p.Tag, p.Pattern, p.PushLevel, p.MergeLevel, p.ForcePush)
	})
}

// Unprotect removes a protection.
func (db *DB) Unprotect(ctx context.Context, project ci.ProjectID, tag bool, pattern string) error {
	return db.write(ctx, fmt.Sprintf("unprotect %q", pattern), func(tx *Tx) error {
		return tx.must(`delete from protections where project_id = $1 and tag = $2 and pattern = $3`, project, tag, pattern)
	})
}

// Protections lists those of a project, branches first, in the order of creation.
func (v *View) Protections(ctx context.Context, project ci.ProjectID) ([]ci.Protection, error) {
	return list(ctx, v, "protections", func(s scanner, p *ci.Protection) error {
		return s.Scan(&p.ID, &p.ProjectID, &p.Tag, &p.Pattern, &p.PushLevel, &p.MergeLevel, &p.ForcePush)
	}, `
		select id, project_id, tag, pattern, push_level, merge_level, force_push
		from protections where project_id = $1 order by tag, id`, project)
}
