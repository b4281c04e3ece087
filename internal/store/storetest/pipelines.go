package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testPipelineLists(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	dev, _ := NewUser(t, db, "dev")
	ids := map[ci.PipelineID]string{}
	add := func(name string, change func(*ci.Pipeline)) {
		n := w.NewPipeline(name, 0)
		change(&n.Pipeline)
		ids[must(db.CreatePipeline(ctx, n))(t).ID] = name
	}
	add("a", func(p *ci.Pipeline) { p.Status = ci.Running })
	add("b", func(p *ci.Pipeline) { p.Status, p.UserID = ci.Success, dev.ID })
	add("c", func(p *ci.Pipeline) { p.Status, p.Ref, p.YAMLErrors, p.Name = ci.Failed, "dev", "bad", "nightly" })
	add("d", func(p *ci.Pipeline) { p.Ref, p.Tag, p.Status, p.SHA = "v1", true, ci.Pending, "2222" })
	add("e", func(p *ci.Pipeline) { p.Source, p.Status, p.TriggerID = ci.SourceParent, ci.Canceled, 4 })
	add("f", func(p *ci.Pipeline) {
		p.Source, p.Status, p.TriggerID = ci.SourcePush, ci.Canceled, 3
		p.CreatedAt, p.UpdatedAt = Epoch.Add(time.Hour), Epoch.Add(2*time.Hour)
	})
	other := NewProject(t, db, w.Home, w.User, "other")
	n := w.NewPipeline("elsewhere", 0)
	n.Pipeline.ProjectID = other.ID
	must(db.CreatePipeline(ctx, n))(t)
	ok(t, db.SetRefs(ctx, w.Project.ID, []ci.Ref{{Name: "refs/heads/main"}, {Name: "refs/heads/gone"}, {Name: "refs/tags/v1"}}, nil))

	yes, no := true, false
	for _, c := range []struct {
		name   string
		filter store.PipelineFilter
		want   string
		total  int
	}{
		{"all", store.PipelineFilter{}, "fdcba", 5},
		{"page", store.PipelineFilter{Limit: 2, Offset: 1}, "dc", 5},
		{"beyond", store.PipelineFilter{Limit: 2, Offset: 10}, "", 5},
		{"children", store.PipelineFilter{Source: ci.SourceParent}, "e", 1},
		{"source", store.PipelineFilter{Source: ci.SourcePush}, "f", 1},
		{"running", store.PipelineFilter{Scope: "running"}, "a", 1},
		{"pending", store.PipelineFilter{Scope: "pending"}, "d", 1},
		{"finished", store.PipelineFilter{Scope: "finished"}, "fcb", 3},
		{"branches", store.PipelineFilter{Scope: "branches"}, "f", 1},
		{"tags", store.PipelineFilter{Scope: "tags"}, "d", 1},
		{"status", store.PipelineFilter{Status: ci.Failed}, "c", 1},
		{"ref", store.PipelineFilter{Ref: "dev"}, "c", 1},
		{"sha", store.PipelineFilter{SHA: "2222"}, "d", 1},
		{"username", store.PipelineFilter{Username: "DEV"}, "b", 1},
		{"unknown username", store.PipelineFilter{Username: "nobody"}, "", 0},
		{"name", store.PipelineFilter{Name: "nightly"}, "c", 1},
		{"with errors", store.PipelineFilter{YAMLErrors: &yes}, "c", 1},
		{"without errors", store.PipelineFilter{YAMLErrors: &no}, "fdba", 4},
		{"trigger", store.PipelineFilter{TriggerID: 3}, "f", 1},
		{"updated after", store.PipelineFilter{UpdatedAfter: Epoch.Add(time.Hour)}, "f", 1},
		{"updated before", store.PipelineFilter{UpdatedBefore: Epoch.Add(time.Hour)}, "dcba", 4},
		{"created after", store.PipelineFilter{CreatedAfter: Epoch}, "f", 1},
		{"created before", store.PipelineFilter{CreatedBefore: Epoch.Add(time.Microsecond)}, "dcba", 4},
		{"ascending", store.PipelineFilter{Sort: "asc"}, "abcdf", 5},
		{"by status", store.PipelineFilter{OrderBy: "status", Sort: "asc"}, "fcdab", 5},
		{"by ref", store.PipelineFilter{OrderBy: "ref"}, "dfbac", 5},
		{"by update", store.PipelineFilter{OrderBy: "updated_at", Sort: "asc"}, "abcdf", 5},
		{"by user", store.PipelineFilter{OrderBy: "user_id", Sort: "desc"}, "bfdca", 5},
		{"all at once", store.PipelineFilter{Scope: "finished", Status: ci.Success, Ref: "main", Username: "dev", Source: ci.SourceTrigger}, "b", 1},
	} {
		c.filter.ProjectID = w.Project.ID
		list, total, err := v.Pipelines(ctx, c.filter)
		ok(t, err)
		got := ""
		for _, p := range list {
			got += ids[p.ID]
		}
		if got != c.want || total != c.total {
			t.Errorf("%s: got %q of %d, want %q of %d", c.name, got, total, c.want, c.total)
		}
	}
	for _, f := range []store.PipelineFilter{{Scope: "all"}, {OrderBy: "sha"}, {Sort: "up"}} {
		if _, _, err := v.Pipelines(ctx, f); err == nil {
			t.Errorf("filter %+v: got no error", f)
		}
	}

	for _, c := range []struct{ ref, sha, want string }{
		{"main", "", "f"}, {"main", w.NewPipeline("", 0).Pipeline.SHA, "f"}, {"v1", "2222", "d"}, {"v1", "1111", ""}, {"gone", "", ""},
	} {
		p, err := v.LatestPipeline(ctx, w.Project.ID, c.ref, c.sha)
		if c.want == "" {
			missing(t, "latest pipeline", err)
		} else if got := ids[p.ID]; got != c.want || err != nil {
			t.Errorf("latest of %s at %q: got %q, %v, want %q", c.ref, c.sha, got, err, c.want)
		}
	}
	active := ""
	for _, id := range must(v.ActivePipelines(ctx))(t) {
		active += ids[id]
	}
	if active != "ad" { // and the one of the other project, which has no name here
		t.Errorf("active pipelines: got %q, want ad", active)
	}
}

func testPipelineDetails(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	a, b := w.started(t, "a", 4), w.started(t, "b", 2)
	for i, c := range []float64{90, 50.5, 10} {
		a.Jobs[i].Coverage = &c
	}
	a.Jobs[2].Retried = true
	a.Jobs[2].Status, a.Jobs[2].AllowFailure = ci.Failed, true
	b.Jobs[0].Status, b.Jobs[0].AllowFailure = ci.Failed, true
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: a.Pipeline, Jobs: a.Jobs}, 0))
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: b.Pipeline, Jobs: b.Jobs}, 0))
	ids := []ci.PipelineID{a.Pipeline.ID, b.Pipeline.ID}
	same(t, "coverage", must(v.PipelineCoverage(ctx, ids))(t), map[ci.PipelineID]float64{ids[0]: 70.25})
	same(t, "warnings", must(v.HasWarnings(ctx, ids))(t), map[ci.PipelineID]bool{ids[1]: true})
	same(t, "by id", must(v.PipelinesByID(ctx, append([]ci.PipelineID{999}, ids...)))(t), map[ci.PipelineID]ci.Pipeline{
		ids[0]: must(v.Pipeline(ctx, ids[0]))(t), ids[1]: must(v.Pipeline(ctx, ids[1]))(t),
	})
	same(t, "coverage of none", must(v.PipelineCoverage(ctx, nil))(t), map[ci.PipelineID]float64{})

	n := w.NewPipeline("down", 0)
	n.Upstream = &ci.Upstream{SourceProjectID: w.Project.ID, SourcePipelineID: ids[0], SourceJobID: a.Jobs[1].ID}
	down := must(db.CreatePipeline(ctx, n))(t)
	want := *n.Upstream
	want.PipelineID = down.ID
	same(t, "upstream", must(v.Upstream(ctx, down.ID))(t), want)
	same(t, "downstreams", must(v.Downstreams(ctx, ids[0]))(t), []ci.Upstream{want})
	same(t, "downstreams of another", must(v.Downstreams(ctx, ids[1]))(t), []ci.Upstream{})
	_, err := v.Upstream(ctx, ids[0])
	missing(t, "upstream", err)

	b.Jobs[1].Status, b.Jobs[1].ScheduledAt = ci.Scheduled, Epoch.Add(time.Minute)
	b.Pipeline.Version++
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: b.Pipeline, Jobs: b.Jobs[1:]}, 0))
	same(t, "due too early", must(v.DueScheduled(ctx, Epoch))(t), []ci.PipelineID{})
	same(t, "due", must(v.DueScheduled(ctx, Epoch.Add(time.Minute)))(t), []ci.PipelineID{ids[1]})
}

func testDeletePipeline(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	w.started(t, "witness", 1)
	n := w.NewPipeline("u", 2)
	n.Variables = []byte("sealed")
	n.Idempotency = &store.Idempotency{Scope: []byte("s"), Key: "k", BodyDigest: []byte("b")}
	p := must(db.CreatePipeline(ctx, n))(t)
	s := must(v.Snapshot(ctx, p.ID))(t)
	s.Jobs[0].Status = ci.Running
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[:1]}, 1))
	must(db.AddArtifact(ctx, ci.Artifact{JobID: s.Jobs[0].ID, ProjectID: w.Project.ID, Type: "archive", BlobKey: "blob", SHA256: []byte{1}}, time.Time{}, 0))(t)
	down := w.NewPipeline("down", 0)
	down.Upstream = &ci.Upstream{SourceProjectID: w.Project.ID, SourcePipelineID: p.ID, SourceJobID: s.Jobs[0].ID}
	downID := must(db.CreatePipeline(ctx, down))(t).ID

	ok(t, db.DeletePipeline(ctx, p.ID))
	missing(t, "second delete", db.DeletePipeline(ctx, p.ID))
	_, err := v.Pipeline(ctx, p.ID)
	missing(t, "pipeline", err)
	_, err = v.Job(ctx, s.Jobs[0].ID)
	missing(t, "job", err)
	_, err = v.Artifact(ctx, s.Jobs[0].ID, "archive")
	missing(t, "artifact", err)
	_, err = v.Upstream(ctx, downID)
	missing(t, "upstream", err)
	same(t, "variables", must(v.PipelineVariables(ctx, p.ID))(t), []byte{})
	if got := running(t, v); got != 0 {
		t.Errorf("running jobs: got %d, want 0", got)
	}
	trash := must(v.Trash(ctx, 10))(t)
	kinds := map[string]int{}
	var ids []int64
	for _, row := range trash {
		kinds[row.Kind]++
		ids = append(ids, row.ID)
		same(t, "time of trash", row.CreatedAt, Epoch)
	}
	same(t, "trash", kinds, map[string]int{store.TrashBlob: 1, store.TrashLog: 2, store.TrashSpec: 1})
	if trash[0].Key != "blob" {
		t.Errorf("trash: got key %q, want blob", trash[0].Key)
	}
	ok(t, db.EmptyTrash(ctx, ids[1:]))
	same(t, "trash that is left", must(v.Trash(ctx, 10))(t), trash[:1])
	n.Pipeline.UID = "again"
	must(db.CreatePipeline(ctx, n))(t) // the idempotency key is free
}
