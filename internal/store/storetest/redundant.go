package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// What is older than a new pipeline of a branch is told with it.
func testRedundant(t *testing.T, db *store.DB) {
	w := NewWorld(t, db)
	create := func(uid string, change func(*store.NewPipeline)) *store.NewPipeline {
		t.Helper()
		n := w.NewPipeline(uid, 1)
		n.Supersedes = true
		change(n)
		n.Pipeline = must(db.CreatePipeline(t.Context(), n))(t)
		return n
	}
	at := func(sha string) func(*store.NewPipeline) {
		return func(n *store.NewPipeline) { n.Pipeline.SHA = sha }
	}
	left, right := create("left", at("1")).Pipeline.ID, create("right", at("3")).Pipeline.ID
	for uid, change := range map[string]func(*store.NewPipeline){
		"same commit":   at("2"),
		"other ref":     func(n *store.NewPipeline) { n.Pipeline.Ref = "topic" },
		"tag":           func(n *store.NewPipeline) { n.Pipeline.Tag = true },
		"child":         func(n *store.NewPipeline) { n.Pipeline.Source = ci.SourceParent },
		"ended":         func(n *store.NewPipeline) { n.Pipeline.Status, n.Jobs = ci.Success, nil },
		"manual":        func(n *store.NewPipeline) { n.Pipeline.Status, n.Jobs = ci.Manual, nil },
		"too old":       func(n *store.NewPipeline) { n.Pipeline.CreatedAt = Epoch.Add(-73 * time.Hour) },
		"other project": func(n *store.NewPipeline) { n.Pipeline.ProjectID = NewProject(t, db, w.Home, w.User, "other").ID },
	} {
		create(uid, change)
	}
	older := func(n *store.NewPipeline) map[ci.PipelineID]bool {
		set := map[ci.PipelineID]bool{}
		for _, id := range n.Older {
			set[id] = true
		}
		return set
	}
	want := map[ci.PipelineID]bool{left: true, right: true}
	same(t, "older pipelines", older(create("new", at("2"))), want)
	same(t, "with an idempotency key", older(create("keyed", func(n *store.NewPipeline) {
		n.Pipeline.SHA, n.Idempotency = "2", &store.Idempotency{Scope: []byte("s"), Key: "k", BodyDigest: []byte("b")}
	})), want)
	for uid, key := range map[string]*store.Idempotency{"reserved": nil, "reserved, keyed": {Scope: []byte("s"), Key: "r", BodyDigest: []byte("b")}} {
		iid := must(db.ReserveIID(t.Context(), w.Project.ID))(t)
		n := create(uid, func(n *store.NewPipeline) { n.Pipeline.SHA, n.Pipeline.IID, n.Idempotency = "2", iid, key })
		same(t, "iid, "+uid, n.Pipeline.IID, iid)
		same(t, "older pipelines, "+uid, older(n), want)
	}
	same(t, "when nobody asks", older(create("unasked", func(n *store.NewPipeline) { n.Pipeline.SHA, n.Supersedes = "2", false })), map[ci.PipelineID]bool{})
}
