package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// lintCommand checks a configuration without a server.
type lintCommand struct {
	File string `arg:"" optional:"" default:".gitlab-ci.yml" help:"Configuration file; included files are looked for from its folder."`
}

// Run prints one finding a line, FILE:LINE:COL: message, and exits with 1 if one
// of them is an error.
func (c *lintCommand) Run(ctx context.Context, term *terminal) error {
	folder, name := filepath.Split(c.File)
	if folder == "" {
		folder = "."
	}
	_, _, found := ciyaml.Load(ctx, folderSource{os.DirFS(folder)}, ciyaml.LoadInput{
		Project: "local", SHA: "worktree", Path: name, Variables: func(string) (string, bool) { return "", false },
	})
	for _, d := range found {
		fmt.Fprintf(term.out, "%s%s: %s\n", strings.TrimSuffix(folder, "."), d.Pos, d.Message)
		if d.Hint != "" {
			fmt.Fprintf(term.out, "    %s\n", d.Hint)
		}
	}
	if found.Failed() {
		return &exitError{code: exitFailed}
	}
	return nil
}

// A folderSource reads configuration from a folder.
type folderSource struct{ files fs.FS }

// ReadFile implements ciyaml.Source.
func (s folderSource) ReadFile(_ context.Context, _, _, name string) ([]byte, error) {
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
