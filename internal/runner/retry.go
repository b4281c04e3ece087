package runner

import (
	"context"
	"errors"
	"time"
)

// backoff spaces the tries of one call: the first pause, doubled each time up to max, until total has been spent waiting.
type backoff struct {
	first, max, total time.Duration
}

// retry calls until success, until an error that another try cannot change, until the pauses add up to
// more than total, or until ctx ends. It returns the last call's error.
func (b backoff) retry(ctx context.Context, call func() error) error {
	wait, spent := b.first, time.Duration(0)
	for {
		err := call()
		if err == nil || !transient(err) {
			return err
		}
		pause := max(wait, retryAfter(err))
		if spent += pause; spent > b.total {
			return err
		}
		if !sleep(ctx, pause) {
			return err
		}
		wait = min(wait*2, b.max)
	}
}

// transient reports whether the same call may succeed later: the server did not answer, or said so itself.
func transient(err error) bool {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.code == 408 || status.code == 409 || status.code == 429 || status.code >= 500
	}
	_, ok := errors.AsType[*transportError](err)
	return ok
}

func retryAfter(err error) time.Duration {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.retryAfter
	}
	return 0
}

// sleep waits and reports whether the time passed in full, that is, whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
