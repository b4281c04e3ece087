package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

const memberColumns = `m.user_id, m.project_id, m.namespace_id, m.role, m.expires_at, m.created_at`

func scanMember(s scanner, m *ci.Member) error {
	return s.Scan(&m.UserID, &m.ProjectID, &m.NamespaceID, &m.Role, at(&m.ExpiresAt), at(&m.CreatedAt))
}

// setMember adds a membership, or changes the role and expiry of one.
func setMember(tx *Tx, m ci.Member) error {
	return tx.exec(`
		insert into members (user_id, project_id, namespace_id, role, expires_at, created_at)
		values ($1, $2, $3, $4, $5, $6)
		on conflict (user_id, project_id, namespace_id) do update
		set role = excluded.role, expires_at = excluded.expires_at`,
		m.UserID, m.ProjectID, m.NamespaceID, m.Role, micros(m.ExpiresAt), micros(m.CreatedAt))
}

// SetMember adds a membership of a project or a group (one of the two ids is
// zero), or changes the role and expiry of one.
func (db *DB) SetMember(ctx context.Context, m ci.Member) error {
	return db.write(ctx, fmt.Sprintf("set member %d", m.UserID), func(tx *Tx) error { return setMember(tx, m) })
}

// RemoveMember ends a membership of a project or a group (one of the two is zero).
func (db *DB) RemoveMember(ctx context.Context, user ci.UserID, project ci.ProjectID, namespace ci.NamespaceID) error {
	return db.write(ctx, fmt.Sprintf("remove member %d", user), func(tx *Tx) error {
		return tx.must(`delete from members where user_id = $1 and project_id = $2 and namespace_id = $3`, user, project, namespace)
	})
}

// Member reads the membership of a project or a group itself (one of the two is
// zero), expired or not.
func (v *View) Member(ctx context.Context, user ci.UserID, project ci.ProjectID, namespace ci.NamespaceID) (ci.Member, error) {
	return one(ctx, v, "member", scanMember, `
		select `+memberColumns+` from members m
		where m.user_id = $1 and m.project_id = $2 and m.namespace_id = $3`, user, project, namespace)
}

// Members lists the memberships of a project or a group itself (one of the two is
// zero), by user, and says how many there are. Those of groups above are not
// among them.
func (v *View) Members(ctx context.Context, project ci.ProjectID, namespace ci.NamespaceID, limit, offset int) ([]ci.Member, int, error) {
	var q filter
	if project != 0 {
		q.and(`m.project_id = $ and m.project_id <> 0`, project)
	} else {
		q.and(`m.namespace_id = $ and m.namespace_id <> 0`, namespace)
	}
	return page(ctx, v, "members", scanMember, &q, memberColumns, `members m`, `m.user_id`, limit, offset)
}

// Role gives the highest role of a user in a project: by membership of the
// project, of its group or a group above, or as the owner of the user namespace
// that it is in. Memberships that have expired do not count. It takes one
// statement.
func (v *View) Role(ctx context.Context, user ci.UserID, project ci.Project) (ci.Role, error) {
	var role ci.Role
	err := v.row(ctx, []any{&role}, `
		with recursive up (id, parent_id) as (
			select id, parent_id from namespaces where id = $3
			union all
			select n.id, n.parent_id from up join namespaces n on n.id = up.parent_id
		)
		select coalesce(max(role), 0) from (
			select m.role from members m
			where m.user_id = $1 and m.project_id = $2 and m.namespace_id = 0 and (m.expires_at = 0 or m.expires_at > $4)
			union all
			select m.role from up join members m on m.user_id = $1 and m.project_id = 0 and m.namespace_id = up.id
			where m.expires_at = 0 or m.expires_at > $4
			union all
			select 50 from namespaces where id = $3 and kind = 'user' and owner_id = $1
		) as roles`, user, project.ID, project.NamespaceID, micros(v.now()))
	if err != nil {
		return ci.NoRole, fmt.Errorf("read role of user %d in project %d: %w", user, project.ID, err)
	}
	return role, nil
}
