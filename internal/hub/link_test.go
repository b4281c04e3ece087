package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A line is what hubs are linked by in tests: all that is sent reaches everybody who
// receives, unless it is cut.
type line struct {
	mu    sync.Mutex // protects all fields below
	sent  []string
	ears  map[chan string]bool
	cut   chan struct{} // closed to end what receives
	fails error         // of Send and of Receive
	slow  time.Duration // of Send
}

func newLine() *line { return &line{ears: map[chan string]bool{}, cut: make(chan struct{})} }

func (l *line) send(_ context.Context, texts []string) error {
	l.mu.Lock()
	slow, fails := l.slow, l.fails
	l.mu.Unlock()
	time.Sleep(slow)
	l.mu.Lock()
	defer l.mu.Unlock()
	if fails != nil {
		return fails
	}
	l.sent = append(l.sent, texts...)
	for ear := range l.ears {
		for _, text := range texts {
			ear <- text
		}
	}
	return nil
}

func (l *line) receive(ctx context.Context, listening func(), got func(string)) error {
	ear := make(chan string, 10_000)
	l.mu.Lock()
	cut, fails := l.cut, l.fails
	if fails == nil {
		l.ears[ear] = true
	}
	l.mu.Unlock()
	if fails != nil {
		return fails
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.ears, ear)
	}()
	listening()
	for {
		select {
		case text := <-ear:
			got(text)
		case <-cut:
			return io.ErrUnexpectedEOF
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lose ends the connections that receive, and keeps new ones from being made while err
// is not nil.
func (l *line) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.cut)
	l.cut, l.fails = make(chan struct{}), err
}

// mend lets connections be made again.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = nil
}

// texts gives what was sent since the last call.
func (l *line) texts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	texts := l.sent
	l.sent = nil
	return texts
}

// join links a hub until the test ends, and returns when it receives.
func (l *line) join(t *testing.T, h *Hub) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.Run(ctx, Link{Send: l.send, Receive: l.receive, Logger: slog.New(slog.DiscardHandler)}) })
	synctest.Wait()
	return func() { cancel(); running.Wait() }
}

// woken takes what a watch has and reports whether there was something.
func woken(changed <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// TestLinkCoalesces wakes the same ones many times while a text is on its way: what
// follows is one text in which each is named once.
func TestLinkCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, b := newLine(), New("a"), New("b")
		l.slow = time.Second
		defer l.join(t, a)()
		defer l.join(t, b)()
		changed, stop := b.Watch(7)
		defer stop()
		a.WakeLog(1) // is on its way for a second
		synctest.Wait()
		for range 1000 {
			a.WakePipeline(3, 7)
			a.WakeLog(5)
			a.WakeQueue(queue(3), 2)
		}
		time.Sleep(3 * time.Second)
		texts := l.texts()
		queues := 0
		var all wakes
		for _, text := range texts {
			var w wakes
			if err := json.Unmarshal([]byte(text), &w); err != nil {
				t.Fatal(err)
			}
			all.Pipelines, all.Projects, all.Logs = append(all.Pipelines, w.Pipelines...), append(all.Projects, w.Projects...), append(all.Logs, w.Logs...)
			queues += w.Queues[queue(3).Key()]
		}
		got, want := fmt.Sprint(len(texts), all.Pipelines, all.Projects, all.Logs, queues), "5 [7] [3] [1 5] 2000"
		if got != want {
			t.Errorf("texts, and whom they named: got %s, want %s", got, want)
		}
		if !woken(changed) {
			t.Error("the other hub was not woken")
		}
	})
}

// TestLinkWakesTheOthers holds who is woken by what, and that nobody is told back.
func TestLinkWakesTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		wake func(*Hub)
		want string
	}{
		"pipeline":     {func(h *Hub) { h.WakePipeline(1, 7) }, "pipeline project"},
		"log":          {func(h *Hub) { h.WakeLog(7) }, "log"},
		"queue":        {func(h *Hub) { h.WakeQueue(queue(1), 1) }, "waiter"},
		"other queue":  {func(h *Hub) { h.WakeQueue(queue(2), 1) }, ""},
		"here":         {func(h *Hub) { h.WakeQueueHere(queue(1), 1) }, ""},
		"all waiters":  {(*Hub).WakeAll, "waiter"},
		"another one":  {func(h *Hub) { h.WakePipeline(2, 8); h.WakeLog(8) }, ""},
		"long tags":    {func(h *Hub) { h.WakeQueue(queue(1, strings.Repeat("x", textBytes)), 1) }, "waiter"},
		"too many":     {func(h *Hub) { wakeMany(h) }, "pipeline project log waiter"},
		"several":      {func(h *Hub) { h.WakeLog(7); h.WakeQueue(queue(1), 1) }, "log waiter"},
		"nothing more": {func(*Hub) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, a, b := newLine(), New("a"), New("b")
				defer l.join(t, a)()
				defer l.join(t, b)()
				got := watched(t, b)
				own := watched(t, a)
				l.mu.Lock()
				l.slow = time.Second
				l.mu.Unlock()
				a.WakeLog(99) // is on its way while the rest is collected
				synctest.Wait()
				c.wake(a)
				own() // of what it was told here
				time.Sleep(3 * time.Second)
				if got := got(); got != c.want {
					t.Errorf("woken at the other hub: got %q, want %q", got, c.want)
				}
				if got := own(); got != "" {
					t.Errorf("woken by its own text: %q", got)
				}
			})
		})
	}
}

// wakeMany wakes more than an outbox names.
func wakeMany(h *Hub) {
	for i := range manyWakes + 1 {
		h.WakeLog(ci.JobID(100 + i))
	}
}

// watched watches pipeline 7, project 1, log 7 and has a waiter for project 1. It tells
// who was woken since it was last asked.
func watched(t *testing.T, h *Hub) func() string {
	t.Helper()
	pipeline, stopPipeline := h.Watch(7)
	project, stopProject := h.WatchProject(1)
	log, stopLog := h.WatchLog(7)
	waiter := h.Listen(of(1))
	t.Cleanup(func() { stopPipeline(); stopProject(); stopLog(); waiter.Stop() })
	return func() string {
		var words []string
		for _, of := range []struct {
			name    string
			changed <-chan struct{}
		}{{"pipeline", pipeline}, {"project", project}, {"log", log}} {
			if woken(of.changed) {
				words = append(words, of.name)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if waiter.Wait(ctx) {
			words = append(words, "waiter")
		} else {
			waiter.Stop()
			waiter = h.Listen(of(1))
		}
		return strings.Join(words, " ")
	}
}

// TestReconnectWakesAll loses the connection, does things that nobody hears of, and
// lets it be made again: everybody looks.
func TestReconnectWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := newLine(), New("a")
		defer l.join(t, h)()
		got := watched(t, h)
		if got := got(); got != "" {
			t.Fatalf("before anything happens: got %q woken", got)
		}
		l.lose(errors.New("nobody there"))
		time.Sleep(time.Minute)
		if got := got(); got != "" {
			t.Errorf("while there is no connection: got %q woken", got)
		}
		l.mend()
		time.Sleep(longestRetry)
		if got, want := got(), "pipeline project log waiter"; got != want {
			t.Errorf("once there is one: got %q woken, want %q", got, want)
		}
		time.Sleep(time.Minute)
		if got := got(); got != "" {
			t.Errorf("later: got %q woken", got)
		}
	})
}

// TestFailedSendWakesAll has texts that cannot be sent: when they can, everybody
// elsewhere looks, since what was in them is gone.
func TestFailedSendWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a, b := newLine(), New("a"), New("b")
		defer l.join(t, a)()
		defer l.join(t, b)()
		got := watched(t, b)
		l.mu.Lock()
		l.fails = errors.New("no") // of those that send; who receives goes on
		l.mu.Unlock()
		a.WakeLog(99)
		time.Sleep(time.Second)
		l.mend()
		time.Sleep(retrySend)
		if got, want := got(), "pipeline project log waiter"; got != want {
			t.Errorf("got %q woken, want %q", got, want)
		}
	})
}

// TestGarbage holds that a text which cannot be read makes everybody look, that one
// with things of a later version is read as far as it is known, and that neither does
// any other harm.
func TestGarbage(t *testing.T) {
	const all = "pipeline project log waiter"
	for text, want := range map[string]string{
		"":                                all,
		"garbage":                         all,
		`{"f":"b","p":"seven"}`:           all,
		`{"f":"b","q":{"no key":1}}`:      "waiter",
		`{"f":"b","p":[7],"new":{"x":1}}`: "pipeline",
		`{"f":"b"}`:                       "",
		`{"f":"a","p":[7],"a":true}`:      "",
		`{"f":"b","a":true}`:              all,
		`{"f":"b","q":{"` + strings.ReplaceAll(queue(1).Key(), `"`, `\"`) + `":-1}}`: "",
	} {
		synctest.Test(t, func(t *testing.T) {
			h := New("a")
			got := watched(t, h)
			h.got(text)
			if got := got(); got != want {
				t.Errorf("%s: got %q woken, want %q", text, got, want)
			}
		})
	}
}

// TestLastTextIsSent holds that what is in the outbox when a server ends is sent.
func TestLastTextIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := newLine(), New("a")
		leave := l.join(t, h)
		l.mu.Lock()
		l.slow = time.Second
		l.mu.Unlock()
		h.WakeLog(1)
		synctest.Wait()
		h.WakeLog(2) // waits for the one before
		leave()
		if got, want := fmt.Sprint(l.texts()), `[{"f":"a","l":[1]} {"f":"a","l":[2]}]`; got != want {
			t.Errorf("sent: got %s, want %s", got, want)
		}
	})
}

// TestTextsAreShort fills an outbox: each text is one that PostgreSQL takes, and
// together they name everything.
func TestTextsAreShort(t *testing.T) {
	h := New("0123456789abcdef0123456789abcdef")
	h.out.open = true
	pipelines, queues := map[ci.PipelineID]bool{}, map[string]int{}
	for i := range 2000 {
		id := ci.PipelineID(1<<62 + i)
		h.WakePipeline(ci.ProjectID(i), id)
		h.WakeQueue(queue(ci.ProjectID(i), `a "quoted" tag`, "b"), i)
		pipelines[id] = true
		queues[queue(ci.ProjectID(i), `a "quoted" tag`, "b").Key()] = i
	}
	texts, err := h.out.take(h.nonce)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if len(text) >= 8000 {
			t.Errorf("a text has %d bytes", len(text))
		}
		var w wakes
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			t.Fatal(err)
		}
		for _, id := range w.Pipelines {
			delete(pipelines, id)
		}
		maps.DeleteFunc(queues, func(key string, n int) bool { got, there := w.Queues[key]; return there && got == n })
	}
	if len(pipelines)+len(queues) > 0 {
		t.Errorf("%d pipelines and %d queues are in no text", len(pipelines), len(queues))
	}
	if again, err := h.out.take(h.nonce); len(again) > 0 || err != nil {
		t.Errorf("the outbox still has %s, %v", slices.Concat(again), err)
	}
}
