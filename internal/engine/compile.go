package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A configKey names a configuration: the same commit of the same project, read
// from the same path.
type configKey struct {
	project ci.ProjectID
	sha     string
	path    string
}

// A loadedConfig is the outcome of Load, good or bad, with all that it read. It
// counts only as long as all of that still reads the same
// (docs/decisions, configuration cache).
type loadedConfig struct {
	config      *ciyaml.Config
	reads       ciyaml.Reads
	diagnostics ciyaml.Diagnostics
}

// A compiledPlan is what a configuration comes to for one pipeline.
type compiledPlan struct {
	jobs  []ci.Job
	specs []storedSpec
}

// compile is steps 9 to 18 of the chain: read the configuration, decide which
// jobs run, map them to rows.
func (e *Engine) compile(ctx context.Context, d *pipelineDraft) error {
	predefined := e.predefined(d)
	loaded, err := e.loadConfig(ctx, d, predefined)
	if err != nil {
		return err
	}
	if loaded.diagnostics.Failed() {
		return refusalOf(loaded.diagnostics.First())
	}
	plan, diagnostics := loaded.config.Pipeline(e.compileInput(ctx, d, predefined))
	if diagnostics.Failed() {
		return refusalOf(diagnostics.First())
	}
	if len(plan.Jobs) > e.limits.JobsPerPipeline {
		return &keptRefusal{
			message: fmt.Sprintf("The number of jobs has exceeded the limit of %d. Try splitting the configuration with parent-child-pipelines",
				e.limits.JobsPerPipeline),
			reason: ci.ReasonSizeLimit,
		}
	}
	d.plan, err = e.mapPlan(ctx, d, plan)
	return err
}

// refusalOf turns the compiler's word into the chain's: what filtered a pipeline
// keeps no row, a broken configuration does.
func refusalOf(d ciyaml.Diagnostic) error {
	message := d.Message
	if d.Code == ciyaml.CodeUnsupported {
		message = fmt.Sprintf("%s: %s", d.Pos, d.Message)
	}
	switch d.Code {
	case ciyaml.CodeWorkflowFiltered, ciyaml.CodeRulesFiltered, ciyaml.CodeMissingConfig:
		return ci.Refused(message).WithHint(d.Code, d.Hint)
	case ciyaml.CodeInternal:
		return fmt.Errorf("compile configuration: %s", message)
	}
	refusal := configError("%s", message)
	refusal.code, refusal.hint = d.Code, d.Hint
	if refusal.hint == "" && d.Pos.Line > 0 {
		refusal.hint = fmt.Sprintf("See %s", d.Pos)
	}
	return refusal
}

// loadConfig reads a configuration, or takes it from the cache if all that it was
// made from still reads the same.
func (e *Engine) loadConfig(ctx context.Context, d *pipelineDraft, predefined []ciyaml.Variable) (*loadedConfig, error) {
	in := ciyaml.LoadInput{
		Project: d.Project.FullPath, SHA: d.ref.SHA, Path: d.Project.Config(),
		Variables: lookupIn(predefined, toYAMLVariables(d.variables)),
	}
	key := configKey{d.Project.ID, in.SHA, in.Path}
	if cached, ok := e.configs.get(key); ok && cached.reads.Match(in) {
		return cached, nil
	}
	flight := fmt.Sprintf("%d %s %s", key.project, key.sha, key.path)
	made, err, shared := e.loading.Do(flight, func() (any, error) {
		return e.load(ctx, d.Project, in, key)
	})
	if err == nil && made.(*loadedConfig).reads.Match(in) {
		return made.(*loadedConfig), nil
	}
	if !shared {
		return nil, err
	}
	// Somebody else's load failed, or read other variables: it says nothing about ours.
	return e.load(ctx, d.Project, in, key)
}

func (e *Engine) load(ctx context.Context, project ci.Project, in ciyaml.LoadInput, key configKey) (*loadedConfig, error) {
	source := &repositorySource{engine: e, project: project}
	config, reads, diagnostics := ciyaml.Load(ctx, source, in)
	if source.err != nil {
		return nil, fmt.Errorf("read configuration of project %d: %w", project.ID, source.err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	loaded := &loadedConfig{config, reads, diagnostics}
	if !diagnostics.Failed() || diagnostics.First().Code != ciyaml.CodeInternal {
		e.configs.put(key, loaded)
	}
	return loaded, nil
}

// A repositorySource lets the compiler read one project's repository. It keeps
// the first real failure, since the compiler only knows "not there".
type repositorySource struct {
	engine  *Engine
	project ci.Project
	err     error
}

// ReadFile implements ciyaml.Source.
func (s *repositorySource) ReadFile(ctx context.Context, project, sha, path string) ([]byte, error) {
	if project != s.project.FullPath {
		return nil, fmt.Errorf("read %s of another project: %w", path, ciyaml.ErrNotExist)
	}
	data, err := s.engine.git.ReadFile(ctx, int64(s.project.ID), sha, path)
	if errors.Is(err, git.ErrNotExist) {
		return nil, ciyaml.ErrNotExist
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	return data, err
}

// Paths implements ciyaml.Source.
func (s *repositorySource) Paths(ctx context.Context, project, sha string) ([]string, error) {
	if project != s.project.FullPath {
		return nil, fmt.Errorf("list files of another project: %w", ciyaml.ErrNotExist)
	}
	paths, err := s.engine.git.Paths(ctx, int64(s.project.ID), sha)
	if err != nil && s.err == nil {
		s.err = err
	}
	return paths, err
}

// compileInput is the context of one pipeline.
func (e *Engine) compileInput(ctx context.Context, d *pipelineDraft, predefined []ciyaml.Variable) ciyaml.Input {
	return ciyaml.Input{
		Source: string(d.Source), Ref: d.ref.Short(), Tag: d.ref.Tag(), ProjectPath: d.Project.FullPath,
		Predefined: predefined, Overrides: append(toYAMLVariables(userVariables(d.Actor.User)), toYAMLVariables(d.variables)...),
		Paths: func() ([]string, error) { return e.git.Paths(ctx, int64(d.Project.ID), d.ref.SHA) },
		Modified: func() ([]string, bool, error) {
			if d.Source != ci.SourcePush || d.ref.Tag() || d.Before == "" || strings.Trim(d.Before, "0") == "" {
				return nil, false, nil
			}
			paths, err := e.git.DiffPaths(ctx, int64(d.Project.ID), d.Before, d.ref.SHA)
			return paths, true, err
		},
	}
}

// lookupIn finds a variable in lists of which later ones win.
func lookupIn(lists ...[]ciyaml.Variable) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := len(lists) - 1; i >= 0; i-- {
			for j := len(lists[i]) - 1; j >= 0; j-- {
				if lists[i][j].Key == name {
					return lists[i][j].Value, true
				}
			}
		}
		return "", false
	}
}

func toYAMLVariables(list []ci.Variable) []ciyaml.Variable {
	out := make([]ciyaml.Variable, len(list))
	for i, v := range list {
		out[i] = ciyaml.Variable{Key: v.Key, Value: v.Value, Raw: v.Raw, File: v.File}
	}
	return out
}
