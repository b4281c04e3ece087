package daemon

import (
	"context"
	"fmt"
	"os"

	"github.com/lanyard-ci/lanyard/internal/runner"
)

// newRunner makes the built-in runner, or nil when it is off. It talks to this
// server over HTTP, like any other runner.
func (s *Server) newRunner(ctx context.Context) (*runner.Runner, error) {
	c := s.config
	if c.Runners == 0 {
		return nil, nil
	}
	if c.RunnerUser != "" {
		if err := letPass(c.Data); err != nil {
			return nil, fmt.Errorf("open data directory to %s: %w", c.RunnerUser, err)
		}
	}
	token, err := s.engine.BuiltInRunner(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up built-in runner: %w", err)
	}
	r, err := runner.New(runner.Config{
		URL: s.LocalURL(), Token: token, Name: "built-in", Concurrency: c.Runners, WorkDir: c.work(), User: c.RunnerUser,
		Path: c.Path, Lang: c.Lang, Term: c.Term, Logger: c.Logger, Version: c.Version.Version,
	})
	if err != nil {
		return nil, usage("built-in runner: %v", err)
	}
	return r, nil
}

// letPass lets other accounts go through a folder, without seeing what is in it:
// jobs work below the data directory. All else in there is closed to them by its
// own mode.
func letPass(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o011 != 0o011 {
		return os.Chmod(dir, mode|0o011)
	}
	return nil
}
