package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// openPostgresAt opens a database and closes it with the test.
func openPostgresAt(tb testing.TB, c Config) *DB {
	tb.Helper()
	db, err := Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// rawPostgres opens a database past the store.
func rawPostgres(tb testing.TB, url string) *sql.DB {
	tb.Helper()
	pool, err := openPool(url, 2, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { pool.Close() })
	return pool
}

// texts reads rows of one text each.
func rowTexts(t *testing.T, pool *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	err = each(rows, func(s scanner) error {
		var text string
		err := s.Scan(&text)
		list = append(list, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestSchemasAgree compares what the one text of the migrations becomes in each
// database: tables, columns in their order, what may be null, and indexes.
func TestSchemasAgree(t *testing.T) {
	path, url := filepath.Join(t.TempDir(), "lanyard.db"), postgres.New(t)
	openPostgresAt(t, Config{Path: path})
	openPostgresAt(t, Config{URL: url})
	lite, server := raw(t, path), rawPostgres(t, url)
	const ours = ` not like 'goose%'`
	for _, c := range []struct{ what, lite, server string }{
		{"columns", `
			select m.name || '.' || c.name || ' ' || case when c."notnull" + c.pk > 0 then 'not null' else '' end
			from sqlite_master m join pragma_table_info(m.name) c
			where m.type = 'table' and m.name not like 'sqlite%' and m.name` + ours + ` order by m.name, c.cid`, `
			select table_name || '.' || column_name || ' ' || case when is_nullable = 'NO' then 'not null' else '' end
			from information_schema.columns where table_schema = 'public' and table_name` + ours + `
			order by table_name collate "C", ordinal_position`},
		{"indexes", `
			select name from sqlite_master where type = 'index' and name not like 'sqlite%' and name` + ours + ` order by name`, `
			select i.indexname from pg_indexes i where i.schemaname = 'public' and i.tablename` + ours + `
			and not exists (select 1 from pg_constraint c where c.conname = i.indexname) order by i.indexname collate "C"`},
	} {
		if diff := cmp.Diff(rowTexts(t, lite, c.lite), rowTexts(t, server, c.server)); diff != "" {
			t.Errorf("%s (-SQLite +PostgreSQL):\n%s", c.what, diff)
		}
	}
	others := rowTexts(t, server, `
		select table_name || '.' || column_name from information_schema.columns
		where table_schema = 'public' and table_name`+ours+` and data_type = 'text' and collation_name is distinct from 'C'`)
	if len(others) > 0 {
		t.Errorf("texts that do not compare byte by byte: %v", others)
	}
	kinds := rowTexts(t, server, `
		select distinct data_type from information_schema.columns where table_schema = 'public' and table_name`+ours+` order by 1`)
	if want := []string{"bigint", "boolean", "bytea", "double precision", "text"}; !cmp.Equal(kinds, want) {
		t.Errorf("types: got %v, want %v", kinds, want)
	}
}

func TestPostgresMigrateTogether(t *testing.T) {
	url := postgres.New(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), Config{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	versions := rowTexts(t, rawPostgres(t, url), `select cast(count(*) as text) from goose_db_version where version_id = 1`)
	if !cmp.Equal(versions, []string{"1"}) {
		t.Errorf("records of the first migration: got %v, want 1", versions)
	}
}

func TestPostgresRefuses(t *testing.T) {
	url := postgres.New(t)
	password := strings.Split(strings.Split(url, "@")[0], ":")[2]
	if len(password) < 20 {
		t.Fatalf("no password in %s", url)
	}
	wrong := strings.Replace(url, password, password+"x", 1)
	for name, c := range map[string]struct{ url, want string }{
		"another kind":   {"mysql://user:" + password + "@127.0.0.1/db", "not postgres://"},
		"no URL":         {"host=127.0.0.1 password=" + password, "not postgres://"},
		"bad port":       {"postgres://user:" + password + "@127.0.0.1:port/db", "not postgres://"},
		"bad escape":     {"postgres://user:" + password + "%@127.0.0.1/db", "not postgres://"},
		"wrong password": {wrong, "connect to PostgreSQL"},
		"no database":    {url + "x", "connect to PostgreSQL"},
		"nobody there":   {"postgres://user:" + password + "@127.0.0.1:1/db", "connect to PostgreSQL"},
	} {
		db, err := Open(t.Context(), Config{URL: c.url})
		if err == nil {
			db.Close()
		}
		if got := fmt.Sprint(err); !strings.Contains(got, c.want) || strings.Contains(got, password) {
			t.Errorf("%s: got error %q, want %q and no password", name, strings.ReplaceAll(got, password, "PASSWORD"), c.want)
		}
	}
	server := postgres.Server(t)
	if err := server.Exec(`create database latin encoding 'LATIN1' locale_provider libc locale 'C' template template0`); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Config{URL: server.URL("latin")}); err == nil || !strings.Contains(err.Error(), "UTF8 is needed") {
		t.Errorf("another encoding: got %v, %v", db, err)
	}
}

func TestPostgresNewerSchema(t *testing.T) {
	url := postgres.New(t)
	db, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := rawPostgres(t, url).ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (99, true)`); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Config{URL: url})
	var newer *NewerError
	if !errors.Is(err, ErrNewer) || !errors.As(err, &newer) || newer.Found != 99 || newer.Known < 1 || newer.Known >= 99 {
		t.Errorf("open: got error %v, want ErrNewer with 99", err)
	}
}

func TestPostgresViewRefusesWrites(t *testing.T) {
	db := openPostgresAt(t, Config{URL: postgres.New(t), ReadConns: 2})
	for range 3 {
		_, err := db.view.pool.ExecContext(t.Context(), `insert into meta (key, value) values ('k', 'v')`)
		if err == nil || !strings.Contains(err.Error(), "read-only transaction") {
			t.Errorf("write through the view: got error %v, want a refusal", err)
		}
	}
}

func TestPostgresClosed(t *testing.T) {
	db, err := Open(t.Context(), Config{URL: postgres.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.SetMeta(t.Context(), "key", "value"); !errors.Is(err, ErrClosed) {
		t.Errorf("write to a closed store: got error %v, want ErrClosed", err)
	}
	if _, err := db.CreatePipeline(t.Context(), newPipeline(1, "u", 0)); !errors.Is(err, ErrClosed) {
		t.Errorf("pipeline in a closed store: got error %v, want ErrClosed", err)
	}
}

// TestPostgresForgottenSpecs is TestForgottenSpecs on PostgreSQL, in a group with
// others.
func TestPostgresForgottenSpecs(t *testing.T) {
	db := openPostgresAt(t, Config{URL: postgres.New(t)})
	project := addProject(t, db)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			n := newPipeline(project.ID, fmt.Sprint(i), 2)
			if i%4 == 0 {
				db.specs.add(n.Specs)
			}
			if _, err := db.CreatePipeline(t.Context(), n); err != nil {
				t.Error(err)
			}
			if body, err := db.View().Spec(t.Context(), n.Specs[0].Digest); string(body) != "{}" || err != nil {
				t.Errorf("specification: got %q, %v", body, err)
			}
		})
	}
	wg.Wait()
}

// TestPostgresStatements counts the statements of the hot paths.
func TestPostgresStatements(t *testing.T) {
	var r recorder
	db := openPostgresAt(t, Config{URL: postgres.New(t), Statement: r.add})
	project := addProject(t, db)
	ctx, v := t.Context(), db.View()
	full := newPipeline(project.ID, "c", 500)
	full.Variables, full.Upstream = []byte{1}, &ci.Upstream{}
	full.Idempotency = &Idempotency{Scope: []byte{1}, Key: "k", BodyDigest: []byte{1}}
	again := newPipeline(project.ID, "d", 500)
	again.Specs = full.Specs
	for i := range again.Jobs {
		again.Jobs[i].SpecDigest = full.Specs[0].Digest
	}
	create := func(n *NewPipeline) func() error {
		return func() error { _, err := db.CreatePipeline(ctx, n); return err }
	}
	claim := func() error {
		heads, err := v.PendingQueues(ctx, 0)
		if err != nil {
			return err
		}
		s, err := v.Snapshot(ctx, heads[0].PipelineID)
		if err != nil {
			return err
		}
		job := *s.Job(heads[0].JobID)
		job.Status = ci.Running
		return db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: []ci.Job{job}}, 1)
	}
	for _, c := range []struct {
		name string
		want int
		run  func() error
	}{
		{"pipeline with 1 job", 2, create(newPipeline(project.ID, "a", 1))},
		{"pipeline with everything", 2, create(full)},
		{"pipeline with known specifications", 1, create(again)},
		{"claim", 4, claim},
	} {
		var err error
		if got := r.during(func() { err = c.run() }); len(got) != c.want || err != nil {
			t.Errorf("%s: got %d statements, %v, want %d:\n%s", c.name, len(got), err, c.want, strings.Join(got, "\n"))
		}
	}
}

// TestPostgresClaimDoesNotGrow reads how many pages the look for pending jobs
// touches, by a plan that was made when there were 10 of them: no more when there
// are 10,000.
func TestPostgresClaimDoesNotGrow(t *testing.T) {
	url := postgres.New(t)
	db := openPostgresAt(t, Config{URL: url})
	project := addProject(t, db)
	pool, err := openPool(url, 1, nil) // one session, which has the plan
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	pages := func() (n int) {
		t.Helper()
		plan := strings.Join(rowTexts(t, pool, `explain (analyze, buffers, costs off, timing off) execute look(0)`), "\n")
		_, rest, _ := strings.Cut(plan, "Buffers: shared hit=")
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatalf("%v in %s", err, plan)
		}
		return n
	}
	add := func(uid string, jobs int) {
		n := newPipeline(project.ID, uid, jobs)
		for i := range n.Jobs {
			if i%2 == 0 {
				n.Jobs[i].Tags = []string{"linux"}
			}
		}
		if _, err := db.CreatePipeline(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	add("few", 10)
	if _, err := pool.ExecContext(t.Context(), `prepare look as `+pendingQueues); err != nil {
		t.Fatal(err)
	}
	few := pages()
	for i := range 10 {
		add(fmt.Sprint("many", i), 1000)
	}
	pages() // visits rows for the first time, which sets hints
	if many := pages(); many > 2*few {
		t.Errorf("pages that are read: got %d with 10,000 pending jobs, %d with 10", many, few)
	}
}
