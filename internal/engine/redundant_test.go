package engine_test

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// A pipeline for a newer commit of a branch cancels older ones, as each of them
// says, and nothing else.
func TestRedundantPipelines(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	const plain = "a: {script: x}\nb: {script: x, interruptible: true}\n"
	for _, test := range []struct {
		name, config string
		setup        func(*scene)
		ref          string
		same         bool // no newer commit
		want         string
	}{
		{name: "conservative", config: plain, want: "a canceled, b canceled"},
		{name: "begun", config: plain, setup: func(s *scene) { s.Runner().Take() }, want: "a running, b pending"},
		{name: "interruptible", config: "workflow: {auto_cancel: {on_new_commit: interruptible}}\n" + plain, want: "a pending, b canceled"},
		{name: "none", config: "workflow: {auto_cancel: {on_new_commit: none}}\n" + plain, want: "a pending, b pending"},
		{name: "samecommit", config: plain, same: true, want: "a pending, b pending"},
		{name: "switchedoff", config: plain, want: "a pending, b pending",
			setup: func(s *scene) { s.set(func(p *ci.Project) { p.AutoCancelPending = false }) }},
		{name: "otherbranch", config: plain, ref: "topic", want: "a pending, b pending"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, w, "redundant-"+test.name, test.config)
			old := s.Started(s.project, s.token, "main")
			if test.setup != nil {
				test.setup(s)
			}
			ref := "main"
			if test.ref != "" {
				ref = test.ref
			}
			if !test.same {
				s.Commit(s.project, ref, "Newer", "file", "x")
			}
			enginetest.Equal(t, "newer", s.Started(s.project, s.token, ref).Status, ci.Created)
			enginetest.Equal(t, "older", s.Jobs(old.ID), test.want)
			enginetest.Equal(t, "newest", s.latest().Status, ci.Pending)
			for range 10 { // nothing of this test is left for the next runner
				if a := enginetest.Must(s.Engine.RequestJob(t.Context(), s.Runner().Contact()))(t); a == nil {
					break
				}
			}
		})
	}
}

// Finding nothing to cancel costs a trigger no statement more.
func TestStatementsBesideOlderPipelines(t *testing.T) {
	s, request := priced(t, 5)
	trigger := func() int {
		return len(s.Statements.During(func() { enginetest.Must(s.Engine.Trigger(t.Context(), request))(t) }))
	}
	alone := trigger()
	s.set(func(p *ci.Project) { p.AutoCancelPending = false })
	enginetest.Equal(t, "without looking", trigger(), alone)
}
