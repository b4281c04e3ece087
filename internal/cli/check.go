package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/lanyard-ci/lanyard/internal/daemon"
)

// checkCommand verifies the invariants of a data directory.
type checkCommand struct {
	Data    string `help:"Data directory." env:"LANYARD_DATA" placeholder:"DIR"`
	KeyFile string `help:"File with the keys. Default: keys.yml in the data directory." env:"LANYARD_KEY_FILE" placeholder:"FILE"`
	Deep    bool   `help:"Also read every artifact and log and compare its checksum." env:"LANYARD_DEEP"`
}

// Run prints each broken invariant on a line and exits with 1 if there is one.
func (c *checkCommand) Run(ctx context.Context, term *terminal) error {
	data, err := dataDir(c.Data)
	if err != nil {
		return err
	}
	broken, err := daemon.Check(ctx, daemon.Config{Data: data, KeyFile: c.KeyFile, Path: os.Getenv("PATH")}, c.Deep)
	if err != nil {
		return wordStart(data, err)
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
