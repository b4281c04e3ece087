package wire

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := NewLimiter(LimiterConfig{Now: func() time.Time { return clock }})
	for i := range 30 {
		if ok, _ := l.Take("a"); !ok {
			t.Fatalf("take %d was refused", i+1)
		}
	}
	for range 3 { // refusals cost nothing
		if ok, after := l.Take("a"); ok || after != 2*time.Second {
			t.Errorf("got %v %v, want false 2s", ok, after)
		}
	}
	if ok, _ := l.Take("b"); !ok {
		t.Error("another key was refused")
	}
	clock = clock.Add(1500 * time.Millisecond)
	if ok, after := l.Take("a"); ok || after != 500*time.Millisecond {
		t.Errorf("got %v %v, want false 500ms", ok, after)
	}
	clock = clock.Add(500 * time.Millisecond)
	if ok, _ := l.Take("a"); !ok {
		t.Error("refused after the wait")
	}
	clock = clock.Add(time.Hour)
	taken := 0
	for range 100 {
		if ok, _ := l.Take("a"); ok {
			taken++
		}
	}
	if taken != 30 {
		t.Errorf("after an hour: got %d takes, want 30", taken)
	}
}

func TestLimiterTakesBack(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := NewLimiter(LimiterConfig{PerMinute: 2, Now: func() time.Time { return clock }})
	for i := range 100 {
		if ok, _ := l.Take("a"); !ok {
			t.Fatalf("attempt %d was refused although all before it were given back", i+1)
		}
		l.Give("a")
	}
	l.Give("a")
	l.Give("a")
	taken := 0
	for range 10 {
		if ok, _ := l.Take("a"); ok {
			taken++
		}
	}
	if taken != 2 {
		t.Errorf("after more was given than taken: got %d takes, want 2", taken)
	}
}

func TestLimiterForgetsTheLeastRecentlySeen(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := NewLimiter(LimiterConfig{PerMinute: 1, Keys: 2, Now: func() time.Time { return clock }})
	l.Take("a")
	l.Take("b")
	l.Take("a") // refused, but seen
	l.Take("c") // b is forgotten
	if ok, _ := l.Take("a"); ok {
		t.Error("a was forgotten")
	}
	if ok, _ := l.Take("b"); !ok {
		t.Error("b was remembered")
	}
	for i := range 1000 {
		l.Take(fmt.Sprint(i))
	}
	if len(l.keys) != 2 || l.order.Len() != 2 {
		t.Errorf("got %d keys and %d in order, want 2", len(l.keys), l.order.Len())
	}
}

func TestLimiterIsSafeForConcurrentUse(t *testing.T) {
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := NewLimiter(LimiterConfig{PerMinute: 50, Now: func() time.Time { return clock }})
	var mu sync.Mutex
	var group sync.WaitGroup
	taken := 0
	for range 8 {
		group.Go(func() {
			for range 20 {
				if ok, _ := l.Take("a"); ok {
					mu.Lock()
					taken++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if taken != 50 {
		t.Errorf("got %d takes, want 50", taken)
	}
}

func TestLimitKey(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::/64",
		"2001:db8:1:3:ffff::1": "2001:db8:1:3::/64",
	} {
		if got := LimitKey(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if got := LimitKey(netip.Addr{}); got != "unknown" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := NewLimiter(LimiterConfig{Keys: 1000})
	keys := make([]string, 2000)
	for i := range keys {
		keys[i] = fmt.Sprint("10.0.0.", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		l.Take(keys[i%len(keys)])
		i++
	}
}
