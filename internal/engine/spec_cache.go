package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A specCache has the specifications of the jobs of one configuration in their
// stored form, since most pipelines repeat them. The zero value is ready to use.
type specCache struct {
	mu    sync.Mutex // protects all fields below
	specs map[specKey]cachedSpec
	bytes int
}

// A specKey names what a specification depends on beside the job's variables.
type specKey struct {
	job       string
	protected bool
}

// A cachedSpec counts for a job with the same variables: they are all that rules
// change of what a job executes.
type cachedSpec struct {
	variables []ciyaml.Variable
	spec      storedSpec
}

// maxSpecBytes is how much of one configuration is kept.
const maxSpecBytes = 4 << 20

func (c *specCache) get(key specKey, variables []ciyaml.Variable) (storedSpec, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.specs[key]
	return found.spec, ok && slices.Equal(found.variables, variables)
}

func (c *specCache) put(key specKey, variables []ciyaml.Variable, spec storedSpec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.specs == nil {
		c.specs = map[specKey]cachedSpec{}
	}
	bytes := c.bytes - len(c.specs[key].spec.Body) + len(spec.Body)
	if bytes > maxSpecBytes {
		return
	}
	c.specs[key], c.bytes = cachedSpec{variables, spec}, bytes
}

// specOfJob gives what a job executes, in the form in which it is stored.
func (e *Engine) specOfJob(ctx context.Context, d *pipelineDraft, from *loadedConfig, job *ciyaml.Job) (storedSpec, error) {
	key := specKey{job.Name, d.protected}
	if spec, ok := from.specs.get(key, job.Variables); ok {
		return spec, nil
	}
	spec := specOf(job)
	for _, cache := range job.Cache {
		mapped, err := e.cacheSpec(ctx, d, cache)
		if err != nil {
			return storedSpec{}, err
		}
		spec.Cache = append(spec.Cache, mapped)
	}
	body, err := json.Marshal(spec)
	if err != nil {
		return storedSpec{}, fmt.Errorf("encode: %w", err)
	}
	digest := sha256.Sum256(body)
	stored := storedSpec{Digest: digest[:], Body: body}
	from.specs.put(key, job.Variables, stored)
	return stored, nil
}

// cacheSpec makes the key of a cache final: from the content of `key:files`, and
// apart for protected refs (contract/ci-yaml.md 7.4).
func (e *Engine) cacheSpec(ctx context.Context, d *pipelineDraft, from ciyaml.Cache) (ci.CacheSpec, error) {
	spec := ci.CacheSpec{
		Key: from.Key, Untracked: from.Untracked, Policy: from.Policy, When: from.When,
		Paths: from.Paths, FallbackKeys: slices.Clone(from.FallbackKeys),
	}
	if len(from.KeyFiles) > 0 {
		makeKey := e.filesKey
		if from.KeyCommits {
			makeKey = e.commitsKey
		}
		key, err := makeKey(ctx, d, from.KeyFiles)
		if err != nil {
			return ci.CacheSpec{}, err
		}
		spec.Key = key
		if from.KeyPrefix != "" {
			spec.Key = from.KeyPrefix + "-" + key
		}
	}
	if from.Unprotect {
		return spec, nil
	}
	suffix := "-non_protected"
	if d.protected {
		suffix = "-protected"
	}
	spec.Key += suffix
	for i := range spec.FallbackKeys {
		spec.FallbackKeys[i] += suffix
	}
	return spec, nil
}

// filesKey hashes the content of the files that exist; none gives "default".
func (e *Engine) filesKey(ctx context.Context, d *pipelineDraft, paths []string) (string, error) {
	hash, found := sha256.New(), false
	for _, name := range paths {
		data, err := e.readFile(ctx, d.Project.ID, d.ref.SHA, name)
		if errors.Is(err, git.ErrTooLarge) {
			data, err = e.fileName(ctx, d, name)
		}
		if errors.Is(err, git.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read %s for a cache key: %w", name, err)
		}
		found = true
		fmt.Fprintf(hash, "%s\x00%d\x00%s", name, len(data), data) // a hash never fails
	}
	if !found {
		return "default", nil
	}
	return hex.EncodeToString(hash.Sum(nil)[:20]), nil
}

// commitsKey hashes the names of the commits that changed the files last; none of
// them gives "default".
func (e *Engine) commitsKey(ctx context.Context, d *pipelineDraft, paths []string) (string, error) {
	hash, found := sha256.New(), false
	for _, name := range paths {
		if git.CheckPath(name) != nil {
			continue // no file can be called that
		}
		commits, err := e.git.Log(ctx, int64(d.Project.ID), git.LogQuery{Rev: d.ref.SHA, Path: name, Limit: 1})
		if err != nil {
			return "", fmt.Errorf("find the last commit of %s for a cache key: %w", name, err)
		}
		for i := range commits {
			found = true
			fmt.Fprintf(hash, "%s\x00%s\x00", name, commits[i].SHA) // a hash never fails
		}
	}
	if !found {
		return "default", nil
	}
	return hex.EncodeToString(hash.Sum(nil)[:20]), nil
}

// fileName is by what git knows the content of a file that is too large to read.
func (e *Engine) fileName(ctx context.Context, d *pipelineDraft, name string) ([]byte, error) {
	folder := path.Dir(name)
	if folder == "." {
		folder = ""
	}
	entries, err := e.git.Tree(ctx, int64(d.Project.ID), d.ref.SHA, folder, false)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(entries, func(entry git.Entry) bool { return entry.Path == name })
	if i < 0 {
		return nil, git.ErrNotExist
	}
	return []byte(entries[i].SHA), nil
}
