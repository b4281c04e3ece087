package store

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
)

// Expand gives a query in the words of SQLite, and ExpandPostgres in those of
// PostgreSQL.
func Expand(query string) string         { return sqliteDialect.expand(query) }
func ExpandPostgres(query string) string { return postgresDialect.expand(query) }

// Session opens one session as the store has them.
func Session(ctx context.Context, url string) (*sql.DB, error) {
	pool, err := openPool(url, 1, nil)
	if err != nil {
		return nil, err
	}
	return pool, pool.PingContext(ctx)
}

// WriterSession opens a SQLite file with what only the writer
// knows.
func WriterSession(ctx context.Context, path string) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	for _, query := range []string{changesView, createChangesTrigger} {
		if _, err := pool.ExecContext(ctx, query); err != nil {
			return nil, errors.Join(err, pool.Close())
		}
	}
	return pool, nil
}

// ChangesSteps are the statements of the trigger, with parameters for its row.
func ChangesSteps() []string {
	var steps []string
	for _, step := range changesSteps {
		step = regexp.MustCompile(`raise\(.*\)`).ReplaceAllString(step, "1")
		step = regexp.MustCompile(`new\.\w+`).ReplaceAllString(step, "$$1")
		steps = append(steps, step)
	}
	return steps
}
