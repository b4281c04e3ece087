package engine_test

import (
	"sync/atomic"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/flow"
)

const deploys = "workflow: {auto_cancel: {on_new_commit: none}}\ndeploy: {script: x, resource_group: prod}\n"

// A resource group goes from job to job, whatever ends the one that holds it.
func TestResourceGroupIsPassedOn(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "groups", deploys)
	s.as(ci.Owner)
	caller, runner := engine.Caller{User: s.owner}, w.Runner()
	next := s.Started(s.project, s.token, "main")
	for name, end := range map[string]func(p ci.Pipeline){
		"finished": func(ci.Pipeline) { runner.Run() },
		"failed":   func(ci.Pipeline) { runner.Finish(runner.Take(), false) },
		"canceled": func(p ci.Pipeline) { enginetest.Must(w.Engine.CancelPipeline(t.Context(), caller, s.project, p.ID))(t) },
		"dropped": func(ci.Pipeline) {
			enginetest.Check(t, w.Engine.DropJob(t.Context(), runner.Take().Job.ID, ci.StuckOrTimeout))
		},
		"deleted": func(p ci.Pipeline) {
			enginetest.Check(t, w.Engine.DeletePipeline(t.Context(), caller, s.project, p.ID, nil))
		},
	} {
		holder := next
		next = s.Started(s.project, s.token, "main")
		enginetest.Equal(t, name+", holder before", w.Jobs(holder.ID), "deploy pending")
		enginetest.Equal(t, name+", next before", w.Jobs(next.ID), "deploy waiting_for_resource")
		end(holder)
		enginetest.Equal(t, name+", next after", w.Jobs(next.ID), "deploy pending")
	}
}

// The process mode decides whose turn it is.
func TestProcessModes(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "modes", deploys)
	caller, runner := engine.Caller{User: s.owner}, w.Runner()
	var list []ci.Pipeline
	for range 4 {
		list = append(list, s.Started(s.project, s.token, "main"))
	}
	mode := func(mode ci.ProcessMode) {
		t.Helper()
		enginetest.Must(w.Engine.SetProcessMode(t.Context(), caller, s.project, "prod", mode))(t)
	}
	mode(ci.NewestFirst)
	runner.Run()
	enginetest.Equal(t, "newest first", w.Jobs(list[3].ID), "deploy pending")
	mode(ci.OldestFirst)
	runner.Run()
	enginetest.Equal(t, "oldest first", w.Jobs(list[1].ID), "deploy pending")
	s.as(ci.Reporter)
	_, err := w.Engine.SetProcessMode(t.Context(), caller, s.project, "prod", ci.Unordered)
	enginetest.Equal(t, "a reporter", ci.KindOf(err), ci.KindForbidden)
}

// What a process left undone before it ended, the background does.
func TestResourceGroupAfterACrash(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "crashed", deploys)
	s.Started(s.project, s.token, "main")
	second := s.Started(s.project, s.token, "main")
	first := s.Snapshot(s.Pipelines(s.project)[0].ID) // canceled by somebody who then fell silent
	changes := enginetest.Must(flow.CancelPipeline(first, w.Now()))(t)
	enginetest.Check(t, w.Store.Apply(t.Context(), changes, 0))
	enginetest.Equal(t, "before", w.Jobs(second.ID), "deploy waiting_for_resource")
	w.Engine.Background().Round(t.Context())
	enginetest.Equal(t, "after", w.Jobs(second.ID), "deploy pending")
}

// Two engines that know nothing of each other never let two jobs hold a group, and
// leave none waiting.
func TestOneHolder(t *testing.T) {
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			w := enginetest.New(t, enginetest.Config{Database: database(t)})
			s := newScene(t, w, "onlyone", deploys)
			runners := []*enginetest.Runner{w.Runner(), w.Runner()}
			const pipelines = 12
			var done, held atomic.Int64
			err := together(w, pipelines, func(e *engine.Engine, i int) error {
				_, err := e.Trigger(t.Context(), enginetest.Request(s.project, s.token, "main"))
				return err
			})
			enginetest.Check(t, err)
			err = together(w, 2, func(e *engine.Engine, i int) error {
				for done.Load() < pipelines {
					a, err := e.RequestJob(t.Context(), runners[i].Contact())
					if err != nil {
						return err
					}
					if a == nil {
						continue
					}
					if held.Add(1) != 1 {
						t.Errorf("job %d runs beside another", a.Job.ID)
					}
					held.Add(-1)
					if _, err := e.UpdateJob(t.Context(), a.Job.ID, a.Token, engine.JobUpdate{State: "success"}); err != nil {
						return err
					}
					done.Add(1)
				}
				return nil
			})
			enginetest.Check(t, err)
			enginetest.Equal(t, "jobs", done.Load(), pipelines)
		})
	}
}
