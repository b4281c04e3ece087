package engine

import "sync"

// A recent keeps the values used last: those of between size and twice size
// together. It has two generations; when the young one is full the old one goes,
// with all that nobody asked for meanwhile.
type recent[K comparable, V any] struct {
	size   int
	weight func(V) int // what a value counts for; nil: 1

	mu         sync.Mutex // protects all fields below
	young, old map[K]V
	load       int // of young
}

func newRecent[K comparable, V any](size int, weight func(V) int) *recent[K, V] {
	if weight == nil {
		weight = func(V) int { return 1 }
	}
	return &recent[K, V]{size: size, weight: weight, young: map[K]V{}, old: map[K]V{}}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.keep(key, v)
	}
	return v, ok
}

// put keeps a value instead of the one before it, unless it is heavier than size
// all by itself.
func (r *recent[K, V]) put(key K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.old, key)
	r.keep(key, v)
}

// keep stores an entry among the young; the caller holds mu.
func (r *recent[K, V]) keep(key K, v V) {
	if before, ok := r.young[key]; ok {
		r.load -= r.weight(before)
		delete(r.young, key)
	}
	if r.weight(v) > r.size {
		return
	}
	if r.load+r.weight(v) > r.size {
		r.old, r.young, r.load = r.young, map[K]V{}, 0
	}
	r.young[key] = v
	r.load += r.weight(v)
}
