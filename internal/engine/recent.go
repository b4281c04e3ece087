package engine

import "sync"

// A recent keeps the values used last: between size and twice size of them. It
// has two generations; when the young one is full the old one goes, with all that
// nobody asked for meanwhile.
type recent[K comparable, V any] struct {
	mu         sync.Mutex // protects the maps
	size       int
	young, old map[K]V
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, young: map[K]V{}, old: map[K]V{}}
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

func (r *recent[K, V]) put(key K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(key, v)
}

// keep stores an entry; the caller holds mu.
func (r *recent[K, V]) keep(key K, v V) {
	if len(r.young) >= r.size {
		r.old, r.young = r.young, map[K]V{}
	}
	r.young[key] = v
}
