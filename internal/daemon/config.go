// Package daemon assembles the server: it opens what holds state, makes the
// engine, puts the edges before it and runs everything until it is told to stop.
// It is the one place that names all concrete types; it decides nothing else.
package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/telemetry"
)

// Config is what a server is started with. Data is required.
type Config struct {
	Listen         string // host:port; port 0 picks a free one
	NextPorts      int    // how many of the ports after Listen's to try when it is taken
	ExternalURL    string // empty: from Listen
	Data           string // data directory, made 0700 when missing
	DatabaseURL    string // PostgreSQL, a secret; empty: SQLite in Data. Servers with the same one work as one and share Data
	BlobURL        string // object store, see s3.ParsePlace; empty: in Data
	BlobAccessKey  string // the credentials for it
	BlobSecretKey  string
	KeyFile        string // empty: keys.yml in Data
	TLSCert        string // file with the certificate and its chain, PEM; with TLSKey: https instead of http
	TLSKey         string // file with its private key, PEM
	ReadyFile      string // written when requests are accepted; empty: none
	TrustedProxies []netip.Prefix

	MetricsToken string // what shows the metrics; empty: they are shown on this machine only

	RootPassword string // of the first administrator, on an empty database
	RootToken    string // personal access token of the first administrator

	Runners       int    // jobs at once of the built-in runner; 0: off
	RunnerUser    string // account that its jobs run as, which needs root; they work in Data-runner
	RunnerTrusted bool   // without RunnerUser: its jobs run as the server's own account

	LocalIncludes bool // include:remote may fetch from private networks and from this machine

	Path string // where programs are looked for, for git and for jobs
	Lang string // locale of jobs
	Term string // terminal of jobs

	Logger  *slog.Logger
	Version ci.Build
	Now     ci.Clock // nil: the system's

	metrics     *telemetry.Metrics // those of this server; made by withDefaults
	sweepQueues time.Duration      // how often lost wake-ups are made up for; by withDefaults, on PostgreSQL
	place       int                // of the built-in runner among those of servers that share Data, from 1 on; see takePlace
}

// A UsageError is a configuration that cannot work, in words for whoever set it.
type UsageError struct{ Text string }

// Error gives the text.
func (e *UsageError) Error() string { return e.Text }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// errLocked is what lockFile says of a lock that another process holds.
var errLocked = errors.New("locked by another process")

// withDefaults fills what may be left out.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8929"
	}
	if c.sweepQueues == 0 && c.DatabaseURL != "" {
		c.sweepQueues = 5 * time.Second
	}
	if c.metrics == nil {
		c.metrics = telemetry.New(c.Version.Version, c.Version.Commit)
	}
	return c
}

// validate refuses what contradicts itself.
func (c Config) validate() error {
	switch {
	case c.Data == "":
		return usage("a data directory is needed")
	case c.TLSCert != "" && c.TLSKey == "":
		return usage("--tls-cert %s needs --tls-key FILE with its private key", c.TLSCert)
	case c.TLSKey != "" && c.TLSCert == "":
		return usage("--tls-key %s needs --tls-cert FILE with its certificate", c.TLSKey)
	case c.Runners < 0:
		return usage("--runner is a number of jobs, 0 or more")
	case c.Runners > 0 && c.RunnerUser == "" && !c.RunnerTrusted:
		return usage("--runner needs --runner-user NAME (jobs run as another account) or --runner-trusted (they run as the server's)")
	}
	return nil
}

// scheme is what the server itself speaks.
func (c Config) scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}

// Names below the data directory.
func (c Config) database() string     { return filepath.Join(c.Data, "lanyard.db") }
func (c Config) logs() string         { return filepath.Join(c.Data, "logs.db") }
func (c Config) repositories() string { return filepath.Join(c.Data, "repositories") }
func (c Config) blobs() string        { return filepath.Join(c.Data, "blobs") }
func (c Config) blobsIn() string      { return filepath.Join(c.Data, "blobs-in") }
func (c Config) lock() string         { return filepath.Join(c.Data, "lock") }
func (c Config) keyFile() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.Data, "keys.yml")
}

// work is where jobs work. Another account cannot reach into the data directory,
// so its jobs work beside it. Of servers that share the directory, each has its own.
func (c Config) work() string {
	work := filepath.Join(c.Data, "runner")
	if c.RunnerUser != "" {
		work = filepath.Clean(c.Data) + "-runner"
	}
	if c.place > 1 {
		work += "-" + strconv.Itoa(c.place)
	}
	return work
}

// workLock is locked by the server whose jobs work in a place.
func (c Config) workLock(place int) string {
	return filepath.Join(c.Data, "runner-"+strconv.Itoa(place)+".lock")
}
