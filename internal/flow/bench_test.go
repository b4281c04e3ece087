package flow

import (
	"fmt"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// pipelineOf makes n jobs in ten stages. With needs, each job but those of the first
// stage needs up to five of the stage before.
func pipelineOf(n int, needs bool) *ci.Snapshot {
	s := &ci.Snapshot{Pipeline: ci.Pipeline{Status: ci.Created, CreatedAt: epoch}}
	width := max(1, n/10)
	for i := range n {
		stage := i / width
		j := ci.Job{
			Name: fmt.Sprint("job ", i), Stage: fmt.Sprint("stage", stage), StageIndex: stage, Status: ci.Created, Timeout: 3600,
		}
		if needs && stage > 0 {
			j.Plan.DAG = true
			for k := range min(5, width) {
				need := (stage-1)*width + (i+k)%width
				j.Plan.Needs = append(j.Plan.Needs, ci.Need{Job: fmt.Sprint("job ", need)})
			}
		}
		s.Jobs = append(s.Jobs, j)
	}
	return s
}

func eachSize(b *testing.B, bench func(b *testing.B, s *ci.Snapshot)) {
	for _, n := range []int{10, 1000} {
		for _, kind := range []string{"stages", "needs"} {
			b.Run(fmt.Sprintf("%d/%s", n, kind), func(b *testing.B) {
				b.ReportAllocs()
				bench(b, pipelineOf(n, kind == "needs"))
			})
		}
	}
}

func BenchmarkStart(b *testing.B) {
	eachSize(b, func(b *testing.B, s *ci.Snapshot) {
		for b.Loop() {
			if got := Start(s, epoch); got.Pipeline.Status != ci.Pending {
				b.Fatalf("pipeline is %s", got.Pipeline.Status)
			}
		}
	})
}

// BenchmarkFinish ends the last job of the first stage, which starts the second.
func BenchmarkFinish(b *testing.B) {
	eachSize(b, func(b *testing.B, s *ci.Snapshot) {
		s = Start(s, epoch)
		var last ci.JobID
		for i := range s.Jobs {
			j := &s.Jobs[i]
			j.ID = ci.JobID(i + 1)
			if j.Status == ci.Pending {
				j.Status, last = ci.Success, j.ID
			}
		}
		s.Job(last).Status = ci.Running
		for b.Loop() {
			c, err := Finish(s, last, ci.Outcome{Success: true}, epoch)
			if err != nil || len(c.Started) == 0 {
				b.Fatalf("started %d jobs: %v", len(c.Started), err)
			}
		}
	})
}
