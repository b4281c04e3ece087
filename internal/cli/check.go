package cli

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// checkCommand verifies the invariants of a data directory.
type checkCommand struct {
	databaseFlags `embed:""`
	Deep          bool `help:"Also read every artifact and log and compare its checksum." env:"LANYARD_DEEP"`
}

// Run prints each broken invariant on a line and exits with 1 if there is one.
func (c *checkCommand) Run(ctx context.Context, term *terminal) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	broken, err := daemon.Check(ctx, config, c.Deep)
	if err != nil {
		return wordStart(config, err)
	}
	for _, text := range broken {
		fmt.Fprintln(term.out, printable(text))
	}
	if len(broken) > 0 {
		return &exitError{code: exitFailed}
	}
	fmt.Fprintln(term.out, "all invariants hold")
	return nil
}
