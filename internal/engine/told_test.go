package engine_test

import (
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// TestTold holds that each pipeline and the end of each job is told once, whichever
// way it came about, and nothing that was not saved.
func TestTold(t *testing.T) {
	var mu sync.Mutex
	created, ended := map[ci.Source]int{}, map[ci.Status]int{}
	s := newScene(t, enginetest.New(t, enginetest.Config{Told: engine.Told{
		PipelineCreated: func(source ci.Source) { mu.Lock(); defer mu.Unlock(); created[source]++ },
		JobEnded:        func(status ci.Status) { mu.Lock(); defer mu.Unlock(); ended[status]++ },
	}}), "told", `
stages: [one, two]
a: {stage: one, script: x}
b: {stage: one, script: x}
c: {stage: two, script: x}
d: {stage: two, script: x, when: on_failure}
`)
	told := func(what string, pipelines int, want map[ci.Status]int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		enginetest.Equal(t, what+": pipelines", created[ci.SourceTrigger], pipelines)
		for _, status := range []ci.Status{ci.Success, ci.Failed, ci.Canceled, ci.Skipped} {
			enginetest.Equal(t, what+": jobs "+string(status), ended[status], want[status])
		}
	}
	s.trigger("nope")
	told("a refused trigger", 0, nil)
	p := s.Started(s.project, s.token, "main")
	told("a trigger", 1, nil)
	runner := s.Runner()
	runner.Run()
	told("a job", 1, map[ci.Status]int{ci.Success: 1})
	runner.Finish(runner.Take(), false)
	told("one that failed, so that another is skipped", 1, map[ci.Status]int{ci.Success: 1, ci.Failed: 1, ci.Skipped: 1})
	enginetest.Must(s.Engine.CancelPipeline(t.Context(), s.Root, s.project, p.ID))(t)
	told("the rest canceled", 1, map[ci.Status]int{ci.Success: 1, ci.Failed: 1, ci.Skipped: 1, ci.Canceled: 1})
}
