package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/lanyard-ci/lanyard/internal/runner"
)

// runnerCommand is the built-in runner as its own process.
type runnerCommand struct {
	URL         string     `required:"" help:"Server." env:"LANYARD_URL" placeholder:"URL"`
	Token       string     `help:"Runner token (glrt-…)." env:"LANYARD_RUNNER_TOKEN" placeholder:"TOKEN"`
	TokenFile   string     `help:"File with the token; - reads standard input." env:"LANYARD_RUNNER_TOKEN_FILE" placeholder:"FILE"`
	TLSCAFile   string     `name:"tls-ca-file" help:"Certificates (PEM) that may vouch for the server, beside the system's." env:"LANYARD_TLS_CA_FILE" placeholder:"FILE"`
	Concurrency int        `help:"Jobs at once." default:"1" placeholder:"N"`
	Once        bool       `help:"End after one job."`
	WorkDir     string     `help:"Where jobs work. Default: a folder below the cache directory." placeholder:"DIR"`
	User        string     `help:"Account that jobs run as; needs root." placeholder:"NAME"`
	LogFormat   string     `help:"text or json. Default: text on a terminal, else json." enum:"text,json," default:"" env:"LANYARD_LOG_FORMAT" placeholder:"FORMAT"`
	LogLevel    slog.Level `help:"debug, info, warn or error." default:"info" env:"LANYARD_LOG_LEVEL" placeholder:"LEVEL"`
}

// Run implements the command.
func (c *runnerCommand) Run(ctx context.Context, term *terminal) error {
	config, err := c.config(term)
	if err != nil {
		return err
	}
	if err := hideProcess(); err != nil {
		return err
	}
	r, err := runner.New(config)
	if err != nil {
		return exitWith(exitUsage, "%v", err)
	}
	return r.Run(ctx)
}

func (c *runnerCommand) config(term *terminal) (runner.Config, error) {
	token := c.Token
	if token == "" {
		if c.TokenFile == "" {
			return runner.Config{}, exitWith(exitUsage, "no token: use --token, --token-file FILE or LANYARD_RUNNER_TOKEN")
		}
		var err error
		if token, err = readSecret(term.in, c.TokenFile); err != nil {
			return runner.Config{}, err
		}
	}
	if c.Concurrency < 1 {
		return runner.Config{}, exitWith(exitUsage, "--concurrency is a number of jobs, 1 or more")
	}
	work := c.WorkDir
	if work == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return runner.Config{}, exitWith(exitUsage, "no cache directory: say where jobs work with --work-dir DIR")
		}
		work = filepath.Join(cache, "lanyard", "runner")
	}
	host, err := os.Hostname()
	if err != nil {
		return runner.Config{}, fmt.Errorf("name runner: %w", err)
	}
	return runner.Config{
		URL: c.URL, Token: token, Name: host, Concurrency: c.Concurrency, WorkDir: work, Once: c.Once, User: c.User, CAFile: c.TLSCAFile,
		Path: jobPath(os.Getenv("PATH")), Lang: os.Getenv("LANG"), Term: os.Getenv("TERM"),
		Logger: newLogger(term, c.LogFormat, c.LogLevel), Version: version().Version,
	}, nil
}

// jobPath is where jobs look for programs: where this program would, and in its own
// folder, so that a job can start another project's pipeline with `lanyard trigger`.
func jobPath(path string) string {
	program, err := os.Executable()
	if err != nil {
		return path
	}
	if path == "" {
		return filepath.Dir(program)
	}
	return path + string(filepath.ListSeparator) + filepath.Dir(program)
}
