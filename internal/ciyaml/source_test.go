package ciyaml_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// A mapSource is what a configuration can read, in memory: files of the one
// commit of its own project by their paths, files of other projects as
// PROJECT@REF:PATH, where a commit has the name of its ref, and remote files by
// their addresses. Nobody may read the projects of the group secret, and only
// members those of the group private.
type mapSource map[string]string

func (m mapSource) ReadFile(_ context.Context, project, sha, path string) ([]byte, error) {
	if project != rootInput.Project {
		path = project + "@" + sha + ":" + path
	}
	content, ok := m[path]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", path, ciyaml.ErrNotExist)
	}
	return []byte(content), nil
}

func (m mapSource) Paths(_ context.Context, project, sha string) ([]string, error) {
	prefix := ""
	if project != "" && project != rootInput.Project {
		prefix = project + "@" + sha + ":"
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		path, ok := strings.CutPrefix(name, prefix)
		if ok && !strings.Contains(path, ":") {
			out = append(out, path)
		}
	}
	return out, nil
}

func (m mapSource) Resolve(_ context.Context, r ciyaml.Reference) (ciyaml.Commit, error) {
	group, _, _ := strings.Cut(r.Project, "/")
	var refs []string
	for name := range m {
		if rest, ok := strings.CutPrefix(name, r.Project+"@"); ok {
			ref, _, _ := strings.Cut(rest, ":")
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 || group == "secret" || group == "private" && r.Public {
		return ciyaml.Commit{}, ciyaml.ErrNoProject
	}
	commit := ciyaml.Commit{Project: r.Project, SHA: r.Ref}
	switch {
	case r.Version:
		tag, found := ciyaml.LatestVersion(refs, r.Ref)
		if !found {
			return ciyaml.Commit{}, ciyaml.ErrNoVersions
		}
		commit.SHA, commit.Name = tag, tag
	case r.Ref == "":
		commit.SHA = "main"
	case !slices.Contains(refs, r.Ref):
		return ciyaml.Commit{}, ciyaml.ErrNoRef
	}
	return commit, nil
}

func (m mapSource) Fetch(_ context.Context, address string) ([]byte, error) {
	content, ok := m[address]
	if !ok {
		return nil, &ciyaml.RemoteError{Problem: "could not be fetched because of HTTP code `404` error!"}
	}
	return []byte(content), nil
}

var rootInput = ciyaml.LoadInput{
	Project: "group/project", SHA: "0123456789abcdef", Path: ".gitlab-ci.yml", Host: "ci.example.com",
}

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
