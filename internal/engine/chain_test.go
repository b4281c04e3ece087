package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
)

const (
	notAllowed = "invalid: Insufficient permissions to create a new pipeline"
	notOnMain  = "invalid: You do not have sufficient permission to run a pipeline on 'main'. " +
		"Please select a different branch or contact your administrator for assistance."
)

// The rows of contract/trigger-api.md 4.2 that leave nothing behind, but for those
// about the configuration.
func TestRefusedWithoutRow(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	for i, test := range []struct {
		name  string
		setup func(*scene)
		ref   string // main when empty
		vars  []string
		want  string
	}{
		{name: "disabled", want: "invalid: Pipelines are disabled!",
			setup: func(s *scene) { s.set(func(p *ci.Project) { p.BuildsAccess = ci.AccessDisabled }) }},
		{name: "reporter", want: notAllowed, setup: func(s *scene) { s.as(ci.Reporter) }},
		{name: "guest", want: notAllowed, setup: func(s *scene) { s.as(ci.Guest) }},
		{name: "no member any more", want: notAllowed, setup: func(s *scene) { s.as(ci.NoRole) }},
		{name: "blocked", want: notAllowed,
			setup: func(s *scene) { s.change(func(u *ci.User) { u.State = ci.UserBlocked }) }},
		{name: "unconfirmed", want: notAllowed,
			setup: func(s *scene) { s.change(func(u *ci.User) { u.Confirmed = false }) }},
		{name: "archived", want: notAllowed,
			setup: func(s *scene) { s.set(func(p *ci.Project) { p.Archived = true }) }},
		{name: "deactivated", want: notOnMain,
			setup: func(s *scene) { s.change(func(u *ci.User) { u.State = ci.UserDeactivated }) }},
		{name: "protected", want: notOnMain,
			setup: func(s *scene) { s.Protect(s.project, "main", false, ci.Maintainer) }},
		{name: "protected, in full", ref: "refs/heads/main", want: strings.Replace(notOnMain, "'main'", "'refs/heads/main'", 1),
			setup: func(s *scene) { s.Protect(s.project, "ma*", false, ci.Maintainer) }},
		{name: "ambiguous", want: "invalid: Ref is ambiguous",
			setup: func(s *scene) { s.Tag(s.project, "main", "main", "") }},
		{name: "unknown", ref: "nope", want: "invalid: Reference not found"},
		{name: "commit is gone", want: "invalid: Commit not found",
			setup: func(s *scene) {
				ref := ci.Ref{ProjectID: s.project.ID, Name: "refs/heads/main", SHA: strings.Repeat("1", 40)}
				w.Damage("refs/heads/main of project 13 is at ")
				enginetest.Check(s.t, s.Store.SetRefs(s.t.Context(), s.project.ID, []ci.Ref{ref}, nil))
			}},
		{name: "variables for maintainers", vars: []string{"A", "1"}, want: "invalid: Insufficient permissions to set pipeline variables",
			setup: func(s *scene) { s.set(func(p *ci.Project) { p.VariablesRole = ci.VariablesMaintainer }) }},
		{name: "more variables than anybody needs", vars: make([]string, 402), want: "invalid: There cannot be more than 200 variables"},
		{name: "a variable that is too large", vars: []string{"A", strings.Repeat("x", 64<<10+1)},
			want: "too_large: variable A is larger than 65536 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, w, fmt.Sprintf("norow%d", i), simple)
			if test.setup != nil {
				test.setup(s)
			}
			if test.ref == "" {
				test.ref = "main"
			}
			enginetest.Equal(t, "answer", s.trigger(test.ref, test.vars...), test.want)
			enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 0)
		})
	}
}

// jobs is a configuration of n jobs.
func jobs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "job%d: {script: make}\n", i)
	}
	return b.String()
}

// errEmpty refuses a pipeline without jobs.
const errEmpty = "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs."

// configurations are what is wrong with a configuration, or what it wants:
// contract/trigger-api.md 4.2, steps 9 to 18, and 4.5.
var configurations = []struct {
	name   string
	config string
	want   string // a text that ends in "…" is the beginning
	kept   bool   // a row is
	reason string // config_error when empty
}{
	{name: "no file", want: "Missing CI config file"},
	{name: "filtered by workflow", config: "workflow: {rules: [{when: never}]}\n" + simple,
		want: "The pipeline did not run. Review the workflow:rules configuration for the pipeline."},
	{name: "filtered by rules", config: "a: {script: x, rules: [{if: $NOPE}]}", want: errEmpty},
	{name: "filtered by only", config: "a: {script: x, only: [pushes]}", want: errEmpty},
	{name: "edges alone", config: "a: {stage: .pre, script: x}\nb: {stage: .post, script: x}", want: errEmpty},
	{name: "empty", config: "\n", want: "Local file `.gitlab-ci.yml` is empty!", kept: true},
	{name: "syntax", config: "a: [\n", want: "`.gitlab-ci.yml`: (<unknown>): …", kept: true},
	{name: "not a map", config: "- a\n", want: "`.gitlab-ci.yml`: Invalid configuration format", kept: true},
	{name: "text too big", config: simple + "#" + strings.Repeat("x", 2<<20), want: "The provided YAML is too big", kept: true},
	{name: "beyond what is read", config: simple + "#" + strings.Repeat("x", 3<<20), want: "The provided YAML is too big", kept: true},
	{name: "no visible job", config: ".a: {script: x}", want: "jobs config should contain at least one visible job", kept: true},
	{name: "job without work", config: "a: {stage: test}", want: "jobs a config should implement the script:, run:, or trigger: keyword", kept: true},
	{name: "unknown keyword", config: "a: {script: x, foo: y}", want: "jobs:a config contains unknown keys: foo", kept: true},
	{name: "first error only", config: "a: {script: x, foo: y}\nb: {script: x, bar: y}", want: "jobs:a config contains unknown keys: foo", kept: true},
	{name: "stage", config: "a: {script: x, stage: nope}", kept: true,
		want: "a job: chosen stage nope does not exist; available stages are .pre, build, test, deploy, .post"},
	{name: "undefined need", config: "a: {script: x, needs: [b]}", want: "a job: undefined need: b", kept: true},
	{name: "need that is filtered", config: "a: {script: x, rules: [{if: $NOPE}]}\nb: {script: x, needs: [a]}", kept: true,
		want: "'b' job needs 'a' job, but 'a' does not exist in the pipeline. This might be because of the only, except, or rules keywords. " +
			"To need a job that sometimes does not exist in the pipeline, use needs:optional."},
	{name: "include that is not there", config: "include: x.yml\n" + simple, want: "Local file `x.yml` does not exist!", kept: true},
	{name: "include that climbs", config: "include: ../x.yml\n" + simple, want: "Local file `../x.yml` does not exist!", kept: true},
	{name: "include of git's own", config: "include: .git/x.yml\n" + simple, want: "Local file `.git/x.yml` does not exist!", kept: true},
	{name: "include with an empty part", config: "include: a//x.yml\n" + simple, want: "Local file `a//x.yml` does not exist!", kept: true},
	{name: "not supported", config: "include: {local: a.yml, rules: [{changes: {paths: [a], compare_to: main}}]}\n" + simple, kept: true,
		want: `.gitlab-ci.yml:1:56: keyword "include:rules:changes:compare_to" is not supported yet`},
	{name: "too many jobs", config: jobs(4), kept: true, reason: ci.ReasonSizeLimit,
		want: "The number of jobs has exceeded the limit of 3. Try splitting the configuration with parent-child-pipelines"},
}

func TestRefusedByConfiguration(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{Limits: engine.Limits{JobsPerPipeline: 3}, Git: git.Config{MaxFile: 3 << 20}})
	for i, test := range configurations {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, w, fmt.Sprintf("config%d", i), test.config)
			got := s.trigger("main", "COLOR", "red")
			kind, text, _ := strings.Cut(got, ": ")
			if prefix, cut := strings.CutSuffix(test.want, "…"); cut && strings.HasPrefix(text, prefix) {
				text = test.want
			}
			enginetest.Equal(t, "text", text, test.want)
			s.checkAPI(kind, got)
			if !test.kept {
				enginetest.Equal(t, "kind", kind, string(ci.KindInvalid))
				enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 0)
				return
			}
			enginetest.Equal(t, "kind", kind, string(ci.KindUnprocessable))
			if test.reason == "" {
				test.reason = ci.ReasonConfigError
			}
			s.checkKept(strings.TrimPrefix(got, kind+": "), test.reason)
		})
	}
}

// checkAPI asks for the same pipeline by the API, which never keeps a row.
func (s *scene) checkAPI(kind, want string) {
	s.t.Helper()
	before := len(s.Pipelines(s.project))
	_, err := s.Engine.RunPipeline(s.t.Context(), engine.Caller{User: s.owner}, s.project, "main", nil)
	enginetest.Equal(s.t, "answer of the API", enginetest.Text(err), strings.Replace(want, kind, string(ci.KindInvalid), 1))
	enginetest.Equal(s.t, "pipelines after the API", len(s.Pipelines(s.project)), before)
}

// checkKept looks at the failed row that a refusal left behind (contract 4.3).
func (s *scene) checkKept(message, reason string) {
	s.t.Helper()
	t, list := s.t, s.Pipelines(s.project)
	if len(list) != 1 {
		t.Fatalf("got %d pipelines, want 1", len(list))
	}
	p := list[0]
	enginetest.Equal(t, "status", p.Status, ci.Failed)
	enginetest.Equal(t, "source", p.Source, ci.SourceTrigger)
	enginetest.Equal(t, "failure reason", p.FailureReason, reason)
	if reason != ci.ReasonConfigError {
		message = ""
	}
	enginetest.Equal(t, "yaml_errors", p.YAMLErrors, message)
	enginetest.Equal(t, "iid", p.IID, 1)
	enginetest.Equal(t, "user", p.UserID, s.owner.ID)
	enginetest.Equal(t, "finished", p.FinishedAt, s.Now())
	enginetest.Equal(t, "jobs", s.Jobs(p.ID), "")
	trigger := enginetest.Must(s.View.Trigger(t.Context(), s.project.ID, p.TriggerID))(t)
	enginetest.Equal(t, "last use of the token", trigger.LastUsed, p.CreatedAt)
	variables := enginetest.Must(s.Engine.PipelineVariables(t.Context(), p))(t)
	if len(variables) != 2 || variables[0].Key != "COLOR" || variables[1].Key != "TRIGGER_PAYLOAD" || !variables[1].File {
		t.Errorf("variables: got %v", variables)
	}
}

// Malformed variables are refused and leave a row (contract 4.2, step 4).
func TestRefusedVariables(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	const badKey = "Failed to build pipeline variables: Validation failed: Key can contain only letters, digits and '_'."
	for i, test := range []struct {
		name string
		vars []string
		want string
	}{
		{"twice", []string{"A", "1", "B", "2", "A", "3"}, "Duplicate variable name: A"},
		{"two twice", []string{"A", "1", "B", "2", "A", "3", "B", "4"}, "Duplicate variable names: A, B"},
		{"three times", []string{"A", "1", "A", "2", "A", "3"}, "Duplicate variable name: A"},
		{"the payload's own", []string{"TRIGGER_PAYLOAD", "x"}, "Duplicate variable name: TRIGGER_PAYLOAD"},
		{"bad key", []string{"A-B", "1"}, badKey},
		{"empty key", []string{"", "1"}, badKey},
		{"long key", []string{strings.Repeat("K", 256), "1"}, badKey},
		{"blanks around keys are dropped", []string{" A ", "1"}, ""},
		{"so they can be duplicates", []string{" A", "1", "A ", "2"}, "Duplicate variable name: A"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, w, fmt.Sprintf("vars%d", i), simple)
			want, status := "", ci.Pending
			if test.want != "" {
				want, status = "unprocessable: "+test.want, ci.Failed
			}
			enginetest.Equal(t, "answer", s.trigger("main", test.vars...), want)
			p := s.latest()
			enginetest.Equal(t, "status", p.Status, status)
			enginetest.Equal(t, "yaml_errors", p.YAMLErrors, test.want)
			var list []ci.Variable
			for i := 0; i < len(test.vars); i += 2 {
				list = append(list, ci.Variable{Key: test.vars[i], Value: test.vars[i+1]})
			}
			if test.name == "the payload's own" { // which a call of the API has not
				return
			}
			_, err := s.Engine.RunPipeline(t.Context(), engine.Caller{User: s.owner}, s.project, "main", list)
			enginetest.Equal(t, "answer of the API", enginetest.Text(err), strings.Replace(want, "unprocessable", "invalid", 1))
		})
	}
}

// Several things are wrong: the first of the chain is reported. Mending one after
// the other brings out the next.
func TestOrderOfChecks(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "order", "")
	s.as(ci.Reporter)
	s.set(func(p *ci.Project) { p.BuildsAccess, p.VariablesRole = ci.AccessDisabled, ci.VariablesNobody })
	s.Protect(s.project, "*", false, ci.Maintainer)
	ref := ci.Ref{ProjectID: s.project.ID, Name: "refs/heads/main", SHA: strings.Repeat("1", 40)}
	enginetest.Check(t, s.Store.SetRefs(t.Context(), s.project.ID, nil, []string{ref.Name}))
	vars := []string{"A", "1", "A", "2"}
	for _, step := range []struct {
		want string
		mend func()
	}{
		{"invalid: Pipelines are disabled!", func() { s.set(func(p *ci.Project) { p.BuildsAccess = ci.AccessEnabled }) }},
		{notAllowed, func() { s.as(ci.Developer) }},
		{"invalid: Reference not found", func() {
			enginetest.Check(t, s.Store.SetRefs(t.Context(), s.project.ID, []ci.Ref{ref}, nil))
		}},
		{notOnMain, func() { s.as(ci.Maintainer) }},
		{"invalid: Commit not found", func() { s.Record(s.project) }},
		{"invalid: Insufficient permissions to set pipeline variables",
			func() { s.set(func(p *ci.Project) { p.VariablesRole = ci.VariablesDeveloper }) }},
		{"unprocessable: Duplicate variable name: A", func() { vars = vars[:2] }},
		{"invalid: Missing CI config file", func() {
			s.Commit(s.project, "main", "Second", ".gitlab-ci.yml", "workflow: {rules: [{when: never}]}\na: {script: x, only: [pushes], foo: y}")
		}},
		{"unprocessable: jobs:a config contains unknown keys: foo", func() {
			s.Commit(s.project, "main", "Third", ".gitlab-ci.yml", "workflow: {rules: [{when: never}]}\na: {script: x, rules: [{when: never}]}")
		}},
		{"invalid: The pipeline did not run. Review the workflow:rules configuration for the pipeline.", func() {
			s.Commit(s.project, "main", "Fourth", ".gitlab-ci.yml", "a: {script: x, rules: [{when: never}]}")
		}},
		{"invalid: The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.", func() {
			s.Commit(s.project, "main", "Fifth", ".gitlab-ci.yml", simple)
		}},
		{"", func() {}},
	} {
		if got := s.trigger("main", vars...); got != step.want {
			t.Fatalf("got %q, want %q", got, step.want)
		}
		step.mend()
	}
	enginetest.Equal(t, "pipelines: two refused ones were kept", len(s.Pipelines(s.project)), 3)
}
