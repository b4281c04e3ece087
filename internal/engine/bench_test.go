package engine_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// configOf is a configuration of n jobs in two stages, with what jobs usually
// have.
func configOf(n int) string {
	var b strings.Builder
	b.WriteString("stages: [build, test]\nvariables:\n  LEVEL: debug\n")
	for i := range n {
		stage := "test"
		if i == 0 {
			stage = "build"
		}
		fmt.Fprintf(&b, `
job %d:
  stage: %s
  image: golang:1.26
  variables: {NUMBER: "%d"}
  before_script: [go version]
  script: [go build ./..., go test ./...]
  artifacts: {paths: [out/], expire_in: 1 week}
  cache: {key: go, paths: [.cache/]}
  rules:
    - if: $CI_PIPELINE_SOURCE == "trigger"
`, i, stage, i)
	}
	return b.String()
}

// BenchmarkTrigger is a whole trigger call but for HTTP, down to the durable row:
// the configuration is in the cache, as it is for all but the first of a commit.
func BenchmarkTrigger(b *testing.B) {
	for _, jobs := range []int{5, 200} {
		for _, clients := range []int{1, 32} {
			b.Run(fmt.Sprintf("jobs=%d/clients=%d", jobs, clients), func(b *testing.B) {
				w := enginetest.New(b, enginetest.Config{})
				p := w.Project("hello", ".gitlab-ci.yml", configOf(jobs))
				request := enginetest.Request(p, w.TriggerToken(p, w.Someone(p, ci.Developer)), "main", "COLOR", "red")
				trigger(b, w, request)
				b.SetParallelism(clients)
				b.ReportAllocs()
				statements, cpu := w.Statements.Count(), cpuTime(b)
				b.ResetTimer()
				if clients == 1 {
					for range b.N {
						trigger(b, w, request)
					}
				} else {
					parallel(b, func() { trigger(b, w, request) })
				}
				b.StopTimer()
				b.ReportMetric(float64(w.Statements.Count()-statements)/float64(b.N), "statements/op")
				b.ReportMetric(float64((cpuTime(b)-cpu)/1000)/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

func parallel(b *testing.B, do func()) {
	var failed atomic.Bool
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() && !failed.Load() {
			do()
		}
	})
}

func trigger(b *testing.B, w *enginetest.World, r engine.TriggerRequest) {
	if _, err := w.Engine.Trigger(b.Context(), r); err != nil {
		b.Error(err)
	}
}

// cpuTime is what this process has used so far, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
