package hub

import (
	"context"
	"fmt"
	"testing"

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
