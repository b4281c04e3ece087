package git

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

// A pool shares cat-file processes: at most perRepository for one project and max
// over all. An idle process ends after idleFor, or earlier when another project needs
// its place. Callers that must wait are served in the order in which they came.
type pool struct {
	start         func(project int64) (*catFile, error)
	perRepository int
	max           int
	idleFor       time.Duration

	closing sync.WaitGroup // processes that are being ended in the background

	mu      sync.Mutex // protects all fields below
	live    map[int64]int
	total   int                  // sum of live
	idle    map[int64][]*catFile // newest last
	order   list.List            // of all idle *catFile, least recently used first
	waiting []*waiter
	closed  bool
}

// A waiter is a caller for whom there was neither a process nor a place for one.
type waiter struct {
	project int64
	granted chan *catFile // one value: a process, or nil for the right to start one
}

// acquire returns a process that the caller must release or discard.
func (p *pool) acquire(ctx context.Context, project int64) (*catFile, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	c, ok := p.grant(project)
	if ok {
		p.mu.Unlock()
		return p.orStart(c, project)
	}
	w := &waiter{project: project, granted: make(chan *catFile, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()

	select {
	case c, ok := <-w.granted:
		if !ok {
			return nil, ErrClosed
		}
		return p.orStart(c, project)
	case <-ctx.Done():
		p.withdraw(w)
		return nil, ctx.Err()
	}
}

// grant finds a process or a place for one; the caller holds the lock.
func (p *pool) grant(project int64) (c *catFile, ok bool) {
	if list := p.idle[project]; len(list) > 0 {
		c := list[len(list)-1]
		p.unlist(c)
		return c, true
	}
	if p.live[project] >= p.perRepository {
		return nil, false
	}
	if p.total >= p.max {
		oldest := p.order.Front()
		if oldest == nil {
			return nil, false
		}
		p.end(oldest.Value.(*catFile))
	}
	p.live[project]++
	p.total++
	return nil, true
}

func (p *pool) orStart(c *catFile, project int64) (*catFile, error) {
	if c != nil {
		return c, nil
	}
	c, err := p.start(project)
	if err != nil {
		p.forget(project)
		return nil, err
	}
	return c, nil
}

// withdraw takes back the wish of a caller that went away, and what was granted meanwhile.
func (p *pool) withdraw(w *waiter) {
	p.mu.Lock()
	i := slices.Index(p.waiting, w)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		return
	}
	switch c, ok := <-w.granted; {
	case !ok: // the pool was closed
	case c != nil:
		p.release(c)
	default:
		p.forget(w.project)
	}
}

// release gives a sound process back.
func (p *pool) release(c *catFile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.used = true
	c.element = p.order.PushBack(c)
	p.idle[c.project] = append(p.idle[c.project], c)
	if p.closed {
		p.end(c)
		return
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(p.idleFor, func() { p.expire(c) })
	} else {
		c.timer.Reset(p.idleFor)
	}
	p.dispatch()
}

// discard frees the place of a process that the caller has closed.
func (p *pool) discard(c *catFile) { p.forget(c.project) }

// forget frees a place.
func (p *pool) forget(project int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free(project)
	p.dispatch()
}

// dispatch serves everybody who can be served now; the caller holds the lock.
func (p *pool) dispatch() {
	p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
		c, ok := p.grant(w.project)
		if ok {
			w.granted <- c
		}
		return ok
	})
}

func (p *pool) expire(c *catFile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.element != nil {
		p.end(c)
		p.dispatch()
	}
}

// evict ends the idle processes of a project whose repository goes away.
func (p *pool) evict(project int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range slices.Clone(p.idle[project]) {
		p.end(c)
	}
	p.dispatch()
}

// end closes an idle process in the background; the caller holds the lock.
func (p *pool) end(c *catFile) {
	p.unlist(c)
	p.free(c.project)
	p.closing.Go(c.close)
}

// unlist takes a process out of the idle ones; the caller holds the lock.
func (p *pool) unlist(c *catFile) {
	if c.timer != nil {
		c.timer.Stop()
	}
	p.order.Remove(c.element)
	c.element = nil
	list := p.idle[c.project]
	i := slices.Index(list, c)
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(p.idle, c.project)
	} else {
		p.idle[c.project] = list
	}
}

// free gives up a place; the caller holds the lock.
func (p *pool) free(project int64) {
	p.total--
	if p.live[project]--; p.live[project] == 0 {
		delete(p.live, project)
	}
}

// close ends all idle processes and waits for them; those in use end when they are
// released.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, w := range p.waiting {
		close(w.granted)
	}
	p.waiting = nil
	for p.order.Len() > 0 {
		p.end(p.order.Front().Value.(*catFile))
	}
	p.mu.Unlock()
	p.closing.Wait()
}
