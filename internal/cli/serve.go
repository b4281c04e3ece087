package cli

import (
	"context"
	"errors"

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
	if c.Runners > 0 && c.RunnerUser == "" && !c.RunnerTrusted {
		return exitWith(exitUsage, "--runner needs --runner-user NAME (jobs run as another account) or --runner-trusted (they run as the server's)")
	}
	config, err := c.config(term, c.Runners)
	if err != nil {
		return err
	}
	config.RunnerTrusted = c.RunnerTrusted
	server, err := start(ctx, config)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// start opens the server and words what commonly goes wrong.
func start(ctx context.Context, config daemon.Config) (*daemon.Server, error) {
	if err := hideProcess(); err != nil {
		return nil, err
	}
	server, err := daemon.Start(ctx, config)
	var newer *store.NewerError
	var usage *daemon.UsageError
	switch {
	case errors.As(err, &newer):
		return nil, exitWith(exitTooNew, "%s was written by a newer lanyard (%v). Use that version, or restore a backup made with this one.", config.Data, newer)
	case errors.As(err, &usage):
		return nil, exitWith(exitUsage, "%v", usage)
	}
	return server, err
}
