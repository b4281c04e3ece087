package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// TestMain ends the servers that tests and benchmarks shared.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	problems := postgres.Stop()
	if *onPostgres {
		if server, err := durable(); err == nil {
			problems = errors.Join(problems, server.Stop())
		}
	}
	if problems != nil {
		fmt.Fprintln(os.Stderr, problems)
		code = max(code, 1)
	}
	os.Exit(code)
}

// migrated gives the URL of a new database with the present schema.
func migrated(tb testing.TB) string {
	tb.Helper()
	return postgres.Copy(tb, "migrated", func(url string) error {
		db, err := store.Open(tb.Context(), store.Config{URL: url})
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// openAt opens a PostgreSQL database whose clock stands at the epoch of the suite.
func openAt(t *testing.T, url string, statement func(string)) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Now: func() time.Time { return storetest.Epoch }, Statement: statement})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestPostgres runs the suite on PostgreSQL and looks at the plans, as TestContract
// does for SQLite.
func TestPostgres(t *testing.T) {
	var ran seen
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) *store.DB { return openAt(t, migrated(t), ran.add) })
	})
	t.Run("plans", func(t *testing.T) {
		conn, err := store.Session(t.Context(), migrated(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), `set plan_cache_mode = force_generic_plan`); err != nil {
			t.Fatal(err)
		}
		number := 0
		ran.planned(t, func(query string) {
			number++
			checkPostgresPlan(t, conn, fmt.Sprint("statement", number), query)
		})
	})
}

// TestReplicas has two handles on one database, as two processes have.
func TestReplicas(t *testing.T) {
	storetest.RunReplicas(t, func(t *testing.T) [2]*store.DB {
		url := migrated(t)
		return [2]*store.DB{openAt(t, url, nil), openAt(t, url, nil)}
	})
}

// A planNode is a step of a plan. One that reads an index without a condition reads
// all of it.
type planNode struct {
	Kind      string     `json:"Node Type"`
	Table     string     `json:"Relation Name"`
	Index     string     `json:"Index Name"`
	Condition string     `json:"Index Cond"`
	Plans     []planNode `json:"Plans"`
}

// checkPostgresPlan asks for the plan that serves any parameters.
func checkPostgresPlan(t *testing.T, conn *sql.DB, name, query string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), `prepare `+name+` as `+store.ExpandPostgres(query)); err != nil {
		t.Errorf("%v: prepare %s", err, query)
		return
	}
	execute := `explain (format json) execute ` + name
	if n := parameters(query); n > 0 {
		execute += `(` + strings.TrimSuffix(strings.Repeat("null, ", n), ", ") + `)`
	}
	var text string
	if err := conn.QueryRowContext(t.Context(), execute).Scan(&text); err != nil {
		t.Errorf("%v: explain %s", err, query)
		return
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(query, "select max(l.id) from pipelines l where l.project_id = r.id") {
		return // a join with few rows, which is planned well once there are many pipelines
	}
	var walk func(planNode)
	walk = func(n planNode) {
		reads := n.Kind == "Seq Scan" || n.Kind == "Index Scan" || n.Kind == "Index Only Scan" || n.Kind == "Bitmap Index Scan"
		if reads && n.Condition == "" && !slices.Contains(smallIndexes, n.Index) {
			t.Errorf("%s on %s %s in:\n%s", n.Kind, n.Table, n.Index, query)
		}
		for _, below := range n.Plans {
			walk(below)
		}
	}
	walk(plans[0].Plan)
}
