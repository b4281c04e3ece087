package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/git"
)

// Intervals of the care of repositories. It has a loop and a lease of its own, since
// packing a large repository takes minutes, and delayed jobs must not wait for it.
const (
	tidyEvery  = time.Hour
	tidyFirst  = time.Minute    // after the start, which has other things to do
	tidyHeld   = tidyEvery / 2  // the lease: who has it tidies for all, once an hour
	leftovers  = 24 * time.Hour // what is older and unfinished belongs to nobody any more
	tidyAtOnce = 50             // repositories packed in one round
)

// tidyRepositories keeps repositories in good order until ctx ends.
func (e *Engine) tidyRepositories(ctx context.Context, holder string) {
	timer := time.NewTimer(tidyFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(tidyEvery)
		leads, err := e.store.Lease(ctx, "repositories", holder, tidyHeld)
		if err != nil || !leads {
			e.report(ctx, "take the lease of repositories", err)
			continue
		}
		_, err = e.git.Sweep(ctx, leftovers, e.now())
		e.report(ctx, "sweep repositories", err)
		e.report(ctx, "pack repositories", e.packRepositories(ctx))
	}
}

// packRepositories packs those that many small pushes have filled with loose objects.
func (e *Engine) packRepositories(ctx context.Context) error {
	ids, err := e.view.ProjectIDs(ctx)
	if err != nil {
		return fmt.Errorf("list projects: %w", err)
	}
	var problems []error
	packed := 0
	for _, id := range ids {
		if ctx.Err() != nil || packed == tidyAtOnce {
			break
		}
		untidy, err := e.git.Untidy(int64(id))
		if err == nil && untidy {
			packed++
			if err = e.git.Pack(ctx, int64(id)); errors.Is(err, git.ErrNoRepository) { // deleted meanwhile
				err = nil
			}
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
