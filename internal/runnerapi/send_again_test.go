package runnerapi

import (
	"fmt"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A log that lacks bytes which the runner has is asked for again, once
// (contract/runner-protocol.md 5).
func TestLogIsAskedForAgain(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	end := func(job taken, bytes int, status int) {
		t.Helper()
		a := w.send("PUT", fmt.Sprintf("/api/v4/jobs/%d", job.id), map[string]any{
			"token": job.token, "state": "success", "output": map[string]any{"bytesize": bytes},
		})
		if a.status != status {
			t.Errorf("the end of a log of %d bytes: got %d %s, want %d", bytes, a.status, a.body, status)
		}
	}
	lost := w.takeNew(token)
	w.patch(lost, 0, "hello ")
	end(lost, 11, 412)
	if a := w.patch(lost, 0, "hello world"); a.status != 416 || a.header.Get("Range") != "0-6" {
		t.Errorf("from the beginning: got %d and %q, want 416 and 0-6", a.status, a.header.Get("Range"))
	}
	w.patch(lost, 6, "world")
	end(lost, 11, 200)
	if got := w.log(lost.id); got != "hello world" {
		t.Errorf("the log is %q", got)
	}

	stubborn := w.takeNew(token)
	w.patch(stubborn, 0, "hello ")
	end(stubborn, 11, 412)
	end(stubborn, 11, 200)

	huge := w.takeNew(token) // more than a log may have: it was cut
	w.patch(huge, 0, "hello ")
	end(huge, 200_000_000, 200)
	whole := w.takeNew(token)
	w.patch(whole, 0, "hello ")
	end(whole, 6, 200)
}
