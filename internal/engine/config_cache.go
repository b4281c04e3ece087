package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	config      *ciyaml.Config // nil when the diagnostics have an error
	reads       ciyaml.Reads
	diagnostics ciyaml.Diagnostics
	bytes       int // of the files that it was made from
	specs       specCache
}

// configVariants are the outcomes for one key, the newest first: they differ in
// variables that an include named.
type configVariants []*loadedConfig

// maxVariants is how many outcomes are kept for one key.
const maxVariants = 8

// weight is what the variants count for in the cache.
func (v configVariants) weight() int {
	n := 0
	for _, c := range v {
		n += 1 + c.bytes>>16
		if c.config != nil {
			n += c.config.Size() >> 12
		}
	}
	return n
}

// cachedConfig finds an outcome that Load would come to again.
func (e *Engine) cachedConfig(key configKey, in ciyaml.LoadInput) *loadedConfig {
	variants, _ := e.configs.get(key)
	for _, c := range variants {
		if c.reads.Match(in) {
			return c
		}
	}
	return nil
}

// keepConfig adds an outcome to the cache.
func (e *Engine) keepConfig(key configKey, in ciyaml.LoadInput, loaded *loadedConfig) {
	variants := configVariants{loaded}
	before, _ := e.configs.get(key)
	for _, c := range before[:min(len(before), maxVariants-1)] {
		if !c.reads.Match(in) {
			variants = append(variants, c)
		}
	}
	e.configs.put(key, variants)
}

// loadTime bounds one load, includes and all (contract/ci-yaml.md 2.2).
const loadTime = 30 * time.Second

// loadConfig reads a configuration, or takes it from the cache if all that it was
// made from still reads the same. Callers who want the same one at once wait for
// one load.
func (e *Engine) loadConfig(ctx context.Context, d *pipelineDraft, early []ciyaml.Variable) (*loadedConfig, error) {
	in := d.loadInput(early)
	key := configKey{d.Project.ID, in.SHA, in.Path}
	if cached := e.cachedConfig(key, in); cached != nil {
		return cached, nil
	}
	flight := fmt.Sprintf("%d %s %s", key.project, key.sha, key.path)
	done := e.loading.DoChan(flight, func() (any, error) {
		// Others may wait for this: it must not end with whoever came first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		return e.load(ctx, d.Project, in, key)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		if loaded := result.Val.(*loadedConfig); loaded.reads.Match(in) {
			return loaded, nil
		}
	}
	return e.load(ctx, d.Project, in, key) // that was for somebody with other variables
}

// loadInput names the configuration of a draft.
func (d *pipelineDraft) loadInput(early []ciyaml.Variable) ciyaml.LoadInput {
	given := appendYAML(nil, d.variables[:len(d.Variables)]) // the payload is no variable of include
	return ciyaml.LoadInput{
		Project: d.Project.FullPath, SHA: d.ref.SHA, Path: d.Project.Config(), Variables: lookupIn(early, given),
	}
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
	loaded := &loadedConfig{config: config, reads: reads, diagnostics: diagnostics, bytes: source.bytes}
	if !diagnostics.Failed() || diagnostics.First().Code != ciyaml.CodeInternal {
		e.keepConfig(key, in, loaded)
	}
	return loaded, nil
}

// A repositorySource lets the compiler read one project's repository. It keeps
// the first real failure, since the compiler only knows "not there".
type repositorySource struct {
	engine  *Engine
	project ci.Project
	bytes   int // read so far
	err     error
}

// ReadFile implements ciyaml.Source.
func (s *repositorySource) ReadFile(ctx context.Context, project, sha, path string) ([]byte, error) {
	if project != s.project.FullPath {
		return nil, fmt.Errorf("read %s of another project: %w", path, ciyaml.ErrNotExist)
	}
	data, err := s.engine.readFile(ctx, s.project.ID, sha, path)
	s.bytes += len(data)
	switch {
	case errors.Is(err, git.ErrNotExist):
		return nil, ciyaml.ErrNotExist
	case errors.Is(err, git.ErrTooLarge):
		return nil, ciyaml.ErrTooLarge
	case err != nil && s.err == nil:
		s.err = err
	}
	return data, err
}

// Paths implements ciyaml.Source.
func (s *repositorySource) Paths(ctx context.Context, project, sha string) ([]string, error) {
	if project != s.project.FullPath {
		return nil, fmt.Errorf("list files of another project: %w", ciyaml.ErrNotExist)
	}
	paths, err := s.engine.paths(ctx, s.project.ID, sha)
	if err != nil && s.err == nil {
		s.err = err
	}
	return paths, err
}

// readFile reads a file of a commit. What no repository can hold, such as a path
// that climbs, is git.ErrNotExist too.
func (e *Engine) readFile(ctx context.Context, project ci.ProjectID, sha, path string) ([]byte, error) {
	if sha == "" || git.CheckPath(path) != nil {
		return nil, git.ErrNotExist
	}
	return e.git.ReadFile(ctx, int64(project), sha, path)
}

// manyPaths is how many file names of commits are kept in memory.
const manyPaths = 200_000

// paths lists the files of a commit. They never change, so they are read once.
func (e *Engine) paths(ctx context.Context, project ci.ProjectID, sha string) ([]string, error) {
	key := commitKey{project, sha}
	if sha == "" { // nothing was committed yet
		return nil, nil
	}
	if list, ok := e.trees.get(key); ok {
		return list, nil
	}
	list, err := e.git.Paths(ctx, int64(project), sha)
	if err != nil {
		return nil, fmt.Errorf("list files at %s of project %d: %w", sha, project, err)
	}
	e.trees.put(key, list)
	return list, nil
}
