package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Caches are zip archives on this machine: WORKDIR/cache/PROJECT/KEY.zip, the key as a digest, since it may hold
// anything. Jobs cannot reach the folder when they run as another account.

func (r *Runner) cacheFile(project int64, key string) string {
	digest := sha256.Sum256([]byte(key))
	return filepath.Join(r.config.WorkDir, cacheFolder, strconv.FormatInt(project, 10), hex.EncodeToString(digest[:16])+".zip")
}

// restoreCaches unpacks what is there. A cache is a convenience: whatever goes wrong is told, and the job goes on.
func (j *job) restoreCaches(ctx context.Context) error {
	for _, c := range j.payload.Cache {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.Policy == "push" {
			j.log.step("Not downloading cache %s due to policy", j.vars.expand(c.Key))
			continue
		}
		j.restoreCache(append([]string{c.Key}, c.FallbackKeys...))
	}
	return nil
}

// restoreCache takes the first of the keys that has an archive.
func (j *job) restoreCache(keys []string) {
	for _, key := range j.vars.expandAll(keys) {
		if key == "" {
			continue
		}
		j.log.step("Checking cache for %s...", key)
		name := j.runner.cacheFile(j.payload.JobInfo.ProjectID, key)
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			j.log.warn("Cache file does not exist")
			continue
		}
		if err == nil {
			err = j.extract(file)
			_ = file.Close()
		}
		if err != nil {
			j.log.warn("Failed to extract cache: %v", err)
			continue
		}
		now := j.runner.config.Now()
		_ = os.Chtimes(name, now, now) // only makes it live longer
		j.log.step("Successfully extracted cache")
		return
	}
}

// dueCaches are those to be saved after the script ended as it did.
func (j *job) dueCaches(scriptErr error) []cacheSpec {
	return slices.DeleteFunc(slices.Clone(j.payload.Cache), func(c cacheSpec) bool {
		return c.Policy == "pull" || !due(c.When, scriptErr)
	})
}

func (j *job) saveCaches(ctx context.Context, list []cacheSpec) error {
	var failed error
	for _, c := range list {
		if key := j.vars.expand(c.Key); key != "" {
			failed = errors.Join(failed, j.saveCache(ctx, key, c))
		}
	}
	return failed
}

// saveCache replaces an archive as a whole, so that a job that reads it meanwhile sees the old one or the new one.
func (j *job) saveCache(ctx context.Context, key string, c cacheSpec) error {
	j.log.step("Creating cache %s...", key)
	names, err := j.collect(ctx, selection{paths: c.Paths, untracked: c.Untracked})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		j.log.warn("no files to save")
		return nil
	}
	name := j.runner.cacheFile(j.payload.JobInfo.ProjectID, key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("save cache %s: %w", key, err)
	}
	file, err := os.CreateTemp(filepath.Dir(name), "new-")
	if err != nil {
		return fmt.Errorf("save cache %s: %w", key, err)
	}
	err = errors.Join(j.pack(file, "zip", names), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("save cache %s: %w", key, errors.Join(err, os.Remove(file.Name())))
	}
	j.log.step("Created cache")
	return nil
}
