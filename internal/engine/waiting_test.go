package engine_test

import (
	"fmt"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// Why a job waits can be asked.
func TestWaitingReason(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "waiting", `
workflow: {auto_cancel: {on_new_commit: none}}
plain: {script: x}
arm: {script: x, tags: [arm64, linux]}
odd: {script: x, tags: [odd, strange]}
split: {script: x, tags: [linux, shell]}
deploy: {script: x, resource_group: production}
`)
	check := func(what string, p ci.Pipeline, name, want string) {
		t.Helper()
		for _, job := range s.Snapshot(p.ID).Jobs {
			if job.Name == name {
				got, err := w.Engine.WaitingReason(t.Context(), s.project, job)
				enginetest.Check(t, err)
				enginetest.Equal(t, what+": "+name, got, want)
			}
		}
	}
	first := s.Started(s.project, s.token, "main")
	second, third := s.Started(s.project, s.token, "main"), s.Started(s.project, s.token, "main")
	holder := s.Snapshot(first.ID).Jobs[4]
	check("nobody is there", second, "plain", "no runner of this project is online")
	check("nobody is there", second, "arm", "no online runner has any of the tags arm64, linux")
	check("it is held", second, "deploy", fmt.Sprintf("resource group production is held by #%d", holder.ID))

	runner := w.Machine(w.Runner("linux").Runner, "s_2")
	w.Runner("shell")
	check("there are runners", first, "plain", "next for a runner")
	check("there are runners", second, "plain", "2 jobs ahead") // plain and deploy of the first
	check("there are runners", second, "arm", "no online runner has tag arm64")
	check("there are runners", second, "odd", "no online runner has any of the tags odd, strange")
	check("there are runners", second, "split", "no online runner has all of the tags linux, shell")
	enginetest.Equal(t, "taken", runner.Take().Job.Name, "plain")
	check("it runs", first, "plain", "")
	check("one is before it", second, "plain", "1 job ahead")

	caller := engine.Caller{User: s.owner}
	enginetest.Must(w.Engine.SetProcessMode(t.Context(), caller, s.project, "production", ci.OldestFirst))(t)
	enginetest.Must(w.Engine.CancelPipeline(t.Context(), caller, s.project, first.ID))(t)
	check("the next one has it", third, "deploy", fmt.Sprintf("resource group production is held by #%d", s.Snapshot(second.ID).Jobs[4].ID))
	s.set(func(p *ci.Project) { p.SharedRunners = false })
	check("no instance runners", second, "plain", "no runner of this project is online")
	s.set(func(p *ci.Project) { p.BuildsAccess = ci.AccessDisabled })
	check("switched off", second, "plain", "CI/CD is off in this project")
}
