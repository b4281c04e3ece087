package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
)

// tablesConns is how many sessions write to the tables of other packages.
const tablesConns = 4

// Tables is a door to a PostgreSQL database for a package that keeps tables of its
// own in it, so that all processes see them. Their writes have sessions of their
// own, and nothing else of the store waits for them. (Beside SQLite such a package
// has a file of its own: OpenWriter.)
type Tables struct {
	*sessions
	view *View
}

// Tables opens the door. It fails on SQLite.
func (db *DB) Tables() (*Tables, error) {
	main, ok := db.writes.(*postgresWrites)
	if !ok {
		return nil, errors.New("open tables of another package: not PostgreSQL")
	}
	params := map[string]string{"synchronous_commit": "off"}
	for name, value := range writeParams {
		params[name] = value
	}
	pool, err := openPool(main.url, tablesConns, params)
	if err != nil {
		return nil, err
	}
	return &Tables{&sessions{pool: pool, hook: main.hook}, db.view}, nil
}

// Close closes the door. The DB stays open.
func (t *Tables) Close() error { return t.sessions.close() }

// Migrate makes the tables of a package, once, in the words of SQLite's column
// types, and records their version under a name. A database with a higher version
// is a *NewerError.
func (t *Tables) Migrate(ctx context.Context, name string, version int64, statements []string) error {
	return t.Durable(ctx, func(tx *Tx) error {
		if err := tx.exec(`select pg_advisory_xact_lock($1)`, migrationLock); err != nil { // others start at the same moment
			return err
		}
		var stored string
		found := int64(0)
		err := tx.Row([]any{&stored}, `select value from meta where key = $1`, name)
		if err == nil {
			found, err = strconv.ParseInt(stored, 10, 64)
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read version of %s: %w", name, err)
		}
		switch {
		case found > version:
			return &NewerError{Found: found, Known: version}
		case found == version:
			return nil
		}
		for _, statement := range statements {
			if err := tx.exec(postgresDialect.schema.Replace(statement)); err != nil {
				return err
			}
		}
		return tx.exec(`
			insert into meta (key, value) values ($1, $2)
			on conflict (key) do update set value = excluded.value`, name, strconv.FormatInt(version, 10))
	})
}

// Do runs fn in a transaction. It returns when that survives the end of this
// process; a crash of the database may lose the last moments. fn may run more than
// once, each time from its beginning.
func (t *Tables) Do(ctx context.Context, fn func(*Tx) error) error {
	return t.do(ctx, committed, fn)
}

// Durable is Do for what a crash of the database must not lose: it and all that
// was written before.
func (t *Tables) Durable(ctx context.Context, fn func(*Tx) error) error {
	return t.do(ctx, committed, func(tx *Tx) error {
		if err := tx.exec(`set local synchronous_commit = on`); err != nil {
			return err
		}
		return fn(tx)
	})
}

// QueryContext reads what is committed.
func (t *Tables) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.view.query(ctx, query, args...)
}
