package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testPipelines(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	w := NewWorld(t, db)
	n := w.NewPipeline("u1", 5)
	p, err := db.CreatePipeline(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	want := n.Pipeline
	want.ID, want.IID = 1, 1
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("created pipeline (-want +got):\n%s", diff)
	}
	s, err := v.Snapshot(ctx, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	jobs := n.Jobs
	for i := range jobs {
		jobs[i].ID, jobs[i].PipelineID, jobs[i].ProjectID, jobs[i].CreatedAt = ci.JobID(i+1), 1, 1, Epoch
	}
	if diff := cmp.Diff(&ci.Snapshot{Pipeline: want, Jobs: jobs}, s); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}
