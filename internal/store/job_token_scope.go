package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// AllowJobToken lets the job tokens of another project, or of all projects below a
// group, act on project; one of the two sources is zero. Doing it again changes
// nothing.
func (db *DB) AllowJobToken(ctx context.Context, project, source ci.ProjectID, group ci.NamespaceID) error {
	return db.write(ctx, fmt.Sprintf("allow job token in project %d", project), func(tx *Tx) error {
		return tx.exec(`
			insert into job_token_allowlist (project_id, source_project_id, source_namespace_id)
			values ($1, $2, $3) on conflict do nothing`, project, source, group)
	})
}

// DisallowJobToken takes that back.
func (db *DB) DisallowJobToken(ctx context.Context, project, source ci.ProjectID, group ci.NamespaceID) error {
	return db.write(ctx, fmt.Sprintf("disallow job token in project %d", project), func(tx *Tx) error {
		return tx.must(`
			delete from job_token_allowlist
			where project_id = $1 and source_project_id = $2 and source_namespace_id = $3`, project, source, group)
	})
}

// JobTokenAllowlist lists the projects and groups whose job tokens may act on
// project. The project itself, which always may, is not among them unless it was
// added.
func (v *View) JobTokenAllowlist(ctx context.Context, project ci.ProjectID) ([]ci.ProjectID, []ci.NamespaceID, error) {
	projects, groups := []ci.ProjectID{}, []ci.NamespaceID{}
	rows, err := v.query(ctx, `
		select source_project_id, source_namespace_id from job_token_allowlist
		where project_id = $1 order by source_project_id, source_namespace_id`, project)
	if err == nil {
		err = each(rows, func(s scanner) error {
			var source ci.ProjectID
			var group ci.NamespaceID
			if err := s.Scan(&source, &group); err != nil {
				return err
			}
			if source != 0 {
				projects = append(projects, source)
			} else {
				groups = append(groups, group)
			}
			return nil
		})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list job token allowlist of project %d: %w", project, err)
	}
	return projects, groups, nil
}

// JobTokenAllowed reports whether target lists source, or a group that source is
// in at any depth, or is source itself. Whether target limits job tokens at all is
// one of its settings and not looked at.
func (v *View) JobTokenAllowed(ctx context.Context, target, source ci.Project) (bool, error) {
	if target.ID == source.ID {
		return true, nil
	}
	var allowed bool
	err := v.row(ctx, []any{&allowed}, `
		with recursive up (id, parent_id) as (
			select id, parent_id from namespaces where id = $3
			union all
			select n.id, n.parent_id from up join namespaces n on n.id = up.parent_id
		)
		select exists (
			select 1 from job_token_allowlist a where a.project_id = $1
				and (a.source_project_id = $2 or a.source_namespace_id in (select id from up)))`,
		target.ID, source.ID, source.NamespaceID)
	return allowed, wrap(fmt.Sprintf("read job token allowlist of project %d", target.ID), err)
}
