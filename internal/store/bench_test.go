package store_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// onPostgres measures PostgreSQL, which puts each commit on disk as SQLite does.
var onPostgres = flag.Bool("postgres", false, "measure PostgreSQL instead of SQLite")

// durable is the server that is measured.
var durable = sync.OnceValues(func() (*postgres.Cluster, error) { return postgres.Start(postgres.Config{Durable: true}) })

// openCounted opens a database that counts its statements.
func openCounted(tb testing.TB) (*store.DB, *atomic.Int64) {
	tb.Helper()
	var count atomic.Int64
	config := store.Config{Path: filepath.Join(tb.TempDir(), "lanyard.db"), Statement: func(string) { count.Add(1) }}
	if *onPostgres {
		server, err := durable()
		if err != nil {
			tb.Fatal(err)
		}
		config.URL = server.New(tb, "")
	}
	db, err := store.Open(tb.Context(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db, &count
}

// measure reports statements per operation of what body does b.N times.
func measure(b *testing.B, count *atomic.Int64, body func()) {
	b.Helper()
	b.ReportAllocs()
	count.Store(0)
	b.ResetTimer()
	body()
	b.StopTimer()
	b.ReportMetric(float64(count.Load())/float64(b.N), "statements/op")
}

func BenchmarkCreatePipeline(b *testing.B) {
	for _, jobs := range []int{5, 50} {
		for _, clients := range []int{1, 32} {
			b.Run(fmt.Sprintf("jobs=%d/clients=%d", jobs, clients), func(b *testing.B) {
				db, count := openCounted(b)
				w := storetest.NewWorld(b, db)
				var uid atomic.Int64
				b.SetParallelism(clients)
				measure(b, count, func() {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							n := w.NewPipeline(fmt.Sprint(uid.Add(1)), jobs)
							n.Variables = []byte("sealed")
							if _, err := db.CreatePipeline(b.Context(), n); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pipelines/s")
			})
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for _, jobs := range []int{5, 200} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			db, count := openCounted(b)
			w := storetest.NewWorld(b, db)
			p, err := db.CreatePipeline(b.Context(), w.NewPipeline("u", jobs))
			if err != nil {
				b.Fatal(err)
			}
			measure(b, count, func() {
				for range b.N {
					if _, err := db.View().Snapshot(b.Context(), p.ID); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkPendingQueues(b *testing.B) {
	for _, jobs := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("pending=%d", jobs), func(b *testing.B) {
			db, count := openCounted(b)
			w := storetest.NewWorld(b, db)
			n := w.NewPipeline("u", jobs)
			for i := range n.Jobs {
				n.Jobs[i].Status = ci.Pending
				if i%2 == 0 {
					n.Jobs[i].Tags = nil
				}
			}
			if _, err := db.CreatePipeline(b.Context(), n); err != nil {
				b.Fatal(err)
			}
			measure(b, count, func() {
				for range b.N {
					heads, err := db.View().PendingQueues(b.Context(), 0)
					if err != nil || len(heads) != 2 {
						b.Fatal(heads, err)
					}
				}
			})
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, clients := range []int{1, 32} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			db, count := openCounted(b)
			w := storetest.NewWorld(b, db)
			var uid atomic.Int64
			b.SetParallelism(clients)
			measure(b, count, func() {
				b.RunParallel(func(pb *testing.PB) {
					p, err := db.CreatePipeline(b.Context(), w.NewPipeline(fmt.Sprint(uid.Add(1)), 5))
					if err != nil {
						b.Error(err)
						return
					}
					s, err := db.View().Snapshot(b.Context(), p.ID)
					if err != nil {
						b.Error(err)
						return
					}
					for pb.Next() {
						s.Pipeline.Status, s.Jobs[0].Status = ci.Running, ci.Running
						err := db.Apply(b.Context(), ci.Changes{Pipeline: s.Pipeline, Jobs: s.Jobs[:1], Moved: true}, 1)
						if err != nil {
							b.Error(err)
							return
						}
						s.Pipeline.Version++
					}
				})
			})
		})
	}
}

func BenchmarkTriggerByDigest(b *testing.B) {
	db, count := openCounted(b)
	w := storetest.NewWorld(b, db)
	var digest []byte
	for i := range 1000 {
		trigger := w.NewTrigger(i)
		digest = trigger.Digest
		if _, err := db.CreateTrigger(b.Context(), trigger, ci.MaxTriggers); err != nil {
			b.Fatal(err)
		}
	}
	measure(b, count, func() {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := db.View().TriggerByDigest(b.Context(), digest); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkRole(b *testing.B) {
	db, count := openCounted(b)
	w := storetest.NewWorld(b, db)
	measure(b, count, func() {
		for range b.N {
			if role, err := db.View().Role(b.Context(), w.User.ID, w.Project); err != nil || role != ci.Owner {
				b.Fatal(role, err)
			}
		}
	})
}
