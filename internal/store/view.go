package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// maxStatements bounds the prepared statements of a View. All texts but those of
// lists with filters are constants; what comes later is prepared for each call.
const maxStatements = 400

// A View reads. Its connections are separate from the writer's and the database
// refuses every write through them. A read sees what was committed before it
// began and never waits for a writer. All methods may be called at once.
type View struct {
	pool       *sql.DB
	dialect    *dialect
	now        ci.Clock
	statement  func(query string)
	unprepared bool // the driver keeps prepared statements itself

	stmts sync.Map // query text → *sql.Stmt
	count atomic.Int64
}

// OpenView opens the reading side alone, to look at a database that others may use
// meanwhile. It changes nothing: a database whose schema is not the present one is
// ErrNewer or ErrOlder. close ends the use.
func OpenView(ctx context.Context, c Config) (v *View, close func() error, err error) {
	c, err = c.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	if c.URL != "" {
		v, err = openPostgresView(ctx, c)
	} else {
		v, err = openSQLiteView(ctx, c)
	}
	if err != nil {
		return nil, nil, err
	}
	provider, err := newProvider(v.pool, v.dialect, nil)
	current := false
	if err == nil {
		current, err = checkSchema(ctx, v.pool, v.dialect, provider)
	}
	if err == nil && !current {
		err = ErrOlder
	}
	if err != nil {
		return nil, nil, errors.Join(err, v.close())
	}
	return v, v.close, nil
}

// QueryContext reads from tables that another package keeps in the same database.
func (v *View) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return v.query(ctx, query, args...)
}

// openSQLiteView opens the reading side of a file.
func openSQLiteView(ctx context.Context, c Config) (*View, error) {
	pool, err := sql.Open("sqlite", readerDSN(c.Path))
	if err != nil {
		return nil, fmt.Errorf("open %s for reading: %w", c.Path, err)
	}
	pool.SetMaxOpenConns(c.ReadConns)
	pool.SetMaxIdleConns(c.ReadConns)
	var only bool
	if err := pool.QueryRowContext(ctx, "pragma query_only").Scan(&only); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open %s for reading: %w", c.Path, err)
	}
	if !only {
		pool.Close()
		return nil, fmt.Errorf("open %s for reading: the connection could write", c.Path)
	}
	return &View{pool: pool, dialect: sqliteDialect, now: c.Now, statement: c.Statement}, nil
}

// close closes the connections once the reads on them have ended.
func (v *View) close() error { return v.pool.Close() }

// prepare returns the statement for query, prepared once, or nil when there are
// too many already.
func (v *View) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if v.unprepared {
		return nil, nil
	}
	if stmt, ok := v.stmts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	if v.count.Load() >= maxStatements {
		return nil, nil
	}
	stmt, err := v.pool.PrepareContext(ctx, v.dialect.expand(query))
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	kept, loaded := v.stmts.LoadOrStore(query, stmt)
	if loaded {
		stmt.Close()
	} else {
		v.count.Add(1)
	}
	return kept.(*sql.Stmt), nil
}

// query runs a query.
func (v *View) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if v.statement != nil {
		v.statement(query)
	}
	args = v.dialect.bind(args)
	stmt, err := v.prepare(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case stmt == nil:
		rows, err := v.unpreparedQuery(ctx, v.dialect.expand(query), args)
		return rows, down(err)
	}
	return stmt.QueryContext(ctx, args...)
}

// unpreparedQuery runs a query by its text, and once more when the connection that
// it was given turned out to be lost.
func (v *View) unpreparedQuery(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	for try := 1; ; try++ {
		rows, err := v.pool.QueryContext(ctx, query, args...)
		if err == nil || try == maxAttempts || !lost(err) || pause(ctx, try) != nil {
			return rows, err
		}
	}
}

// row scans the only row of a query into dest; no row is ci.NoRecord().
func (v *View) row(ctx context.Context, dest []any, query string, args ...any) error {
	rows, err := v.query(ctx, query, args...)
	if err != nil {
		return err
	}
	return notFound(down(first(rows, func(s scanner) error { return s.Scan(dest...) })))
}
