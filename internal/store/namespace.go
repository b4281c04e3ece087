package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// namespaceColumns is what scanNamespace reads, of a table named n.
const namespaceColumns = `n.id, n.kind, n.name, n.path, n.full_path, n.parent_id, n.owner_id, n.visibility, n.created_at, n.description`

func scanNamespace(s scanner, n *ci.Namespace) error {
	return s.Scan(&n.ID, &n.Kind, &n.Name, &n.Path, &n.FullPath, &n.ParentID, &n.OwnerID, &n.Visibility, at(&n.CreatedAt), &n.Description)
}

// insertNamespace adds a namespace and fills its ID.
func insertNamespace(tx *Tx, n *ci.Namespace) error {
	if err := noProjectAt(tx, n.FullPath); err != nil {
		return err
	}
	return tx.Row([]any{&n.ID}, `
		insert into namespaces (kind, name, path, full_path, parent_id, owner_id, visibility, created_at, description)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id`,
		n.Kind, n.Name, n.Path, n.FullPath, n.ParentID, n.OwnerID, n.Visibility, micros(n.CreatedAt), n.Description)
}

// noProjectAt refuses, with *Taken, a full path that a project has: projects and
// namespaces share one address space, which no index of one table can see.
func noProjectAt(tx *Tx, fullPath string) error {
	return notAt(tx, `select count(*) from projects where lower(full_path) = $1`, folded(fullPath))
}

// noNamespaceAt is noProjectAt the other way round.
func noNamespaceAt(tx *Tx, fullPath string) error {
	return notAt(tx, `select count(*) from namespaces where lower(full_path) = $1`, folded(fullPath))
}

func notAt(tx *Tx, count, fullPath string) error {
	var n int
	if err := tx.Row([]any{&n}, count, fullPath); err != nil {
		return err
	}
	if n > 0 {
		return &Taken{Field: "path"}
	}
	return nil
}

// CreateNamespace adds a namespace with its first member, whose NamespaceID is
// filled in; owner may be nil. It returns *Taken for "path".
func (db *DB) CreateNamespace(ctx context.Context, n ci.Namespace, owner *ci.Member) (ci.Namespace, error) {
	n.CreatedAt = stored(n.CreatedAt)
	err := db.write(ctx, fmt.Sprintf("create namespace %q", n.FullPath), func(tx *Tx) error {
		if err := insertNamespace(tx, &n); err != nil || owner == nil {
			return err
		}
		member := *owner
		member.ProjectID, member.NamespaceID = 0, n.ID
		return setMember(tx, member)
	})
	return n, err
}

// Namespace reads one namespace.
func (v *View) Namespace(ctx context.Context, id ci.NamespaceID) (ci.Namespace, error) {
	return one(ctx, v, "namespace", scanNamespace, `select `+namespaceColumns+` from namespaces n where n.id = $1`, id)
}

// NamespaceByPath reads the namespace with this full path, in any case.
func (v *View) NamespaceByPath(ctx context.Context, fullPath string) (ci.Namespace, error) {
	return one(ctx, v, "namespace", scanNamespace,
		`select `+namespaceColumns+` from namespaces n where lower(n.full_path) = $1`, folded(fullPath))
}

// memberOf gives the namespaces in which a user has a role or a higher one: the
// user's own, and the groups of which the user is such a member, with all below
// them. The four $ stand for the user, the role, the time now and the user again.
const memberOf = `with recursive mine (id) as (
		select m.namespace_id from members m
		where m.user_id = $ and m.role >= $ and m.namespace_id <> 0 and (m.expires_at = 0 or m.expires_at > $)
		union
		select n.id from namespaces n where n.kind = 'user' and n.owner_id = $
		union
		select n.id from mine join namespaces n on n.parent_id = mine.id
	) select id from mine`

// NamespacesOf lists the namespaces that a user belongs to (an administrator:
// all), by full path, and says how many match. search is part of a path or name,
// in any case.
func (v *View) NamespacesOf(ctx context.Context, user ci.UserID, admin bool, search string, limit, offset int) ([]ci.Namespace, int, error) {
	var q filter
	if !admin {
		q.and(`n.id in (`+memberOf+`)`, user, ci.NoRole, micros(v.now()), user)
	}
	if search != "" {
		q.and(`(lower(n.full_path) like $ escape '\' or lower(n.name) like $ escape '\')`, contains(search), contains(search))
	}
	return page(ctx, v, "namespaces", scanNamespace, &q, namespaceColumns, `namespaces n`, `lower(n.full_path)`, limit, offset)
}

// Ancestors gives the ids of a namespace and of the groups above it, the
// namespace itself first.
func (v *View) Ancestors(ctx context.Context, id ci.NamespaceID) ([]ci.NamespaceID, error) {
	return list(ctx, v, "ancestors", scanInto[ci.NamespaceID], `
		with recursive up (id, parent_id, depth) as (
			select id, parent_id, 0 from namespaces where id = $1
			union all
			select n.id, n.parent_id, up.depth + 1 from up join namespaces n on n.id = up.parent_id
		) select id from up order by depth`, id)
}
