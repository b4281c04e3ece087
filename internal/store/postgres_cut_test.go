package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// cuttable opens a new database by way of a Relay.
func cuttable(t *testing.T) (storetest.World, *store.DB, *postgres.Relay) {
	t.Helper()
	relay := postgres.NewRelay(t, migrated(t))
	db := openAt(t, relay.URL(), nil)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return storetest.NewWorld(t, db), db, relay
}

// What the statements hold that the tests cut.
const (
	creating = "insert into pipelines ("
	applying = "with changes as ("
	ending   = "commit"
)

// moments says for each whether the statement has been carried out once the caller has
// its error, and whether it ever is.
var moments = map[string]struct {
	moment       postgres.Moment
	there, later bool
}{
	"unsent":     {postgres.Unsent, false, false},
	"unanswered": {postgres.Unanswered, true, true},
	"in flight":  {postgres.InFlight, false, true},
}

// doubtful fails unless an error says that nobody knows.
func doubtful(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, store.ErrInFlight) || ci.KindOf(err) != ci.KindUnavailable {
		t.Errorf("got error %v, want one of an unknown outcome that is a 503", err)
	}
}

// over lets a statement that is in flight arrive.
func over(t *testing.T, cut *postgres.Cut) {
	t.Helper()
	cut.Release()
	if err := cut.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresCutCreation loses the connection around the statement that creates a
// pipeline. It is never carried out a second time.
func TestPostgresCutCreation(t *testing.T) {
	for name, c := range moments {
		t.Run(name, func(t *testing.T) {
			w, db, relay := cuttable(t)
			there := func() bool {
				t.Helper()
				_, err := db.View().PipelineByUID(t.Context(), "cut")
				if err != nil && !ci.IsNotFound(err) {
					t.Fatal(err)
				}
				return err == nil
			}
			cut := relay.Cut(c.moment, creating)
			_, err := db.CreatePipeline(t.Context(), w.NewPipeline("cut", 2))
			doubtful(t, err)
			if got := there(); got != c.there {
				t.Errorf("after the error: it is there: %t, want %t", got, c.there)
			}
			over(t, cut)
			if got := there(); got != c.later {
				t.Errorf("later: it is there: %t, want %t", got, c.later)
			}
			next, err := db.CreatePipeline(t.Context(), w.NewPipeline("next", 2))
			want := int64(1)
			if c.later {
				want = 2
			}
			if err != nil || next.IID != want {
				t.Errorf("the next pipeline: got iid %d, error %v, want iid %d", next.IID, err, want)
			}
		})
	}
}

// TestPostgresCutGroup loses the connection while many pipelines are created. All that
// were acknowledged are there, and nothing is twice.
func TestPostgresCutGroup(t *testing.T) {
	w, db, relay := cuttable(t)
	cut := relay.Cut(postgres.Unanswered, creating)
	var mu sync.Mutex
	outcomes := map[string]error{}
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			uid := fmt.Sprint("u", i)
			_, err := db.CreatePipeline(t.Context(), w.NewPipeline(uid, 1))
			mu.Lock()
			defer mu.Unlock()
			outcomes[uid] = err
		})
	}
	group.Wait()
	over(t, cut)
	unknown := 0
	for uid, err := range outcomes {
		if errors.Is(err, store.ErrUnknown) {
			unknown++
		} else if err != nil && ci.KindOf(err) != ci.KindUnavailable {
			t.Errorf("pipeline %s: got error %v, want none or one that is a 503", uid, err)
		}
		_, look := db.View().PipelineByUID(t.Context(), uid)
		switch {
		case look != nil && !ci.IsNotFound(look):
			t.Fatal(look)
		case err == nil && look != nil:
			t.Errorf("pipeline %s was acknowledged and is missing", uid)
		case err != nil && !errors.Is(err, store.ErrUnknown) && look == nil:
			t.Errorf("pipeline %s failed for certain and is there", uid)
		}
	}
	if unknown == 0 {
		t.Error("no outcome was unknown: the test proves nothing")
	}
	if broken, err := db.View().Check(t.Context()); err != nil || len(broken) > 0 {
		t.Errorf("check: %v, %v", broken, err)
	}
}

// TestPostgresCutSpecs loses the connection around the commit of what comes before a
// pipeline. It is done again, since that does no harm.
func TestPostgresCutSpecs(t *testing.T) {
	for name, c := range moments {
		t.Run(name, func(t *testing.T) {
			w, db, relay := cuttable(t)
			cut := relay.Cut(c.moment, ending)
			if _, err := db.CreatePipeline(t.Context(), w.NewPipeline("cut", 2)); err != nil {
				t.Error(err)
			}
			over(t, cut)
		})
	}
}

// TestPostgresCutApply loses the connection around a change of a pipeline. The same
// change again takes place if the first has not, and moves nothing if it has.
func TestPostgresCutApply(t *testing.T) {
	for name, c := range moments {
		t.Run(name, func(t *testing.T) {
			w, db, relay := cuttable(t)
			p, err := db.CreatePipeline(t.Context(), w.NewPipeline("cut", 1))
			if err != nil {
				t.Fatal(err)
			}
			before, err := db.View().Snapshot(t.Context(), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			job := before.Jobs[0]
			job.Status = ci.Running
			changes := ci.Changes{Pipeline: before.Pipeline, Jobs: []ci.Job{job}}
			cut := relay.Cut(c.moment, applying)
			doubtful(t, db.Apply(t.Context(), changes, 1))
			if err := db.Apply(t.Context(), changes, 1); errors.Is(err, store.ErrMoved) != c.there || err != nil && !c.there {
				t.Errorf("the same change again: got %v, and the first one was there: %t", err, c.there)
			}
			over(t, cut)
			after, err := db.View().Snapshot(t.Context(), p.ID)
			if err != nil || after.Pipeline.Version != before.Pipeline.Version+1 || after.Jobs[0].Status != ci.Running {
				t.Errorf("the pipeline went from version %d to %d, error %v, want one more", before.Pipeline.Version, after.Pipeline.Version, err)
			}
			if broken, err := db.View().Check(t.Context()); err != nil || len(broken) > 0 {
				t.Errorf("check: %v, %v", broken, err)
			}
		})
	}
}
