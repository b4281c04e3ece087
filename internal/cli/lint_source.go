package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/remote"
)

// splitRoot gives the folder that a project's files are named from, the nearest one
// above the file with a .git in it or else the file's own, and the file's name from
// there.
func splitRoot(file string) (root, name string, err error) {
	file, err = filepath.Abs(file)
	if err != nil {
		return "", "", err
	}
	root = filepath.Dir(file)
	for dir := root; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			root = dir
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	name, err = filepath.Rel(root, file)
	return root, filepath.ToSlash(name), err
}

// fromHere names a file as somebody who stands in the working directory would,
// unless they named theirs from the root.
func fromHere(file string, absolute bool) string {
	here, err := os.Getwd()
	if err != nil || absolute {
		return file
	}
	relative, err := filepath.Rel(here, file)
	if err != nil {
		return file
	}
	return relative
}

// A folderSource reads configuration from a folder, and remote files from where they
// are.
type folderSource struct {
	files  fs.FS
	remote *remote.Fetcher
}

// Resolve implements ciyaml.Source. A folder knows no other projects.
func (s folderSource) Resolve(_ context.Context, r ciyaml.Reference) (ciyaml.Commit, error) {
	return ciyaml.Commit{}, fmt.Errorf("project %s is on a server, and only that can tell", r.Project)
}

// Fetch implements ciyaml.Source.
func (s folderSource) Fetch(ctx context.Context, address string) ([]byte, error) {
	return s.remote.Fetch(ctx, address)
}

// ReadFile implements ciyaml.Source.
func (s folderSource) ReadFile(_ context.Context, _, _, name string) ([]byte, error) {
	return s.read(name)
}

func (s folderSource) read(name string) ([]byte, error) {
	data, err := fs.ReadFile(s.files, path.Clean(name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, ciyaml.ErrNotExist
	}
	return data, err
}

// Paths implements ciyaml.Source.
func (s folderSource) Paths(ctx context.Context, _, _ string) ([]string, error) {
	var paths []string
	err := fs.WalkDir(s.files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case entry.Type().IsRegular():
			paths = append(paths, name)
		}
		return nil
	})
	return paths, err
}
