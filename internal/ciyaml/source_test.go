package ciyaml_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// A mapSource is the one commit of one project, in memory.
type mapSource map[string]string

func (m mapSource) ReadFile(_ context.Context, _, _, path string) ([]byte, error) {
	content, ok := m[path]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", path, ciyaml.ErrNotExist)
	}
	return []byte(content), nil
}

func (m mapSource) Paths(context.Context, string, string) ([]string, error) {
	return slices.Sorted(maps.Keys(m)), nil
}

var rootInput = ciyaml.LoadInput{Project: "group/project", SHA: "0123456789abcdef", Path: ".gitlab-ci.yml"}

// load compiles a configuration that must be right.
func load(t testing.TB, content string) *ciyaml.Config {
	t.Helper()
	config, _, diags := ciyaml.Load(t.Context(), mapSource{".gitlab-ci.yml": content}, rootInput)
	if diags.Failed() {
		t.Fatalf("load: %v", diags)
	}
	return config
}

// branch is a push to main.
func branch() ciyaml.Input {
	return ciyaml.Input{
		Source: "push", Ref: "main", ProjectPath: "group/project",
		Predefined: []ciyaml.Variable{
			{Key: "CI", Value: "true"},
			{Key: "CI_PIPELINE_SOURCE", Value: "push"},
			{Key: "CI_COMMIT_BRANCH", Value: "main"},
			{Key: "CI_COMMIT_REF_NAME", Value: "main"},
			{Key: "CI_DEFAULT_BRANCH", Value: "main"},
		},
	}
}

// plan makes a pipeline that must come to be.
func plan(t testing.TB, content string, in ciyaml.Input) *ciyaml.Plan {
	t.Helper()
	p, diags := load(t, content).Pipeline(in)
	if diags.Failed() {
		t.Fatalf("pipeline: %v", diags)
	}
	return p
}

// names lists the jobs of a plan.
func names(p *ciyaml.Plan) []string {
	out := []string{}
	if p == nil {
		return out
	}
	for _, job := range p.Jobs {
		out = append(out, job.Name)
	}
	return out
}
