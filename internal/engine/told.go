package engine

import (
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func (t Told) withDefaults() Told {
	if t.PipelineCreated == nil {
		t.PipelineCreated = func(ci.Source) {}
	}
	if t.JobEnded == nil {
		t.JobEnded = func(ci.Status) {}
	}
	return t
}

// countCreated counts a new pipeline, and those of its jobs that were over before
// they began.
func (e *Engine) countCreated(row *store.NewPipeline) {
	e.told.PipelineCreated(row.Pipeline.Source)
	for i := range row.Jobs {
		if row.Jobs[i].Status.Complete() {
			e.told.JobEnded(row.Jobs[i].Status)
		}
	}
}

// countEnds counts the jobs that are over now and were not before.
func (e *Engine) countEnds(before *ci.Snapshot, changes ci.Changes) {
	for i := range changes.Jobs {
		job := &changes.Jobs[i]
		if old := before.Job(job.ID); job.Status.Complete() && old != nil && !old.Status.Complete() {
			e.told.JobEnded(job.Status)
		}
	}
}
