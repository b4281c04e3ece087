package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/telemetry"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// A state is all that outlives the process, opened.
type state struct {
	fresh bool // no server had used the database before
	lock  *os.File
	place *os.File // lock of the built-in runner's place; nil without one
	keys  *auth.Keys
	store *store.DB
	blobs blobs
	git   *git.Server
	logs  *trace.Traces
}

// halfWritten is the age from which on an unfinished blob was left by a crash: no
// upload takes that long.
const halfWritten = 24 * time.Hour

// openState opens the data directory for one process. Errors: *UsageError when it
// cannot be used as it is, *store.NewerError.
func openState(ctx context.Context, c Config) (*state, error) {
	s := &state{}
	if err := s.open(ctx, c); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// open does what openState does. After an error, close closes what is open by then.
func (s *state) open(ctx context.Context, c Config) (err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return usage("data directory: %v", err)
	}
	if err := s.openLock(c); err != nil {
		return err
	}
	if s.git, err = git.Open(git.Config{Root: c.repositories(), Path: c.Path}); err != nil {
		return usage("%v", err)
	}
	if err := s.openStore(ctx, c); err != nil {
		return err
	}
	if err := s.openKeys(ctx, c); err != nil {
		return err
	}
	if s.blobs, err = openBlobs(ctx, c); err != nil {
		return err
	}
	if _, err := s.blobs.Sweep(ctx, halfWritten, c.Now()); err != nil {
		return err
	}
	return s.openLogs(ctx, c)
}

// openLock keeps others off the data directory: everybody beside SQLite, and beside
// PostgreSQL those who do not share it.
func (s *state) openLock(c Config) (err error) {
	s.lock, err = lockFile(c.lock(), c.DatabaseURL != "")
	if errors.Is(err, errLocked) {
		return usage("the data directory is in use by another process, which holds %s", c.lock())
	}
	return err
}

// openStore opens the database. The repositories in a data directory belong to the
// projects of one database, so one of another kind beside it is refused.
func (s *state) openStore(ctx context.Context, c Config) error {
	none, err := missing(c.database())
	if err != nil {
		return usage("data directory: %v", err)
	}
	config := store.Config{Now: c.Now, Logger: c.Logger, Committed: c.metrics.Committed(telemetry.Main)}
	switch {
	case c.DatabaseURL == "":
		config.Path = c.database()
	case !none:
		return usage("%s belongs to the SQLite database in it: name another data directory for PostgreSQL", c.Data)
	default:
		config.URL = c.DatabaseURL
	}
	s.store, err = store.Open(ctx, config)
	if err != nil {
		return fmt.Errorf("open database: %w", orRefused(err))
	}
	return nil
}

// orRefused words the refusal of a database URL.
func orRefused(err error) error {
	if errors.Is(err, store.ErrURL) {
		return usage("--database-url is %v", store.ErrURL)
	}
	return err
}

// openLogs opens the logs: in a file beside SQLite, in the same database on
// PostgreSQL.
func (s *state) openLogs(ctx context.Context, c Config) (err error) {
	config := trace.Config{Blobs: s.blobs, Now: c.Now, Committed: c.metrics.Committed(telemetry.Logs), Appended: c.metrics.LogBytes}
	if c.DatabaseURL != "" {
		config.Store = s.store
	} else {
		config.Path = c.logs()
		if err := private(c.logs()); err != nil {
			return fmt.Errorf("open logs: %w", err)
		}
	}
	if s.logs, err = trace.Open(ctx, config); err != nil {
		return fmt.Errorf("open logs: %w", err)
	}
	return nil
}

// missing reports whether there is no file of that name.
func missing(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// private makes a file that only this account may read, so that SQLite does not
// make one that others may, and closes one that others could read.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// keyCheck is where the database keeps the check value of its keys.
const keyCheck = "key_check"

// openKeys reads the key file. It makes one only for a new database: keys that are
// lost must be restored, and a new file in their place would hide that. Of several
// servers that start at once on a new database, one makes the file, and one writes
// the check value that all of them are compared with.
func (s *state) openKeys(ctx context.Context, c Config) error {
	_, err := s.store.View().Meta(ctx, keyCheck)
	if s.fresh = ci.IsNotFound(err); err != nil && !s.fresh {
		return fmt.Errorf("look up check value of the keys: %w", err)
	}
	if !s.fresh {
		gone, err := missing(c.keyFile())
		if err != nil {
			return usage("key file: %v", err)
		}
		if gone {
			return lostKeys(c)
		}
	}
	if s.keys, _, err = auth.LoadKeys(c.keyFile(), rand.Reader); err != nil {
		return usage("%v", err)
	}
	return checkKeys(ctx, s.store, s.keys, c.keyFile())
}

// checkKeys refuses keys that are not those the database was made with: sealed
// values could not be opened and no token would be found.
func checkKeys(ctx context.Context, db *store.DB, keys *auth.Keys, file string) error {
	check, err := keys.CheckValue()
	if err != nil {
		return fmt.Errorf("make check value of the keys: %w", err)
	}
	stored, err := db.SetMetaOnce(ctx, keyCheck, check)
	if err != nil {
		return fmt.Errorf("compare keys with the database: %w", err)
	}
	if err := keys.Verify(stored); err != nil {
		return wrongKeys(file)
	}
	return nil
}

func lostKeys(c Config) error {
	return usage("the key file %s is missing: restore it from its copy, or name it with --key-file", c.keyFile())
}

func wrongKeys(file string) error {
	return usage("the key file %s is not the one this database was made with: restore the right file, or name it with --key-file", file)
}

// close closes what is open, in the opposite order.
func (s *state) close() error {
	var problems []error
	if s.logs != nil {
		problems = append(problems, s.logs.Close())
	}
	if s.store != nil {
		problems = append(problems, s.store.Close())
	}
	if s.git != nil {
		problems = append(problems, s.git.Close())
	}
	if s.place != nil {
		problems = append(problems, s.place.Close())
	}
	if s.lock != nil {
		problems = append(problems, s.lock.Close())
	}
	return errors.Join(problems...)
}
