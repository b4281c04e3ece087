package cli

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// worktree stands for a commit where there is none: the files as they are.
const worktree = "worktree"

// A lintEvent is the pipeline that a configuration is checked for.
type lintEvent struct {
	source     string
	ref        string
	tag        bool
	project    string
	host       string // of the server, "" without
	predefined []ciyaml.Variable
	variables  []ciyaml.Variable // of the command line
	changed    []string
	known      bool // changed was given
}

// simulates reports whether rules are to be evaluated.
func (c *lintCommand) simulates() bool {
	return c.As != "" || c.Ref != "" || c.Tag || c.Variable != nil || c.Changed != nil || c.Explain || c.Job != nil
}

// event reads the flags that describe a pipeline.
func (c *lintCommand) event(root string) (*lintEvent, error) {
	e := &lintEvent{source: c.As, ref: c.Ref, tag: c.Tag, project: c.Project, known: c.Changed != nil}
	if e.source == "" {
		e.source = string(ci.SourcePush)
	}
	if !slices.Contains(ci.Sources, ci.Source(e.source)) {
		names := make([]string, len(ci.Sources))
		for i, s := range ci.Sources {
			names[i] = string(s)
		}
		return nil, exitWith(exitUsage, "--as: no pipeline has the source %q; there are %s", e.source, strings.Join(names, ", "))
	}
	if name, ok := strings.CutPrefix(e.ref, ci.TagPrefix); ok {
		e.ref, e.tag = name, true
	}
	e.ref = strings.TrimPrefix(e.ref, ci.BranchPrefix)
	if e.ref == "" {
		e.ref = branchOf(root)
	}
	if e.project == "" {
		e.project = filepath.Base(root)
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" {
			return nil, exitWith(exitUsage, "--url: %q is not the URL of a server", c.URL)
		}
		e.host = u.Host
	}
	for _, pair := range c.Variable {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !ci.ValidKey(key) {
			return nil, exitWith(exitUsage, "-v takes KEY=VALUE, not %q", pair)
		}
		e.variables = append(e.variables, ciyaml.Variable{Key: key, Value: value})
	}
	for _, file := range c.Changed {
		if file = strings.TrimPrefix(filepath.ToSlash(file), "./"); file != "" {
			e.changed = append(e.changed, file)
		}
	}
	e.predefined = e.predefine(root, strings.TrimRight(c.URL, "/"))
	return e, nil
}

// inputs reads -i: a value is JSON if it reads as such, else text.
func (c *lintCommand) inputs() ([]ciyaml.InputValue, error) {
	var out []ciyaml.InputValue
	for _, pair := range c.Input {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, exitWith(exitUsage, "-i takes NAME=VALUE, not %q", pair)
		}
		if !json.Valid([]byte(value)) {
			quoted, err := json.Marshal(value)
			if err != nil {
				return nil, exitWith(exitUsage, "-i %s: %v", name, err)
			}
			value = string(quoted)
		}
		out = append(out, ciyaml.InputValue{Name: name, JSON: value})
	}
	return out, nil
}

// branchOf is the branch that the checkout is on, "main" where there is none.
func branchOf(root string) string {
	return refIn(filepath.Join(root, ".git", "HEAD"), ci.BranchPrefix)
}

// defaultBranchOf is the branch that the checkout's origin begins with.
func defaultBranchOf(root string) string {
	return refIn(filepath.Join(root, ".git", "refs", "remotes", "origin", "HEAD"), "refs/remotes/origin/")
}

// refIn reads the name that a symbolic ref has behind a prefix.
func refIn(file, prefix string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "main"
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(string(data)), "ref: "+prefix)
	if !ok || name == "" {
		return "main"
	}
	return name
}

// predefine lists the predefined variables that are known without a server.
func (e *lintEvent) predefine(root, server string) []ciyaml.Variable {
	var list []ciyaml.Variable
	add := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, ciyaml.Variable{Key: pairs[i], Value: pairs[i+1], Raw: true})
		}
	}
	trunk := defaultBranchOf(root)
	namespace, name := "", e.project
	if i := strings.LastIndexByte(e.project, '/'); i >= 0 {
		namespace, name = e.project[:i], e.project[i+1:]
	}
	top, _, _ := strings.Cut(namespace, "/")
	add("CI", "true", "GITLAB_CI", "true", "CI_PIPELINE_SOURCE", e.source, "CI_DEFAULT_BRANCH", trunk,
		"CI_COMMIT_REF_NAME", e.ref, "CI_COMMIT_REF_SLUG", refSlug(e.ref), "CI_PROJECT_PATH", e.project, "CI_PROJECT_NAME", name,
		"CI_PROJECT_NAMESPACE", namespace, "CI_PROJECT_ROOT_NAMESPACE", top, "CI_CONFIG_PATH", ".gitlab-ci.yml")
	if e.host != "" {
		name, _, _ := strings.Cut(e.host, ":")
		add("CI_SERVER_URL", server, "CI_SERVER_FQDN", e.host, "CI_SERVER_HOST", name, "CI_API_V4_URL", server+"/api/v4",
			"CI_PROJECT_URL", server+"/"+e.project)
	}
	switch {
	case e.tag:
		add("CI_COMMIT_TAG", e.ref)
	case e.source == "merge_request_event":
		add("CI_MERGE_REQUEST_ID", "1", "CI_MERGE_REQUEST_IID", "1", "CI_MERGE_REQUEST_EVENT_TYPE", "detached",
			"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", e.ref, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", trunk,
			"CI_MERGE_REQUEST_PROJECT_PATH", e.project, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", e.project)
	default:
		add("CI_COMMIT_BRANCH", e.ref)
	}
	if e.source == string(ci.SourceTrigger) {
		add("CI_PIPELINE_TRIGGERED", "true")
	}
	return list
}

// refSlug is CI_COMMIT_REF_SLUG: lower case, at most 63 of [a-z0-9-], no hyphen at
// the edges.
func refSlug(ref string) string {
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(ref))
	return strings.Trim(slug[:min(63, len(slug))], "-")
}

// lookup finds the variables that include may use.
func (e *lintEvent) lookup(name string) (string, bool) {
	for _, list := range [][]ciyaml.Variable{e.variables, e.predefined} {
		for _, v := range slices.Backward(list) {
			if v.Key == name {
				return v.Value, true
			}
		}
	}
	return "", false
}

// modified tells which files changed; nil when it is not known.
func (e *lintEvent) modified() func() ([]string, bool, error) {
	if !e.known {
		return nil
	}
	return func() ([]string, bool, error) { return e.changed, true, nil }
}

// input is the event in the compiler's words. What is compared with another ref is
// what the command line says as well.
func (e *lintEvent) input(ctx context.Context, source folderSource) ciyaml.Input {
	in := ciyaml.Input{
		Source: e.source, Ref: e.ref, Tag: e.tag, ProjectPath: e.project, Predefined: e.predefined, Overrides: e.variables,
		Paths:    func() ([]string, error) { return source.Paths(ctx, e.project, worktree) },
		Modified: e.modified(),
	}
	if source.server != nil {
		in.ProjectPaths = func(project, ref string) ([]string, error) { return source.projectPaths(ctx, project, ref) }
	}
	if e.known {
		in.ModifiedSince = func(string) ([]string, error) { return e.changed, nil }
	}
	return in
}
