package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// MemberOf is what somebody is a member of: a project or a group. The other one is
// zero.
type MemberOf struct {
	Project ci.Project
	Group   ci.Namespace
}

// id is the pair of ids under which memberships are kept; one of them is zero.
func (of MemberOf) id() (ci.ProjectID, ci.NamespaceID) { return of.Project.ID, of.Group.ID }

// parent is the group whose members are members here too; zero when there is none.
func (of MemberOf) parent() ci.NamespaceID {
	if of.Project.ID == 0 {
		return of.Group.ParentID
	}
	if of.Project.NamespaceKind == ci.GroupNamespace {
		return of.Project.NamespaceID
	}
	return 0
}

// A NewMember says who becomes a member as what.
type NewMember struct {
	UserID    ci.UserID
	Role      ci.Role
	ExpiresAt time.Time // a day; zero: never
}

// AddMember makes a user a member of a project or group. GitLab's Members API,
// "Add a member". Errors: ci.KindForbidden for callers who may not, or not give
// this role; ci.KindNotFound for an unknown user; ci.KindConflict for somebody who
// is a member already.
func (e *Engine) AddMember(ctx context.Context, c Caller, of MemberOf, n NewMember) (ci.Member, error) {
	own, err := e.memberAdmin(ctx, c, of)
	if err != nil {
		return ci.Member{}, err
	}
	if _, err := e.view.User(ctx, n.UserID); ci.IsNotFound(err) {
		return ci.Member{}, ci.NotFound("User")
	} else if err != nil {
		return ci.Member{}, err
	}
	project, group := of.id()
	old, err := e.view.Member(ctx, n.UserID, project, group)
	switch {
	case err == nil && !e.expired(old):
		return ci.Member{}, ci.Conflict("Member already exists")
	case err != nil && !ci.IsNotFound(err):
		return ci.Member{}, err
	}
	return e.setMember(ctx, own, of, n, e.now())
}

// UpdateMember changes role and expiry of a member. Errors: ci.KindNotFound for
// somebody who is none.
func (e *Engine) UpdateMember(ctx context.Context, c Caller, of MemberOf, n NewMember) (ci.Member, error) {
	own, err := e.memberAdmin(ctx, c, of)
	if err != nil {
		return ci.Member{}, err
	}
	old, err := e.member(ctx, of, n.UserID)
	if err != nil {
		return ci.Member{}, err
	}
	if old.Role > own {
		return ci.Member{}, ci.Forbidden("")
	}
	if n.Role != ci.Owner {
		if err := e.keepsOwner(ctx, of, old); err != nil {
			return ci.Member{}, err
		}
	}
	return e.setMember(ctx, own, of, n, old.CreatedAt)
}

// RemoveMember ends a membership. Everybody may leave; others are removed by those
// who could have added them.
func (e *Engine) RemoveMember(ctx context.Context, c Caller, of MemberOf, user ci.UserID) error {
	own := ci.Admin
	if c.Anonymous() || c.User.ID != user {
		var err error
		if own, err = e.memberAdmin(ctx, c, of); err != nil {
			return err
		}
	}
	old, err := e.member(ctx, of, user)
	if err != nil {
		return err
	}
	if old.Role > own {
		return ci.Forbidden("")
	}
	if err := e.keepsOwner(ctx, of, old); err != nil {
		return err
	}
	project, group := of.id()
	return e.store.RemoveMember(ctx, user, project, group)
}

// setMember checks what is given and writes it. own is the caller's role: nobody
// gives more than they have.
func (e *Engine) setMember(ctx context.Context, own ci.Role, of MemberOf, n NewMember, created time.Time) (ci.Member, error) {
	switch {
	case !n.Role.Valid():
		return ci.Member{}, ci.Invalid("access_level", "is not included in the list")
	case n.Role > own:
		return ci.Member{}, ci.Forbidden("")
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(e.now()):
		return ci.Member{}, ci.Invalid("expires_at", "cannot be a date in the past")
	}
	if err := e.aboveInherited(ctx, of, n); err != nil {
		return ci.Member{}, err
	}
	project, group := of.id()
	member := ci.Member{
		UserID: n.UserID, ProjectID: project, NamespaceID: group, Role: n.Role, ExpiresAt: n.ExpiresAt, CreatedAt: created,
	}
	if err := e.store.SetMember(ctx, member); err != nil {
		return ci.Member{}, fmt.Errorf("set member %d: %w", n.UserID, err)
	}
	return member, nil
}

// aboveInherited refuses a role below the one that the user has from a group above.
func (e *Engine) aboveInherited(ctx context.Context, of MemberOf, n NewMember) error {
	parent := of.parent()
	if parent == 0 {
		return nil
	}
	inherited, err := e.view.Role(ctx, n.UserID, ci.Project{NamespaceID: parent, NamespaceKind: ci.GroupNamespace})
	if err != nil || inherited <= n.Role {
		return err
	}
	group, err := e.view.Namespace(ctx, parent)
	if err != nil {
		return err
	}
	return ci.Invalid("access_level", fmt.Sprintf("should be greater than or equal to %s inherited membership from group %s", inherited.Title(), group.Name))
}

// keepsOwner refuses to take the last owner from a group that has none above.
func (e *Engine) keepsOwner(ctx context.Context, of MemberOf, leaving ci.Member) error {
	if of.Group.ID == 0 || of.Group.ParentID != 0 || leaving.Role != ci.Owner {
		return nil
	}
	members, _, err := e.view.Members(ctx, 0, of.Group.ID, 0, 0)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.UserID != leaving.UserID && m.Role == ci.Owner && !e.expired(m) {
			return nil
		}
	}
	return ci.Forbidden("")
}

// memberAdmin checks that the caller may change members and gives the highest role
// that they may give or take.
func (e *Engine) memberAdmin(ctx context.Context, c Caller, of MemberOf) (ci.Role, error) {
	if of.Project.ID == 0 {
		return ci.Owner, e.AuthorizeGroup(ctx, c, of.Group, auth.AdminGroupMembers)
	}
	actor, err := e.Authorize(ctx, c, of.Project, auth.AdminMembers)
	if err != nil {
		return ci.NoRole, err
	}
	if actor.User.Admin {
		return ci.Owner, nil
	}
	return actor.Role, nil
}

// member reads a membership that counts.
func (e *Engine) member(ctx context.Context, of MemberOf, user ci.UserID) (ci.Member, error) {
	project, group := of.id()
	m, err := e.view.Member(ctx, user, project, group)
	if err == nil && e.expired(m) {
		return ci.Member{}, ci.NoRecord()
	}
	return m, err
}

// expired reports whether a membership is over.
func (e *Engine) expired(m ci.Member) bool {
	return !m.ExpiresAt.IsZero() && !m.ExpiresAt.After(e.now())
}

// Members lists the members of a project or group itself and, when inherited is
// true, of the groups above it: each user once, with the highest role, in the order
// of their ids. Memberships that are over are not among them.
func (e *Engine) Members(ctx context.Context, of MemberOf, inherited bool) ([]ci.Member, error) {
	project, group := of.id()
	found, _, err := e.view.Members(ctx, project, group, 0, 0)
	if err != nil {
		return nil, err
	}
	if inherited && of.parent() != 0 {
		above, err := e.view.Ancestors(ctx, of.parent())
		if err != nil {
			return nil, err
		}
		for _, id := range above {
			more, _, err := e.view.Members(ctx, 0, id, 0, 0)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return e.highest(found), nil
}

// highest drops what does not count and keeps the best membership of each user.
func (e *Engine) highest(found []ci.Member) []ci.Member {
	best := map[ci.UserID]ci.Member{}
	for _, m := range found {
		if old, ok := best[m.UserID]; !e.expired(m) && (!ok || m.Role > old.Role) {
			best[m.UserID] = m
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b ci.Member) int { return cmp.Compare(a.UserID, b.UserID) })
}
