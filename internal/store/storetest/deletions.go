package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// testDeleteUser removes an account of which something is everywhere.
func testDeleteUser(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	w := NewWorld(t, db)
	gone, home := NewUser(t, db, "gone")
	group := must(db.CreateNamespace(ctx, ci.Namespace{
		Kind: ci.GroupNamespace, Name: "g", Path: "g", FullPath: "g", OwnerID: gone.ID, Visibility: ci.Private, CreatedAt: Epoch,
	}, &ci.Member{UserID: gone.ID, Role: ci.Owner, CreatedAt: Epoch}))(t)
	same(t, "groups that nobody else owns", must(v.SoleOwned(ctx, gone.ID))(t), []ci.NamespaceID{group.ID})
	ok(t, db.SetMember(ctx, ci.Member{UserID: w.User.ID, NamespaceID: group.ID, Role: ci.Owner, CreatedAt: Epoch}))
	same(t, "groups with another owner", must(v.SoleOwned(ctx, gone.ID))(t), []ci.NamespaceID{})
	runner := must(db.CreateRunner(ctx, ci.Runner{
		Type: ci.ProjectRunner, Digest: []byte("r"), CreatorID: gone.ID, ProjectIDs: []ci.ProjectID{w.Project.ID}, CreatedAt: Epoch,
	}))(t)
	n := w.NewPipeline("theirs", 2)
	n.Pipeline.UserID = gone.ID
	for i := range n.Jobs {
		n.Jobs[i].UserID = gone.ID
	}
	theirs := must(db.CreatePipeline(ctx, n))(t)
	others := must(db.CreatePipeline(ctx, w.NewPipeline("others", 1)))(t)
	same(t, "unfinished", must(v.UnfinishedOf(ctx, gone.ID))(t), []ci.PipelineID{theirs.ID})
	own := NewProject(t, db, home, gone, "own")

	var refusal *ci.Error
	if err := db.DeleteUser(ctx, gone.ID); !errors.As(err, &refusal) || refusal.Kind != ci.KindConflict {
		t.Fatalf("with a project: got %v, want a conflict", err)
	}
	ok(t, db.DeleteProject(ctx, own.ID))
	ok(t, db.DeleteUser(ctx, gone.ID))
	missing(t, "second delete", db.DeleteUser(ctx, gone.ID))
	_, err := v.Namespace(ctx, home.ID)
	missing(t, "namespace", err)
	_, err = v.Member(ctx, gone.ID, 0, group.ID)
	missing(t, "membership", err)
	s := must(v.Snapshot(ctx, theirs.ID))(t)
	same(t, "user of the pipeline", s.Pipeline.UserID, ci.UserID(0))
	for _, j := range s.Jobs {
		same(t, "user of a job", j.UserID, ci.UserID(0))
	}
	same(t, "user of another pipeline", must(v.Pipeline(ctx, others.ID))(t).UserID, w.User.ID)
	same(t, "creator of the runner", must(v.Runner(ctx, runner.ID))(t).CreatorID, ci.UserID(0))
	same(t, "check", must(v.Check(ctx))(t), []string{})

	// A runner that works for nothing else goes with its project.
	ok(t, db.DeleteProject(ctx, w.Project.ID))
	_, err = v.Runner(ctx, runner.ID)
	missing(t, "runner of a deleted project", err)
	same(t, "check", must(v.Check(ctx))(t), []string{})
}

// testSpecTrash removes specifications once no job has them, and only then.
func testSpecTrash(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	w := NewWorld(t, db)
	specs := func() (keys []string) {
		for _, row := range must(v.Trash(ctx, 100))(t) {
			if row.Kind == store.TrashSpec {
				keys = append(keys, row.Key)
			}
		}
		return keys
	}
	first := must(db.CreatePipeline(ctx, w.NewPipeline("first", 2)))(t)
	second := must(db.CreatePipeline(ctx, w.NewPipeline("second", 2)))(t)
	ok(t, db.DeletePipeline(ctx, first.ID))
	same(t, "specifications that another pipeline has", len(specs()), 0)
	digest := must(v.Snapshot(ctx, second.ID))(t).Jobs[0].SpecDigest
	ok(t, db.DeletePipeline(ctx, second.ID))
	keys := specs()
	if len(keys) == 0 {
		t.Fatal("no specification is in the trash")
	}
	third := must(db.CreatePipeline(ctx, w.NewPipeline("third", 2)))(t) // has them again
	for _, key := range keys {
		ok(t, db.DeleteSpec(ctx, key))
	}
	must(v.Spec(ctx, digest))(t)
	ok(t, db.DeletePipeline(ctx, third.ID))
	for _, key := range slices.Concat(keys, keys) { // once more is no error
		ok(t, db.DeleteSpec(ctx, key))
	}
	_, err := v.Spec(ctx, digest)
	missing(t, "specification", err)
	must(db.CreatePipeline(ctx, w.NewPipeline("fourth", 2)))(t) // although it was known a moment ago
	same(t, "check", must(v.Check(ctx))(t), []string{})
}
