package engine_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// variable finds a variable of a job; there must be one of that key at most.
func variable(t *testing.T, a *engine.Assignment, key string) ci.Variable {
	t.Helper()
	var found []ci.Variable
	for _, v := range a.Variables {
		if v.Key == key {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		t.Errorf("%s: got %d variables of that key, want 1", key, len(found))
		return ci.Variable{}
	}
	return found[0]
}

// contract/trigger-api.md 7, assembly order: of each key the highest source counts.
func TestPrecedence(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "precedence", `
stages: [one, two]
variables: {CI_PROJECT_NAME: root, GITLAB_USER_NAME: root, ROOT: root, JOB: root, RULE: root, DOTENV: root, GIVEN: root, PLAYED: root}
report:
  stage: one
  script: x
  artifacts: {reports: {dotenv: build.env}}
last:
  stage: two
  script: x
  variables: {CI_RUNNER_DESCRIPTION: job, JOB: job, RULE: job, DOTENV: job, GIVEN: job, PLAYED: job}
  rules:
    - when: manual
      variables: {RULE: rule, DOTENV: rule, GIVEN: rule, PLAYED: rule, GITLAB_USER_LOGIN: rule}
`)
	p := w.Started(s.project, s.token, "main", "GIVEN", "given", "PLAYED", "given")
	runner, ctx := w.Runner(), t.Context()
	a := runner.Take()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	enginetest.Must(zip.Write([]byte("DOTENV=dotenv\nGIVEN=dotenv\nPLAYED=dotenv\nGITLAB_USER_EMAIL=dotenv\n")))(t)
	enginetest.Check(t, zip.Close())
	enginetest.Must(w.Engine.SaveArtifact(ctx, a.Job.ID, a.Token, engine.Upload{Type: "dotenv", Format: "gzip", Name: ".env", Body: &packed}))(t)
	runner.Finish(a, true)
	player := w.Someone(s.project, ci.Developer)
	last := w.Snapshot(p.ID).Jobs[1]
	played := []ci.Variable{{Key: "PLAYED", Value: "played"}}
	enginetest.Must(w.Engine.PlayJob(ctx, engine.Caller{User: player}, s.project, last.ID, played))(t)
	a = runner.Take()
	for key, want := range map[string]string{
		"CI_PROJECT_NAME": "root", "CI_RUNNER_DESCRIPTION": "job", "ROOT": "root", "JOB": "job", "RULE": "rule",
		"GITLAB_USER_NAME": player.Name, "GITLAB_USER_LOGIN": player.Username, "GITLAB_USER_EMAIL": "dotenv",
		"DOTENV": "dotenv", "GIVEN": "given", "PLAYED": "played", "CI_JOB_MANUAL": "true",
	} {
		enginetest.Equal(t, key, variable(t, a, key).Value, want)
	}
}

// References to other variables are replaced where they are known; raw ones are not
// touched (contract/ci-yaml.md 5.3).
func TestExpansion(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "expansion", `
variables:
  PATH: "$PATH:/opt"
  NAME: "image-$CI_COMMIT_REF_SLUG-$GIVEN"
  DEEP: "${NAME}/%NAME%"
  OPEN: "$UNKNOWN and $$NAME"
  RAW: {value: "$NAME", expand: false}
  OF_RAW: "<$RAW>"
  OF_FILE: "<$TRIGGER_PAYLOAD>"
  MESSAGE: "<$CI_COMMIT_TITLE>"
a: {script: x}
`)
	r := enginetest.Request(s.project, s.token, "main", "GIVEN", "by-$CI_PIPELINE_SOURCE")
	r.Payload = `{"commit":"$CI_JOB_TOKEN ${NAME} $$"}`
	enginetest.Must(w.Engine.Trigger(t.Context(), r))(t)
	a := w.Runner().Take()
	for key, want := range map[string]string{
		"PATH": "$PATH:/opt", "NAME": "image-main-by-trigger", "DEEP": "image-main-by-trigger/image-main-by-trigger",
		"OPEN": "$UNKNOWN and $$NAME", "RAW": "$NAME", "OF_RAW": "<$RAW>", "OF_FILE": "<$TRIGGER_PAYLOAD>",
		"MESSAGE": "<$CI_COMMIT_TITLE>", "GIVEN": "by-trigger", "TRIGGER_PAYLOAD": r.Payload,
	} {
		enginetest.Equal(t, key, variable(t, a, key).Value, want)
	}
}

// What the runner is told about each kind of variable.
func TestKindsOfVariables(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "kinds", "a: {script: x, variables: {YAML: '1', RAW: {value: '1', expand: false}}}")
	w.Started(s.project, s.token, "main", "GIVEN", "1")
	a := w.Runner().Take()
	for key, want := range map[string]ci.Variable{
		"CI":                   {},
		"YAML":                 {Layers: uint8(ciyaml.LayerJob)},
		"RAW":                  {Raw: true, Layers: uint8(ciyaml.LayerJob)},
		"GIVEN":                {Secret: true},
		"TRIGGER_PAYLOAD":      {File: true, Secret: true, Raw: true},
		"CI_COMMIT_MESSAGE":    {Raw: true},
		"CI_JOB_TOKEN":         {Masked: true, Secret: true, Raw: true},
		"CI_REGISTRY_PASSWORD": {Masked: true, Secret: true, Raw: true},
		"CI_REPOSITORY_URL":    {Secret: true, Raw: true},
	} {
		got := variable(t, a, key)
		want.Key, want.Value = key, got.Value
		enginetest.Equal(t, key, got, want)
	}
}

// A token that was removed meanwhile, and one whose owner has another name now.
func TestVariablesAfterChanges(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "after", simple)
	p := w.Started(s.project, s.token, "main")
	enginetest.Check(t, w.Store.DeleteTrigger(t.Context(), s.project.ID, enginetest.Must(w.View.Pipeline(t.Context(), p.ID))(t).TriggerID))
	s.change(func(u *ci.User) { u.Name = "Renamed" })
	a := w.Runner().Take()
	enginetest.Equal(t, "triggered", variable(t, a, "CI_PIPELINE_TRIGGERED").Value, "true")
	enginetest.Equal(t, "name of the user", variable(t, a, "GITLAB_USER_NAME").Value, "Renamed")
	for _, v := range a.Variables {
		enginetest.Equal(t, "short form of a token that is gone", v.Key == "CI_TRIGGER_SHORT_TOKEN", false)
	}
}

// Long messages are cut between characters; the first line counts as part of the
// message when it is too long for a title.
func TestCommitTexts(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	long := strings.Repeat("ä", 60_000)
	title := strings.Repeat("é", 100)
	for i, test := range []struct{ message, wantMessage, description, truncated string }{
		{"Title\n\n" + long, "Title\n\n" + long[:100_000-8], long[:100_000], "true"},
		{title + "\n\nBody\n", title + "\n\nBody\n", title + "\n\nBody\n", "false"},
		{title[2:] + "\n\nBody\n", title[2:] + "\n\nBody\n", "Body\n", "false"},
		{"Title alone", "Title alone", "", "false"},
	} {
		s := newScene(t, w, "texts"+string(rune('a'+i)), simple)
		s.Commit(s.project, "main", test.message, "file", "content")
		w.Started(s.project, s.token, "main")
		runner := w.Runner()
		a := runner.Run()
		enginetest.Equal(t, "message", strings.TrimSuffix(variable(t, a, "CI_COMMIT_MESSAGE").Value, "\n"), strings.TrimSuffix(test.wantMessage, "\n"))
		enginetest.Equal(t, "description", variable(t, a, "CI_COMMIT_DESCRIPTION").Value, test.description)
		enginetest.Equal(t, "truncated", variable(t, a, "CI_COMMIT_MESSAGE_IS_TRUNCATED").Value, test.truncated)
	}
}
