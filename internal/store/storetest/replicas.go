package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// RunReplicas is the part of the contract that holds when several processes work
// on one database at the same moment. open gives two handles on an empty database
// each time, whose clocks stand at Epoch; the suite closes them.
func RunReplicas(t *testing.T, open func(t *testing.T) [2]*store.DB) {
	for _, group := range []struct {
		name string
		test func(*testing.T, [2]*store.DB)
	}{
		{"creation", testReplicasCreate},
		{"one key", testReplicasKey},
		{"claims", testReplicasClaim},
		{"limits", testReplicasLimits},
		{"one address space", testReplicasPaths},
		{"deleted project", testReplicasDelete},
		{"deleted pipeline", testReplicasDeletePipeline},
		{"artifacts and erasing", testReplicasErase},
		{"one lease", testReplicasLease},
		{"a runner's first contact", testReplicasContact},
	} {
		t.Run(group.name, func(t *testing.T) {
			dbs := open(t)
			t.Cleanup(func() {
				for _, db := range dbs {
					if err := db.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				}
			})
			group.test(t, dbs)
			same(t, "check", must(dbs[0].View().Check(t.Context()))(t), []string{})
		})
	}
}

// testReplicasCreate creates pipelines of two projects from all sides.
func testReplicasCreate(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	worlds := [2]World{w, w}
	worlds[1].Project = NewProject(t, dbs[0], w.Home, w.User, "second")
	const n = 120
	var mu sync.Mutex
	iids := [2]map[int64]bool{{}, {}}
	together(n, func(i int) {
		project := i / 2 % 2
		pipeline := worlds[project].NewPipeline(fmt.Sprint("u", i), 3)
		pipeline.Specs[0].Body = fmt.Append(nil, i) // one that nobody knows yet
		pipeline.Specs[0].Digest = digest(pipeline.Specs[0].Body)
		pipeline.Jobs[0].SpecDigest = pipeline.Specs[0].Digest
		p, err := dbs[i%2].CreatePipeline(ctx, pipeline)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || iids[project][p.IID] || p.IID < 1 || p.IID > n/2 {
			t.Errorf("pipeline %d: got iid %d, error %v", i, p.IID, err)
		}
		iids[project][p.IID] = true
	})
}

// testReplicasKey uses one idempotency key from both sides: it makes one pipeline.
func testReplicasKey(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	for round := range 10 {
		var made, replayed atomic.Int64
		together(8, func(i int) {
			n := w.NewPipeline(fmt.Sprint("u", round, "-", i), 2)
			n.Idempotency = &store.Idempotency{Scope: []byte("s"), Key: fmt.Sprint(round), BodyDigest: []byte("b"), Since: Epoch.Add(-time.Hour)}
			p, err := dbs[i%2].CreatePipeline(ctx, n)
			var again *store.Replayed
			switch {
			case err == nil:
				made.Store(int64(p.ID))
				replayed.Add(100)
			case errors.As(err, &again):
				replayed.Add(1)
			default:
				t.Error(err)
			}
		})
		same(t, "one made, the others replayed", replayed.Load(), int64(107))
		n := w.NewPipeline("later", 0)
		n.Idempotency = &store.Idempotency{Scope: []byte("s"), Key: fmt.Sprint(round), BodyDigest: []byte("b"), Since: Epoch.Add(-time.Hour)}
		_, err := dbs[0].CreatePipeline(ctx, n)
		var again *store.Replayed
		if !errors.As(err, &again) || int64(again.PipelineID) != made.Load() {
			t.Errorf("later: got %v, want pipeline %d", err, made.Load())
		}
	}
}

// testReplicasClaim has runners on both sides take the same jobs.
func testReplicasClaim(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	const pipelines, jobs = 4, 8
	for i := range pipelines {
		n := w.NewPipeline(fmt.Sprint("u", i), jobs)
		for j := range n.Jobs {
			n.Jobs[j].Status = ci.Pending
		}
		must(dbs[i%2].CreatePipeline(ctx, n))(t)
	}
	var mu sync.Mutex
	claims := map[ci.JobID]bool{}
	together(8, func(i int) {
		for {
			id, err := claim(ctx, dbs[i%2], ci.RunnerID(i+1))
			if err != nil {
				t.Error(err)
			}
			if err != nil || id == 0 {
				return
			}
			mu.Lock()
			if claims[id] {
				t.Errorf("job %d was claimed twice", id)
			}
			claims[id] = true
			mu.Unlock()
		}
	})
	same(t, "claims", len(claims), pipelines*jobs)
}

func testReplicasLimits(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	var made, refused atomic.Int64
	together(12, func(i int) {
		switch _, err := dbs[i%2].CreateTrigger(ctx, w.NewTrigger(i), 5); {
		case err == nil:
			made.Add(1)
		case errors.Is(err, store.ErrTooMany):
			refused.Add(1)
		default:
			t.Error(err)
		}
	})
	same(t, "made and refused", []int64{made.Load(), refused.Load()}, []int64{5, 7})
}

// testReplicasPaths makes a group and a project at the same path, which no index
// of one table can see.
func testReplicasPaths(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	for round := range 10 {
		path := fmt.Sprint("path", round)
		var made atomic.Int64
		together(4, func(i int) {
			var err error
			if i%2 == 0 {
				_, err = dbs[i/2].CreateNamespace(ctx, ci.Namespace{Kind: ci.GroupNamespace, Path: path, FullPath: w.Home.FullPath + "/" + path}, nil)
			} else {
				_, err = dbs[i/2].CreateProject(ctx, ci.Project{NamespaceID: w.Home.ID, Path: path, FullPath: w.Home.FullPath + "/" + path}, nil)
			}
			var conflict *store.Taken
			switch {
			case err == nil:
				made.Add(1)
			case !errors.As(err, &conflict) || conflict.Field != "path":
				t.Error(err)
			}
		})
		same(t, "made at one path", made.Load(), int64(1))
	}
}

// testReplicasDelete deletes a project while pipelines are made in it.
func testReplicasDelete(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	for round := range 5 {
		doomed := w
		doomed.Project = NewProject(t, dbs[0], w.Home, w.User, fmt.Sprint("doomed", round))
		together(6, func(i int) {
			if i == 0 {
				ok(t, dbs[0].DeleteProject(ctx, doomed.Project.ID))
				return
			}
			for j := range 10 {
				_, err := dbs[i%2].CreatePipeline(ctx, doomed.NewPipeline(fmt.Sprint(round, "-", i, "-", j), 2))
				if err != nil && !ci.IsNotFound(err) {
					t.Error(err)
				}
			}
		})
		_, err := dbs[1].View().Project(ctx, doomed.Project.ID)
		missing(t, "deleted project", err)
	}
}

// testReplicasDeletePipeline deletes pipelines whose jobs are being claimed: the
// count of running jobs comes out right.
func testReplicasDeletePipeline(t *testing.T, dbs [2]*store.DB) {
	ctx, w := t.Context(), NewWorld(t, dbs[0])
	w.started(t, "witness", 1)
	for round := range 10 {
		s := w.started(t, fmt.Sprint("u", round), 4)
		together(2, func(i int) {
			if i == 0 {
				ok(t, dbs[0].DeletePipeline(ctx, s.Pipeline.ID))
				return
			}
			s := s.Clone()
			for j := range s.Jobs {
				s.Jobs[j].Status = ci.Running
				err := dbs[1].Apply(ctx, ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[j : j+1]}, 1)
				if errors.Is(err, store.ErrMoved) {
					return
				}
				ok(t, err)
				s.Pipeline.Version++
			}
		})
	}
	same(t, "running jobs", running(t, dbs[0].View()), int64(0))
}

// testReplicasErase erases jobs while artifacts are added: each blob belongs to a
// row or is trash.
func testReplicasErase(t *testing.T, dbs [2]*store.DB) {
	ctx, v, w := t.Context(), dbs[0].View(), NewWorld(t, dbs[0])
	s := w.started(t, "u", 1)
	job := s.Jobs[0].ID
	const n = 40
	together(3, func(i int) {
		for j := range n {
			if i == 0 {
				must(dbs[0].EraseJob(ctx, job, Epoch, w.User.ID))(t)
				continue
			}
			key := fmt.Sprint("blob-", i, "-", j)
			must(dbs[i%2].AddArtifact(ctx, ci.Artifact{JobID: job, Type: key, BlobKey: key, SHA256: []byte{1}}, time.Time{}, 0))(t)
		}
	})
	keys := map[string]bool{}
	for _, a := range must(v.Artifacts(ctx, []ci.JobID{job}))(t)[job] {
		keys[a.BlobKey] = true
	}
	for _, row := range must(v.Trash(ctx, 1000))(t) {
		if row.Kind == store.TrashBlob {
			keys[row.Key] = true
		}
	}
	same(t, "blobs that are known", len(keys), 2*n)
}

func testReplicasLease(t *testing.T, dbs [2]*store.DB) {
	var held atomic.Int64
	together(8, func(i int) {
		if must(dbs[i%2].Lease(t.Context(), "sweep", fmt.Sprint(i), time.Hour))(t) {
			held.Add(1)
		}
	})
	same(t, "holders", held.Load(), int64(1))
}

func testReplicasContact(t *testing.T, dbs [2]*store.DB) {
	ctx := t.Context()
	r := must(dbs[0].CreateRunner(ctx, ci.Runner{Type: ci.InstanceRunner, Digest: []byte{1}, CreatedAt: Epoch}))(t)
	news := make([]bool, 8)
	together(len(news), func(i int) {
		_, isNew, err := dbs[i%2].ContactRunner(ctx, ci.RunnerManager{RunnerID: r.ID, SystemID: "s_1"}, Epoch)
		ok(t, err)
		news[i] = isNew
	})
	same(t, "new ones", len(slices.DeleteFunc(news, func(isNew bool) bool { return !isNew })), 1)
	same(t, "machines", len(must(dbs[1].View().Managers(ctx, r.ID))(t)), 1)
}
