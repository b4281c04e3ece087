package ciyaml_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

func TestReads(t *testing.T) {
	source := mapSource{
		".gitlab-ci.yml": "include: [$DIR/a.yml, b.yml, b.yml, 'x/*.yml', 'y/*.yml', $UNSET/a.yml]\nj: {script: x}\n",
		"ci/a.yml":       "include: b.yml\n.a: {script: x}\n",
		"b.yml":          ".b: {script: x}\n",
		"x/c.yml":        ".c: {script: x}\n",
	}
	values := map[string]string{"DIR": "ci"}
	in := rootInput
	in.Variables = func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
	_, reads, diags := ciyaml.Load(t.Context(), source, in)
	if want := "Local file `a.yml` does not exist!"; diags.First().Message != want {
		t.Errorf("got %v, want %s", diags, want)
	}
	p, sha := in.Project, in.SHA
	want := ciyaml.Reads{
		Files: []ciyaml.FileRead{
			{Project: p, SHA: sha, Path: ".gitlab-ci.yml", Found: true},
			{Project: p, SHA: sha, Path: "ci/a.yml", Found: true},
			{Project: p, SHA: sha, Path: "b.yml", Found: true},
			{Project: p, SHA: sha, Path: "x/c.yml", Found: true},
			{Project: p, SHA: sha, Path: "a.yml", Found: false},
		},
		Lists:     []ciyaml.ListRead{{Project: p, SHA: sha}},
		Variables: []ciyaml.VariableRead{{Name: "DIR", Value: "ci", Set: true}, {Name: "UNSET"}},
	}
	if diff := cmp.Diff(want, reads); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

func TestReadsMatch(t *testing.T) {
	values := map[string]string{"DIR": "ci"}
	in := rootInput
	in.Variables = func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
	source := mapSource{".gitlab-ci.yml": "include: $DIR/$UNSET$EMPTY.yml\n", "ci/.yml": "j: {script: x}\n"}
	values["EMPTY"] = ""
	_, reads, diags := ciyaml.Load(t.Context(), source, in)
	if diags.Failed() {
		t.Fatal(diags)
	}
	tests := []struct {
		name   string
		change func(*ciyaml.LoadInput)
		want   bool
	}{
		{"the same", func(*ciyaml.LoadInput) {}, true},
		{"a variable that nobody asked for", func(*ciyaml.LoadInput) { values["OTHER"] = "x" }, true},
		{"another value", func(*ciyaml.LoadInput) { values["DIR"] = "x" }, false},
		{"unset before", func(*ciyaml.LoadInput) { values["UNSET"] = "" }, false},
		{"set before", func(*ciyaml.LoadInput) { delete(values, "EMPTY") }, false},
		{"no variables", func(in *ciyaml.LoadInput) { in.Variables = nil }, false},
		{"another commit", func(in *ciyaml.LoadInput) { in.SHA = "x" }, false},
		{"another project", func(in *ciyaml.LoadInput) { in.Project = "x" }, false},
		{"another file", func(in *ciyaml.LoadInput) { in.Path = "x" }, false},
	}
	for _, tt := range tests {
		clear(values)
		values["DIR"], values["EMPTY"] = "ci", ""
		changed := in
		tt.change(&changed)
		if got := reads.Match(changed); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if (ciyaml.Reads{}).Match(in) {
		t.Error("no reads at all match")
	}
}

// brokenSource fails for one path, or for the list with "*".
type brokenSource struct {
	mapSource
	path string
	err  error
}

func (s brokenSource) ReadFile(ctx context.Context, project, sha, path string) ([]byte, error) {
	if path == s.path {
		return nil, s.err
	}
	return s.mapSource.ReadFile(ctx, project, sha, path)
}

func (s brokenSource) Paths(ctx context.Context, project, sha string) ([]string, error) {
	if s.path == "*" {
		return nil, s.err
	}
	return s.mapSource.Paths(ctx, project, sha)
}

func TestSourceFails(t *testing.T) {
	files := mapSource{".gitlab-ci.yml": "include: [a.yml, 'b/*.yml']\nj: {script: x}\n", "a.yml": ".a: {script: x}\n"}
	disk := errors.New("disk on fire")
	tests := []struct {
		path string
		err  error
		want string
	}{
		{".gitlab-ci.yml", disk, ".gitlab-ci.yml:1:1: read configuration: disk on fire"},
		{"a.yml", disk, ".gitlab-ci.yml:1:11: read configuration: disk on fire"},
		{"*", disk, ".gitlab-ci.yml:1:18: read configuration: disk on fire"},
		{"a.yml", fmt.Errorf("git: %w", context.DeadlineExceeded), ".gitlab-ci.yml:1:11: Request timed out when fetching configuration files."},
	}
	for _, tt := range tests {
		config, _, diags := ciyaml.Load(t.Context(), brokenSource{files, tt.path, tt.err}, rootInput)
		if config != nil || len(diags) != 1 || diags[0].String() != tt.want || (diags[0].Code == ciyaml.CodeTimeout) == (tt.err == disk) {
			t.Errorf("%s: got %v, want %s", tt.path, diags, tt.want)
		}
	}
}

func TestSourceGivesNoLargeFiles(t *testing.T) {
	files := mapSource{".gitlab-ci.yml": "include: a.yml\nj: {script: x}\n", "a.yml": ".a: {script: x}\n"}
	for path, want := range map[string]string{
		".gitlab-ci.yml": ".gitlab-ci.yml:1:1: The provided YAML is too big",
		"a.yml":          ".gitlab-ci.yml:1:10: `a.yml`: The provided YAML is too big",
	} {
		source := brokenSource{files, path, fmt.Errorf("git: %w", ciyaml.ErrTooLarge)}
		_, reads, diags := ciyaml.Load(t.Context(), source, rootInput)
		if len(diags) != 1 || diags[0].String() != want || diags[0].Code != ciyaml.CodeConfig {
			t.Errorf("%s: got %v, want %s", path, diags, want)
		}
		if !reads.Match(rootInput) {
			t.Errorf("%s: the outcome cannot be cached: %v", path, reads)
		}
	}
}

func TestCancelledWhilePatternsMatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, diags := ciyaml.Load(ctx, mapSource{".gitlab-ci.yml": "include: '*.yml'\n"}, rootInput)
	if diags.First().Code != ciyaml.CodeInternal {
		t.Errorf("got %v", diags)
	}
}

// Small files that mean a lot end in an error, soon and without much memory.
func TestBombs(t *testing.T) {
	var jobs, rules, vars strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&jobs, "j%d: {extends: .base}\n", i)
		fmt.Fprintf(&vars, "  V%d: x\n", i)
	}
	for i := range 20 {
		fmt.Fprintf(&rules, "    - {if: $V%d}\n", i)
	}
	tests := []struct{ name, content, want string }{
		{"parallel", ".base: {script: x, parallel: 200, variables: {A: b}}\nvariables:\n" + vars.String() + jobs.String(),
			"Total size of combined CI/CD configuration is too big"},
		{"root variables", ".base: {script: x, variables: {A: b}}\nvariables:\n" + vars.String() + jobs.String(),
			"Total size of combined CI/CD configuration is too big"},
		{"needs", "p: {script: x, parallel: 200}\nq: {script: x, parallel: 200}\n.base: {script: x, needs: [p, q]}\n" + jobs.String(),
			"Total size of combined CI/CD configuration is too big"},
		{"errors", ".base:\n  script: x\n  foo: 1\n" + jobs.String(), "jobs:j0 config contains unknown keys: foo"},
		{"matrix", "j: {script: x, parallel: {matrix: [{A: [" + strings.Repeat("1, ", 199) + "1]," + matrixKeys(1000) + "}]}}\n",
			"The parsed YAML is too big"},
		{"extends", ".base:\n  script: x\n  variables:\n" + indented(vars.String()) + jobs.String(), "The parsed YAML is too big"},
		{"shared rules", ".base:\n  script: x\n  rules:\n" + rules.String() + jobs.String(), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, _, diags := ciyaml.Load(t.Context(), mapSource{".gitlab-ci.yml": tt.content}, rootInput)
			if got := diags.First().Message; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(diags) > 1000 {
				t.Errorf("%d diagnostics", len(diags))
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func indented(s string) string { return strings.ReplaceAll(s, "  V", "    V") }

func matrixKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " K%d: x,", i)
	}
	return b.String()
}

// Jobs that share nodes share what was read, but not what is wrong with it.
func TestSharedErrors(t *testing.T) {
	_, _, diags := ciyaml.Load(t.Context(), mapSource{".gitlab-ci.yml": `
.base: {script: x, rules: [{when: sometimes}]}
a: {extends: .base}
b: {extends: .base}
`}, rootInput)
	want := "[.gitlab-ci.yml:2:35: jobs:a:rules:rule when unknown value: sometimes .gitlab-ci.yml:2:35: jobs:b:rules:rule when unknown value: sometimes]"
	if got := fmt.Sprint(diags); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
