package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lanyard-ci/lanyard/internal/runner"
)

// runnerCommand is the built-in runner as its own process.
type runnerCommand struct {
	URL         string `required:"" help:"Server." env:"LANYARD_URL"`
	Token       string `required:"" help:"Runner token (glrt-…)." env:"LANYARD_RUNNER_TOKEN"`
	Concurrency int    `help:"Jobs at once." default:"1"`
	Once        bool   `help:"End after one job."`
	WorkDir     string `help:"Where jobs work. Default: a folder below the cache directory." placeholder:"DIR"`
	User        string `help:"Account that jobs run as; needs root." placeholder:"NAME"`
	LogFormat   string `help:"text or json." enum:"text,json," default:"" env:"LANYARD_LOG_FORMAT"`
}

// Run implements the command.
func (c *runnerCommand) Run(ctx context.Context, term *terminal) error {
	if c.WorkDir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return exitWith(exitUsage, "no cache directory: say where jobs work with --work-dir DIR")
		}
		c.WorkDir = filepath.Join(cache, "lanyard", "runner")
	}
	if err := hideProcess(); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	flags := serverFlags{LogFormat: c.LogFormat}
	r, err := runner.New(runner.Config{
		URL: c.URL, Token: c.Token, Name: host, Concurrency: c.Concurrency, WorkDir: c.WorkDir, Once: c.Once, User: c.User,
		Path: os.Getenv("PATH"), Lang: os.Getenv("LANG"), Term: os.Getenv("TERM"), Logger: flags.logger(term), Version: version().Version,
	})
	if err != nil {
		return exitWith(exitUsage, "%v", err)
	}
	return r.Run(ctx)
}
