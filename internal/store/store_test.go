package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB {
		db, err := store.Open(t.Context(), store.Config{
			Path: filepath.Join(t.TempDir(), "lanyard.db"),
			Now:  func() time.Time { return storetest.Epoch },
		})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}
