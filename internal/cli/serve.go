package cli

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/daemon"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// serveCommand is the server for real use.
type serveCommand struct {
	serverFlags   `embed:""`
	Runners       int  `name:"runner" help:"Jobs at once of a runner inside this process; 0: off. Needs --runner-user or --runner-trusted." default:"0" env:"LANYARD_RUNNER" placeholder:"N"`
	RunnerTrusted bool `help:"Jobs run as the server's own account." env:"LANYARD_RUNNER_TRUSTED"`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, term *terminal) error {
	config, err := c.config(term, slog.LevelInfo)
	if err != nil {
		return err
	}
	config.Runners, config.RunnerTrusted = c.Runners, c.RunnerTrusted
	server, err := start(ctx, config)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// start opens the server, after hiding the process from jobs, and words what
// commonly goes wrong.
func start(ctx context.Context, config daemon.Config) (*daemon.Server, error) {
	if err := hideProcess(); err != nil {
		return nil, err
	}
	server, err := daemon.Start(ctx, config)
	return server, wordStart(config, err)
}

// wordStart gives the exit code to what opening the data said.
func wordStart(config daemon.Config, err error) error {
	if newer, ok := errors.AsType[*store.NewerError](err); ok {
		what := config.Data
		if config.DatabaseURL != "" {
			what = "the database"
		}
		return exitWith(exitTooNew, "%s was written by a newer lanyard (%v). Use that version, or restore a backup made with this one.", what, newer)
	}
	if usage, ok := errors.AsType[*daemon.UsageError](err); ok {
		return exitWith(exitUsage, "%v", usage)
	}
	if away, ok := errors.AsType[*ci.Error](err); ok && away.Kind == ci.KindUnavailable {
		return exitWith(exitUnreachable, "%s: %s", away.Message, oneLine(away.Err))
	}
	if err != nil && config.DatabaseURL != "" {
		return exitWith(exitFailed, "%s", oneLine(err))
	}
	return err
}

// oneLine puts an error into one line: those of database drivers have several.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
