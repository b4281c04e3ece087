package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// openTable opens a writer on a new file with a table t.
func openTable(t *testing.T, c WriterConfig) *Writer {
	t.Helper()
	c.Path = filepath.Join(t.TempDir(), "w.db")
	w, err := OpenWriter(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, query := range []string{`create table p (id integer primary key)`, `create table t (v integer primary key references p (id))`} {
		if err := w.Do(t.Context(), func(tx *Tx) error { return tx.exec(query) }); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func add(v int) func(*Tx) error {
	return func(tx *Tx) error { return tx.exec(`insert into p (id) values ($1)`, v) }
}

// rowsOf gives the rows of p as text.
func rowsOf(t *testing.T, w *Writer) string {
	t.Helper()
	var list []string
	err := w.Do(t.Context(), func(tx *Tx) error {
		rows, err := tx.Query(`select id from p order by id`)
		if err != nil {
			return err
		}
		return each(rows, func(s scanner) error {
			var v string
			err := s.Scan(&v)
			list = append(list, v)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

// hold keeps the writer busy until the returned function is called.
func hold(t *testing.T, w *Writer) (release func()) {
	t.Helper()
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- w.Do(context.Background(), func(*Tx) error { close(began); <-end; return nil })
	}()
	<-began
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// group queues fns behind a held writer, in order, so that they become one
// transaction, and returns their errors.
func group(t *testing.T, w *Writer, fns ...func(*Tx) error) []error {
	t.Helper()
	release := hold(t, w)
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	for i, fn := range fns {
		wg.Go(func() { errs[i] = w.Do(context.Background(), fn) })
		for len(w.queue) <= i {
			runtime.Gosched()
		}
	}
	release()
	wg.Wait()
	return errs
}

// TestCommitted holds what metrics are told: each group once, with its size, and how
// many wait meanwhile.
func TestCommitted(t *testing.T) {
	var mu sync.Mutex
	var sizes []int
	w := openTable(t, WriterConfig{Committed: func(writes int, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if sizes = append(sizes, writes); took <= 0 {
			t.Errorf("a commit took %v", took)
		}
	}})
	release := hold(t, w)
	mu.Lock()
	sizes = nil // what made the tables
	mu.Unlock()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if err := w.Do(context.Background(), add(i)); err != nil {
				t.Error(err)
			}
		})
	}
	for w.Queued() < 3 {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	if got := w.Queued(); got != 0 {
		t.Errorf("%d writes are left in the queue", got)
	}
	if err := w.Do(t.Context(), func(*Tx) error { return nil }); err != nil { // the group has been told by then
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(sizes[:2]); got != "[1 3]" {
		t.Errorf("got groups %s, want [1 3]", got)
	}
}

func TestGroupCommit(t *testing.T) {
	var commits atomic.Int64
	w := openTable(t, WriterConfig{Statement: func(query string) {
		if query == "commit" {
			commits.Add(1)
		}
	}})
	before := commits.Load()
	boom := errors.New("boom")
	errs := group(t, w,
		add(1),
		func(tx *Tx) error { return errors.Join(add(2)(tx), boom) },
		add(3),
		func(tx *Tx) error { panic(fmt.Sprint("oh no", add(4)(tx))) },
		add(3),
		add(5),
	)
	for i, want := range []string{"", "boom", "", "write panicked: oh no", "UNIQUE constraint failed", ""} {
		if got := fmt.Sprint(errs[i]); errs[i] == nil && want != "" || errs[i] != nil && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("write %d: got error %v, want %q", i, errs[i], want)
		}
	}
	if got := commits.Load() - before; got != 2 { // the one that held the writer, and the group
		t.Errorf("got %d commits, want 2", got)
	}
	if got := rowsOf(t, w); got != "1 3 5" {
		t.Errorf("got rows %q, want 1 3 5", got)
	}
	if errs := group(t, w, func(*Tx) error { return boom }, func(*Tx) error { return boom }); errs[0] != boom || errs[1] != boom {
		t.Errorf("group in which all fail: got %v", errs)
	}
	if err := w.Do(t.Context(), func(tx *Tx) error { return errors.Join(add(6)(tx), boom) }); !errors.Is(err, boom) {
		t.Errorf("lone write: got error %v, want boom", err)
	}
	if got := rowsOf(t, w); got != "1 3 5" {
		t.Errorf("got rows %q, want 1 3 5", got)
	}
}

func TestCommitFails(t *testing.T) {
	w := openTable(t, WriterConfig{})
	orphan := func(tx *Tx) error { // breaks a rule that is checked at commit
		return errors.Join(tx.exec(`pragma defer_foreign_keys = on`), tx.exec(`insert into t (v) values (99)`))
	}
	for _, err := range group(t, w, add(1), orphan, add(2)) {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("got error %v, want ErrUnknown", err)
		}
	}
	if err := w.Do(t.Context(), orphan); !errors.Is(err, ErrUnknown) {
		t.Errorf("lone write: got error %v, want ErrUnknown", err)
	}
	if err := w.Do(t.Context(), add(3)); err != nil {
		t.Errorf("write after a commit that failed: %v", err)
	}
	if got := rowsOf(t, w); got != "3" {
		t.Errorf("got rows %q, want 3", got)
	}
}

// TestTransactionLost ends the transaction under the writer, as SQLite does by
// itself when the disk is full.
func TestTransactionLost(t *testing.T) {
	w := openTable(t, WriterConfig{})
	lost := func(tx *Tx) error { return errors.Join(tx.exec("rollback"), errors.New("disk full")) }
	for i, err := range group(t, w, add(1), lost, add(2)) {
		if err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("write %d: got error %v, want one that says the disk is full", i, err)
		}
	}
	if err := w.Do(t.Context(), lost); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("lone write: got error %v", err)
	}
	if err := w.Do(t.Context(), add(3)); err != nil {
		t.Errorf("write after a lost transaction: %v", err)
	}
	if got := rowsOf(t, w); got != "3" {
		t.Errorf("got rows %q, want 3", got)
	}
}

func TestWithdraw(t *testing.T) {
	w := openTable(t, WriterConfig{})
	release := hold(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Do(ctx, add(1)) }()
	for len(w.queue) == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("queued write whose caller left: got error %v", err)
	}
	release()

	ctx, cancel = context.WithCancel(t.Context())
	err := w.Do(ctx, func(tx *Tx) error { cancel(); return add(2)(tx) })
	if err != nil {
		t.Errorf("write that had begun when its caller left: got error %v", err)
	}
	if got := rowsOf(t, w); got != "2" {
		t.Errorf("got rows %q, want 2", got)
	}
}

// TestFullQueue has more writers than the queue and a group have room for.
func TestFullQueue(t *testing.T) {
	w := openTable(t, WriterConfig{})
	release := hold(t, w)
	const n = 2*maxGroup + 50
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- w.Do(context.Background(), add(i)) }()
	}
	for len(w.queue) < cap(w.queue) {
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := w.Do(ctx, add(n)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write before a full queue: got error %v", err)
	}
	release()
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := strings.Count(rowsOf(t, w), " ") + 1; got != n {
		t.Errorf("got %d rows, want %d", got, n)
	}
}

func TestWriterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	w, err := OpenWriter(t.Context(), WriterConfig{Path: path, Synchronous: "normal"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Do(t.Context(), func(tx *Tx) error { return tx.exec(`create table p (id integer primary key)`) }); err != nil {
		t.Fatal(err)
	}
	release := hold(t, w)
	errs := make(chan error, 10)
	for i := range 10 {
		go func() { errs <- w.Do(context.Background(), add(i)) }()
	}
	for len(w.queue) < 10 {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- w.Close() }()
	<-w.stop
	if err := w.Do(t.Context(), add(99)); !errors.Is(err, ErrClosed) {
		t.Errorf("write to a closing writer: got error %v, want ErrClosed", err)
	}
	release()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := <-errs; err != nil {
			t.Errorf("write that was queued at the close: %v", err)
		}
	}
	if err := w.Do(t.Context(), add(99)); !errors.Is(err, ErrClosed) {
		t.Errorf("write to a closed writer: got error %v, want ErrClosed", err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("log beside the closed file: got %v, want none", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestWriterRefuses(t *testing.T) {
	if w, err := OpenWriter(t.Context(), WriterConfig{Path: filepath.Join(t.TempDir(), "none", "w.db")}); err == nil {
		w.Close()
		t.Error("opened a file in a directory that is not there")
	}
	if w, err := OpenWriter(t.Context(), WriterConfig{Path: filepath.Join(t.TempDir(), "w.db"), Synchronous: "off"}); err == nil {
		w.Close()
		t.Error("opened a writer that does not sync")
	}
}

// TestReadDuringWrite reads while a transaction that has written stays open: the
// read returns at once, with what was committed before.
func TestReadDuringWrite(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "lanyard.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SetMeta(t.Context(), "key", "old"); err != nil {
		t.Fatal(err)
	}
	wrote, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- db.writes.do(context.Background(), serializable, func(tx *Tx) error {
			err := tx.exec(`update meta set value = 'new' where key = 'key'`)
			close(wrote)
			<-end
			return err
		})
	}()
	<-wrote
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if value, err := db.View().Meta(ctx, "key"); value != "old" || err != nil {
		t.Errorf("read during a write: got %q, %v, want old", value, err)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Errorf("checkpoint during a write: %v", err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if value, err := db.View().Meta(ctx, "key"); value != "new" || err != nil {
		t.Errorf("read after the write: got %q, %v, want new", value, err)
	}
}

func TestViewRefusesWrites(t *testing.T) {
	db, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "lanyard.db"), ReadConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 3 {
		_, err := db.view.pool.ExecContext(t.Context(), `insert into meta (key, value) values ('k', 'v')`)
		if err == nil || !strings.Contains(err.Error(), "readonly") {
			t.Errorf("write through the view: got error %v, want a refusal", err)
		}
	}
}
