package runnerapi

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// TestClaimTakesFewStatements holds how many statements of the database it takes to
// hand out a job, so that nobody adds one to the path of every job unseen.
func TestClaimTakesFewStatements(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	for range 3 {
		w.start(ci.Variable{Key: "A", Value: "b"})
	}
	w.take(token) // the first contact costs more
	var job taken
	for _, c := range []struct {
		what string
		most int
		run  func()
	}{
		{"job", 4, func() { job = w.take(token) }},
		{"log, first contact of the job", 9, func() { w.patch(job, 0, "hello\n") }},
		{"log", 1, func() { w.patch(job, 6, "world\n") }},
		{"finish", 9, func() { w.finish(job, "success") }},
		{"job again", 4, func() { w.take(token) }},
		{"no job", 2, func() {
			w.send("POST", "/api/v4/jobs/request", map[string]any{"token": token, "system_id": "s_test"})
		}},
	} {
		got := w.during(c.run)
		if got > c.most {
			t.Errorf("%s: got %d statements, want at most %d", c.what, got, c.most)
		}
	}
}

// BenchmarkRequestJob is from a new pipeline to the job in a runner's hands: its
// request waits, with others beside it that get nothing.
func BenchmarkRequestJob(b *testing.B) {
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("waiting=%d", n), func(b *testing.B) {
			w := newWorld(b, oneJob, options{pollTime: time.Hour})
			_, token := w.runner(engine.RunnerSettings{})
			ctx, stop := context.WithCancel(b.Context())
			got := make(chan taken)
			var pollers sync.WaitGroup
			for i := range n {
				pollers.Go(func() {
					p := poller{world: w, token: token, system: fmt.Sprint("s_", i), cursor: "x"}
					for ctx.Err() == nil {
						if _, job := p.ask(ctx); job.id != 0 {
							got <- job
						}
						p.cursor = "x"
					}
				})
			}
			w.waiting(n)
			taking := time.Duration(0)
			b.ResetTimer()
			for b.Loop() {
				w.start()
				start := time.Now()
				<-got
				taking += time.Since(start)
			}
			b.StopTimer()
			b.ReportMetric(float64(taking.Microseconds())/float64(b.N), "µs/from-created")
			stop()
			pollers.Wait()
		})
	}
}

// BenchmarkTakeJob is one request when jobs are there, by one runner and by 32 at
// once.
func BenchmarkTakeJob(b *testing.B) {
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("runners=%d", n), func(b *testing.B) {
			w := newWorld(b, oneJob, options{})
			_, token := w.runner(engine.RunnerSettings{})
			for range b.N + 1 {
				w.start()
			}
			w.take(token)
			jobs := make(chan struct{}, b.N)
			for range b.N {
				jobs <- struct{}{}
			}
			close(jobs)
			var statements int
			b.ResetTimer()
			statements = w.during(func() {
				var runners sync.WaitGroup
				for i := range n {
					runners.Go(func() {
						p := poller{world: w, token: token, system: fmt.Sprint("s_", i)}
						for range jobs {
							if a, job := p.ask(b.Context()); job.id == 0 {
								b.Errorf("got %d %s, want a job", a.status, a.body)
								return
							}
						}
					})
				}
				runners.Wait()
			})
			b.StopTimer()
			b.ReportMetric(float64(statements)/float64(b.N), "statements/op")
		})
	}
}

// BenchmarkAppendLog is one piece of 16 KiB.
func BenchmarkAppendLog(b *testing.B) {
	w := newWorld(b, oneJob, options{logBytes: 1 << 40})
	_, token := w.runner(engine.RunnerSettings{})
	job := w.takeNew(token)
	piece, offset := strings.Repeat("0123456789abcde\n", 1024), 0
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		if a := w.patch(job, offset, piece); a.status != 202 {
			b.Fatalf("got %d %s", a.status, a.body)
		}
		offset += len(piece)
	}
}
