package engine

import "sync"

// keyLocks keep what is done under one key in a row within this process. The zero
// value is ready to use.
type keyLocks[K comparable] struct {
	mu    sync.Mutex // protects what is below
	locks map[K]*keyLock
}

type keyLock struct {
	mu    sync.Mutex
	users int // protected by keyLocks.mu
}

// lock waits for the key's turn and returns what ends it.
func (k *keyLocks[K]) lock(key K) (unlock func()) {
	k.mu.Lock()
	l := k.locks[key]
	if l == nil {
		if k.locks == nil {
			k.locks = map[K]*keyLock{}
		}
		l = &keyLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
}
