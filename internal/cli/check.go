package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// checkCommand verifies the invariants of a data directory.
type checkCommand struct {
	Data string `help:"Data directory." env:"LANYARD_DATA" placeholder:"DIR"`
}

// Run prints each broken invariant on a line and exits with 1 if there is one.
func (c *checkCommand) Run(ctx context.Context, term *terminal) error {
	flags := serverFlags{Data: c.Data}
	data, err := flags.dataDir()
	if err != nil {
		return err
	}
	broken, err := daemon.Check(ctx, data)
	var usage *daemon.UsageError
	if errors.As(err, &usage) {
		return exitWith(exitUsage, "%v", usage)
	}
	if err != nil {
		return err
	}
	for _, text := range broken {
		fmt.Fprintln(term.out, text)
	}
	if len(broken) > 0 {
		return &exitError{code: exitFailed}
	}
	fmt.Fprintln(term.out, "all invariants hold")
	return nil
}
