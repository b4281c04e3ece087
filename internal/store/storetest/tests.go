package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// testSummaries holds how long a summary of tests lives: as long as its job, unless
// somebody removes the artifacts.
func testSummaries(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	s := w.started(t, "u", 3)
	add := func(job int, kind string, tests *ci.TestSummary) {
		t.Helper()
		must(db.AddArtifact(ctx, ci.Artifact{
			JobID: s.Jobs[job].ID, ProjectID: w.Project.ID, Type: kind, Format: "gzip", SHA256: []byte{1}, BlobKey: kind, Tests: tests,
		}, Epoch.Add(time.Hour), 0))(t)
	}
	summary := func(job int) ci.TestSummary {
		return ci.TestSummary{
			JobID: s.Jobs[job].ID, Suite: "rspec", Time: 1.25, Success: job, Failed: 1, Skipped: 2, Errors: 3, Error: "no \x01 \"report\"",
			Broken: []ci.Test{{Name: "ä", Class: "b", Message: "c\n"}}, Access: "developer",
		}
	}
	first, third := summary(0), summary(2)
	add(0, "archive", nil)
	add(0, "junit", &first)
	add(2, "junit", &third)
	same(t, "count", third.Count(), 8)
	same(t, "summaries", must(v.TestSummaries(ctx, s.Pipeline.ID))(t), []ci.TestSummary{first, third})
	same(t, "summary", must(v.TestSummary(ctx, s.Jobs[2].ID))(t), third)
	_, err := v.TestSummary(ctx, s.Jobs[1].ID)
	missing(t, "summary of a job without tests", err)
	same(t, "summaries of another pipeline", must(v.TestSummaries(ctx, s.Pipeline.ID+1))(t), []ci.TestSummary{})

	ok(t, db.RemoveExpiredArtifacts(ctx, s.Jobs[2].ID))
	same(t, "summary after expiry", must(v.TestSummary(ctx, s.Jobs[2].ID))(t), third)
	third.Success = 9
	add(2, "junit", &third)
	same(t, "summary of a later report", must(v.TestSummary(ctx, s.Jobs[2].ID))(t), third)

	must(db.DeleteArtifacts(ctx, s.Jobs[2].ID))(t)
	_, err = v.TestSummary(ctx, s.Jobs[2].ID)
	missing(t, "summary after deletion", err)
	must(db.EraseJob(ctx, s.Jobs[0].ID, Epoch, w.User.ID))(t)
	same(t, "summaries after erasing", must(v.TestSummaries(ctx, s.Pipeline.ID))(t), []ci.TestSummary{})

	add(1, "junit", &first)
	ok(t, db.DeletePipeline(ctx, s.Pipeline.ID))
	_, err = v.TestSummary(ctx, s.Jobs[1].ID)
	missing(t, "summary of a deleted pipeline", err)
}
