package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A ProjectFilter narrows a list of projects to those that a user may see. Zero
// fields do not.
type ProjectFilter struct {
	UserID     ci.UserID // zero: nobody, who sees public projects
	Admin      bool      // sees all
	Membership bool      // only those where the user is a member, or owner of the namespace
	MinRole    ci.Role   // with Membership: only those where the user has this role or a higher one
	Search     string    // part of the full path or name, in any case
	Visibility ci.Visibility
	Archived   *bool
	Namespace  ci.NamespaceID // only those in it
	Below      bool           // with Namespace: also those in the groups below it
	OrderBy    string         // id (default), name, path, created_at, updated_at
	Sort       string         // desc (default) or asc
	Limit      int            // 0: all
	Offset     int
}

// Projects lists the projects that the user of the filter may see and says how many
// match.
func (v *View) Projects(ctx context.Context, f ProjectFilter) ([]ci.Project, int, error) {
	order, err := sorted(f.OrderBy, f.Sort, "p.id", map[string]string{
		"": "p.id", "id": "p.id", "name": "lower(p.name)", "path": "lower(p.path)", "created_at": "p.created_at", "updated_at": "p.updated_at",
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list projects: %w", err)
	}
	return page(ctx, v, "projects", scanProject, f.where(micros(v.now())), projectColumns, projectTables, order, f.Limit, f.Offset)
}

// where gives the conditions.
func (f *ProjectFilter) where(now int64) *filter {
	const member = `(p.namespace_id in (` + memberOf + `) or exists (select 1 from members m
		where m.project_id = p.id and m.project_id <> 0 and m.user_id = $ and m.role >= $ and (m.expires_at = 0 or m.expires_at > $)))`
	args := []any{f.UserID, f.MinRole, now, f.UserID, f.UserID, f.MinRole, now}
	q := new(filter)
	switch {
	case f.Membership:
		q.and(member, args...)
	case f.Admin:
	case f.UserID == 0:
		q.and(`p.visibility = 'public'`)
	default:
		q.and(`(p.visibility in ('public', 'internal') or `+member+`)`, args...)
	}
	if f.Search != "" {
		q.and(`(lower(p.full_path) like $ escape '\' or lower(p.name) like $ escape '\')`, contains(f.Search), contains(f.Search))
	}
	if f.Visibility != "" {
		q.and(`p.visibility = $`, f.Visibility)
	}
	if f.Archived != nil {
		q.and(`p.archived = $`, *f.Archived)
	}
	switch {
	case f.Namespace == 0:
	case f.Below:
		q.and(`p.namespace_id in (`+below+`)`, f.Namespace)
	default:
		q.and(`p.namespace_id = $`, f.Namespace)
	}
	return q
}

// sorted gives the order of a list: words maps what callers say to columns, and key
// decides among equals. Other words are an error.
func sorted(by, direction, key string, words map[string]string) (string, error) {
	column, ok := words[by]
	if !ok || direction != "" && direction != "asc" && direction != "desc" {
		return "", fmt.Errorf("unknown order %q %q", by, direction)
	}
	if direction == "" {
		direction = "desc"
	}
	if column == key {
		return key + " " + direction, nil
	}
	return column + " " + direction + ", " + key + " " + direction, nil
}
