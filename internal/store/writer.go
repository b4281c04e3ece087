package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

// maxGroup is how many queued writes one transaction takes at most.
const maxGroup = 128

// WriterConfig says how to open the writing side of a SQLite file.
type WriterConfig struct {
	Path        string             // its directory exists
	Synchronous string             // "full" (default: a commit survives a power cut) or "normal" (a commit survives a crash of the process)
	Statement   func(query string) // called before each statement, from the writer's goroutine; may be nil
	Committed   Committed          // may be nil
}

// A Writer owns the one connection that writes to a SQLite file. Its goroutine
// takes whatever writes are queued and commits them as one transaction. It is
// exported for packages that keep a database file of their own.
type Writer struct {
	*groupQueue[unit]
	pool    *sql.DB
	conn    *sql.Conn
	config  WriterConfig
	closing func() error

	stmts map[string]*sql.Stmt // used only in the run goroutine
}

// A unit is what is written as a whole or not at all.
type unit struct {
	run    func(*Tx) error
	single bool // it is one statement, which is a whole by itself
}

// write is one that waits in the queue of a Writer.
type write = entry[unit]

// OpenWriter opens the file, creating it if need be, and starts the goroutine.
// It fails when the connection does not have the properties that the rest rests
// on, since the driver ignores options that it does not know.
func OpenWriter(ctx context.Context, c WriterConfig) (*Writer, error) {
	if c.Synchronous == "" {
		c.Synchronous = "full"
	}
	pool, err := sql.Open("sqlite", writerDSN(c.Path, c.Synchronous))
	if err != nil {
		return nil, fmt.Errorf("open %s for writing: %w", c.Path, err)
	}
	pool.SetMaxOpenConns(2) // the writer's, and one for checkpoints
	conn, err := pool.Conn(ctx)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open %s for writing: %w", c.Path, err)
	}
	w := &Writer{
		groupQueue: newGroupQueue[unit](maxGroup, c.Committed), pool: pool, conn: conn, config: c, stmts: map[string]*sql.Stmt{},
	}
	if err := w.assert(ctx); err != nil {
		conn.Close()
		pool.Close()
		return nil, fmt.Errorf("open %s for writing: %w", c.Path, err)
	}
	w.closing = sync.OnceValue(w.close)
	go w.run(w.commit, w.release)
	return w, nil
}

// assert reads back what the DSN asked for.
func (w *Writer) assert(ctx context.Context) error {
	levels := map[string]string{"normal": "1", "full": "2"}
	want := []struct{ pragma, value string }{
		{"journal_mode", "wal"},
		{"foreign_keys", "1"},
		{"synchronous", levels[strings.ToLower(w.config.Synchronous)]},
	}
	for _, p := range want {
		var got string
		if err := w.conn.QueryRowContext(ctx, "pragma "+p.pragma).Scan(&got); err != nil {
			return fmt.Errorf("pragma %s: %w", p.pragma, err)
		}
		if got != p.value {
			return fmt.Errorf("pragma %s is %q, not %q", p.pragma, got, p.value)
		}
	}
	return nil
}

// Do runs fn in a transaction and returns when it is durable, or fn's error when
// nothing of it was written. A failing fn takes nobody else's writes with it.
//
// When ctx ends while the write is still queued, it is withdrawn and ctx.Err()
// returned; one that has begun runs to its end whatever ctx says. fn runs in the
// writer's goroutine and must only execute SQL: everything that can be computed
// before is computed before. An error that matches ErrUnknown means that the
// commit itself failed.
func (w *Writer) Do(ctx context.Context, fn func(*Tx) error) error {
	return w.put(ctx, unit{run: fn})
}

// Exec is Do for a write of one statement. When nobody else writes, it is a
// transaction by itself.
func (w *Writer) Exec(ctx context.Context, query string, args ...any) error {
	return w.put(ctx, unit{run: func(tx *Tx) error { return tx.exec(query, args...) }, single: true})
}

// Close lets the queued writes finish, then moves the log into the database file
// and closes it. Writes that come later get ErrClosed. It may be called again.
func (w *Writer) Close() error { return w.closing() }

func (w *Writer) close() error {
	w.groupQueue.close()
	_, checkpoint := w.pool.Exec("pragma wal_checkpoint(truncate)")
	return errors.Join(checkpoint, w.pool.Close())
}

// Checkpoint moves what is in the write-ahead log into the database file, as far
// as readers allow, on a connection of its own: no write waits for it.
func (w *Writer) Checkpoint(ctx context.Context) error {
	if _, err := w.pool.ExecContext(ctx, "pragma wal_checkpoint(passive)"); err != nil {
		return fmt.Errorf("checkpoint %s: %w", w.config.Path, err)
	}
	return nil
}

// Queued is how many writes wait for those before them to be committed.
func (w *Writer) Queued() int { return w.queued() }

// release gives the connection back to the pool.
func (w *Writer) release() {
	for _, stmt := range w.stmts {
		stmt.Close()
	}
	w.conn.Close()
}

// commit runs the writes of a group in one transaction and answers each of them.
func (w *Writer) commit(group []*write) {
	if len(group) == 1 && group[0].value.single {
		answer(group, w.single(group[0].value.run))
		return
	}
	if err := w.exec("begin immediate"); err != nil {
		answer(group, fmt.Errorf("begin: %w", err))
		return
	}
	good := w.runGroup(group)
	if len(good) == 0 {
		return
	}
	if err := w.exec("commit"); err != nil {
		w.abandon()
		answer(good, fmt.Errorf("%w: commit: %w", ErrUnknown, err))
		return
	}
	answer(good, nil)
}

// single runs a statement that is a transaction by itself. What is not refused by
// the schema went wrong in the commit, for all that is known.
func (w *Writer) single(fn func(*Tx) error) error {
	err := w.call(fn)
	if err == nil || refused(err) {
		return err
	}
	w.forget()
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// runGroup runs the writes, answers those that failed, and returns the others.
// When none is left the transaction is over.
func (w *Writer) runGroup(group []*write) []*write {
	if len(group) == 1 { // no savepoint needed: the transaction is all his
		if err := w.call(group[0].value.run); err != nil {
			w.abandon()
			group[0].done <- err
			return nil
		}
		return group
	}
	good := make([]*write, 0, len(group))
	for i, wr := range group {
		failed, err := w.isolate(wr.value)
		switch {
		case err != nil: // the transaction is gone, and with it what ran before
			w.abandon()
			wr.done <- failed
			answer(good, fmt.Errorf("rolled back with its group: %w", err))
			answer(group[i+1:], fmt.Errorf("rolled back with its group: %w", err))
			return nil
		case failed != nil:
			wr.done <- failed
		default:
			good = append(good, wr)
		}
	}
	if len(good) == 0 {
		w.abandon()
	}
	return good
}

// isolate runs a write so that its failure stays its own: between savepoints,
// unless it is one statement. failed is its error, and what it wrote is undone; err
// says that the transaction itself is lost.
func (w *Writer) isolate(u unit) (failed, err error) {
	if u.single {
		if failed = w.call(u.run); failed != nil && !refused(failed) {
			return failed, failed
		}
		return failed, nil
	}
	if err := w.exec("savepoint w"); err != nil {
		return err, err
	}
	if failed = w.call(u.run); failed != nil {
		if err := w.exec("rollback to w"); err != nil {
			return failed, failed
		}
	}
	if err := w.exec("release w"); err != nil {
		return errors.Join(failed, err), err
	}
	return failed, nil
}

// call runs fn and turns a panic into an error, so that one broken write does
// not end all writing.
func (w *Writer) call(fn func(*Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("write panicked: %v\n%s", v, debug.Stack())
		}
	}()
	return fn(&Tx{conn: prepared{w}, hook: w.config.Statement, dialect: sqliteDialect})
}

// abandon ends the transaction without keeping it. SQLite may have ended it by
// itself already (disk full, I/O error), which the statement then reports; the
// next begin tells whether the connection is usable.
func (w *Writer) abandon() {
	if err := w.exec("rollback"); err != nil {
		w.forget()
	}
}

// forget drops the prepared statements, which an error of the connection may
// have left half-way.
func (w *Writer) forget() {
	for query, stmt := range w.stmts {
		stmt.Close()
		delete(w.stmts, query)
	}
}

// exec runs a statement that has no arguments.
func (w *Writer) exec(query string) error {
	if w.config.Statement != nil {
		w.config.Statement(query)
	}
	_, err := prepared{w}.ExecContext(context.Background(), query)
	return err
}

// prepare returns the statement for query, prepared once per connection.
func (w *Writer) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	w.stmts[query] = stmt
	return stmt, nil
}

// prepared runs statements on the Writer's connection.
type prepared struct{ *Writer }

// ExecContext implements statements.
func (p prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := p.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext implements statements.
func (p prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := p.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}
