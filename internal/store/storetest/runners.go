package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testRunners(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	second := NewProject(t, db, w.Home, w.User, "second")
	r := must(db.CreateRunner(ctx, ci.Runner{
		Type: ci.ProjectRunner, Description: "d", Note: "n", Digest: []byte{1}, Short: "abc", Paused: true, Locked: true, RefProtected: true,
		Tags: []string{"linux", "x64"}, MaximumTimeout: 600, ProjectIDs: []ci.ProjectID{w.Project.ID, second.ID}, CreatorID: w.User.ID,
		BuiltIn: true, CreatedAt: Epoch,
	}))(t)
	same(t, "runner", must(v.Runner(ctx, r.ID))(t), r)
	same(t, "by digest", must(v.RunnerByDigest(ctx, []byte{1}))(t), r)
	_, err := v.Runner(ctx, 999)
	missing(t, "runner", err)
	_, err = v.RunnerByDigest(ctx, []byte{9})
	missing(t, "by digest", err)
	_, err = db.CreateRunner(ctx, ci.Runner{Digest: []byte{1}})
	taken(t, "same digest", err, "token")
	_, err = db.CreateRunner(ctx, ci.Runner{Digest: []byte{2}, ProjectIDs: []ci.ProjectID{999}})
	missing(t, "runner of no project", err)
	_, err = v.RunnerByDigest(ctx, []byte{2})
	missing(t, "runner that was half made", err)

	r.Description, r.Note, r.Digest, r.Short, r.Paused, r.Locked, r.RefProtected = "e", "m", []byte{3}, "xyz", false, false, false
	r.RunUntagged, r.Tags, r.MaximumTimeout, r.ProjectIDs = true, nil, 0, []ci.ProjectID{second.ID}
	ok(t, db.UpdateRunner(ctx, r))
	same(t, "updated", must(v.Runner(ctx, r.ID))(t), r)
	missing(t, "update of none", db.UpdateRunner(ctx, ci.Runner{ID: 999}))
	ok(t, db.DeleteRunner(ctx, r.ID))
	missing(t, "second delete", db.DeleteRunner(ctx, r.ID))
}

func testRunnerLists(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	top := NewGroup(t, db, "top", nil)
	sub := NewGroup(t, db, "sub", &top)
	grouped := NewProject(t, db, sub, w.User, "grouped")
	names := map[ci.RunnerID]string{}
	add := func(name string, r ci.Runner) {
		r.Digest = []byte(name)
		names[must(db.CreateRunner(ctx, r))(t).ID] = name
	}
	day := 24 * time.Hour
	add("a", ci.Runner{Type: ci.InstanceRunner, CreatedAt: Epoch.Add(-30 * day), ContactedAt: Epoch.Add(-time.Hour), Tags: []string{"linux", "x64"}})
	add("b", ci.Runner{Type: ci.GroupRunner, NamespaceID: top.ID, CreatedAt: Epoch.Add(-30 * day), ContactedAt: Epoch.Add(-3 * time.Hour), Tags: []string{"linux"}})
	add("c", ci.Runner{Type: ci.ProjectRunner, ProjectIDs: []ci.ProjectID{w.Project.ID}, CreatedAt: Epoch, Paused: true, Tags: []string{"Linux"}})
	add("d", ci.Runner{Type: ci.InstanceRunner, CreatedAt: Epoch.Add(-30 * day), ContactedAt: Epoch.Add(-8 * day)})
	add("e", ci.Runner{Type: ci.InstanceRunner, CreatedAt: Epoch.Add(-8 * day)})
	yes, no := true, false
	owner, _ := NewUser(t, db, "owner")
	keeper, _ := NewUser(t, db, "keeper")
	left, _ := NewUser(t, db, "left")
	ok(t, db.SetMember(ctx, ci.Member{UserID: owner.ID, NamespaceID: top.ID, Role: ci.Owner, CreatedAt: Epoch}))
	ok(t, db.SetMember(ctx, ci.Member{UserID: keeper.ID, NamespaceID: top.ID, Role: ci.Maintainer, CreatedAt: Epoch}))
	ok(t, db.SetMember(ctx, ci.Member{UserID: keeper.ID, ProjectID: w.Project.ID, Role: ci.Maintainer, CreatedAt: Epoch}))
	ok(t, db.SetMember(ctx, ci.Member{UserID: left.ID, ProjectID: w.Project.ID, Role: ci.Owner, CreatedAt: Epoch, ExpiresAt: Epoch}))
	for _, c := range []struct {
		name   string
		filter store.RunnerFilter
		want   string
		total  int
	}{
		{"all", store.RunnerFilter{}, "abcde", 5},
		{"page", store.RunnerFilter{Limit: 2, Offset: 1}, "bc", 5},
		{"type", store.RunnerFilter{Type: ci.InstanceRunner}, "ade", 3},
		{"online", store.RunnerFilter{Status: "online"}, "a", 1},
		{"offline", store.RunnerFilter{Status: "offline"}, "b", 1},
		{"never contacted", store.RunnerFilter{Status: "never_contacted"}, "c", 1},
		{"stale", store.RunnerFilter{Status: "stale"}, "de", 2},
		{"paused", store.RunnerFilter{Paused: &yes}, "c", 1},
		{"not paused", store.RunnerFilter{Paused: &no}, "abde", 4},
		{"tag", store.RunnerFilter{Tags: []string{"linux"}}, "ab", 2},
		{"tags", store.RunnerFilter{Tags: []string{"x64", "linux"}}, "a", 1},
		{"part of a tag", store.RunnerFilter{Tags: []string{"lin"}}, "", 0},
		{"project", store.RunnerFilter{ProjectID: w.Project.ID}, "acde", 4},
		{"project in a group", store.RunnerFilter{ProjectID: grouped.ID}, "abde", 4},
		{"group", store.RunnerFilter{NamespaceID: top.ID}, "b", 1},
		{"group below", store.RunnerFilter{NamespaceID: sub.ID}, "b", 1},
		{"no group", store.RunnerFilter{NamespaceID: w.Home.ID}, "", 0},
		{"maintained in the own namespace", store.RunnerFilter{MaintainedBy: w.User.ID}, "c", 1},
		{"maintained by a group's owner", store.RunnerFilter{MaintainedBy: owner.ID}, "b", 1},
		{"maintained by a project's maintainer", store.RunnerFilter{MaintainedBy: keeper.ID}, "c", 1},
		{"maintained by one who left", store.RunnerFilter{MaintainedBy: left.ID}, "", 0},
	} {
		list, total, err := v.Runners(ctx, c.filter)
		ok(t, err)
		got := ""
		for _, r := range list {
			got += names[r.ID]
		}
		if got != c.want || total != c.total {
			t.Errorf("%s: got %q of %d, want %q of %d", c.name, got, total, c.want, c.total)
		}
	}
	if _, _, err := v.Runners(ctx, store.RunnerFilter{Status: "active"}); err == nil {
		t.Error("unknown status: got no error")
	}
}

func testManagers(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	r := must(db.CreateRunner(ctx, ci.Runner{Type: ci.InstanceRunner, Digest: []byte{1}, CreatedAt: Epoch}))(t)
	says := ci.RunnerManager{
		RunnerID: r.ID, SystemID: "s_1", Name: "gitlab-runner", Version: "18.5.0", Revision: "r", Platform: "linux", Architecture: "amd64",
		Executor: "shell", IPAddress: "192.0.2.1",
	}
	first, isNew, err := db.ContactRunner(ctx, says, Epoch)
	ok(t, err)
	want := says
	want.ID, want.CreatedAt, want.ContactedAt = first.ID, Epoch, Epoch
	same(t, "first contact", first, want)
	if !isNew {
		t.Error("first contact is not new")
	}
	later := Epoch.Add(time.Minute)
	again, isNew, err := db.ContactRunner(ctx, ci.RunnerManager{RunnerID: r.ID, SystemID: "s_1", Version: "18.6.0"}, later)
	ok(t, err)
	want.Version, want.ContactedAt = "18.6.0", later
	same(t, "second contact", again, want)
	if isNew {
		t.Error("second contact is new")
	}
	same(t, "contact of the runner", must(v.Runner(ctx, r.ID))(t).ContactedAt, later)
	other, _, err := db.ContactRunner(ctx, ci.RunnerManager{RunnerID: r.ID, SystemID: "s_2"}, later)
	ok(t, err)
	same(t, "managers", must(v.Managers(ctx, r.ID))(t), []ci.RunnerManager{other, want})
	same(t, "manager", must(v.Manager(ctx, first.ID))(t), want)
	ok(t, db.DeleteManager(ctx, r.ID, "s_2"))
	missing(t, "second delete", db.DeleteManager(ctx, r.ID, "s_2"))
	_, _, err = db.ContactRunner(ctx, ci.RunnerManager{RunnerID: 999, SystemID: "s_1"}, later)
	missing(t, "contact of no runner", err)
	ok(t, db.DeleteRunner(ctx, r.ID))
	_, err = v.Manager(ctx, first.ID)
	missing(t, "manager of a deleted runner", err)
}
