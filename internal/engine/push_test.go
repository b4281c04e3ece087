package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// pushed lets the owner push what is at a branch now.
func (s *scene) pushed(ref, before string, change func(*engine.Push)) []engine.PushedRef {
	s.t.Helper()
	after := enginetest.Must(s.Git.Resolve(s.t.Context(), int64(s.project.ID), ref))(s.t)
	push := engine.Push{
		Project: s.project, Caller: engine.Caller{User: s.owner},
		Changes: []engine.RefChange{{Name: ref, Before: before, After: after}},
	}
	if change != nil {
		change(&push)
	}
	return enginetest.Must(s.Engine.Pushed(s.t.Context(), push))(s.t)
}

// Marks in the commit's message count for pushes only (contract 4.2, step 7).
func TestSkipMarks(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "skip", simple)
	for i, test := range []struct {
		message string
		skip    bool
	}{
		{"Fix [ci skip]", true},
		{"Fix [skip ci]", true},
		{"Fix [CI-Skip] it", true},
		{"Fix\n\n[skip_ci]\n", true},
		{"Fix ci skip", false},
		{"Fix [ci  skip]", false},
		{"Fix [no ci]", false},
	} {
		branch := fmt.Sprintf("branch%d", i)
		s.Commit(s.project, branch, test.message, "file", branch)
		want := ci.Pending
		if test.skip {
			want = ci.Skipped
		}
		results := s.pushed("refs/heads/"+branch, ci.ZeroSHA, nil)
		if len(results) != 1 || results[0].Refusal != nil || results[0].Pipeline.Status != want {
			t.Errorf("push of %q: got %v, want a pipeline that is %s", test.message, results, want)
		}
		if test.skip {
			enginetest.Equal(t, "jobs", s.Jobs(results[0].Pipeline.ID), "")
		}
		enginetest.Equal(t, "trigger", s.trigger(branch), "")
		enginetest.Equal(t, "status of the triggered one", s.latest().Status, ci.Pending)
		_, err := s.Engine.RunPipeline(t.Context(), engine.Caller{User: s.owner}, s.project, branch, nil)
		enginetest.Equal(t, "API", enginetest.Text(err), "")
		enginetest.Equal(t, "status of the one by the API", s.latest().Status, ci.Pending)
	}
}

func TestPushOptions(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "options", "a: {script: x, foo: y}")
	a := func(p *engine.Push) { p.Skip = true }
	enginetest.Equal(t, "skipped before the configuration is read", s.pushed("refs/heads/main", ci.ZeroSHA, a)[0].Pipeline.Status, ci.Skipped)
	broken := s.pushed("refs/heads/main", ci.ZeroSHA, nil)[0]
	enginetest.Equal(t, "refusal", enginetest.Text(broken.Refusal), "unprocessable: jobs:a config contains unknown keys: foo")
	enginetest.Equal(t, "kept", broken.Pipeline.Status, ci.Failed)
	s.Commit(s.project, "main", "Mended", ".gitlab-ci.yml", "a: {script: x, rules: [{if: $DEEP == \"yes\"}]}")
	filtered := s.pushed("refs/heads/main", ci.ZeroSHA, nil)[0]
	enginetest.Equal(t, "filtered: nothing is kept", filtered.Pipeline.ID, 0)
	given := func(p *engine.Push) { p.Variables = []ci.Variable{{Key: "DEEP", Value: "yes"}} }
	enginetest.Equal(t, "with the variable", s.pushed("refs/heads/main", ci.ZeroSHA, given)[0].Pipeline.Status, ci.Pending)
	none := func(p *engine.Push) { p.NoPipeline = true }
	enginetest.Equal(t, "no pipeline wanted", len(s.pushed("refs/heads/main", ci.ZeroSHA, none)), 0)
	job := func(p *engine.Push) { p.Caller.Job = &ci.Job{} }
	enginetest.Equal(t, "a job's push", len(s.pushed("refs/heads/main", ci.ZeroSHA, job)), 0)
	s.as(ci.NoRole)
	refused := s.pushed("refs/heads/main", ci.ZeroSHA, nil)[0]
	enginetest.Equal(t, "no member", enginetest.Text(refused.Refusal), notAllowed)
}

// rules:changes compare a push with the commit before it. Where there is nothing to
// compare with, everything has changed.
func TestChanges(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "changes", `
always: {script: x}
docs: {script: x, rules: [{changes: [docs/*]}]}
code: {script: x, rules: [{changes: ["*.go"]}]}
`)
	first := s.Commit(s.project, "main", "Code", "main.go", "package main")
	second := s.Commit(s.project, "main", "Docs", "docs/index.md", "# Docs")
	const all = "always pending, docs pending, code pending"
	for _, test := range []struct{ what, before, want string }{
		{"one commit", first, "always pending, docs pending"},
		{"new branch", ci.ZeroSHA, all},
		{"over a commit that is gone", strings.Repeat("1", 40), all},
	} {
		result := s.pushed("refs/heads/main", test.before, nil)[0]
		enginetest.Equal(t, test.what, s.Jobs(result.Pipeline.ID), test.want)
		enginetest.Equal(t, test.what+": commit", result.Pipeline.SHA, second)
	}
	s.Tag(s.project, "v1", second, "")
	tag := s.pushed("refs/tags/v1", ci.ZeroSHA, nil)[0].Pipeline
	enginetest.Equal(t, "tag", s.Jobs(tag.ID), all)
	enginetest.Equal(t, "tag: is one", tag.Tag, true)
	enginetest.Equal(t, "trigger", s.Jobs(s.Started(s.project, s.token, "main").ID), all)
}
