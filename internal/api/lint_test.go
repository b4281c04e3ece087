package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// TestShapeExplanation holds how values are shown: unset, empty, hidden and known
// ones look different.
func TestShapeExplanation(t *testing.T) {
	d := ciyaml.Decision{
		Job: "job", Stage: "test", Pos: tree.Pos{File: "f", Line: 1, Col: 2}, Reason: ciyaml.ByNoRule, RuleCount: 1,
		Rules: []ciyaml.RuleResult{{Number: 1, Pos: tree.Pos{File: "f", Line: 3, Col: 4}, Text: "if: $A", Clauses: []ciyaml.ClauseResult{
			{Kind: "if", Text: "$A", Variables: []ciyaml.SeenVariable{
				{Name: "UNSET"}, {Name: "EMPTY", Set: true}, {Name: "HIDDEN", Set: true, Hidden: true}, {Name: "KNOWN", Set: true, Value: "x"},
			}},
			{Kind: "exists", Text: "[x]", Skipped: true, Note: "note"},
		}}},
	}
	got, err := json.Marshal(shapeExplanation(&ciyaml.Explanation{Jobs: []ciyaml.Decision{d}}))
	want := `{"workflow":null,"jobs":[{"name":"job","stage":"test","in":false,"reason":"no_rule","summary":"job: out, since no rule of 1 matches",` +
		`"position":{"file":"f","line":1,"column":2},"rule":null,"rule_count":1,"rules":[{"number":1,"position":{"file":"f","line":3,"column":4},` +
		`"text":"if: $A","matched":false,"when":null,"conditions":[{"kind":"if","text":"$A","result":false,"note":null,"parts":[],"variables":[` +
		`{"name":"UNSET","set":false,"hidden":false,"value":null},{"name":"EMPTY","set":true,"hidden":false,"value":""},` +
		`{"name":"HIDDEN","set":true,"hidden":true,"value":null},{"name":"KNOWN","set":true,"hidden":false,"value":"x"}]},` +
		`{"kind":"exists","text":"[x]","result":null,"note":"note","parts":[],"variables":[]}]}]}]}`
	if err != nil || string(got) != want {
		t.Errorf("got\n%s\nwant\n%s\nerror %v", got, want, err)
	}
}

// TestLintIncludes holds where included files are said to be.
func TestLintIncludes(t *testing.T) {
	a := &API{}
	for _, test := range []struct {
		from ciyaml.Include
		want string
	}{
		{ciyaml.Include{Kind: "local", Location: "ci/a b.yml", Project: "g/p", SHA: "1f", Path: "ci/a b.yml", ContextProject: "g/p", ContextSHA: "1f"},
			`{"type":"local","location":"ci/a b.yml","blob":"/g/p/-/blob/1f/ci/a%20b.yml","raw":"/g/p/-/raw/1f/ci/a%20b.yml","extra":{},"context_project":"g/p","context_sha":"1f"}`},
		{ciyaml.Include{Kind: "file", Location: "x.yml", Project: "g/q", SHA: "2e", Path: "x.yml", ContextProject: "g/p", ContextSHA: "1f", FromProject: "g/q", FromRef: "v1"},
			`{"type":"file","location":"x.yml","blob":"/g/q/-/blob/2e/x.yml","raw":"/g/q/-/raw/2e/x.yml","extra":{"project":"g/q","ref":"v1"},"context_project":"g/p","context_sha":"1f"}`},
		{ciyaml.Include{Kind: "remote", Location: "https://example.com/x.yml", ContextProject: "g/p", ContextSHA: "1f"},
			`{"type":"remote","location":"https://example.com/x.yml","blob":null,"raw":"https://example.com/x.yml","extra":{},"context_project":"g/p","context_sha":"1f"}`},
		{ciyaml.Include{Kind: "template", Location: "Workflows/Branch-Pipelines.gitlab-ci.yml"},
			`{"type":"template","location":"Workflows/Branch-Pipelines.gitlab-ci.yml","blob":null,"raw":null,"extra":{},"context_project":null,"context_sha":null}`},
	} {
		got, err := json.Marshal(a.lintIncludes([]ciyaml.Include{test.from})[0])
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s\nerror %v", test.from.Kind, got, test.want, err)
		}
	}
}

// TestLintSize holds that a configuration may be as large as any, and a request not
// much larger.
func TestLintSize(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	_, h := serve(t, w)
	project := w.Project("big")
	dev := w.Someone(project, ci.Developer)
	_, token, err := w.Engine.CreateAccessToken(t.Context(), engine.Caller{User: dev}, dev.ID, engine.NewAccessToken{Name: "lint", Scopes: []string{auth.ScopeAPI}})
	enginetest.Check(t, err)
	path := "/projects/" + strconv.FormatInt(int64(project.ID), 10) + "/ci/lint"
	for _, test := range []struct {
		bytes, status int
		want          string
	}{
		{1 << 20, 200, `"valid":true`},
		{3 << 20, 200, `"errors":["The provided YAML is too big"]`},
		{maxLintBody + 1, 413, ``},
	} {
		content := "job: {script: x}\n" + "#" + strings.Repeat("x", test.bytes-18)
		status, body := ask(t, h, "POST", path, url.Values{"content": {content}}, "PRIVATE-TOKEN", token)
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%d bytes: got %d %.200s, want %d %s", test.bytes, status, body, test.status, test.want)
		}
	}
}

// BenchmarkLint is a static check and a dry run with explanation of 40 jobs.
func BenchmarkLint(b *testing.B) {
	w := enginetest.New(b, enginetest.Config{})
	project := w.Project("bench", ".gitlab-ci.yml", "job: {script: x}\n")
	dev := w.Someone(project, ci.Developer)
	var content strings.Builder
	for i := range 40 {
		fmt.Fprintf(&content, "job-%d: {script: [make], rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"'}, {if: $CI_COMMIT_BRANCH}]}\n", i)
	}
	actor := enginetest.Must(w.Engine.Actor(b.Context(), engine.Caller{User: dev}, project))(b)
	for _, dry := range []bool{false, true} {
		b.Run(fmt.Sprintf("dry=%v", dry), func(b *testing.B) {
			r := engine.LintRequest{Project: project, Actor: actor, Content: []byte(content.String()), DryRun: dry, Explain: dry}
			for b.Loop() {
				if result, err := w.Engine.Lint(b.Context(), r); err != nil || !result.Valid() {
					b.Fatal(err, result.Errors)
				}
			}
		})
	}
}
