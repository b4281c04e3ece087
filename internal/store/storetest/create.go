package storetest

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testCreate(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	n := w.NewPipeline("u1", 5)
	n.Pipeline.Protected = true
	n.Jobs[1].Status, n.Jobs[1].ScheduledAt = ci.Scheduled, Epoch.Add(time.Hour)
	n.Jobs[2].Status, n.Jobs[2].FinishedAt, n.Jobs[2].FailureReason = ci.Failed, Epoch, ci.MissingDependencyFailure
	n.Jobs[3].Tags, n.Jobs[3].Plan, n.Jobs[3].AllowFailure = nil, ci.JobPlan{When: ci.WhenManual, Dependencies: []string{}}, true
	n.Jobs[4].Name = `quotes " and ' and <tags> & ünïcode 🦊`
	n.Variables = []byte{0, 1, 0xff}
	p := must(db.CreatePipeline(ctx, n))(t)

	want := n.Pipeline
	want.ID, want.IID = p.ID, 1
	same(t, "created pipeline", p, want)
	same(t, "pipeline", must(v.Pipeline(ctx, p.ID))(t), want)
	same(t, "pipeline by uid", must(v.PipelineByUID(ctx, "u1"))(t), want)

	s := must(v.Snapshot(ctx, p.ID))(t)
	jobs := slices.Clone(n.Jobs)
	for i := range jobs {
		jobs[i].ID = s.Jobs[i].ID
		jobs[i].PipelineID, jobs[i].ProjectID, jobs[i].CreatedAt, jobs[i].Protected = p.ID, w.Project.ID, Epoch, true
		if i > 0 && s.Jobs[i].ID <= s.Jobs[i-1].ID {
			t.Errorf("job %d has id %d, after %d", i, s.Jobs[i].ID, s.Jobs[i-1].ID)
		}
		same(t, "job", must(v.Job(ctx, s.Jobs[i].ID))(t), jobs[i])
		same(t, "specification", string(must(v.Spec(ctx, jobs[i].SpecDigest))(t)), string(n.Specs[i].Body))
	}
	same(t, "snapshot", s, &ci.Snapshot{Pipeline: want, Jobs: jobs})
	if s.Jobs[3].Plan.Dependencies == nil || s.Jobs[0].Plan.Dependencies != nil {
		t.Errorf("dependencies: got %v and %v, want an empty list and none", s.Jobs[3].Plan.Dependencies, s.Jobs[0].Plan.Dependencies)
	}
	same(t, "variables", must(v.PipelineVariables(ctx, p.ID))(t), n.Variables)

	bare := must(db.CreatePipeline(ctx, w.NewPipeline("u2", 0)))(t)
	if bare.IID != 2 || bare.ID <= p.ID {
		t.Errorf("second pipeline: got id %d iid %d", bare.ID, bare.IID)
	}
	if got := must(v.PipelineVariables(ctx, bare.ID))(t); got == nil || len(got) != 0 {
		t.Errorf("variables of a pipeline without: got %v, want an empty slice", got)
	}
	same(t, "empty snapshot", must(v.Snapshot(ctx, bare.ID))(t), &ci.Snapshot{Pipeline: bare})

	_, err := db.CreatePipeline(ctx, w.NewPipeline("u1", 1))
	taken(t, "same uid", err, "uid")
	stranger := w.NewPipeline("u3", 1)
	stranger.Pipeline.ProjectID = 999
	_, err = db.CreatePipeline(ctx, stranger)
	missing(t, "pipeline of no project", err)
	if p := must(db.CreatePipeline(ctx, w.NewPipeline("u4", 1)))(t); p.IID != 3 {
		t.Errorf("iid after two that failed: got %d, want 3", p.IID)
	}
	_, err = v.Snapshot(ctx, 999)
	missing(t, "snapshot", err)
	_, err = v.Pipeline(ctx, 999)
	missing(t, "pipeline", err)
	_, err = v.PipelineByUID(ctx, "u3")
	missing(t, "pipeline by uid", err)
}

func testIdempotency(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	try := func(uid, scope, key, body string, since time.Time) (ci.Pipeline, error) {
		n := w.NewPipeline(uid, 2)
		n.Idempotency = &store.Idempotency{Scope: []byte(scope), Key: key, BodyDigest: []byte(body), Since: since}
		return db.CreatePipeline(ctx, n)
	}
	day := Epoch.Add(-24 * time.Hour)
	first := must(try("u1", "maya", "k", "body", day))(t)
	for _, c := range []struct {
		uid, body string
		sameBody  bool
	}{{"u2", "body", true}, {"u3", "other", false}} {
		_, err := try(c.uid, "maya", "k", c.body, day)
		var replayed *store.Replayed
		if !errors.As(err, &replayed) || replayed.PipelineID != first.ID || replayed.SameBody != c.sameBody {
			t.Errorf("replay with body %q: got %v, want pipeline %d, same %v", c.body, err, first.ID, c.sameBody)
		}
		_, err = db.View().PipelineByUID(ctx, c.uid)
		missing(t, "replayed pipeline", err)
	}
	if p := must(try("u4", "owen", "k", "body", day))(t); p.IID != 2 {
		t.Errorf("same key of another caller: got iid %d, want 2", p.IID)
	}
	if p := must(try("u5", "maya", "k", "body", Epoch.Add(time.Hour)))(t); p.IID != 3 {
		t.Errorf("key that is too old: got iid %d, want 3", p.IID)
	}
	if n := must(db.PruneIdempotency(ctx, Epoch.Add(time.Second), 1))(t); n != 1 {
		t.Errorf("pruned %d keys, want 1", n)
	}
	if n := must(db.PruneIdempotency(ctx, Epoch.Add(time.Second), 10))(t); n != 1 {
		t.Errorf("pruned %d keys, want 1", n)
	}
	must(try("u6", "maya", "k", "body", day))(t)
}

func testSpecs(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	must(db.CreatePipeline(ctx, w.NewPipeline("u1", 3)))(t)
	must(db.CreatePipeline(ctx, w.NewPipeline("u2", 4)))(t) // three known, one new
	shared := w.NewPipeline("u3", 3)
	for i := range shared.Jobs {
		shared.Jobs[i].SpecDigest = shared.Specs[0].Digest
	}
	shared.Specs = shared.Specs[:1]
	p := must(db.CreatePipeline(ctx, shared))(t)
	for _, job := range must(db.View().Snapshot(ctx, p.ID))(t).Jobs {
		same(t, "digest", job.SpecDigest, shared.Specs[0].Digest)
	}
	stray := w.NewPipeline("u4", 1)
	other := sha256.Sum256([]byte("other"))
	stray.Jobs[0].SpecDigest = other[:]
	if _, err := db.CreatePipeline(ctx, stray); err == nil {
		t.Error("a job without its specification was stored")
	}
	_, err := db.View().Spec(ctx, other[:])
	missing(t, "specification", err)
}

// testReservedIID creates pipelines whose iid was taken before.
func testReservedIID(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	reserve := func() int64 { return must(db.ReserveIID(ctx, w.Project.ID))(t) }
	lost, first, second := reserve(), reserve(), reserve()
	same(t, "reserved", []int64{lost, first, second}, []int64{1, 2, 3})
	plain, keyed := w.NewPipeline("plain", 1), w.NewPipeline("keyed", 1)
	plain.Pipeline.IID, keyed.Pipeline.IID = second, first
	keyed.Idempotency = &store.Idempotency{Scope: []byte{1}, Key: "k", BodyDigest: []byte{1}, Since: Epoch.Add(-time.Hour)}
	same(t, "plain", must(db.CreatePipeline(ctx, plain))(t).IID, second)
	same(t, "keyed", must(db.CreatePipeline(ctx, keyed))(t).IID, first)
	same(t, "next", must(db.CreatePipeline(ctx, w.NewPipeline("next", 1)))(t).IID, int64(4))
	_, err := db.ReserveIID(ctx, 999)
	missing(t, "project", err)
	plain.Pipeline.ProjectID, plain.Pipeline.UID = 999, "stray"
	_, err = db.CreatePipeline(ctx, plain)
	missing(t, "project of a reserved iid", err)
	same(t, "invariants", must(db.View().Check(ctx))(t), []string{})
}
