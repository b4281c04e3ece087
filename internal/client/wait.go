package client

import (
	"context"
	"errors"
	"time"
)

// A patience is how often and how long something is tried.
type patience struct {
	first, most time.Duration // between two tries: doubled from first up to most
	whole       time.Duration // all in all
}

// triggerTries is for a server that restarts; pollTries for one that a long wait
// should outlast.
var (
	triggerTries = patience{first: 200 * time.Millisecond, most: time.Second, whole: 3 * time.Second}
	pollTries    = patience{first: time.Second, most: 5 * time.Second, whole: time.Minute}
)

// again calls try until it succeeds, is refused for good, or patience ends.
func again(ctx context.Context, p patience, try func() error) error {
	begun, wait := time.Now(), p.first
	for {
		err := try()
		if err == nil || !passing(err) || ctx.Err() != nil || time.Since(begun)+wait > p.whole {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, p.most)
	}
}

// passing reports whether the next try may go better: the server was not reached,
// or not well. A 500 is not: it would do the same again.
func passing(err error) bool {
	refused, ok := errors.AsType[*Refused](err)
	return !ok || refused.Status == 429 || refused.Status >= 502
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Wait calls seen with the jobs of a pipeline whenever it has looked, until the
// pipeline is done or seen fails. A server that cannot be reached is tried for a
// minute. The pipeline that is returned is as it was seen last, after an error too.
func (c *Client) Wait(ctx context.Context, project string, p Pipeline, seen func(Pipeline, []Job) error) (Pipeline, error) {
	begun := time.Now()
	for {
		var jobs []Job
		err := again(ctx, pollTries, func() error {
			now, err := c.Pipeline(ctx, project, p.ID)
			if err != nil {
				return err
			}
			p = now // before the jobs, so that those of a pipeline that is done are all there
			jobs, err = c.Jobs(ctx, project, p.ID)
			return err
		})
		if err == nil {
			err = seen(p, jobs)
		}
		if err != nil || p.Done() {
			return p, err
		}
		if err := sleep(ctx, pollEvery(time.Since(begun))); err != nil {
			return p, err
		}
	}
}

// pollEvery is how often a pipeline is looked at: often at first, when somebody is
// likely to look on, and less often the longer it takes.
func pollEvery(waited time.Duration) time.Duration {
	return min(max(200*time.Millisecond, waited/100), 3*time.Second)
}
