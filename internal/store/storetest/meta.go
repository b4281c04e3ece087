package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

func testMeta(t *testing.T, db *store.DB) {
	ctx, v := t.Context(), db.View()
	_, err := v.Meta(ctx, "key")
	missing(t, "meta", err)
	stands := make([]string, 8)
	var wg sync.WaitGroup
	for i := range stands {
		wg.Go(func() {
			value, err := db.SetMetaOnce(ctx, "key", fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			stands[i] = value
		})
	}
	wg.Wait()
	for i, value := range stands {
		if value != stands[0] || value == "" {
			t.Errorf("caller %d got %q, caller 0 %q", i, value, stands[0])
		}
	}
	same(t, "meta", must(v.Meta(ctx, "key"))(t), stands[0])
	ok(t, db.SetMeta(ctx, "key", "new"))
	same(t, "meta after set", must(v.Meta(ctx, "key"))(t), "new")
}

func testLeases(t *testing.T, db *store.DB) {
	ctx := t.Context()
	lease := func(holder string, dur time.Duration) bool {
		t.Helper()
		return must(db.Lease(ctx, "sweep", holder, dur))(t)
	}
	same(t, "first", lease("a", time.Hour), true)
	same(t, "another's", lease("b", time.Hour), false)
	same(t, "renewed", lease("a", time.Hour), true)
	same(t, "other name", must(db.Lease(ctx, "other", "b", time.Hour))(t), true)
	same(t, "given back", lease("a", 0), true)
	same(t, "taken over", lease("b", time.Microsecond), true)
	time.Sleep(2 * time.Millisecond) // the clock is the database's own
	same(t, "run out", lease("a", time.Hour), true)
	same(t, "lost", lease("b", time.Hour), false)
}

func testCheck(t *testing.T, db *store.DB) {
	ctx, v, w := t.Context(), db.View(), NewWorld(t, db)
	s := w.started(t, "u", 2)
	same(t, "healthy", must(v.Check(ctx))(t), []string{})
	s.Jobs[1].Status = ci.Running
	s.Pipeline.Status = ci.Success
	ok(t, db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[1:]}, 0))
	same(t, "broken", must(v.Check(ctx))(t), []string{
		"job 2 is running in pipeline 1, which has ended",
		"job 1 is pending in pipeline 1, which has ended",
		"project 1 counts 0 running jobs and has 1",
	})
}
