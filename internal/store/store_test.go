package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
)

// A seen has the statements that a suite ran.
type seen struct {
	mu      sync.Mutex
	queries map[string]bool // protected by mu
}

func (s *seen) add(query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queries == nil {
		s.queries = map[string]bool{}
	}
	s.queries[query] = true
}

// planned calls check for each statement whose plan is to be looked at: those that
// may read a whole table are left out.
func (s *seen) planned(t *testing.T, check func(query string)) {
	if len(s.queries) < 100 {
		t.Errorf("the suite ran %d statements", len(s.queries))
	}
	for query := range s.queries {
		if words := strings.Fields(query); !slices.Contains([]string{"select", "with", "insert", "update", "delete"}, words[0]) {
			continue
		}
		if !slices.ContainsFunc(wholeTables, func(w struct{ part, reason string }) bool { return strings.Contains(query, w.part) }) {
			check(query)
		}
	}
}

// TestContract runs the suite and keeps every statement; then it asks SQLite how
// it would run each. None may read a whole table unless it is meant to.
func TestContract(t *testing.T) {
	var ran seen
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) *store.DB {
			db, err := store.Open(t.Context(), store.Config{
				Path: filepath.Join(t.TempDir(), "lanyard.db"), Now: func() time.Time { return storetest.Epoch }, Statement: ran.add,
			})
			if err != nil {
				t.Fatal(err)
			}
			return db
		})
	})
	t.Run("plans", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "plans.db")
		db, err := store.Open(t.Context(), store.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		pool, err := store.WriterSession(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		ran.planned(t, func(query string) { checkPlan(t, pool, query) })
		for _, step := range store.ChangesSteps() { // a plan does not show what a trigger does
			checkPlan(t, pool, step)
		}
	})
}

// wholeTables lists parts of the queries that may read a whole table, and why.
var wholeTables = []struct{ part, reason string }{
	{"as broken limit", "Check reads everything"},
	{"select count(*) from users", "CountUsers"},
	{"where password_hash <> '' limit 1", "AnyPassword, when hardly anybody has one"},
	{"users u", "lists for people, in pages"},
	{"projects p join namespaces n", "lists for people, in pages"},
	{"namespaces n", "lists for people, in pages"},
	{"runners r", "lists for people, in pages"},
	{"from projects order by", "ProjectIDs"},
	{"from trash order by", "the oldest rows of a short table"},
}

// smallIndexes hold only rows that are on their way, or the few variables of the
// instance: reading one as a whole is
// what they are for.
var smallIndexes = []string{"pipelines_active", "jobs_held", "jobs_pending", "jobs_resource", "jobs_scheduled", "jobs_waiting", "variables_instance"}

// tables are those that a plan may not read as a whole.
var tables = []string{
	"access_tokens", "artifacts", "idempotency", "jobs", "job_token_allowlist", "leases", "members", "namespaces", "pipelines",
	"pipeline_variables", "project_iids", "project_running", "projects", "protections", "redirects", "refs", "resource_groups", "runner_managers",
	"runner_projects", "runners", "sessions", "sign_in_links", "specs", "test_summaries", "trash", "triggers", "upstreams", "users", "variables", "variables_version",
}

func checkPlan(t *testing.T, pool *sql.DB, query string) {
	t.Helper()
	args := make([]any, parameters(query))
	rows, err := pool.QueryContext(t.Context(), "explain query plan "+store.Expand(query), args...)
	if err != nil {
		t.Errorf("explain %s: %v", query, err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Error(err)
		}
		fields := strings.Fields(detail)
		small := len(fields) > 2 && slices.Contains(smallIndexes, fields[len(fields)-1])
		if fields[0] == "SCAN" && !small && isTable(query, fields[1]) {
			t.Errorf("%s in:\n%s", detail, query)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}

// parameters counts those of a query.
func parameters(query string) int {
	n := 0
	for strings.Contains(query, fmt.Sprintf("$%d", n+1)) {
		n++
	}
	return n
}

// isTable reports whether name is one of the tables, or an alias of one in query.
func isTable(query, name string) bool {
	return slices.ContainsFunc(tables, func(table string) bool {
		return name == table || strings.Contains(query, " "+table+" "+name+" ") || strings.Contains(query, " "+table+" "+name+"\n")
	})
}
