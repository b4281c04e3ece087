// Package postgres starts a private PostgreSQL for tests, from the binaries that
// Debian's package postgresql has.
//
// Two nouns: a Cluster is a server on a port of 127.0.0.1 with its data in a
// temporary folder, and it has databases, of which each test gets its own. A test
// process shares one cluster, which Main ends; should the process die, the kernel
// ends it.
//
// Where PostgreSQL is missing the tests fail: they are never skipped.
package postgres

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the cluster of this process, once somebody asked for it.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error

	mu        sync.Mutex
	templates map[string]bool // protected by mu: those that are prepared
}

// M runs the tests of a package and ends the cluster that they used, for a TestMain
// that does more than Main.
type M struct{ *testing.M }

// Run gives the exit code.
func (m M) Run() int {
	code := m.M.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Main is for a TestMain that does nothing else.
func Main(m *testing.M) { os.Exit(M{m}.Run()) }

// Stop ends the cluster of this process, if there is one.
func Stop() error {
	if shared.cluster == nil {
		return nil
	}
	return shared.cluster.Stop()
}

// Server gives the cluster of this process, starting it the first time.
func Server(tb testing.TB) *Cluster {
	tb.Helper()
	shared.once.Do(func() { shared.cluster, shared.err = Start(Config{}) })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.cluster
}

// New gives the URL of a new, empty database, which goes with the test.
func New(tb testing.TB) string {
	tb.Helper()
	return Server(tb).New(tb, "")
}

// Copy gives the URL of a new database that is a copy of another one. The first
// time that a name is used, prepare makes that one from an empty database.
func Copy(tb testing.TB, name string, prepare func(url string) error) string {
	tb.Helper()
	c := Server(tb)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.templates[name] {
		if err := c.create(name, ""); err != nil {
			tb.Fatal(err)
		}
		if err := prepare(c.URL(name)); err != nil {
			tb.Fatalf("prepare database %s: %v", name, err)
		}
		if shared.templates == nil {
			shared.templates = map[string]bool{}
		}
		shared.templates[name] = true
	}
	return c.New(tb, name)
}

// numbers makes the names of databases differ.
var numbers atomic.Int64

// New gives the URL of a new database, which goes with the test: a copy of another
// one, or an empty one when template is empty.
func (c *Cluster) New(tb testing.TB, template string) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", numbers.Add(1))
	if err := c.create(name, template); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Exec(`drop database "` + name + `" with (force)`); err != nil {
			tb.Error(err)
		}
	})
	return c.URL(name)
}

func (c *Cluster) create(name, template string) error {
	query := `create database "` + name + `"`
	if template != "" {
		query += ` template "` + template + `"`
	}
	return c.Exec(query)
}

// Exec runs a statement as the administrator of the cluster.
func (c *Cluster) Exec(query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, query); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}
