package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// selection says which files of a project go into an archive.
type selection struct {
	paths     []string
	exclude   []string
	untracked bool
}

// collect lists the selected files, folders and links, sorted, and tells in the log what each pattern found.
func (j *job) collect(ctx context.Context, s selection) ([]string, error) {
	found := map[string]bool{}
	err := j.ws.inProject(func(root *os.Root) error {
		for _, written := range j.vars.expandAll(s.paths) {
			pattern, ok := relative(written, filepath.ToSlash(j.ws.project))
			if !ok {
				j.log.warn("%s: not a path in the project directory, left out", written)
				continue
			}
			names := glob(root, pattern)
			if len(names) == 0 {
				j.log.warn("%s: no matching files. Ensure that the artifact path is relative to the working directory (%s)", written, j.ws.project)
				continue
			}
			j.log.print("%s: found %d matching artifact files and directories", written, len(names))
			for _, name := range names {
				found[name] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for files: %w", err)
	}
	if s.untracked {
		names, err := j.untracked(ctx)
		if err != nil {
			return nil, err
		}
		j.log.print("untracked: found %d files", len(names))
		for _, name := range names {
			found[name] = true
		}
	}
	return j.without(found, j.vars.expandAll(s.exclude)), nil
}

func (j *job) without(found map[string]bool, exclude []string) []string {
	names := make([]string, 0, len(found))
	excluded := 0
	for name := range found {
		if slices.ContainsFunc(exclude, func(pattern string) bool {
			pattern, ok := relative(pattern, filepath.ToSlash(j.ws.project))
			return ok && matches(pattern, name)
		}) {
			excluded++
			continue
		}
		names = append(names, name)
	}
	if excluded > 0 {
		j.log.print("exclude: left out %d files and directories", excluded)
	}
	slices.Sort(names)
	return names
}

// untracked lists the files that git does not track, ignored ones too.
func (j *job) untracked(ctx context.Context) ([]string, error) {
	if j.runner.git == "" {
		return nil, systemFailure(errors.New("list untracked files: no git on this machine"))
	}
	var list bytes.Buffer
	if err := j.runTo(ctx, &list, j.runner.git, []string{"ls-files", "--others", "-z"}, j.environ("LC_ALL=C")); err != nil {
		return nil, fmt.Errorf("list untracked files: %w", err)
	}
	names := strings.Split(list.String(), "\x00")
	return slices.DeleteFunc(names, func(name string) bool { return name == "" || !filepath.IsLocal(name) }), nil
}

// temporary makes a file without a name, for archives on their way.
func (r *Runner) temporary() (*os.File, error) {
	f, err := os.CreateTemp(filepath.Join(r.config.WorkDir, tempFolder), "archive-")
	if err != nil {
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("make temporary file: %w", err)
	}
	return f, nil
}
