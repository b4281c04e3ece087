package store_test

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

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
func openAt(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Now: func() time.Time { return storetest.Epoch }})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestPostgres is the contract on PostgreSQL.
func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB { return openAt(t, migrated(t)) })
}

// TestReplicas has two handles on one database, as two processes have.
func TestReplicas(t *testing.T) {
	storetest.RunReplicas(t, func(t *testing.T) [2]*store.DB {
		url := migrated(t)
		return [2]*store.DB{openAt(t, url), openAt(t, url)}
	})
}
