package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
)

// cancelRedundant cancels older pipelines of a branch, as each says itself, when
// there is one for its newest commit. It comes after the new pipeline is written and
// changes one older pipeline at a time. One that a crash leaves running is no worse
// off than before, and the next pipeline of the branch looks again.
func (e *Engine) cancelRedundant(ctx context.Context, by ci.Pipeline, older []ci.PipelineID) error {
	refs, err := e.view.RefsNamed(ctx, by.ProjectID, by.Ref)
	if err != nil {
		return fmt.Errorf("read branch of pipeline %d: %w", by.ID, err)
	}
	for _, ref := range refs {
		if !ref.Tag() && ref.SHA != by.SHA { // a newer commit has, or will have, a pipeline of its own
			return nil
		}
	}
	var problems []error
	for _, id := range older {
		_, err := e.change(ctx, id, func(s *ci.Snapshot) (ci.Changes, error) { return flow.Supersede(s, e.now()) })
		problems = append(problems, unlessOver(err))
	}
	return errors.Join(problems...)
}
