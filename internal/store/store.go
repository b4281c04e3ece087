package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Config says which database to open, and how.
type Config struct {
	Path      string             // SQLite file; its directory exists. Unused with a URL
	URL       string             // PostgreSQL: postgres://…, version 14 or newer; a secret. Empty: SQLite
	Now       ci.Clock           // default time.Now
	Logger    *slog.Logger       // default: none
	ReadConns int                // connections that read; default NumCPU+2, for PostgreSQL at least 12
	Statement func(query string) // called before each statement, from many goroutines; for tests and metrics; default: none
	Committed Committed          // of the groups of the writer; default: none
}

// A DB writes. Only the engine has it; whoever only reads gets View. All methods
// may be called at once; a write returns when it is durable.
//
// Every write takes a context that withdraws it only as long as it has not begun.
type DB struct {
	writes  writes
	view    *View
	dialect *dialect
	now     ci.Clock
	specs   knownSpecs
}

// writes is how a database takes them: SQLite through one Writer, PostgreSQL
// through a pool.
type writes interface {
	// do runs fn in a transaction. It may run fn again, from its beginning, when the
	// database could not keep what it did apart from what others did.
	do(ctx context.Context, level isolation, fn func(*Tx) error) error
	// create writes a pipeline and fills in its ids. specs says whether its
	// specifications are to be written too; errSpecs, that they had to be.
	create(ctx context.Context, c *creation, specs bool) error
	// apply writes changes, or nothing and ErrMoved.
	apply(ctx context.Context, a *application) error
	checkpoint(ctx context.Context) error
	queued() int // writes that wait for others to be committed
	stats() sql.DBStats
	close() error
}

// isolation says how much of what others do a transaction on PostgreSQL may see
// between its statements. On SQLite there is always nobody else.
type isolation int

const (
	// serializable is as if nobody else was there: for all that reads before it
	// writes.
	serializable isolation = iota
	// committed sees what others have committed: for single statements, and for those
	// that first take the one row which all who change the same have to take.
	committed
)

// Open opens the database, brings its schema up to date and starts what writes.
// It returns an error that matches ErrNewer, a *NewerError, when a newer version
// of the program wrote the database, and leaves it alone then.
func Open(ctx context.Context, c Config) (*DB, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if c.URL != "" {
		return openPostgres(ctx, c)
	}
	return openSQLite(ctx, c)
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() (Config, error) {
	if c.Path == "" && c.URL == "" {
		return c, errors.New("open database: no path")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ReadConns <= 0 {
		c.ReadConns = runtime.NumCPU() + 2
		if c.URL != "" {
			c.ReadConns = max(c.ReadConns, 12)
		}
	}
	return c, nil
}

// View gives the reading side.
func (db *DB) View() *View { return db.view }

// Close lets the queued writes finish and closes both sides. Later writes return
// ErrClosed.
func (db *DB) Close() error {
	return errors.Join(db.view.close(), db.writes.close())
}

// Checkpoint moves what is in SQLite's write-ahead log into the database file as
// far as readers allow. Call it when the server is idle. PostgreSQL does this by
// itself.
func (db *DB) Checkpoint(ctx context.Context) error { return db.writes.checkpoint(ctx) }

// Queued is how many writes wait for those before them to be committed.
func (db *DB) Queued() int { return db.writes.queued() }

// Pools tells about the connections that write and those that read, for metrics.
func (db *DB) Pools() (writes, reads sql.DBStats) { return db.writes.stats(), db.view.pool.Stats() }

// Ping reports whether a write would be taken now: it waits for its turn and writes
// nothing.
func (db *DB) Ping(ctx context.Context) error {
	return db.quick(ctx, "ping", func(*Tx) error { return nil })
}

// write runs fn in a transaction of its own, alone.
func (db *DB) write(ctx context.Context, words string, fn func(*Tx) error) error {
	return db.worded(words, db.writes.do(ctx, serializable, fn))
}

// quick is write for what needs no more than committed.
func (db *DB) quick(ctx context.Context, words string, fn func(*Tx) error) error {
	return db.worded(words, db.writes.do(ctx, committed, fn))
}

// worded adds the words of the call to an error, and words a broken rule of the
// schema: a unique one becomes *Taken, a missing parent row ci.NoRecord().
func (db *DB) worded(words string, err error) error {
	if err == nil {
		return nil
	}
	switch kind, _ := db.dialect.violation(err); kind {
	case foreignKeyViolation:
		err = errors.Join(ci.NoRecord(), err)
	case textViolation:
		err = errors.Join(ci.BadRequest("text holds bytes that are not UTF-8, or a zero byte"), err)
	case uniqueViolation:
		err = db.dialect.taken(err)
	case noViolation:
		err = down(err)
	}
	return fmt.Errorf("%s: %w", words, err)
}
