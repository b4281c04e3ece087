package trace

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// A crash: the file is opened again as the process left it.
func TestCrash(t *testing.T) {
	c := config(t)
	c.TailBytes = 64
	// A crash must not show the end of a secret that was held back since it could have
	// been the beginning of the next.
	const secret = "abc-hunter-abc"
	text := strings.Repeat("the password is "+secret+", and it is printed often: "+secret+secret+" abc\n", 5)
	want := strings.ReplaceAll(text, secret, strings.Repeat("x", len(secret)))
	for cut := 1; cut < len(text); cut += 7 {
		job := int64(cut)
		before := open(t, c)
		add(t, before, job, text[:cut], secret)
		after := open(t, c) // beside the first one, which is never heard of again
		stored, err := after.Stored(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if stored > int64(cut) || stored < int64(cut-len(secret)) {
			t.Fatalf("cut at %d: got %d stored, want at most a secret less", cut, stored)
		}
		add(t, after, job, text[stored:], secret)
		if ok, err := after.Finish(t.Context(), job, crcOf(text), int64(len(text))); err != nil || !ok {
			t.Errorf("cut at %d: finish: got %v, %v", cut, ok, err)
		}
		if got := all(t, after, job); got != want {
			t.Errorf("cut at %d: got %q, want %q", cut, got, want)
		}
	}
}

func TestCrashDuringSeal(t *testing.T) {
	c := config(t)
	c.TailBytes = 10
	logs := open(t, c)
	add(t, logs, 7, "0123456789")
	const key = "0123456789abcdef0123456789abcdef"
	if err := logs.tails.Do(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`insert into log_trash (blob_key, ready) values ($1, 0)`, key)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Blobs.Put(t.Context(), key, strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	if removed, err := logs.Sweep(t.Context(), 10); err != nil || removed != 0 {
		t.Errorf("sweep while the blob is being written: got %d, %v, want 0", removed, err)
	}
	again := open(t, c)
	if removed, err := again.Sweep(t.Context(), 10); err != nil || removed != 1 {
		t.Errorf("sweep after a restart: got %d, %v, want 1", removed, err)
	}
	if got, want := all(t, again, 7), "0123456789"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Jobs write at once and readers read what grows; a log that nobody remembers is
// loaded again.
func TestConcurrency(t *testing.T) {
	c := config(t)
	c.TailBytes, c.Logs = 300, 3
	logs := open(t, c)
	const jobs, lines = 8, 60
	var want bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&want, "line %d of a job\n", i)
	}
	var wait sync.WaitGroup
	for job := range int64(jobs) {
		wait.Go(func() { write(t, logs, job, want.Bytes()) })
		wait.Go(func() {
			for range 20 {
				if got := all(t, logs, job); !strings.HasPrefix(want.String(), got) {
					t.Errorf("job %d: read %q", job, got)
				}
			}
		})
	}
	wait.Wait()
	for job := range int64(jobs) {
		if got := all(t, logs, job); got != want.String() {
			t.Errorf("job %d: got %d bytes, want %d", job, len(got), want.Len())
		}
	}
	if len(logs.states) > c.Logs {
		t.Errorf("got %d states in memory, want %d at most", len(logs.states), c.Logs)
	}
}

// write sends a log as a runner does: small pieces, going on from where it is told.
func write(t *testing.T, logs *Traces, job int64, data []byte) {
	for at := int64(0); at < int64(len(data)); {
		end := min(at+17, int64(len(data)))
		length, err := logs.Append(t.Context(), job, at, data[at:end], []string{"no such secret"})
		var mismatch *Mismatch
		if err != nil && !errors.As(err, &mismatch) {
			t.Errorf("job %d: %v", job, err)
			return
		}
		at = length
	}
	if ok, err := logs.Finish(t.Context(), job, crcOf(string(data)), int64(len(data))); err != nil || !ok {
		t.Errorf("job %d: finish: got %v, %v", job, ok, err)
	}
}

// The same bytes twice at once: one is added, the other refused.
func TestSameAppendTwice(t *testing.T) {
	logs := open(t, config(t))
	var wait sync.WaitGroup
	var added atomic.Int64
	for range 10 {
		wait.Go(func() {
			if _, err := logs.Append(t.Context(), 7, 0, []byte("once\n"), nil); err == nil {
				added.Add(1)
			}
		})
	}
	wait.Wait()
	if got := all(t, logs, 7); got != "once\n" || added.Load() != 1 {
		t.Errorf("got %q, added %d times, want once", got, added.Load())
	}
}
