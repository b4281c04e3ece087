package hub

import (
	"container/list"
	"context"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Waiter is one long poll of a runner. It is used like this, from one
// goroutine, and no wake-up gets lost:
//
//	w := hub.Listen(match) // before the first look
//	defer w.Stop()
//	for {
//		cursor := w.Cursor()
//		if job := look(ctx); job != nil {
//			w.Took(job.Queue())
//			return job
//		}
//		if !w.Wait(ctx) {
//			return nothing(cursor)
//		}
//	}
//
// Each new job of a queue wakes one waiter. That is enough because a wake-up is
// never dropped while somebody could use it: one that comes while its receiver
// looks makes Wait return at once, and one that its receiver did not use for a job
// of the queue it named (the client went away, another job came first) is passed
// on to the next waiter.
type Waiter struct {
	hub   *Hub
	match func(ci.Queue) bool
	ready chan struct{} // room for one: there is something in next
	place *list.Element

	// protected by hub.mu
	idle    bool   // inside Wait
	next    *wake  // given, not seen by Wait yet
	used    *wake  // what Wait returned for, until the look after it is over
	cursor  string // as it was before the current look
	stopped bool
}

// A wake is one wake-up. Its queue is nil when everybody got it, so that nobody
// needs to pass it on.
type wake struct{ queue *ci.Queue }

// Listen registers a waiter for the queues that match accepts. match is called
// while the Hub is locked: it must be quick and not call the Hub.
func (h *Hub) Listen(match func(ci.Queue) bool) *Waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &Waiter{hub: h, match: match, ready: make(chan struct{}, 1), cursor: h.cursor()}
	w.place = h.waiters.PushBack(w)
	return w
}

// Waiting is how many waiters there are.
func (h *Hub) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiters.Len()
}

// Cursor names the state of the queues before the current look, for the header
// X-GitLab-Last-Update. A client that shows the value that Cursor gives right
// after Listen has seen all there was: it may Wait without a look. Any other
// value, one of an earlier process too, means: look.
func (w *Waiter) Cursor() string {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	return w.cursor
}

// Wait says that the last look found nothing, and returns true when it is time
// for another. It returns false when ctx ends or the Hub is closed; then the
// waiter is of no more use.
func (w *Waiter) Wait(ctx context.Context) bool {
	w.hub.mu.Lock()
	w.idle, w.used = true, nil
	w.hub.mu.Unlock()
	woken := false
	select {
	case <-w.ready:
		woken = ctx.Err() == nil
	case <-ctx.Done():
	case <-w.hub.done:
	}
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.idle = false
	if !woken {
		return false // what came meanwhile stays in next, for Stop to pass on
	}
	w.used, w.next = w.next, nil
	w.cursor = w.hub.cursor()
	return true
}

// Took says that the last look found a job of this queue and that it is taken.
func (w *Waiter) Took(queue ci.Queue) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if w.used != nil && w.used.queue != nil && w.used.queue.Key() == queue.Key() {
		w.used = nil
	}
}

// Stop removes the waiter and passes on what it was told and did not use. It may
// be called more than once.
func (w *Waiter) Stop() {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.stopped {
		return
	}
	w.stopped = true
	h.waiters.Remove(w.place)
	for _, unused := range []*wake{w.used, w.next} {
		if unused != nil && unused.queue != nil {
			h.wakeSome(*unused.queue, 1)
		}
	}
}

// WakeQueue says that a queue got n new jobs. It wakes at most n of the waiters
// that can take them, in each process: who loses the race for a job waits on.
func (h *Hub) WakeQueue(queue ci.Queue, n int) {
	h.WakeQueueHere(queue, n)
	h.out.add(func() { h.out.queues[queue.Key()] += n })
}

// WakeQueueHere is WakeQueue for the waiters of this process alone.
func (h *Hub) WakeQueueHere(queue ci.Queue, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	h.wakeSome(queue, n)
}

// WakeAll tells every waiter to look: for changes that are not a new job, such as
// the settings of a runner, and after wake-ups may have been lost on their way
// from another process.
func (h *Hub) WakeAll() {
	h.wakeWaiters()
	h.out.add(func() { h.out.waiters = true })
}

// wakeWaiters is WakeAll for the waiters of this process.
func (h *Hub) wakeWaiters() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	for e := h.waiters.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*Waiter); w.next == nil {
			w.give(&wake{})
		}
	}
}

// wakeSome gives n wake-ups to waiters that match and have none: first to those
// that wait, then to those that look at the moment, since what they look at may
// be older. Where every match has one already, each of them will look after now,
// and finds what this one is about. The caller holds mu.
func (h *Hub) wakeSome(queue ci.Queue, n int) {
	var busy []*Waiter
	for e := h.waiters.Front(); e != nil && n > 0; e = e.Next() {
		w := e.Value.(*Waiter)
		switch {
		case w.next != nil || !w.match(queue):
		case w.idle:
			w.give(&wake{queue: &queue})
			n--
		default:
			busy = append(busy, w)
		}
	}
	for _, w := range busy[:max(min(n, len(busy)), 0)] { // n of a notice may be anything
		w.give(&wake{queue: &queue})
	}
}

// give hands a wake-up to a waiter that has none. The caller holds mu.
func (w *Waiter) give(next *wake) {
	w.next = next
	w.ready <- struct{}{} // has room, since next was empty
}
