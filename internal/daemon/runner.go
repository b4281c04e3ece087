package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lanyard-ci/lanyard/internal/runner"
)

// runRunner runs the built-in runner until ctx ends. It talks to this server over
// HTTP, like any other runner.
func (s *Server) runRunner(ctx context.Context) error {
	if s.config.Runners == 0 {
		return nil
	}
	token, err := s.engine.BuiltInRunner(ctx)
	if err != nil {
		return fmt.Errorf("set up built-in runner: %w", err)
	}
	r, err := runner.New(runner.Config{
		URL: s.LocalURL(), Token: token, Name: "built-in", Concurrency: s.config.Runners, WorkDir: s.config.work(),
		Path: jobPath(s.config.Path), Lang: s.config.Lang, Logger: s.config.Logger, Version: s.config.Version.Version,
		User: s.config.RunnerUser,
	})
	if err != nil {
		return usage("built-in runner: %v", err)
	}
	return r.Run(ctx)
}

// jobPath lets jobs find this very program, so that one can trigger another
// project with `lanyard trigger`.
func jobPath(path string) string {
	program, err := os.Executable()
	if err != nil {
		return path
	}
	return path + string(filepath.ListSeparator) + filepath.Dir(program)
}
