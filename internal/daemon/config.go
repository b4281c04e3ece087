// Package daemon assembles the server: it opens what holds state, makes the
// engine, puts the edges before it and runs everything until it is told to stop.
// It is the one place that names all concrete types; it decides nothing else.
package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Config is what a server is started with. Data is required.
type Config struct {
	Listen         string // host:port; port 0 picks a free one
	ExternalURL    string // empty: from Listen
	Data           string // data directory, made 0700 when missing
	KeyFile        string // empty: keys.yml in Data
	ReadyFile      string // written when requests are accepted; empty: none
	TrustedProxies []netip.Prefix

	RootPassword string // of the first administrator, on an empty database
	RootToken    string // personal access token of the first administrator

	Runners       int    // jobs at once of the built-in runner; 0: off
	RunnerUser    string // account that its jobs run as
	RunnerTrusted bool   // its jobs run as the server's own account

	Path string // where programs are looked for, for git and for jobs
	Lang string // locale of jobs

	Logger  *slog.Logger
	Version ci.Build
	Now     ci.Clock // nil: the system's
}

// A UsageError is a configuration that cannot work, in words for whoever set it.
type UsageError struct{ Text string }

// Error gives the text.
func (e *UsageError) Error() string { return e.Text }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Names below the data directory.
func (c Config) database() string     { return filepath.Join(c.Data, "lanyard.db") }
func (c Config) logs() string         { return filepath.Join(c.Data, "logs.db") }
func (c Config) repositories() string { return filepath.Join(c.Data, "repositories") }
func (c Config) blobs() string        { return filepath.Join(c.Data, "blobs") }
func (c Config) work() string         { return filepath.Join(c.Data, "runner") }
func (c Config) keyFile() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.Data, "keys.yml")
}
