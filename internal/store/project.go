package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// projectColumns is what scanProject reads, of the tables in projectTables.
const (
	projectColumns = `p.id, p.namespace_id, n.kind, p.name, p.path, p.full_path, p.description, p.visibility, p.default_branch,
		p.creator_id, p.created_at, p.updated_at, p.archived, p.settings`
	projectTables = `projects p join namespaces n on n.id = p.namespace_id`
)

// projectFields gives the places for projectColumns.
func projectFields(p *ci.Project) []any {
	return []any{&p.ID, &p.NamespaceID, &p.NamespaceKind, &p.Name, &p.Path, &p.FullPath, &p.Description, &p.Visibility, &p.DefaultBranch,
		&p.CreatorID, at(&p.CreatedAt), at(&p.UpdatedAt), &p.Archived, document{&p.ProjectSettings}}
}

func scanProject(s scanner, p *ci.Project) error { return s.Scan(projectFields(p)...) }

// CreateProject adds a project with its first member, whose ProjectID is filled
// in; owner may be nil. It returns *Taken for "path". A redirect from the same
// path ends.
func (db *DB) CreateProject(ctx context.Context, p ci.Project, owner *ci.Member) (ci.Project, error) {
	p.CreatedAt, p.UpdatedAt = stored(p.CreatedAt), stored(p.UpdatedAt)
	settings := text(p.ProjectSettings)
	err := db.write(ctx, fmt.Sprintf("create project %q", p.FullPath), func(tx *Tx) error {
		if err := noNamespaceAt(tx, p.FullPath); err != nil {
			return err
		}
		err := tx.Row([]any{&p.ID}, `
			insert into projects (namespace_id, name, path, full_path, description, visibility, default_branch,
				creator_id, archived, settings, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id`,
			p.NamespaceID, p.Name, p.Path, p.FullPath, p.Description, p.Visibility, p.DefaultBranch,
			p.CreatorID, p.Archived, settings, micros(p.CreatedAt), micros(p.UpdatedAt))
		if err != nil {
			return err
		}
		for _, query := range []string{
			`insert into project_iids (project_id, last_iid) values ($1, 0)`,
			`insert into project_running (project_id, running) values ($1, 0)`,
		} {
			if err := tx.exec(query, p.ID); err != nil {
				return err
			}
		}
		if err := tx.exec(`delete from redirects where path = $1`, folded(p.FullPath)); err != nil || owner == nil {
			return err
		}
		member := *owner
		member.ProjectID, member.NamespaceID = p.ID, 0
		return setMember(tx, member)
	})
	if err != nil {
		return ci.Project{}, err
	}
	return db.view.Project(context.WithoutCancel(ctx), p.ID)
}

// UpdateProject writes everything of a project but its creator and creation time.
// When the full path changes, the old one becomes a redirect.
func (db *DB) UpdateProject(ctx context.Context, p ci.Project) error {
	settings := text(p.ProjectSettings)
	return db.write(ctx, fmt.Sprintf("update project %d", p.ID), func(tx *Tx) error {
		var old string
		if err := tx.Row([]any{&old}, `select full_path from projects where id = $1`, p.ID); err != nil {
			return notFound(err)
		}
		if err := noNamespaceAt(tx, p.FullPath); err != nil {
			return err
		}
		err := tx.exec(`
			update projects set namespace_id = $2, name = $3, path = $4, full_path = $5, description = $6, visibility = $7,
				default_branch = $8, archived = $9, settings = $10, updated_at = $11 where id = $1`,
			p.ID, p.NamespaceID, p.Name, p.Path, p.FullPath, p.Description, p.Visibility,
			p.DefaultBranch, p.Archived, settings, micros(p.UpdatedAt))
		if err != nil || old == p.FullPath {
			return err
		}
		err = tx.exec(`
			insert into redirects (path, project_id) values ($1, $2)
			on conflict (path) do update set project_id = excluded.project_id`, folded(old), p.ID)
		if err != nil {
			return err
		}
		return tx.exec(`delete from redirects where path = $1`, folded(p.FullPath))
	})
}

// Project reads one project.
func (v *View) Project(ctx context.Context, id ci.ProjectID) (ci.Project, error) {
	return one(ctx, v, "project", scanProject, `select `+projectColumns+` from `+projectTables+` where p.id = $1`, id)
}

// ProjectByPath reads the project with this full path, in any case.
func (v *View) ProjectByPath(ctx context.Context, fullPath string) (ci.Project, error) {
	return one(ctx, v, "project", scanProject,
		`select `+projectColumns+` from `+projectTables+` where lower(p.full_path) = $1`, folded(fullPath))
}

// Redirected reads the project that had this full path before, in any case.
func (v *View) Redirected(ctx context.Context, path string) (ci.Project, error) {
	return one(ctx, v, "project", scanProject, `
		select `+projectColumns+` from `+projectTables+` join redirects r on r.project_id = p.id
		where r.path = $1`, folded(path))
}

// ProjectIDs lists all projects.
func (v *View) ProjectIDs(ctx context.Context) ([]ci.ProjectID, error) {
	return list(ctx, v, "projects", scanInto[ci.ProjectID], `select id from projects order by id`)
}
