// Package storetest is the contract of package store as a suite: whatever
// database is behind it, all of it holds.
package storetest

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// Run runs the suite. open gives an empty database; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) *store.DB) {
	for _, group := range []struct {
		name string
		test func(*testing.T, *store.DB)
	}{
		{"pipelines", testPipelines},
	} {
		t.Run(group.name, func(t *testing.T) {
			db := open(t)
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			group.test(t, db)
		})
	}
}
