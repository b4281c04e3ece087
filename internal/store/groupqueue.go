package store

import (
	"context"
	"sync/atomic"
	"time"
)

// Committed is told of each group of writes that was committed or refused: how many
// they were and how long that took. It is called from the writer's goroutine and
// must not wait.
type Committed func(writes int, took time.Duration)

// A groupQueue hands what many callers want written to one goroutine, which takes
// whatever is queued as one group, without waiting for more: under load many
// callers share the cost of one durable commit, and a lone caller pays no waiting
// time.
type groupQueue[T any] struct {
	queue   chan *entry[T]
	stop    chan struct{} // closed by close: take no more
	stopped chan struct{} // closed when run has ended
	max     int           // entries of a group
	told    Committed     // may be nil
}

// An entry waits in a groupQueue.
type entry[T any] struct {
	value T
	state atomic.Int32 // queued, then begun or withdrawn
	done  chan error   // buffered: the goroutine never waits for a caller
}

const (
	queued int32 = iota
	begun
	withdrawn
)

func newGroupQueue[T any](max int, told Committed) *groupQueue[T] {
	return &groupQueue[T]{
		queue: make(chan *entry[T], max), stop: make(chan struct{}), stopped: make(chan struct{}), max: max, told: told,
	}
}

// put queues a value and waits for its answer. When ctx ends while it is still
// queued, it is withdrawn; once begun it runs to its end whatever ctx says.
func (q *groupQueue[T]) put(ctx context.Context, value T) error {
	select {
	case <-q.stop: // before the queue, which may have room
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	e := &entry[T]{value: value, done: make(chan error, 1)}
	select {
	case q.queue <- e:
	case <-ctx.Done():
		return ctx.Err()
	case <-q.stop:
		return ErrClosed
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		if e.state.CompareAndSwap(queued, withdrawn) {
			return ctx.Err()
		}
	case <-q.stopped:
		if e.state.CompareAndSwap(queued, withdrawn) {
			return ErrClosed
		}
	}
	return <-e.done
}

// run calls commit for one group after the other, until close; commit answers
// each entry. At the end it calls release.
func (q *groupQueue[T]) run(commit func([]*entry[T]), release func()) {
	defer close(q.stopped)
	defer release()
	group := make([]*entry[T], 0, q.max)
	for {
		select {
		case first := <-q.queue:
			group = q.take(append(group[:0], first))
			q.begin(group, commit)
		case <-q.stop:
			for group = q.take(group[:0]); len(group) > 0; group = q.take(group[:0]) {
				q.begin(group, commit)
			}
			return
		}
	}
}

// take adds what is queued to group, without waiting.
func (q *groupQueue[T]) take(group []*entry[T]) []*entry[T] {
	for len(group) < q.max {
		select {
		case e := <-q.queue:
			group = append(group, e)
		default:
			return group
		}
	}
	return group
}

// begin leaves out what was withdrawn and commits the rest.
func (q *groupQueue[T]) begin(group []*entry[T], commit func([]*entry[T])) {
	kept := group[:0]
	for _, e := range group {
		if e.state.CompareAndSwap(queued, begun) {
			kept = append(kept, e)
		}
	}
	if len(kept) == 0 {
		return
	}
	start := time.Now()
	commit(kept)
	if q.told != nil {
		q.told(len(kept), time.Since(start))
	}
}

// queued is how many entries nobody has taken yet.
func (q *groupQueue[T]) queued() int { return len(q.queue) }

// close lets what is queued finish and waits for it.
func (q *groupQueue[T]) close() {
	close(q.stop)
	<-q.stopped
}

func answer[T any](group []*entry[T], err error) {
	for _, e := range group {
		e.done <- err
	}
}
