package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// lint checks a configuration as somebody and gives the errors, one a line.
func lint(t *testing.T, w *enginetest.World, user ci.User, r engine.LintRequest) (*engine.LintResult, string) {
	t.Helper()
	r.Actor = enginetest.Must(w.Engine.Actor(t.Context(), engine.Caller{User: user}, r.Project))(t)
	result := enginetest.Must(w.Engine.Lint(t.Context(), r))(t)
	var texts []string
	for _, d := range result.Errors {
		texts = append(texts, d.Message)
	}
	return result, strings.Join(texts, "\n")
}

// TestLintStatic holds what a static check reads: nothing in an empty repository,
// else the default branch or the commit that is named.
func TestLintStatic(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	empty, project := w.Project("empty"), w.Project("lint", "a.yml", "a: {script: x}\n")
	dev := w.Someone(project, ci.Developer)
	w.Member(dev, empty, ci.Developer)
	old := w.Commit(project, "main", "more", "b.yml", "b: {script: x}\n")
	w.Commit(project, "main", "even more", "c.yml", "c: {script: x}\n")
	for _, test := range []struct {
		name string
		r    engine.LintRequest
		want string
	}{
		{"plain", engine.LintRequest{Project: empty, Content: []byte("a: {script: x}")}, ""},
		{"include", engine.LintRequest{Project: empty, Content: []byte("include: a.yml")}, "Local file `a.yml` does not exist!"},
		{"pattern", engine.LintRequest{Project: empty, Content: []byte("{include: '*.yml', a: {script: x}}")}, ""},
		{"head", engine.LintRequest{Project: project, Content: []byte("include: c.yml")}, ""},
		{"commit", engine.LintRequest{Project: project, SHA: old, Content: []byte("include: b.yml")}, ""},
		{"before", engine.LintRequest{Project: project, SHA: old, Content: []byte("include: c.yml")}, "Local file `c.yml` does not exist!"},
		{"reached", engine.LintRequest{Project: project, SHA: old, VerifySHA: true, Content: []byte("include: b.yml")}, ""},
		{"no file", engine.LintRequest{Project: project}, "Please provide content of .gitlab-ci.yml"},
		{"rules", engine.LintRequest{Project: project, Content: []byte("a: {script: x, rules: [{if: $NOPE}]}")}, ""},
	} {
		if _, got := lint(t, w, dev, test.r); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestLintDetached holds that a commit on no branch is refused, as GitLab does.
func TestLintDetached(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	project := w.Project("lint", "a.yml", "a: {script: x}\n")
	dev := w.Someone(project, ci.Maintainer)
	sha := w.Commit(project, "topic", "on its way out", "b.yml", "b: {script: x}\n")
	enginetest.Check(t, w.Engine.DeleteBranch(t.Context(), engine.Caller{User: dev}, project, "topic", func(string) error { return nil }))
	_, got := lint(t, w, dev, engine.LintRequest{Project: project, SHA: sha, VerifySHA: true, Content: []byte("include: b.yml")})
	if want := "Could not validate configuration. The configuration originates from an external project or a commit not associated with a Git reference (a detached commit)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLintDry holds that a dry run is refused where a push would be, and leaves
// nothing behind.
func TestLintDry(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{Limits: engine.Limits{JobsPerPipeline: 3}})
	project := w.Project("lint", ".gitlab-ci.yml", "file: {script: x}\n")
	dev, reporter := w.Someone(project, ci.Developer), w.Someone(project, ci.Reporter)
	w.Protect(project, "main", false, ci.Maintainer)
	w.Commit(project, "topic", "a branch", "b.yml", "b: {script: x}\n")
	before := len(w.Pipelines(project))
	for _, test := range []struct {
		name string
		user ci.User
		r    engine.LintRequest
		want string
		jobs []string
	}{
		{"reporter", reporter, engine.LintRequest{Ref: "topic"}, "Insufficient permissions to create a new pipeline", nil},
		{"protected", dev, engine.LintRequest{}, "You do not have sufficient permission to run a pipeline on 'main'. " +
			"Please select a different branch or contact your administrator for assistance.", nil},
		{"no ref", dev, engine.LintRequest{Ref: "nope"}, "Reference not found", nil},
		{"file", dev, engine.LintRequest{Ref: "topic"}, "", []string{"file"}},
		{"content", dev, engine.LintRequest{Ref: "topic", Content: []byte("include: b.yml\nc: {script: x, rules: [{if: '$CI_COMMIT_BRANCH == \"topic\"'}, {if: $NOPE}]}")}, "", []string{"b", "c"}},
		{"skip", dev, engine.LintRequest{Ref: "topic", Content: []byte("a: {script: x, rules: [{if: '$CI_PIPELINE_SOURCE == \"push\"'}]}")}, "", []string{"a"}},
		{"many", dev, engine.LintRequest{Ref: "topic", Content: []byte("a: {script: x, parallel: 4}")},
			"The number of jobs has exceeded the limit of 3. Try splitting the configuration with parent-child-pipelines", nil},
		{"two errors", dev, engine.LintRequest{Ref: "topic", Content: []byte("{a: {script: x, x: 1}, b: {script: x, y: 1}}")},
			"jobs:a config contains unknown keys: x\njobs:b config contains unknown keys: y", nil},
		{"empty", dev, engine.LintRequest{Ref: "topic", Content: []byte(" ")}, "Please provide content of .gitlab-ci.yml", nil},
	} {
		test.r.Project, test.r.DryRun, test.r.Explain = project, true, true
		result, got := lint(t, w, test.user, test.r)
		var jobs []string
		for _, job := range result.Planned {
			jobs = append(jobs, job.Name)
		}
		if got != test.want || !slices.Equal(jobs, test.jobs) {
			t.Errorf("%s: got %q and jobs %q, want %q and %q", test.name, got, jobs, test.want, test.jobs)
		}
	}
	if got := len(w.Pipelines(project)); got != before {
		t.Errorf("%d pipelines came of it", got-before)
	}
}

// TestLintHides holds that nothing of masked variables is in what lint answers, and
// no value of the variables that the instance, groups and projects keep.
func TestLintHides(t *testing.T) {
	s, holders := nested(t, "job: {script: x}\n")
	s.keep(holders[3], "MASKED", "hunter2hunter2", masked)
	s.keep(holders[3], "HIDDEN", "swordfish99", hidden)
	s.keep(holders[1], "PLAIN", "open sesame")
	content := `
spec: {inputs: {x: {default: "$MASKED $PLAIN"}}}
---
job:
  script: ["echo $[[ inputs.x | expand_vars ]]"]
  tags: [$MASKED]
  environment: {name: on/$MASKED}
  rules:
    - if: $MASKED == "no" || $HIDDEN == "no" || $PLAIN == "no"
    - if: $CI_ENVIRONMENT_NAME == "no"
    - exists: ["$MASKED/*"]
    - when: always
`
	for _, dry := range []bool{false, true} {
		result, wrong := lint(t, s.World, s.owner, engine.LintRequest{Project: s.project, Content: []byte(content), DryRun: dry, Explain: dry})
		if wrong != "" {
			t.Fatal(wrong)
		}
		merged, _ := result.Inspection.Merged.YAML(1 << 20)
		text := fmt.Sprintf("%s\n%+v\n%+v\n", merged, result.Static, result.Planned)
		for i := range result.Planned {
			text += result.Planned[i].Environment.Name
		}
		if dry {
			text += result.Explanation.Text()
			if strings.Contains(result.Explanation.Text(), "open sesame") {
				t.Errorf("a value is explained:\n%s", result.Explanation.Text())
			}
			if want := `CI_ENVIRONMENT_NAME is "on/[MASKED]xxxxxx"`; !strings.Contains(text, want) {
				t.Errorf("want %s in\n%s", want, text)
			}
		}
		for _, secret := range []string{"hunter2", "swordfish"} {
			if strings.Contains(text, secret) {
				t.Errorf("dry run %v: %s is in\n%s", dry, secret, text)
			}
		}
		if want := "echo $MASKED open sesame"; !strings.Contains(merged, want) {
			t.Errorf("want %s in\n%s", want, merged)
		}
	}
}
