package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// testCandidate reads a job with all that its runner gets, from a pipeline with
// artifacts of several kinds.
func testCandidate(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	trigger := must(db.CreateTrigger(ctx, w.NewTrigger(1), 10))(t)
	n := w.NewPipeline("u", 4)
	n.Pipeline.TriggerID, n.Pipeline.Ref, n.Variables = trigger.ID, "main", []byte("sealed")
	p := must(db.CreatePipeline(ctx, n))(t)
	want := store.Candidate{
		Snapshot: *must(v.Snapshot(ctx, p.ID))(t), Project: must(v.Project(ctx, w.Project.ID))(t),
		RootNamespaceID: w.Home.ID, User: must(v.User(ctx, w.User.ID))(t), Variables: []byte("sealed"),
		VariablesVersion: must(v.VariablesVersion(ctx))(t), TriggerShort: trigger.Short, Artifacts: map[ci.JobID][]ci.Artifact{},
	}
	for i, types := range [][]string{{"archive", "dotenv", "junit"}, nil, {"junit"}, {"archive"}} {
		id := want.Snapshot.Jobs[i].ID
		for _, kind := range types {
			a := must(db.AddArtifact(ctx, ci.Artifact{
				JobID: id, ProjectID: w.Project.ID, Type: kind, Format: "zip", Name: kind, Size: 5, SHA256: []byte{1}, BlobKey: kind,
			}, time.Time{}, 0))(t)
			if kind != "junit" { // no other job gets those
				want.Artifacts[id] = append(want.Artifacts[id], a)
			}
		}
	}
	for _, job := range want.Snapshot.Jobs {
		want.Spec = must(v.Spec(ctx, job.SpecDigest))(t)
		same(t, job.Name, must(v.Candidate(ctx, job.ID))(t), &want)
	}
	id := want.Snapshot.Jobs[0].ID
	ok(t, db.SetRefs(ctx, w.Project.ID, []ci.Ref{{Name: "refs/tags/main", SHA: p.SHA}}, nil))
	same(t, "ref of another kind", must(v.Candidate(ctx, id))(t).RefKept, false)
	ok(t, db.SetRefs(ctx, w.Project.ID, []ci.Ref{{Name: "refs/heads/main", SHA: p.SHA}}, nil))
	same(t, "ref", must(v.Candidate(ctx, id))(t).RefKept, true)
	ok(t, db.DeleteTrigger(ctx, w.Project.ID, trigger.ID))
	same(t, "trigger that is gone", must(v.Candidate(ctx, id))(t).TriggerShort, "")
	none, err := v.Candidate(ctx, 1<<40)
	if none != nil || !ci.IsNotFound(err) {
		t.Errorf("no such job: got %v, %v", none, err)
	}
}

// testQueuesBelow asks which queues are below a group.
func testQueuesBelow(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	group := func(path string, parent ci.NamespaceID) ci.Namespace {
		t.Helper()
		return must(db.CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, FullPath: path, ParentID: parent}, nil))(t)
	}
	top := group("Top", 0)
	below := group("Top/below", top.ID)
	homes := []ci.Namespace{top, below, group("top2", 0)}
	var heads []string
	for i, home := range homes {
		in := w
		in.Project = NewProject(t, db, home, w.User, fmt.Sprint("project", i))
		n := in.NewPipeline(fmt.Sprint(i), 1)
		n.Jobs[0].Status = ci.Pending
		must(db.CreatePipeline(ctx, n))(t)
		heads = append(heads, in.Project.FullPath)
	}
	for id, want := range map[ci.NamespaceID]int{0: 0, top.ID: 2, below.ID: 1, homes[2].ID: 1, 1 << 40: 0} {
		found := 0
		for _, head := range must(v.PendingQueues(ctx, id))(t) {
			if head.Below {
				found++
			}
		}
		if found != want {
			t.Errorf("group %d: got %d queues of %v, want %d", id, found, heads, want)
		}
	}
}

// testTriggerRole compares the role that comes with a trigger token with the one
// that is asked for by itself.
func testTriggerRole(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	top := must(db.CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, FullPath: "top"}, nil))(t)
	below := must(db.CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, FullPath: "top/below", ParentID: top.ID}, nil))(t)
	other := NewProject(t, db, below, w.User, "other")
	stranger, home, err := db.CreateUser(ctx, ci.User{Username: "stranger"}, ci.Namespace{Kind: ci.UserNamespace, FullPath: "stranger"})
	ok(t, err)
	n := 0
	check := func(what string, owner ci.User, project ci.Project, want ci.Role) {
		t.Helper()
		n++
		trigger := w.NewTrigger(n)
		trigger.OwnerID, trigger.ProjectID = owner.ID, project.ID
		must(db.CreateTrigger(ctx, trigger, 99))(t)
		got := must(v.TriggerByDigest(ctx, trigger.Digest))(t).Role
		same(t, what, got, want)
		same(t, what+", asked for by itself", must(v.Role(ctx, owner.ID, project))(t), want)
	}
	check("own project", w.User, w.Project, ci.Owner)
	check("stranger", stranger, w.Project, ci.NoRole)
	check("stranger at home", stranger, NewProject(t, db, home, stranger, "mine"), ci.Owner)
	ok(t, db.SetMember(ctx, ci.Member{UserID: stranger.ID, NamespaceID: top.ID, Role: ci.Developer}))
	check("member of a group above", stranger, other, ci.Developer)
	ok(t, db.SetMember(ctx, ci.Member{UserID: stranger.ID, ProjectID: other.ID, Role: ci.Maintainer}))
	check("member of the project too", stranger, other, ci.Maintainer)
	ok(t, db.SetMember(ctx, ci.Member{UserID: stranger.ID, ProjectID: other.ID, Role: ci.Owner, ExpiresAt: Epoch.Add(-time.Hour)}))
	check("membership that is over", stranger, other, ci.Developer)
}
