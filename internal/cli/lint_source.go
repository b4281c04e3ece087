package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/client"
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

// A folderSource reads configuration from a folder, remote files from where they
// are, and those of other projects from a server, if there is one.
type folderSource struct {
	files  fs.FS
	remote *remote.Fetcher
	server *client.Client // nil: none
}

// Resolve implements ciyaml.Source. A folder knows no other projects.
func (s folderSource) Resolve(ctx context.Context, r ciyaml.Reference) (ciyaml.Commit, error) {
	server, out := s.reader(r.Public), ciyaml.Commit{Project: r.Project}
	if server == nil {
		return out, fmt.Errorf("project %s is on a server: name that with --url", r.Project)
	}
	project, err := server.Project(ctx, r.Project)
	switch {
	case isNotFound(err):
		return out, fmt.Errorf("%w: %w", ciyaml.ErrNoProject, err)
	case err != nil:
		return out, fmt.Errorf("read project %s from the server: %w", r.Project, err)
	case r.Version:
		return s.version(ctx, server, r)
	}
	if out.SHA, err = server.Commit(ctx, r.Project, cmp.Or(r.Ref, project.DefaultBranch)); isNotFound(err) {
		err = fmt.Errorf("%w: %w", ciyaml.ErrNoRef, err)
	}
	return out, err
}

// version finds the newest version among the tags of a project.
func (s folderSource) version(ctx context.Context, server *client.Client, r ciyaml.Reference) (ciyaml.Commit, error) {
	tags, err := server.Tags(ctx, r.Project)
	if err != nil {
		return ciyaml.Commit{}, err
	}
	names := make([]string, len(tags))
	for i, tag := range tags {
		names[i] = tag.Name
	}
	name, found := ciyaml.LatestVersion(names, r.Ref)
	if !found {
		return ciyaml.Commit{}, ciyaml.ErrNoVersions
	}
	return ciyaml.Commit{Project: r.Project, SHA: tags[slices.Index(names, name)].Commit.SHA, Name: name}, nil
}

// reader is who reads from the server: for what everybody must be able to read, it
// is nobody. It is nil without a server.
func (s folderSource) reader(public bool) *client.Client {
	if s.server == nil || !public {
		return s.server
	}
	return &client.Client{URL: s.server.URL, HTTP: s.server.HTTP}
}

func isNotFound(err error) bool {
	refused, ok := errors.AsType[*client.Refused](err)
	return ok && refused.Status == http.StatusNotFound
}

// Fetch implements ciyaml.Source.
func (s folderSource) Fetch(ctx context.Context, address string) ([]byte, error) {
	return s.remote.Fetch(ctx, address)
}

// ReadFile implements ciyaml.Source.
func (s folderSource) ReadFile(ctx context.Context, project, sha, name string) ([]byte, error) {
	if sha == worktree {
		return s.read(name)
	}
	data, err := s.server.File(ctx, project, sha, name)
	if isNotFound(err) {
		return nil, ciyaml.ErrNotExist
	}
	return data, err
}

// read reads a file of the folder.
func (s folderSource) read(name string) ([]byte, error) {
	data, err := fs.ReadFile(s.files, path.Clean(name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, ciyaml.ErrNotExist
	}
	return data, err
}

// Paths implements ciyaml.Source.
func (s folderSource) Paths(ctx context.Context, project, sha string) ([]string, error) {
	if sha != worktree {
		return s.server.Files(ctx, project, sha)
	}
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

// projectPaths lists the files of another project, for rules:exists.
func (s folderSource) projectPaths(ctx context.Context, project, ref string) ([]string, error) {
	commit, err := s.Resolve(ctx, ciyaml.Reference{Project: project, Ref: ref})
	switch {
	case errors.Is(err, ciyaml.ErrNoProject):
		return nil, ciyaml.ErrNotExist
	case err != nil:
		return nil, err
	}
	return s.server.Files(ctx, commit.Project, commit.SHA)
}
