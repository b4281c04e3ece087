package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// together calls fn from n goroutines that start at the same moment.
func together(n int, fn func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func testConcurrentCreation(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	const n = 64
	var iids, ids [n]int64
	together(n, func(i int) {
		p, err := db.CreatePipeline(ctx, w.NewPipeline(fmt.Sprint("u", i), 3))
		if err != nil {
			t.Error(err)
			return
		}
		iids[i], ids[i] = p.IID, int64(p.ID)
	})
	seenIID, seenID := map[int64]bool{}, map[int64]bool{}
	for i := range n {
		if iids[i] < 1 || iids[i] > n || seenIID[iids[i]] || seenID[ids[i]] {
			t.Errorf("pipeline %d: got id %d iid %d, which is out of range or another's", i, ids[i], iids[i])
		}
		seenIID[iids[i]], seenID[ids[i]] = true, true
	}
	same(t, "check", must(db.View().Check(ctx))(t), []string{})
}

// claim takes the job at the head of a queue as the engine does: load, decide,
// compare and swap. It reports whether it got one.
func claim(ctx context.Context, db *store.DB, runner ci.RunnerID) (ci.JobID, error) {
	for {
		heads, err := db.View().PendingQueues(ctx, 0)
		if err != nil || len(heads) == 0 {
			return 0, err
		}
		s, err := db.View().Snapshot(ctx, heads[0].PipelineID)
		if err != nil {
			return 0, err
		}
		job := s.Job(heads[0].JobID)
		if job == nil || job.Status != ci.Pending {
			continue
		}
		job.Status, job.RunnerID, job.StartedAt = ci.Running, runner, Epoch
		err = db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: []ci.Job{*job}}, 1)
		if !errors.Is(err, store.ErrMoved) {
			return job.ID, err
		}
	}
}

func testClaimOnce(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	const pipelines, jobs, runners = 5, 8, 8
	for i := range pipelines {
		n := w.NewPipeline(fmt.Sprint("u", i), jobs)
		for j := range n.Jobs {
			n.Jobs[j].Status = ci.Pending
		}
		must(db.CreatePipeline(ctx, n))(t)
	}
	var mu sync.Mutex
	claims := map[ci.JobID]ci.RunnerID{}
	together(runners, func(i int) {
		for {
			id, err := claim(ctx, db, ci.RunnerID(i+1))
			if err != nil || id == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			if other, twice := claims[id]; twice {
				t.Errorf("job %d was claimed by %d and %d", id, other, i+1)
			}
			claims[id] = ci.RunnerID(i + 1)
			mu.Unlock()
		}
	})
	same(t, "claims", len(claims), pipelines*jobs)
	for id, runner := range claims {
		same(t, "runner of a claimed job", must(db.View().Job(ctx, id))(t).RunnerID, runner)
	}
	same(t, "check", must(db.View().Check(ctx))(t), []string{})
}

// testWholeSnapshots reads a pipeline while it moves: its jobs are always those of
// the same version.
func testWholeSnapshots(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	s := w.started(t, "u", 4)
	var done atomic.Bool
	together(4, func(i int) {
		if i == 0 {
			defer done.Store(true)
			for version := range 200 {
				for j := range s.Jobs {
					s.Jobs[j].ExitCode = version + 1
				}
				if err := db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs}, 0); err != nil {
					t.Error(err)
					return
				}
				s.Pipeline.Version++
			}
			return
		}
		for !done.Load() {
			got, err := db.View().Snapshot(ctx, s.Pipeline.ID)
			if errors.Is(err, store.ErrMoved) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			for _, job := range got.Jobs {
				if int64(job.ExitCode) != got.Pipeline.Version {
					t.Errorf("job of version %d in a pipeline of version %d", job.ExitCode, got.Pipeline.Version)
					return
				}
			}
		}
	})
	same(t, "last version", must(db.View().Pipeline(ctx, s.Pipeline.ID))(t).Version, int64(200))
}

// testFailuresStayAlone mixes writes that fail with writes that do not: none of
// the former takes one of the latter with it.
func testFailuresStayAlone(t *testing.T, db *store.DB) {
	ctx, w := t.Context(), NewWorld(t, db)
	s := w.started(t, "moving", 1)
	const n = 90
	var won, lost, moved atomic.Int64
	together(n, func(i int) {
		switch i % 3 {
		case 0: // each uid twice: one is taken
			_, err := db.CreatePipeline(ctx, w.NewPipeline(fmt.Sprint("u", i/6), 2))
			var conflict *store.Taken
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &conflict) && conflict.Field == "uid":
				lost.Add(1)
			default:
				t.Error(err)
			}
		case 1: // all from the same version: one wins
			err := db.Apply(ctx, ci.Changes{Pipeline: s.Pipeline}, 0)
			if err == nil {
				moved.Add(1)
			} else if !errors.Is(err, store.ErrMoved) {
				t.Error(err)
			}
		case 2:
			if err := db.SetMeta(ctx, fmt.Sprint("key", i), "value"); err != nil {
				t.Error(err)
			}
		}
	})
	same(t, "created, refused, moved", []int64{won.Load(), lost.Load(), moved.Load()}, []int64{n / 6, n / 6, 1})
	for i := range n / 6 {
		must(db.View().PipelineByUID(ctx, fmt.Sprint("u", i)))(t)
	}
	for i := 2; i < n; i += 3 {
		same(t, "meta", must(db.View().Meta(ctx, fmt.Sprint("key", i)))(t), "value")
	}
	if p := must(db.CreatePipeline(ctx, w.NewPipeline("last", 0)))(t); p.IID != n/6+2 {
		t.Errorf("iid after those refused: got %d, want %d", p.IID, n/6+2)
	}
}

func testWithdrawn(t *testing.T, db *store.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.SetMeta(ctx, "key", "value"); !errors.Is(err, context.Canceled) {
		t.Errorf("write whose caller is gone: got error %v, want %v", err, context.Canceled)
	}
	_, err := db.View().Meta(t.Context(), "key")
	missing(t, "withdrawn write", err)
	if _, err := db.View().Meta(ctx, "key"); !errors.Is(err, context.Canceled) {
		t.Errorf("read whose caller is gone: got error %v, want %v", err, context.Canceled)
	}
}
