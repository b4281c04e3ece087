package hub

import (
	"maps"
	"slices"
	"sync"
)

// A topic has the watches of things of one kind. The zero value is ready for use.
type topic[K comparable] struct {
	mu      sync.Mutex // protects all fields below
	closed  bool
	watches map[K][]chan struct{} // each with room for one wake-up
}

// watch adds a watch.
func (t *topic[K]) watch(key K) (<-chan struct{}, func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := make(chan struct{}, 1)
	if t.closed {
		close(ch)
		return ch, func() {}
	}
	if t.watches == nil {
		t.watches = map[K][]chan struct{}{}
	}
	t.watches[key] = append(t.watches[key], ch)
	return ch, func() { t.drop(key, ch) }
}

// drop removes a watch that may be gone already.
func (t *topic[K]) drop(key K, ch chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	watches := t.watches[key]
	for i := range watches {
		if watches[i] != ch {
			continue
		}
		last := len(watches) - 1
		watches[i], watches[last] = watches[last], nil
		if t.watches[key] = watches[:last]; last == 0 {
			delete(t.watches, key)
		}
		return
	}
}

// wake tells every watch of key.
func (t *topic[K]) wake(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ch := range t.watches[key] {
		select {
		case ch <- struct{}{}:
		default: // it has not looked since the last one
		}
	}
}

// wakeAll tells every watch.
func (t *topic[K]) wakeAll() {
	t.mu.Lock()
	keys := slices.Collect(maps.Keys(t.watches))
	t.mu.Unlock()
	for _, key := range keys {
		t.wake(key)
	}
}

// close closes every watch.
func (t *topic[K]) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, watches := range t.watches {
		for _, ch := range watches {
			close(ch)
		}
	}
	t.watches = nil
}
