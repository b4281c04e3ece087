package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Roles is Role for several projects, in one statement. Projects where the user
// has none are not in the map.
func (v *View) Roles(ctx context.Context, user ci.UserID, projects []ci.ProjectID) (map[ci.ProjectID]ci.Role, error) {
	roles := make(map[ci.ProjectID]ci.Role)
	rows, err := v.query(ctx, `
		with recursive up (project_id, id, parent_id) as (
			select p.id, n.id, n.parent_id from projects p join namespaces n on n.id = p.namespace_id where p.id in {ints $2}
			union all
			select up.project_id, n.id, n.parent_id from up join namespaces n on n.id = up.parent_id
		)
		select project_id, max(role) from (
			select m.project_id, m.role from members m
			where m.user_id = $1 and m.project_id in {ints $2} and m.namespace_id = 0 and (m.expires_at = 0 or m.expires_at > $3)
			union all
			select up.project_id, m.role from up join members m on m.user_id = $1 and m.project_id = 0 and m.namespace_id = up.id
			where m.expires_at = 0 or m.expires_at > $3
			union all
			select p.id, 50 from projects p join namespaces n on n.id = p.namespace_id
			where p.id in {ints $2} and n.kind = 'user' and n.owner_id = $1
		) as roles group by project_id`, user, integers(projects), micros(v.now()))
	if err == nil {
		err = each(rows, func(s scanner) error {
			var id ci.ProjectID
			var role ci.Role
			err := s.Scan(&id, &role)
			roles[id] = role
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read roles of user %d: %w", user, err)
	}
	return roles, nil
}
