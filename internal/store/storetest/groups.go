package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testGroupLists(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	maya, _ := NewUser(t, db, "maya")
	a := NewGroup(t, db, "a", nil)
	b := NewGroup(t, db, "b", &a)
	NewGroup(t, db, "c", &b)
	d := NewGroup(t, db, "d", nil)
	e := NewGroup(t, db, "e", nil)
	for _, g := range []*ci.Namespace{&d, &e} {
		g.Visibility = map[string]ci.Visibility{"d": ci.Internal, "e": ci.Public}[g.Path]
		ok(t, db.UpdateGroup(ctx, *g))
	}
	ok(t, db.SetMember(ctx, ci.Member{UserID: maya.ID, NamespaceID: b.ID, Role: ci.Developer}))
	ok(t, db.SetMember(ctx, ci.Member{UserID: maya.ID, NamespaceID: a.ID, Role: ci.Owner, ExpiresAt: Epoch}))
	for _, want := range []struct {
		name   string
		filter store.GroupFilter
		names  string
		total  int
	}{
		{"nobody", store.GroupFilter{}, "e", 1},
		{"somebody", store.GroupFilter{UserID: maya.ID, Sort: "asc"}, "bcde", 4},
		{"administrator", store.GroupFilter{UserID: maya.ID, Admin: true}, "edcba", 5},
		{"memberships", store.GroupFilter{UserID: maya.ID, Admin: true, Membership: true}, "cb", 2},
		{"owned", store.GroupFilter{UserID: maya.ID, Membership: true, MinRole: ci.Owner}, "", 0},
		{"at least developer", store.GroupFilter{UserID: maya.ID, Membership: true, MinRole: ci.Developer}, "cb", 2},
		{"search", store.GroupFilter{Admin: true, Search: "B/"}, "c", 1},
		{"visibility", store.GroupFilter{Admin: true, Visibility: ci.Internal}, "d", 1},
		{"top level", store.GroupFilter{Admin: true, TopLevel: true}, "eda", 3},
		{"children", store.GroupFilter{Admin: true, ParentID: a.ID}, "b", 1},
		{"descendants", store.GroupFilter{Admin: true, ParentID: a.ID, Below: true, OrderBy: "id"}, "cb", 2},
		{"page", store.GroupFilter{Admin: true, OrderBy: "path", Sort: "asc", Limit: 2, Offset: 1}, "bc", 5},
	} {
		list, total, err := v.Groups(ctx, want.filter)
		ok(t, err)
		got := ""
		for _, g := range list {
			got += g.Path
		}
		if got != want.names || total != want.total {
			t.Errorf("%s: got %q of %d, want %q of %d", want.name, got, total, want.names, want.total)
		}
	}
	if _, _, err := v.Groups(ctx, store.GroupFilter{OrderBy: "color"}); err == nil {
		t.Error("unknown order: got no error")
	}
}

func testGroupMoves(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	maya, home := NewUser(t, db, "maya")
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	near := NewGroup(t, db, "topping", nil)
	one := NewProject(t, db, top, maya, "one")
	two := NewProject(t, db, sub, maya, "two")
	other := NewProject(t, db, near, maya, "other")

	top.Name, top.Path, top.FullPath, top.Description, top.Visibility = "New", "new", "new", "d", ci.Public
	ok(t, db.UpdateGroup(ctx, top))
	same(t, "group", must(v.Namespace(ctx, top.ID))(t), top)
	same(t, "subgroup", must(v.Namespace(ctx, sub.ID))(t).FullPath, "new/sub")
	same(t, "project", must(v.Project(ctx, one.ID))(t).FullPath, "new/one")
	same(t, "project below", must(v.Project(ctx, two.ID))(t).FullPath, "new/sub/two")
	same(t, "project of another group", must(v.Project(ctx, other.ID))(t).FullPath, "topping/other")
	same(t, "redirected", must(v.Redirected(ctx, "top/sub/two"))(t).ID, two.ID)

	top.Path, top.FullPath = "top", "top"
	ok(t, db.UpdateGroup(ctx, top))
	_, err := v.Redirected(ctx, "top/one")
	missing(t, "redirect from a path that is a project again", err)

	top.FullPath = "maya"
	taken(t, "path of a user", db.UpdateGroup(ctx, top), "path")
	sub.FullPath = "top/one"
	taken(t, "path of a project", db.UpdateGroup(ctx, sub), "path")
	_, err = db.CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, FullPath: "top/ONE"}, nil)
	taken(t, "new group at the path of a project", err, "path")
	_, err = db.CreateProject(ctx, ci.Project{NamespaceID: top.ID, FullPath: "top/SUB"}, nil)
	taken(t, "new project at the path of a group", err, "path")
	one.FullPath = "top/sub"
	taken(t, "project moved to the path of a group", db.UpdateProject(ctx, one), "path")
	missing(t, "user namespace as a group", db.UpdateGroup(ctx, home))
}

func testDeleteGroup(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	inside := NewProject(t, db, sub, w.User, "inside")
	ok(t, db.SetMember(ctx, ci.Member{UserID: w.User.ID, NamespaceID: sub.ID, Role: ci.Owner, CreatedAt: Epoch}))
	ok(t, db.AllowJobToken(ctx, w.Project.ID, 0, sub.ID))
	if err := db.DeleteGroup(ctx, top.ID); ci.KindOf(err) != ci.KindConflict {
		t.Errorf("group with a project: got error %v, want a conflict", err)
	}
	must(v.Namespace(ctx, sub.ID))(t)
	ok(t, db.DeleteProject(ctx, inside.ID))
	ok(t, db.DeleteGroup(ctx, top.ID))
	for _, id := range []ci.NamespaceID{top.ID, sub.ID} {
		_, err := v.Namespace(ctx, id)
		missing(t, "deleted group", err)
	}
	_, err := v.Member(ctx, w.User.ID, 0, sub.ID)
	missing(t, "member of a deleted group", err)
	_, groups, err := v.JobTokenAllowlist(ctx, w.Project.ID)
	ok(t, err)
	same(t, "allow-list", groups, []ci.NamespaceID{})
	missing(t, "second time", db.DeleteGroup(ctx, top.ID))
	missing(t, "user namespace", db.DeleteGroup(ctx, w.Home.ID))
}

func testProjectOrders(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	names := map[ci.ProjectID]string{w.Project.ID: "m"}
	for name, n := range map[string]ci.Namespace{"a": top, "z": sub} {
		p := NewProject(t, db, n, w.User, name)
		p.Archived, p.UpdatedAt = name == "a", Epoch.Add(time.Duration(name[0])*time.Hour)
		ok(t, db.UpdateProject(ctx, p))
		names[p.ID] = name
	}
	ok(t, db.SetMember(ctx, ci.Member{UserID: w.User.ID, NamespaceID: sub.ID, Role: ci.Reporter}))
	yes, no := true, false
	for _, c := range []struct {
		name   string
		filter store.ProjectFilter
		want   string
	}{
		{"by path", store.ProjectFilter{Admin: true, OrderBy: "path", Sort: "asc"}, "amz"},
		{"by name, down", store.ProjectFilter{Admin: true, OrderBy: "path"}, "zma"},
		{"by change", store.ProjectFilter{Admin: true, OrderBy: "updated_at"}, "zam"},
		{"archived", store.ProjectFilter{Admin: true, Archived: &yes}, "a"},
		{"not archived", store.ProjectFilter{Admin: true, Archived: &no, OrderBy: "path"}, "zm"},
		{"of a group", store.ProjectFilter{Admin: true, Namespace: top.ID}, "a"},
		{"below a group", store.ProjectFilter{Admin: true, Namespace: top.ID, Below: true, OrderBy: "path"}, "za"},
		{"reporter", store.ProjectFilter{UserID: w.User.ID, Membership: true, MinRole: ci.Reporter, OrderBy: "path"}, "zm"},
		{"owned", store.ProjectFilter{UserID: w.User.ID, Membership: true, MinRole: ci.Owner}, "m"},
	} {
		list, _, err := v.Projects(ctx, c.filter)
		ok(t, err)
		got := ""
		for _, p := range list {
			got += names[p.ID]
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if _, _, err := v.Projects(ctx, store.ProjectFilter{Sort: "sideways"}); err == nil {
		t.Error("unknown direction: got no error")
	}
}
