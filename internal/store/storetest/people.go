package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// NewGroup adds a group, below parent if there is one.
func NewGroup(tb testing.TB, db *store.DB, path string, parent *ci.Namespace) ci.Namespace {
	tb.Helper()
	group := ci.Namespace{Kind: ci.GroupNamespace, Name: path, Path: path, FullPath: path, Visibility: ci.Private, CreatedAt: Epoch}
	if parent != nil {
		group.ParentID, group.FullPath = parent.ID, parent.FullPath+"/"+path
	}
	group, err := db.CreateNamespace(tb.Context(), group, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return group
}

func testUsers(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	u, home, err := db.CreateUser(ctx,
		ci.User{Username: "Maya", Name: "Maya M", Email: "maya@example.com", PublicEmail: "m@example.com", State: ci.UserBlocked, Admin: true, PasswordHash: "h", CreatedAt: Epoch},
		ci.Namespace{Kind: ci.UserNamespace, Path: "Maya", FullPath: "Maya", Visibility: ci.Public, CreatedAt: Epoch})
	ok(t, err)
	same(t, "user", must(v.User(ctx, u.ID))(t), u)
	same(t, "by name", must(v.UserByName(ctx, "mAYA"))(t), u)
	same(t, "by e-mail", must(v.UserByEmail(ctx, "Maya@Example.com"))(t), u)
	same(t, "home", must(v.Namespace(ctx, home.ID))(t), home)
	if home.OwnerID != u.ID {
		t.Errorf("owner of the namespace: got %d, want %d", home.OwnerID, u.ID)
	}
	for _, c := range []struct{ username, email, path, field string }{
		{"maya", "other@example.com", "other", "username"}, {"other", "MAYA@example.com", "other", "email"}, {"other", "other@example.com", "maya", "path"},
	} {
		_, _, err := db.CreateUser(ctx, ci.User{Username: c.username, Email: c.email}, ci.Namespace{FullPath: c.path})
		taken(t, c.field, err, c.field)
	}
	if n := must(v.CountUsers(ctx))(t); n != 1 {
		t.Errorf("users after three that failed: got %d, want 1", n)
	}
	owen, _ := NewUser(t, db, "owen_x")
	u.Name, u.State, u.Admin, u.Confirmed, u.PasswordHash, u.Email = "M", ci.UserActive, false, true, "g", "new@example.com"
	ok(t, db.UpdateUser(ctx, u))
	same(t, "updated", must(v.User(ctx, u.ID))(t), u)
	clash := u
	clash.Email = owen.Email
	taken(t, "e-mail of another", db.UpdateUser(ctx, clash), "email")
	clash.ID = 999
	missing(t, "update of nobody", db.UpdateUser(ctx, clash))
	same(t, "by id", must(v.UsersByID(ctx, []ci.UserID{u.ID, 999, owen.ID}))(t), map[ci.UserID]ci.User{u.ID: u, owen.ID: owen})
	_, err = v.User(ctx, 999)
	missing(t, "user", err)

	for _, c := range []struct {
		filter store.UserFilter
		want   []ci.User
		total  int
	}{
		{store.UserFilter{}, []ci.User{owen, u}, 2},
		{store.UserFilter{Limit: 1, Offset: 1}, []ci.User{u}, 2},
		{store.UserFilter{Username: "MAYA"}, []ci.User{u}, 1},
		{store.UserFilter{State: ci.UserActive}, []ci.User{owen, u}, 2},
		{store.UserFilter{State: ci.UserBlocked}, nil, 0},
		{store.UserFilter{Search: "WEN"}, []ci.User{owen}, 1},
		{store.UserFilter{Search: "_"}, []ci.User{owen}, 1},
		{store.UserFilter{Search: "%"}, nil, 0},
		{store.UserFilter{Search: "new@example.com"}, []ci.User{u}, 1},
		{store.UserFilter{Search: "@example"}, nil, 0},
	} {
		list, total, err := v.Users(ctx, c.filter)
		ok(t, err)
		same(t, "users", list, c.want)
		if total != c.total {
			t.Errorf("users %+v: got total %d, want %d", c.filter, total, c.total)
		}
	}
}

func testNamespaces(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	maya, home := NewUser(t, db, "maya")
	top := must(db.CreateNamespace(ctx, ci.Namespace{
		Kind: ci.GroupNamespace, Name: "Top", Path: "top", FullPath: "top", OwnerID: maya.ID, Visibility: ci.Private, CreatedAt: Epoch,
	}, &ci.Member{UserID: maya.ID, Role: ci.Owner, CreatedAt: Epoch}))(t)
	sub := NewGroup(t, db, "sub", &top)
	other := NewGroup(t, db, "other", nil)
	same(t, "namespace", must(v.Namespace(ctx, top.ID))(t), top)
	same(t, "by path", must(v.NamespaceByPath(ctx, "Top/SUB"))(t), sub)
	_, err := v.NamespaceByPath(ctx, "sub")
	missing(t, "by path", err)
	_, err = v.Namespace(ctx, 999)
	missing(t, "namespace", err)
	_, err = db.CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, FullPath: "MAYA"}, nil)
	taken(t, "path of a user", err, "path")
	_, err = db.CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, FullPath: "new"}, &ci.Member{UserID: 999})
	missing(t, "owner that is nobody", err)
	_, err = v.NamespaceByPath(ctx, "new")
	missing(t, "namespace that was half made", err)
	same(t, "ancestors", must(v.Ancestors(ctx, sub.ID))(t), []ci.NamespaceID{sub.ID, top.ID})

	for _, c := range []struct {
		admin         bool
		search        string
		limit, offset int
		want          []ci.Namespace
		total         int
	}{
		{want: []ci.Namespace{home, top, sub}, total: 3},
		{limit: 1, offset: 1, want: []ci.Namespace{top}, total: 3},
		{search: "P/S", want: []ci.Namespace{sub}, total: 1},
		{admin: true, want: []ci.Namespace{home, other, top, sub}, total: 4},
	} {
		list, total, err := v.NamespacesOf(ctx, maya.ID, c.admin, c.search, c.limit, c.offset)
		ok(t, err)
		same(t, "namespaces", list, c.want)
		if total != c.total {
			t.Errorf("namespaces %+v: got total %d", c, total)
		}
	}
}

func testMembers(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	group := NewGroup(t, db, "group", nil)
	dev, _ := NewUser(t, db, "dev")
	member := ci.Member{UserID: dev.ID, ProjectID: w.Project.ID, Role: ci.Developer, ExpiresAt: Epoch.Add(time.Hour), CreatedAt: Epoch}
	owner := ci.Member{UserID: w.User.ID, ProjectID: w.Project.ID, Role: ci.Owner, CreatedAt: Epoch}
	inGroup := ci.Member{UserID: dev.ID, NamespaceID: group.ID, Role: ci.Guest, CreatedAt: Epoch}
	for _, m := range []ci.Member{member, owner, inGroup} {
		ok(t, db.SetMember(ctx, m))
	}
	same(t, "member", must(v.Member(ctx, dev.ID, w.Project.ID, 0))(t), member)
	same(t, "member of a group", must(v.Member(ctx, dev.ID, 0, group.ID))(t), inGroup)
	_, err := v.Member(ctx, w.User.ID, 0, group.ID)
	missing(t, "member", err)
	member.Role, member.ExpiresAt = ci.Maintainer, time.Time{}
	ok(t, db.SetMember(ctx, member))
	list, total, err := v.Members(ctx, w.Project.ID, 0, 0, 0)
	ok(t, err)
	same(t, "members", list, []ci.Member{owner, member})
	same(t, "total", total, 2)
	list, _, err = v.Members(ctx, 0, group.ID, 0, 0)
	ok(t, err)
	same(t, "members of a group", list, []ci.Member{inGroup})
	ok(t, db.RemoveMember(ctx, dev.ID, w.Project.ID, 0))
	missing(t, "second remove", db.RemoveMember(ctx, dev.ID, w.Project.ID, 0))
	same(t, "member of the group still", must(v.Member(ctx, dev.ID, 0, group.ID))(t), inGroup)
}

func testRoles(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	dev, _ := NewUser(t, db, "dev")
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	sibling := NewGroup(t, db, "sibling", &top)
	project := NewProject(t, db, sub, w.User, "deep")
	role := func(u ci.User, p ci.Project) ci.Role {
		t.Helper()
		return must(v.Role(ctx, u.ID, p))(t)
	}
	same(t, "owner of the namespace", role(w.User, w.Project), ci.Owner)
	same(t, "nobody", []ci.Role{role(dev, w.Project), role(dev, project), role(w.User, project)}, []ci.Role{0, 0, 0})
	steps := []struct {
		member ci.Member
		want   ci.Role
	}{
		{ci.Member{NamespaceID: sibling.ID, Role: ci.Owner}, ci.NoRole},
		{ci.Member{NamespaceID: top.ID, Role: ci.Reporter}, ci.Reporter},
		{ci.Member{ProjectID: project.ID, Role: ci.Guest}, ci.Reporter},
		{ci.Member{NamespaceID: sub.ID, Role: ci.Owner, ExpiresAt: Epoch}, ci.Reporter},
		{ci.Member{NamespaceID: sub.ID, Role: ci.Developer, ExpiresAt: Epoch.Add(time.Microsecond)}, ci.Developer},
		{ci.Member{ProjectID: project.ID, Role: ci.Maintainer, ExpiresAt: Epoch}, ci.Developer},
		{ci.Member{ProjectID: project.ID, Role: ci.Maintainer}, ci.Maintainer},
	}
	for _, s := range steps {
		s.member.UserID, s.member.CreatedAt = dev.ID, Epoch
		ok(t, db.SetMember(ctx, s.member))
		if got := role(dev, project); got != s.want {
			t.Errorf("with %+v: got role %d, want %d", s.member, got, s.want)
		}
	}
	same(t, "in another project", role(dev, w.Project), ci.NoRole)
}
