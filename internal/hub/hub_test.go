package hub

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func queue(project ci.ProjectID, tags ...string) ci.Queue {
	return ci.Queue{ProjectID: project, Tags: tags}
}

// of matches the queues of one project.
func of(project ci.ProjectID) func(ci.Queue) bool {
	return func(q ci.Queue) bool { return q.ProjectID == project }
}

// waits starts n waiters that wait once and gives how many were woken, when asked.
func waits(t *testing.T, h *Hub, n int, match func(ci.Queue) bool) (woken func() int) {
	t.Helper()
	var mu sync.Mutex
	count := 0
	for range n {
		w := h.Listen(match)
		go func() {
			defer w.Stop()
			if w.Wait(t.Context()) {
				w.Took(queue(1)) // each of these tests has one queue
				mu.Lock()
				count++
				mu.Unlock()
			}
		}()
	}
	synctest.Wait()
	return func() int {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

func TestWakesAsManyAsThereAreJobs(t *testing.T) {
	for _, test := range []struct{ waiters, jobs, want int }{
		{5, 1, 1}, {5, 3, 3}, {2, 5, 2}, {0, 3, 0}, {3, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := New("a")
			defer h.Close()
			woken := waits(t, h, test.waiters, of(1))
			h.WakeQueue(queue(1), test.jobs)
			if got := woken(); got != test.want {
				t.Errorf("%d waiters, %d jobs: got %d woken, want %d", test.waiters, test.jobs, got, test.want)
			}
		})
	}
}

func TestWakesOnlyThoseThatMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New("a")
		defer h.Close()
		others, right := waits(t, h, 3, of(2)), waits(t, h, 1, of(1))
		h.WakeQueue(queue(1), 5)
		if got := others(); got != 0 {
			t.Errorf("got %d of another project woken, want 0", got)
		}
		if got := right(); got != 1 {
			t.Errorf("got %d woken, want 1", got)
		}
		h.WakeAll()
		if got := others(); got != 3 {
			t.Errorf("wake all: got %d woken, want 3", got)
		}
	})
}

func TestWakeUpDuringTheLook(t *testing.T) {
	h := New("a")
	w := h.Listen(of(1))
	defer w.Stop()
	h.WakeQueue(queue(1), 1) // comes after the look and before the wait
	if !w.Wait(t.Context()) {
		t.Fatal("the wake-up is lost")
	}
}

func TestWaiterThatWaitsGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New("a")
		defer h.Close()
		looks := h.Listen(of(1)) // was there first, but is busy
		defer looks.Stop()
		woken := waits(t, h, 1, of(1))
		h.WakeQueue(queue(1), 1)
		if got := woken(); got != 1 {
			t.Errorf("got %d woken, want the one that waits", got)
		}
	})
}

func TestUnusedWakeUpIsPassedOn(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(w *Waiter)
		want int
	}{
		{"took the job", func(w *Waiter) { w.Took(queue(1)) }, 0},
		{"took a job of another queue", func(w *Waiter) { w.Took(queue(1, "tag")) }, 1},
		{"went away", func(*Waiter) {}, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := New("a")
			defer h.Close()
			first := h.Listen(of(1))
			second := waits(t, h, 2, of(1))
			// The first one waits longest and gets it.
			ready := make(chan bool)
			go func() { ready <- first.Wait(t.Context()) }()
			synctest.Wait()
			h.WakeQueue(queue(1), 1)
			if !<-ready {
				t.Fatalf("%s: the first waiter was not woken", test.name)
			}
			test.end(first)
			first.Stop()
			first.Stop()
			if got := second(); got != test.want {
				t.Errorf("%s: got %d others woken, want %d", test.name, got, test.want)
			}
		})
	}
}

func TestClientThatGoesAwayPassesItsWakeUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New("a")
		defer h.Close()
		first := h.Listen(of(1))
		second := waits(t, h, 1, of(1))
		ctx, cancel := context.WithCancel(t.Context())
		h.mu.Lock()
		first.idle = true // as it is inside Wait
		h.mu.Unlock()
		h.WakeQueue(queue(1), 1)
		cancel()
		if first.Wait(ctx) {
			t.Error("a client that is gone was told to look")
		}
		first.Stop()
		if got := second(); got != 1 {
			t.Errorf("got %d others woken, want 1", got)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New("a")
		w := h.Listen(of(1))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		start := time.Now()
		if w.Wait(ctx) {
			t.Error("woken by nothing")
		}
		if got, want := time.Since(start), 50*time.Second; got != want {
			t.Errorf("waited %v, want %v", got, want)
		}
		w.Stop()
		woken := waits(t, h, 500, of(1))
		h.Close()
		h.Close()
		synctest.Wait()
		if got := woken(); got != 0 {
			t.Errorf("close: got %d told to look, want 0", got)
		}
		h.mu.Lock()
		if got := h.waiters.Len(); got != 0 {
			t.Errorf("close: got %d still waiting, want 0", got)
		}
		h.mu.Unlock()
		late := h.Listen(of(1))
		defer late.Stop()
		if late.Wait(t.Context()) {
			t.Error("woken by a closed hub")
		}
	})
}

func TestCursor(t *testing.T) {
	h := New("a")
	first := h.Listen(of(1))
	seen := first.Cursor()
	if got := h.Waiting(); got != 1 {
		t.Errorf("got %d waiting, want 1", got)
	}
	first.Stop()
	if got := h.Waiting(); got != 0 {
		t.Errorf("got %d waiting after Stop, want 0", got)
	}
	second := h.Listen(of(1))
	if got := second.Cursor(); got != seen {
		t.Errorf("nothing happened: got %s, want %s", got, seen)
	}
	h.WakeQueue(queue(1), 1)
	if got := second.Cursor(); got != seen {
		t.Errorf("the cursor moved during the look: got %s, want %s", got, seen)
	}
	if !second.Wait(t.Context()) {
		t.Fatal("not woken")
	}
	if got := second.Cursor(); got == seen {
		t.Errorf("after a wake-up: got %s again", got)
	}
	second.Stop()
	third := h.Listen(of(2))
	defer third.Stop()
	before := third.Cursor()
	h.WakeAll()
	fourth := h.Listen(of(2))
	defer fourth.Stop()
	if got := fourth.Cursor(); got == before {
		t.Errorf("after WakeAll: got %s again", got)
	}
	restarted := New("b").Listen(of(1))
	if restarted.Cursor() == seen {
		t.Error("another process gave the same cursor")
	}
}

// A world of pending jobs and runners that take one each, die or time out at the
// worst moments: at rest, no runner may wait for a job that is there.
func TestNoWakeUpIsEverLost(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{hub: New("a"), rand: rand.New(rand.NewPCG(seed, 1)), waiting: map[*Waiter]bool{}}
			ctx, cancel := context.WithCancel(t.Context())
			for range 80 {
				w.step(ctx)
				if w.chance(30) {
					w.pause()
				}
				if w.chance(20) {
					time.Sleep(time.Second) // longer than any look: the world is at rest
					w.check(t, seed)
				}
			}
			cancel()
			w.hub.Close()
			w.runners.Wait()
		})
	}
}

type world struct {
	hub     *Hub
	runners sync.WaitGroup

	mu      sync.Mutex // protects all fields below
	rand    *rand.Rand
	jobs    []ci.Queue
	waiting map[*Waiter]bool
}

var queues = []ci.Queue{queue(1), queue(1, "tag"), queue(2), queue(3)}

// step adds jobs or a runner.
func (w *world) step(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rand.IntN(5) < 2 {
		q, n := queues[w.rand.IntN(len(queues))], 1+w.rand.IntN(2)
		w.jobs = append(w.jobs, slices.Repeat([]ci.Queue{q}, n)...)
		w.hub.WakeQueue(q, n)
		return
	}
	bits := 1 + w.rand.IntN(1<<len(queues)-1)
	life := time.Duration(1+w.rand.IntN(3000)) * time.Millisecond
	w.runners.Go(func() { w.runner(ctx, bits, life) })
}

// runner polls until it has a job, dies, or its client goes away.
func (w *world) runner(ctx context.Context, bits int, life time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, life)
	defer cancel()
	match := func(q ci.Queue) bool {
		return bits&(1<<slices.IndexFunc(queues, func(o ci.Queue) bool { return o.Key() == q.Key() })) != 0
	}
	waiter := w.hub.Listen(match)
	defer waiter.Stop()
	for {
		w.pause()
		if w.chance(25) {
			return // an error of the database
		}
		if q, ok := w.take(ctx, match); ok {
			waiter.Took(q)
			return
		}
		w.pause()
		w.mark(waiter, true)
		woken := waiter.Wait(ctx)
		w.mark(waiter, false)
		if !woken {
			return
		}
	}
}

// take is the claim: it gives the first job that matches, at the time it looks.
func (w *world) take(ctx context.Context, match func(ci.Queue) bool) (ci.Queue, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.jobs, match)
	if i < 0 || ctx.Err() != nil {
		return ci.Queue{}, false
	}
	q := w.jobs[i]
	w.jobs = slices.Delete(w.jobs, i, i+1)
	return q, true
}

func (w *world) pause() {
	w.mu.Lock()
	d := time.Duration(w.rand.IntN(30)) * time.Millisecond
	w.mu.Unlock()
	time.Sleep(d)
}

func (w *world) chance(percent int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(100) < percent
}

func (w *world) mark(waiter *Waiter, waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[waiter] = waiting
}

// check looks for a waiter that could have a job.
func (w *world) check(t *testing.T, seed uint64) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for waiter, waiting := range w.waiting {
		if waiting && slices.ContainsFunc(w.jobs, waiter.match) {
			t.Fatalf("seed %d: a runner waits although there is work for it: %v", seed, w.jobs)
		}
	}
}

func TestWatch(t *testing.T) {
	h := New("a")
	changed, stop := h.Watch(7)
	other, stopOther := h.Watch(8)
	defer stopOther()
	log, stopLog := h.WatchLog(7)
	defer stopLog()
	for range 3 {
		h.WakePipeline(1, 7)
	}
	if got := len(changed); got != 1 {
		t.Errorf("three wake-ups: got %d to receive, want 1", got)
	}
	if len(other) != 0 || len(log) != 0 {
		t.Error("others were woken")
	}
	<-changed
	h.WakeLog(7)
	if len(changed) != 0 || len(log) != 1 {
		t.Errorf("wake of the log: got %d and %d, want 0 and 1", len(changed), len(log))
	}
	stop()
	stop()
	h.WakePipeline(1, 7)
	if len(changed) != 0 {
		t.Error("woken after stop")
	}
	h.pipelines.mu.Lock()
	if got := len(h.pipelines.watches); got != 1 {
		t.Errorf("after stop: got %d pipelines watched, want 1", got)
	}
	h.pipelines.mu.Unlock()
}

func TestCloseEndsWatches(t *testing.T) {
	h := New("a")
	changed, stop := h.Watch(7)
	h.Close()
	if _, open := <-changed; open {
		t.Error("the channel is still open")
	}
	stop()
	h.WakePipeline(1, 7)
	late, stopLate := h.WatchLog(7)
	if _, open := <-late; open {
		t.Error("a late watch is open")
	}
	stopLate()
	<-h.Done()
}

func TestWatchersComeAndGo(t *testing.T) {
	h := New("a")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 500 {
				_, stop := h.Watch(1)
				h.WakePipeline(1, 1)
				stop()
			}
		})
	}
	wait.Wait()
	if got := len(h.pipelines.watches); got != 0 {
		t.Errorf("got %d left, want 0", got)
	}
}
