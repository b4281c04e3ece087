package store

import (
	"database/sql"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew")

// raw opens a database file past the store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

func TestSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	db, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := raw(t, path).Query(`select sql || ';' from sqlite_master where sql is not null and name not like 'goose%' and name not like 'sqlite_%' order by tbl_name, type desc, name`)
	if err != nil {
		t.Fatal(err)
	}
	var statements []string
	err = each(rows, func(s scanner) error {
		var text string
		err := s.Scan(&text)
		statements = append(statements, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, file := strings.Join(statements, "\n")+"\n", filepath.Join("testdata", "schema.sqlite.sql")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema; go test -update writes it anew (-want +got):\n%s", diff)
	}
}

func TestMigrateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%20 é.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), Config{Path: path})
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
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the database: got %v, %v, want 0600", info.Mode(), err)
	}
	var versions int
	if err := raw(t, path).QueryRow(`select count(*) from goose_db_version where version_id = 1`).Scan(&versions); err != nil || versions != 1 {
		t.Errorf("records of the first migration: got %d, %v, want 1", versions, err)
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	db, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.SetMeta(t.Context(), "key", "value"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	pool := raw(t, path)
	if _, err := pool.Exec(`insert into goose_db_version (version_id, is_applied) values (99, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Config{Path: path})
	var newer *NewerError
	if !errors.Is(err, ErrNewer) || !errors.As(err, &newer) || newer.Found != 99 || newer.Known < 1 || newer.Known >= 99 {
		t.Errorf("open: got error %v, want ErrNewer with 99", err)
	}
	if _, err := pool.Exec(`delete from goose_db_version where version_id = 99`); err != nil {
		t.Fatal(err)
	}
	db, err = Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if value, err := db.View().Meta(t.Context(), "key"); value != "value" || err != nil {
		t.Errorf("after all this: got %q, %v", value, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if db, err := Open(t.Context(), Config{}); err == nil {
		db.Close()
		t.Error("opened without a path")
	}
	path := filepath.Join(t.TempDir(), "lanyard.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Config{Path: path}); err == nil {
		db.Close()
		t.Error("opened a file that is no database")
	}
}
