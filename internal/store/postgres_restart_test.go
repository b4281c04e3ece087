package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// TestPostgresRestart kills the server several times, as a power cut would, while
// pipelines are created. What was acknowledged is there; what failed for certain is
// not; what was unknown can be looked up; and the handle goes on working.
func TestPostgresRestart(t *testing.T) {
	cluster, err := postgres.Start(postgres.Config{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := store.Open(t.Context(), store.Config{URL: cluster.URL("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := storetest.NewWorld(t, db)
	const kills, callers = 3, 8
	var mu sync.Mutex
	made, failed, unknown := map[string]ci.PipelineID{}, map[string]bool{}, 0
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				uid := fmt.Sprint(i, "-", n)
				p, err := db.CreatePipeline(t.Context(), w.NewPipeline(uid, 3))
				mu.Lock()
				switch {
				case err == nil:
					made[uid] = p.ID
				case errors.Is(err, store.ErrUnknown):
					unknown++
				default:
					failed[uid] = true
				}
				mu.Unlock()
			}
		})
	}
	for range kills {
		time.Sleep(300 * time.Millisecond)
		if err := cluster.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Run(); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	before := len(made)
	mu.Unlock()
	time.Sleep(300 * time.Millisecond)
	close(stop)
	group.Wait()
	t.Logf("%d made, %d failed, %d unknown", len(made), len(failed), unknown)
	if len(made) <= before || len(made) < 10*kills {
		t.Errorf("%d pipelines were made before the last start of the server and %d in all: the test proves nothing", before, len(made))
	}
	for uid, id := range made {
		p, err := db.View().PipelineByUID(t.Context(), uid)
		if err != nil || p.ID != id {
			t.Errorf("pipeline %s, which was acknowledged as %d: got %d, %v", uid, id, p.ID, err)
		}
	}
	for uid := range failed {
		if _, err := db.View().PipelineByUID(t.Context(), uid); !ci.IsNotFound(err) {
			t.Errorf("pipeline %s, which had failed: got error %v, want none there", uid, err)
		}
	}
	broken, err := db.View().Check(t.Context())
	if err != nil || len(broken) > 0 {
		t.Errorf("check: %v, %v", broken, err)
	}
}
