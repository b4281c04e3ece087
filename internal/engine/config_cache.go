package engine

import (
	"context"
	"fmt"
	"slices"
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

// cachedConfig finds an outcome that Load would come to again, for this user and
// now; nil when there is none.
func (e *Engine) cachedConfig(ctx context.Context, key configKey, source *configSource, in ciyaml.LoadInput) (*loadedConfig, error) {
	variants, _ := e.configs.get(key)
	for _, c := range variants {
		current, err := c.reads.Current(ctx, source, in)
		if err != nil {
			return nil, fmt.Errorf("check what configuration of project %d was made from: %w", key.project, err)
		}
		if current {
			return c, nil
		}
	}
	return nil, nil //nolint:nilnil // nothing is cached: that is an answer
}

// keepConfig adds an outcome to the cache, in the place of one that began with the
// same variables, inputs and references.
func (e *Engine) keepConfig(key configKey, loaded *loadedConfig) {
	variants := configVariants{loaded}
	before, _ := e.configs.get(key)
	for _, c := range before[:min(len(before), maxVariants-1)] {
		if !c.reads.Superseded(loaded.reads) {
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
	in := e.loadInput(ctx, d, early)
	source := e.newConfigSource(d.Project, d.Actor.User)
	key := configKey{d.Project.ID, in.SHA, in.Path}
	cached, err := e.cachedConfig(ctx, key, source, in)
	if cached != nil || err != nil {
		return cached, err
	}
	flight := fmt.Sprintf("%d %s %s", key.project, key.sha, key.path)
	done := e.loading.DoChan(flight, func() (any, error) {
		// Others may wait for this: it must not end with whoever came first.
		return e.load(context.WithoutCancel(ctx), source, in, key)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		loaded := result.Val.(*loadedConfig)
		source = e.newConfigSource(d.Project, d.Actor.User) // the other is in use if this was somebody else's load
		current, err := loaded.reads.Current(ctx, source, in)
		if current || err != nil {
			return loaded, err
		}
	}
	return e.load(ctx, source, in, key) // that was for somebody with other variables, inputs or rights
}

// loadInput says which configuration a draft wants.
func (e *Engine) loadInput(ctx context.Context, d *pipelineDraft, early []ciyaml.Variable) ciyaml.LoadInput {
	var reaching []ci.Variable
	if d.reaching != nil {
		reaching = d.reaching.visible(d.protected, "")
	}
	owned := appendYAML(nil, reaching)
	given := appendYAML(nil, d.variables[:len(d.Variables)]) // the payload is no variable of include
	in := ciyaml.LoadInput{
		Project: d.Project.FullPath, SHA: d.ref.SHA, Path: d.Project.Config(), Host: e.host, Variables: lookupIn(early, owned, given), Parsed: &e.parsed,
		Modified: func() ([]string, bool, error) { return e.modified(context.WithoutCancel(ctx), d) },
	}
	if len(reaching) > 0 {
		in.Masked = func(name string) bool {
			return slices.ContainsFunc(reaching, func(v ci.Variable) bool { return v.Key == name && v.Masked })
		}
	}
	for _, input := range d.Inputs {
		in.Inputs = append(in.Inputs, ciyaml.InputValue{Name: input.Name, JSON: input.JSON})
	}
	return in
}

// load reads a configuration and keeps the outcome.
func (e *Engine) load(ctx context.Context, source *configSource, in ciyaml.LoadInput, key configKey) (*loadedConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	config, reads, diagnostics := ciyaml.Load(ctx, source, in)
	loaded := &loadedConfig{config: config, reads: reads, diagnostics: diagnostics, bytes: source.read()}
	code := diagnostics.First().Code
	if diagnostics.Failed() && code == ciyaml.CodeTimeout {
		return loaded, nil
	}
	if err := source.failure(); err != nil {
		return nil, fmt.Errorf("read configuration of project %d: %w", key.project, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !diagnostics.Failed() || code != ciyaml.CodeInternal {
		e.keepConfig(key, loaded)
	}
	return loaded, nil
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
