package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// below gives a group and all groups in it, at any depth. The $ stands for its id.
const below = `with recursive down (id) as (
		select n.id from namespaces n where n.id = $
		union
		select n.id from down join namespaces n on n.parent_id = down.id
	) select id from down`

// inside is below for a query whose first argument is the group.
var inside = strings.Replace(below, "$", "$1", 1)

// A GroupFilter narrows a list of groups to those that a user may see. Zero fields
// do not.
type GroupFilter struct {
	UserID     ci.UserID // zero: nobody, who sees public groups
	Admin      bool      // sees all
	Membership bool      // only those where the user is a member, or of a group above
	MinRole    ci.Role   // with Membership: only those where the user has this role or a higher one
	Search     string    // part of the full path or name, in any case
	Visibility ci.Visibility
	TopLevel   bool           // only those in no other group
	ParentID   ci.NamespaceID // only those in it
	Below      bool           // with ParentID: at any depth
	OrderBy    string         // name (default), path, id, created_at
	Sort       string         // desc (default) or asc
	Limit      int            // 0: all
	Offset     int
}

// Groups lists the groups that the user of the filter may see and says how many
// match.
func (v *View) Groups(ctx context.Context, f GroupFilter) ([]ci.Namespace, int, error) {
	order, err := sorted(f.OrderBy, f.Sort, "n.id", map[string]string{
		"": "lower(n.name)", "name": "lower(n.name)", "path": "lower(n.full_path)", "id": "n.id", "created_at": "n.created_at",
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list groups: %w", err)
	}
	return page(ctx, v, "groups", scanNamespace, f.where(micros(v.now())), namespaceColumns, `namespaces n`, order, f.Limit, f.Offset)
}

// where gives the conditions.
func (f *GroupFilter) where(now int64) *filter {
	const member = `n.id in (` + memberOf + `)`
	args := []any{f.UserID, f.MinRole, now, f.UserID}
	q := new(filter)
	q.and(`n.kind = 'group'`)
	switch {
	case f.Membership:
		q.and(member, args...)
	case f.Admin:
	case f.UserID == 0:
		q.and(`n.visibility = 'public'`)
	default:
		q.and(`(n.visibility in ('public', 'internal') or `+member+`)`, args...)
	}
	if f.Search != "" {
		q.and(`(lower(n.full_path) like $ escape '\' or lower(n.name) like $ escape '\')`, contains(f.Search), contains(f.Search))
	}
	if f.Visibility != "" {
		q.and(`n.visibility = $`, f.Visibility)
	}
	switch {
	case f.ParentID != 0 && f.Below:
		q.and(`n.id <> $ and n.id in (`+below+`)`, f.ParentID, f.ParentID)
	case f.ParentID != 0:
		q.and(`n.parent_id = $`, f.ParentID)
	case f.TopLevel:
		q.and(`n.parent_id = 0`)
	}
	return q
}

// UpdateGroup writes name, path, full path, description, visibility and parent of a
// group. When the full path changes, everything below gets its new path, and the
// projects leave redirects. It returns *Taken for "path".
func (db *DB) UpdateGroup(ctx context.Context, g ci.Namespace) error {
	return db.write(ctx, fmt.Sprintf("update group %d", g.ID), func(tx *Tx) error {
		var old string
		if err := tx.Row([]any{&old}, `select full_path from namespaces where id = $1 and kind = 'group'`, g.ID); err != nil {
			return notFound(err)
		}
		if err := noProjectAt(tx, g.FullPath); err != nil {
			return err
		}
		err := tx.exec(`
			update namespaces set name = $2, path = $3, full_path = $4, description = $5, visibility = $6, parent_id = $7 where id = $1`,
			g.ID, g.Name, g.Path, g.FullPath, g.Description, g.Visibility, g.ParentID)
		if err != nil || old == g.FullPath {
			return err
		}
		if err := tx.exec(newVariables); err != nil { // they name their group, and come from the groups above
			return err
		}
		return moveBelow(tx, g.ID, old, g.FullPath)
	})
}

// moveBelow gives all that is in a group the path that follows from the group's.
func moveBelow(tx *Tx, group ci.NamespaceID, old, path string) error {
	err := tx.exec(`
		update namespaces set full_path = $3 || substr(full_path, length($2) + 1)
		where id <> $1 and id in (`+inside+`)`, group, old, path)
	if err != nil {
		return err
	}
	err = tx.exec(`
		insert into redirects (path, project_id)
		select lower(full_path), id from projects where namespace_id in (`+inside+`)
		on conflict (path) do update set project_id = excluded.project_id`, group)
	if err != nil {
		return err
	}
	err = tx.exec(`
		update projects set full_path = $3 || substr(full_path, length($2) + 1)
		where namespace_id in (`+inside+`)`, group, old, path)
	if err != nil {
		return err
	}
	return tx.exec(`delete from redirects where path in (
		select lower(full_path) from projects where namespace_id in (`+inside+`))`, group)
}

// DeleteGroup removes a group with the groups below it, their members, runners and
// places on allow-lists. Projects must be gone before: one that is left is
// *ci.Error of kind ci.KindConflict.
func (db *DB) DeleteGroup(ctx context.Context, id ci.NamespaceID) error {
	return db.write(ctx, fmt.Sprintf("delete group %d", id), func(tx *Tx) error {
		var ids []ci.NamespaceID
		rows, err := tx.Query(`select id from namespaces where kind = 'group' and id in (`+inside+`)`, id)
		if err != nil {
			return err
		}
		err = each(rows, func(s scanner) error {
			var id ci.NamespaceID
			err := s.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return ci.NoRecord()
		}
		return deleteGroups(tx, integers(ids))
	})
}

// deleteGroups removes empty groups.
func deleteGroups(tx *Tx, groups intList) error {
	var projects int
	err := tx.Row([]any{&projects}, `select count(*) from projects where namespace_id in {ints $1}`, groups)
	if err != nil {
		return err
	}
	if projects > 0 {
		return ci.Conflict("The group is not empty")
	}
	for _, query := range []string{
		`delete from members where namespace_id in {ints $1} and namespace_id <> 0`,
		`delete from job_token_allowlist where source_namespace_id in {ints $1} and source_namespace_id <> 0`,
		`delete from runners where namespace_id in {ints $1} and namespace_id <> 0`,
		`delete from namespaces where id in {ints $1}`,
	} {
		if err := tx.exec(query, groups); err != nil {
			return err
		}
	}
	return nil
}
