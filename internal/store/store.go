package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Config says which database to open, and how.
type Config struct {
	Path      string             // SQLite file; its directory exists
	Now       ci.Clock           // default time.Now
	Logger    *slog.Logger       // default: none
	ReadConns int                // connections that read; default NumCPU+2
	Statement func(query string) // called before each statement, from many goroutines; for tests and metrics; default: none
}

// A DB writes. Only the engine has it; whoever only reads gets View. All methods
// may be called at once; a write returns when it is durable.
//
// Every write takes a context that withdraws it only as long as it is queued.
type DB struct {
	writer  *Writer
	view    *View
	dialect *dialect
	now     ci.Clock
	specs   knownSpecs
}

// Open opens the database, brings its schema up to date and starts the writer.
// It returns an error that matches ErrNewer, a *NewerError, when a newer version
// of the program wrote the database, and leaves it alone then.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Path == "" {
		return nil, errors.New("open database: no path")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ReadConns <= 0 {
		c.ReadConns = runtime.NumCPU() + 2
	}
	if err := private(c.Path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := migrate(ctx, c, sqliteDialect); err != nil {
		return nil, fmt.Errorf("migrate %s: %w", c.Path, err)
	}
	writer, err := OpenWriter(ctx, WriterConfig{Path: c.Path, Synchronous: "full", Statement: c.Statement})
	if err != nil {
		return nil, err
	}
	view, err := openView(ctx, c)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	return &DB{writer: writer, view: view, dialect: sqliteDialect, now: c.Now}, nil
}

// private makes an empty file that only this account may read, so that SQLite
// does not make one that others may. The files beside it copy its mode. A file
// that is there is not opened: closing it would drop the locks that another
// connection of this process holds.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// View gives the reading side.
func (db *DB) View() *View { return db.view }

// Close lets the queued writes finish and closes both sides. Later writes return
// ErrClosed.
func (db *DB) Close() error {
	return errors.Join(db.view.close(), db.writer.Close())
}

// Checkpoint moves what is in the write-ahead log into the database file as far
// as readers allow. Call it when the server is idle.
func (db *DB) Checkpoint(ctx context.Context) error { return db.writer.Checkpoint(ctx) }

// write runs fn in the writer and words a broken rule of the schema: a unique one
// becomes *Taken, a missing parent row ci.NoRecord().
func (db *DB) write(ctx context.Context, words string, fn func(*Tx) error) error {
	err := db.writer.Do(ctx, fn)
	if err == nil {
		return nil
	}
	if db.dialect.orphan(err) {
		return fmt.Errorf("%s: %w", words, errors.Join(ci.NoRecord(), err))
	}
	return fmt.Errorf("%s: %w", words, db.dialect.taken(err))
}
