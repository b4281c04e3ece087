package store

import (
	"context"
	"database/sql"
)

// A Tx is the transaction that a write runs in. It is valid only during the call
// of the function that got it, and only in its goroutine. Query texts are
// prepared once and kept, so they must be constants or come from a small set.
//
// On PostgreSQL a statement that fails is the last one: a function that gets an
// error returns it.
type Tx struct {
	conn    statements
	hook    func(query string) // called before each statement; may be nil
	dialect *dialect
}

// statements are what runs statements in a transaction: *sql.Tx for PostgreSQL,
// the Writer's prepared ones for SQLite.
type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// text gives a query in the dialect's words and tells the hook of it.
func (tx *Tx) text(query string) string {
	if tx.hook != nil {
		tx.hook(query)
	}
	return tx.dialect.expand(query)
}

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	result, err := tx.conn.ExecContext(context.Background(), tx.text(query), tx.dialect.bind(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Query runs a query. The rows must be closed before the function returns.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	return tx.conn.QueryContext(context.Background(), tx.text(query), tx.dialect.bind(args)...)
}

// Row runs a query and scans its only row into dest. It returns sql.ErrNoRows
// when there is none.
func (tx *Tx) Row(dest []any, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	return first(rows, func(s scanner) error { return s.Scan(dest...) })
}

// exec is Exec for statements whose count of rows does not matter.
func (tx *Tx) exec(query string, args ...any) error {
	_, err := tx.Exec(query, args...)
	return err
}

// must is Exec for a statement that has to find its row: none is ci.NoRecord().
func (tx *Tx) must(query string, args ...any) error {
	n, err := tx.Exec(query, args...)
	if err == nil && n == 0 {
		return notFound(sql.ErrNoRows)
	}
	return err
}

// scanOne reads the only row of a query; none is sql.ErrNoRows.
func scanOne[T any](tx *Tx, scan func(scanner, *T) error, value *T, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	return first(rows, func(s scanner) error { return scan(s, value) })
}
