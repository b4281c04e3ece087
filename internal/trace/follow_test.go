package trace

import (
	"context"
	"strings"
	"testing"
	"time"
)

// follow collects what Follow gives and signals when it ends.
func follow(t *testing.T, ctx context.Context, logs *Traces, job, offset int64, wake chan struct{}) (parts chan string, ended chan error) {
	t.Helper()
	parts, ended = make(chan string, 100), make(chan error, 1)
	go func() {
		var last error
		for data, err := range logs.Follow(ctx, job, offset, wake) {
			if last = err; err == nil {
				parts <- string(data)
			}
		}
		ended <- last
	}()
	return parts, ended
}

func expect(t *testing.T, parts chan string, want string) {
	t.Helper()
	select {
	case got := <-parts:
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing came, want %q", want)
	}
}

func ends(t *testing.T, parts chan string, ended chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil || len(parts) != 0 {
			t.Errorf("ended with %v and %d parts more, want none", err, len(parts))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
}

func TestFollowToTheEnd(t *testing.T) {
	logs := open(t, config(t))
	wake := make(chan struct{}, 1)
	parts, ended := follow(t, t.Context(), logs, 7, 0, wake) // before there is anything
	add(t, logs, 7, "first\n", "secret")
	wake <- struct{}{}
	expect(t, parts, "first\n")
	wake <- struct{}{} // for nothing
	add(t, logs, 7, "second sec", "secret")
	wake <- struct{}{}
	expect(t, parts, "second ")
	add(t, logs, 7, "ret\n", "secret")
	wake <- struct{}{}
	expect(t, parts, "xxxxxx\n")
	finish(t, logs, 7)
	wake <- struct{}{}
	ends(t, parts, ended)
	parts, ended = follow(t, t.Context(), logs, 7, 6, nil) // a finished log needs no wake-ups
	expect(t, parts, "second xxxxxx\n")
	ends(t, parts, ended)
}

func TestFollowEnds(t *testing.T) {
	logs := open(t, config(t))
	add(t, logs, 7, "first\n")
	wake := make(chan struct{}, 1)
	parts, ended := follow(t, t.Context(), logs, 7, 0, wake)
	expect(t, parts, "first\n")
	close(wake) // the server drains
	ends(t, parts, ended)

	ctx, cancel := context.WithCancel(t.Context())
	parts, ended = follow(t, ctx, logs, 7, 0, nil)
	expect(t, parts, "first\n")
	cancel()
	ends(t, parts, ended)

	wake = make(chan struct{}, 1)
	parts, ended = follow(t, t.Context(), logs, 7, 0, wake)
	expect(t, parts, "first\n")
	if err := logs.Erase(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	wake <- struct{}{}
	ends(t, parts, ended)

	add(t, logs, 8, strings.Repeat("much\n", 100_000))
	for range logs.Follow(t.Context(), 8, 0, nil) {
		break // the reader has had enough
	}
}
