package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testProjects(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	group := NewGroup(t, db, "group", nil)
	settings := ci.DefaultProjectSettings()
	settings.ConfigPath, settings.GitDepth = "ci/main.yml", 0
	in := ci.Project{
		NamespaceID: group.ID, Name: "My App", Path: "App", FullPath: "group/App", Description: "d", Visibility: ci.Internal, DefaultBranch: "trunk",
		CreatorID: w.User.ID, CreatedAt: Epoch, UpdatedAt: Epoch, ProjectSettings: settings,
	}
	p := must(db.CreateProject(ctx, in, &ci.Member{UserID: w.User.ID, Role: ci.Owner, CreatedAt: Epoch}))(t)
	in.ID, in.NamespaceKind = p.ID, ci.GroupNamespace
	same(t, "created", p, in)
	same(t, "project", must(v.Project(ctx, p.ID))(t), in)
	same(t, "by path", must(v.ProjectByPath(ctx, "GROUP/app"))(t), in)
	same(t, "role of the creator", must(v.Role(ctx, w.User.ID, p))(t), ci.Owner)
	_, err := v.Project(ctx, 999)
	missing(t, "project", err)
	_, err = v.ProjectByPath(ctx, "group/other")
	missing(t, "by path", err)
	_, err = db.CreateProject(ctx, ci.Project{NamespaceID: group.ID, FullPath: "group/APP"}, nil)
	taken(t, "same path", err, "path")
	_, err = db.CreateProject(ctx, ci.Project{NamespaceID: 999, FullPath: "x/y"}, nil)
	missing(t, "project in no namespace", err)

	moved := p
	moved.Name, moved.Path, moved.FullPath, moved.NamespaceID, moved.NamespaceKind = "Tool", "tool", "maya/tool", w.Home.ID, ci.UserNamespace
	moved.Description, moved.Visibility, moved.DefaultBranch, moved.Archived, moved.UpdatedAt = "", ci.Public, "main", true, Epoch.Add(time.Hour)
	moved.BuildsAccess = ci.AccessDisabled
	ok(t, db.UpdateProject(ctx, moved))
	same(t, "moved", must(v.Project(ctx, p.ID))(t), moved)
	same(t, "redirected", must(v.Redirected(ctx, "Group/app"))(t), moved)
	clash := moved
	clash.FullPath = w.Project.FullPath
	taken(t, "move to another's path", db.UpdateProject(ctx, clash), "path")
	clash.ID = 999
	missing(t, "update of none", db.UpdateProject(ctx, clash))

	must(db.CreateProject(ctx, ci.Project{NamespaceID: group.ID, FullPath: "group/app"}, nil))(t)
	_, err = v.Redirected(ctx, "group/app")
	missing(t, "redirect from a path that is a project again", err)
	back := moved
	back.FullPath = "maya/new"
	ok(t, db.UpdateProject(ctx, back))
	ok(t, db.UpdateProject(ctx, moved))
	_, err = v.Redirected(ctx, "maya/tool")
	missing(t, "redirect from the present path", err)
	same(t, "redirected after two moves", must(v.Redirected(ctx, "maya/new"))(t), moved)
	same(t, "ids", len(must(v.ProjectIDs(ctx))(t)), 3)
}

func testProjectLists(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	maya, home := NewUser(t, db, "maya")
	dev, _ := NewUser(t, db, "dev")
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	names := map[ci.ProjectID]string{}
	add := func(name string, n ci.Namespace, visibility ci.Visibility) ci.Project {
		p := NewProject(t, db, n, maya, name)
		p.Visibility = visibility
		ok(t, db.UpdateProject(ctx, p))
		names[p.ID] = name
		return p
	}
	add("a", home, ci.Private)
	add("b", home, ci.Internal)
	add("c", home, ci.Public)
	d := add("d", home, ci.Private)
	add("e", sub, ci.Private)
	f := add("f", sub, ci.Private)
	ok(t, db.SetMember(ctx, ci.Member{UserID: dev.ID, ProjectID: d.ID, Role: ci.Guest}))
	ok(t, db.SetMember(ctx, ci.Member{UserID: dev.ID, NamespaceID: top.ID, Role: ci.Guest}))
	ok(t, db.SetMember(ctx, ci.Member{UserID: maya.ID, ProjectID: f.ID, Role: ci.Guest, ExpiresAt: Epoch}))
	for _, c := range []struct {
		name   string
		filter store.ProjectFilter
		want   string
		total  int
	}{
		{"nobody", store.ProjectFilter{}, "c", 1},
		{"administrator", store.ProjectFilter{UserID: dev.ID, Admin: true}, "fedcba", 6},
		{"owner of the namespace", store.ProjectFilter{UserID: maya.ID}, "dcba", 4},
		{"member", store.ProjectFilter{UserID: dev.ID}, "fedcb", 5},
		{"memberships", store.ProjectFilter{UserID: dev.ID, Membership: true}, "fed", 3},
		{"memberships of an administrator", store.ProjectFilter{UserID: dev.ID, Admin: true, Membership: true}, "fed", 3},
		{"search", store.ProjectFilter{UserID: dev.ID, Search: "SUB/"}, "fe", 2},
		{"visibility", store.ProjectFilter{UserID: dev.ID, Visibility: ci.Internal}, "b", 1},
		{"page", store.ProjectFilter{UserID: dev.ID, Limit: 2, Offset: 2}, "dc", 5},
	} {
		list, total, err := v.Projects(ctx, c.filter)
		ok(t, err)
		got := ""
		for _, p := range list {
			got += names[p.ID]
		}
		if got != c.want || total != c.total {
			t.Errorf("%s: got %q of %d, want %q of %d", c.name, got, total, c.want, c.total)
		}
	}
}

func testDeleteProject(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	keep := w
	keep.Project = NewProject(t, db, w.Home, w.User, "keep")
	kept := keep.started(t, "kept", 1)
	for i := range 5 {
		w.started(t, fmt.Sprint("u", i), 2)
	}
	together(400, func(i int) { // more than one step of deleting
		if _, err := db.CreatePipeline(ctx, w.NewPipeline(fmt.Sprint("many", i), 0)); err != nil {
			t.Error(err)
		}
	})
	trigger := must(db.CreateTrigger(ctx, w.NewTrigger(1), 10))(t)
	ok(t, db.SetRefs(ctx, w.Project.ID, []ci.Ref{{Name: "refs/heads/main", SHA: "1"}}, nil))
	must(db.Protect(ctx, ci.Protection{ProjectID: w.Project.ID, Pattern: "main"}))(t)
	ok(t, db.SetMember(ctx, ci.Member{UserID: w.User.ID, ProjectID: w.Project.ID, Role: ci.Owner}))
	ok(t, db.AllowJobToken(ctx, keep.Project.ID, w.Project.ID, 0))
	runner := must(db.CreateRunner(ctx, ci.Runner{Type: ci.ProjectRunner, Digest: []byte{1}, ProjectIDs: []ci.ProjectID{w.Project.ID, keep.Project.ID}}))(t)
	renamed := w.Project
	renamed.FullPath = "maya/renamed"
	ok(t, db.UpdateProject(ctx, renamed))

	ok(t, db.DeleteProject(ctx, w.Project.ID))
	missing(t, "second delete", db.DeleteProject(ctx, w.Project.ID))
	_, err := v.Project(ctx, w.Project.ID)
	missing(t, "project", err)
	_, err = v.Redirected(ctx, w.Project.FullPath)
	missing(t, "redirect", err)
	_, err = v.TriggerByDigest(ctx, trigger.Digest)
	missing(t, "trigger", err)
	_, total, err := v.Pipelines(ctx, store.PipelineFilter{ProjectID: w.Project.ID})
	ok(t, err)
	same(t, "pipelines", total, 0)
	same(t, "refs", must(v.Refs(ctx, w.Project.ID, ""))(t), []ci.Ref{})
	same(t, "protections", must(v.Protections(ctx, w.Project.ID))(t), []ci.Protection{})
	_, err = v.Member(ctx, w.User.ID, w.Project.ID, 0)
	missing(t, "member", err)
	projects, _, err := v.JobTokenAllowlist(ctx, keep.Project.ID)
	ok(t, err)
	same(t, "allowlist of another project", projects, []ci.ProjectID{})
	same(t, "projects of the runner", must(v.Runner(ctx, runner.ID))(t).ProjectIDs, []ci.ProjectID{keep.Project.ID})
	kinds := map[string]int{}
	for _, row := range must(v.Trash(ctx, 100))(t) {
		kinds[row.Kind]++
	}
	same(t, "trash", kinds, map[string]int{store.TrashLog: 10, store.TrashRepository: 1, store.TrashSpec: 1})
	same(t, "another project's pipeline", must(v.Snapshot(ctx, kept.Pipeline.ID))(t), kept)
	_, err = db.CreatePipeline(ctx, w.NewPipeline("late", 1))
	missing(t, "pipeline of a deleted project", err)
	same(t, "check", must(v.Check(ctx))(t), []string{})
}
