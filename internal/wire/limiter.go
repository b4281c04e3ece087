package wire

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// LimiterConfig says how many takes each key has.
type LimiterConfig struct {
	PerMinute int              // steady rate and burst; 30 when 0
	Keys      int              // how many keys are remembered; the least recently seen is forgotten first; 10,000 when 0
	Now       func() time.Time // time.Now when nil
}

// A Limiter counts what must not happen too often, such as unknown tokens from
// one address. Only misses are to be taken from it: a right token is never
// refused for the mistakes of others behind the same address.
type Limiter struct {
	cfg LimiterConfig

	mu    sync.Mutex // protects all fields below
	order *list.List // of *bucket, most recently seen first
	keys  map[string]*list.Element
}

type bucket struct {
	key  string
	rate *rate.Limiter
}

// NewLimiter returns a Limiter in which every key is fresh.
func NewLimiter(cfg LimiterConfig) *Limiter {
	if cfg.PerMinute == 0 {
		cfg.PerMinute = 30
	}
	if cfg.Keys == 0 {
		cfg.Keys = 10_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Limiter{cfg: cfg, order: list.New(), keys: make(map[string]*list.Element)}
}

// Take uses up one of key's takes. When there is none it reports false and how
// long it lasts until there is one again.
func (l *Limiter) Take(key string) (ok bool, retryAfter time.Duration) {
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	take := l.bucket(key).rate.ReserveN(now, 1)
	delay := take.DelayFrom(now)
	if delay <= 0 {
		return true, 0
	}
	take.CancelAt(now)
	return false, delay
}

// Give gives a take back to key: for attempts that are taken before it is known
// whether they are misses.
func (l *Limiter) Give(key string) {
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket(key).rate.ReserveN(now, -1)
}

func (l *Limiter) bucket(key string) *bucket {
	if e, ok := l.keys[key]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if l.order.Len() >= l.cfg.Keys {
		oldest := l.order.Remove(l.order.Back()).(*bucket)
		delete(l.keys, oldest.key)
	}
	b := &bucket{key, rate.NewLimiter(rate.Limit(float64(l.cfg.PerMinute)/60), l.cfg.PerMinute)}
	l.keys[key] = l.order.PushFront(b)
	return b
}

// LimitKey is the key of a client for a Limiter: its IPv4 address, or the /64 of
// its IPv6 address, since one customer commonly has all of that.
func LimitKey(addr netip.Addr) string {
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addrText(addr)
}

// TooMany is the 429 for a Limiter's refusal.
func TooMany(retryAfter time.Duration) error {
	return Later(&ci.Error{Kind: ci.KindTooMany}, retryAfter)
}
