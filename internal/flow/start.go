package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Start makes the first processing pass over a pipeline that was just compiled:
// its jobs are all created and have no ids yet. It gives the snapshot to store, in
// the same order of jobs; s stays as it is.
//
// Start fills what follows from the jobs: the pipeline's stages (those that have
// jobs, in order) and each plan's timeout.
func Start(s *ci.Snapshot, now time.Time) *ci.Snapshot {
	started := s.Clone()
	started.Pipeline.Stages = stages(s.Jobs)
	started.Pipeline.Duration = -1
	b := newBoard(s, now)
	b.pipeline = started.Pipeline
	for i := range started.Jobs {
		j := &started.Jobs[i]
		j.Plan.Timeout = cmp.Or(j.Plan.Timeout, j.Timeout)
		b.jobs[i] = j
	}
	b.settle()
	started.Pipeline = b.pipeline
	return started
}

// stages lists the stages that have jobs, in order.
func stages(jobs []ci.Job) []ci.Stage {
	var list []ci.Stage
	seen := map[int]bool{}
	for i := range jobs {
		if j := &jobs[i]; !seen[j.StageIndex] {
			seen[j.StageIndex] = true
			list = append(list, ci.Stage{Name: j.Stage, Index: j.StageIndex, Status: ci.Created})
		}
	}
	slices.SortFunc(list, func(x, y ci.Stage) int { return cmp.Compare(x.Index, y.Index) })
	return list
}
