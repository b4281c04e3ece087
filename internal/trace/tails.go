package trace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// tails is the database of the logs: a SQLite file that belongs to this process, or
// tables in a PostgreSQL database that others use too.
type tails interface {
	// Do runs fn in a transaction, which survives the end of the process.
	Do(ctx context.Context, fn func(*store.Tx) error) error
	// Durable is Do that survives a power cut, with all that was committed before.
	Durable(ctx context.Context, fn func(*store.Tx) error) error
	// QueryContext reads what is committed.
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// shared reports whether other processes write to the logs.
	shared() bool
	Close() error
}

// queryRow reads the only row of a query into dest; none is sql.ErrNoRows.
func queryRow(ctx context.Context, t tails, dest []any, query string, args ...any) error {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	return rows.Scan(dest...)
}

// file is tails in a SQLite file.
type file struct {
	*store.Writer
	reads *sql.DB
	wal   *os.File // to make what was committed durable, see Durable
}

// readers is how many reads of the file run at once.
const readers = 4

func openFile(ctx context.Context, c Config) (tails, error) {
	f := &file{}
	if err := f.open(ctx, c.Path, c.Committed); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *file) open(ctx context.Context, path string, told store.Committed) (err error) {
	if f.Writer, err = store.OpenWriter(ctx, store.WriterConfig{Path: path, Synchronous: "normal", Committed: told}); err != nil {
		return err
	}
	if err := f.Do(ctx, migrate); err != nil {
		return err
	}
	if f.reads, err = sql.Open("sqlite", readDSN(path)); err != nil {
		return err
	}
	f.reads.SetMaxOpenConns(readers)
	f.reads.SetMaxIdleConns(readers)
	if err := f.reads.PingContext(ctx); err != nil {
		return err
	}
	if f.wal, err = os.OpenFile(path+"-wal", os.O_RDWR, 0); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Durable implements tails. Commits themselves are not synced, so that appending
// stays cheap. They are in the write-ahead log then, or, when that was checkpointed
// and begun anew, in the synced database file; so syncing the write-ahead log is
// enough. SQLite keeps the file while connections are open, and takes no locks on it
// that closing another descriptor could drop.
func (f *file) Durable(ctx context.Context, fn func(*store.Tx) error) error {
	if err := f.Do(ctx, fn); err != nil {
		return err
	}
	if err := f.wal.Sync(); err != nil {
		return fmt.Errorf("sync logs: %w", err)
	}
	return nil
}

// QueryContext implements tails.
func (f *file) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return f.reads.QueryContext(ctx, query, args...)
}

func (f *file) shared() bool { return false }

// Close implements tails.
func (f *file) Close() error {
	var problems []error
	if f.reads != nil {
		problems = append(problems, f.reads.Close())
	}
	if f.wal != nil {
		problems = append(problems, f.wal.Close())
	}
	if f.Writer != nil {
		problems = append(problems, f.Writer.Close())
	}
	return errors.Join(problems...)
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// common is tails in PostgreSQL.
type common struct{ *store.Tables }

func openShared(ctx context.Context, db *store.DB) (tails, error) {
	tables, err := db.Tables()
	if err != nil {
		return nil, err
	}
	if err := tables.Migrate(ctx, "logs", schemaVersion, schema); err != nil {
		return nil, errors.Join(err, tables.Close())
	}
	return common{tables}, nil
}

func (common) shared() bool { return true }
