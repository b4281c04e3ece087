package store

import (
	"context"
	"database/sql"
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
