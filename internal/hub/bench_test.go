package hub

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// BenchmarkWakeQueue is from a new job to the return of the one waiter that gets
// it, among many; the loser's way back is part of it.
func BenchmarkWakeQueue(b *testing.B) {
	for _, n := range []int{1, 32, 500} {
		b.Run(fmt.Sprintf("waiters=%d", n), func(b *testing.B) {
			h := New("a")
			ctx, cancel := context.WithCancel(b.Context())
			woken, gone := make(chan struct{}), make(chan struct{}, n)
			for range n {
				w := h.Listen(func(q ci.Queue) bool { return q.ProjectID == 1 })
				go func() {
					defer func() { gone <- struct{}{} }()
					defer w.Stop()
					for w.Wait(ctx) {
						woken <- struct{}{}
					}
				}()
			}
			job := queue(1, "linux")
			b.ReportAllocs()
			for b.Loop() {
				h.WakeQueue(job, 1)
				<-woken
			}
			cancel()
			for range n {
				<-gone
			}
		})
	}
}

// BenchmarkWakeNobody is a new job whose queue none of the waiters can take.
func BenchmarkWakeNobody(b *testing.B) {
	for _, n := range []int{1, 32, 500} {
		b.Run(fmt.Sprintf("waiters=%d", n), func(b *testing.B) {
			h := New("a")
			for range n {
				defer h.Listen(of(2)).Stop()
			}
			b.ReportAllocs()
			for b.Loop() {
				h.WakeQueue(queue(1), 1)
			}
		})
	}
}

// BenchmarkLink is from a wake-up in one process to its receiver in another, with
// nothing between them that takes time; the outbox, and the text and its reading, are
// part of it.
func BenchmarkLink(b *testing.B) {
	l, from, to := newLine(), New("a"), New("b")
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	for _, h := range []*Hub{from, to} {
		running.Go(func() { h.Run(ctx, Link{Send: l.send, Receive: l.receive, Logger: slog.New(slog.DiscardHandler)}) })
	}
	changed, stop := to.Watch(7)
	defer stop()
	for heard, sent := false, false; !heard || !sent; { // until one listens and the other sends
		from.WakePipeline(1, 7)
		select {
		case <-changed:
			heard = true
		case <-time.After(10 * time.Millisecond):
		}
		sent = sent || len(l.texts()) > 0
	}
	b.ReportAllocs()
	for b.Loop() {
		from.WakePipeline(1, 7)
		<-changed
	}
	cancel()
	running.Wait()
}

// BenchmarkOutbox is many wake-ups in one text.
func BenchmarkOutbox(b *testing.B) {
	h := New("a")
	h.out.open = true
	keys := make([]ci.Queue, 100)
	for i := range keys {
		keys[i] = queue(ci.ProjectID(i), "linux")
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range keys {
			h.WakePipeline(1, ci.PipelineID(i))
			h.WakeQueue(keys[i], 1)
		}
		if _, err := h.out.take("a"); err != nil {
			b.Fatal(err)
		}
	}
}
