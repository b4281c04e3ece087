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
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/telemetry"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// A state is all that is on disk, opened.
type state struct {
	fresh bool // there was no database before
	lock  *os.File
	keys  *auth.Keys
	store *store.DB
	blobs *disk.Store
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
	if s.lock, err = lockFile(c.lock()); err != nil {
		return err
	}
	if s.fresh, err = missing(c.database()); err != nil {
		return usage("data directory: %v", err)
	}
	if err := s.openKeys(c); err != nil {
		return err
	}
	if s.git, err = git.Open(git.Config{Root: c.repositories(), Path: c.Path}); err != nil {
		return usage("%v", err)
	}
	if s.store, err = store.Open(ctx, store.Config{Path: c.database(), Now: c.Now, Logger: c.Logger, Committed: c.metrics.Committed(telemetry.Main)}); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := checkKeys(ctx, s.store, s.keys, c.keyFile()); err != nil {
		return err
	}
	if s.blobs, err = disk.Open(c.blobs()); err != nil {
		return fmt.Errorf("open blobs: %w", err)
	}
	if _, err := s.blobs.Sweep(ctx, halfWritten, c.Now()); err != nil {
		return err
	}
	if err := private(c.logs()); err != nil {
		return fmt.Errorf("open logs: %w", err)
	}
	if s.logs, err = trace.Open(ctx, trace.Config{
		Path: c.logs(), Blobs: s.blobs, Now: c.Now, Committed: c.metrics.Committed(telemetry.Logs), Appended: c.metrics.LogBytes,
	}); err != nil {
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

// openKeys reads the key file. It makes one only beside a new database: keys that
// are lost must be restored, and a new file in their place would hide that.
func (s *state) openKeys(c Config) error {
	if !s.fresh {
		gone, err := missing(c.keyFile())
		if err != nil {
			return usage("key file: %v", err)
		}
		if gone {
			return lostKeys(c)
		}
	}
	var err error
	if s.keys, _, err = auth.LoadKeys(c.keyFile(), rand.Reader); err != nil {
		return usage("%v", err)
	}
	return nil
}

// keyCheck is where the database keeps the check value of its keys.
const keyCheck = "key_check"

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
	if s.lock != nil {
		problems = append(problems, s.lock.Close())
	}
	return errors.Join(problems...)
}
