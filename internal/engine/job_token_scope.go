package engine

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// AllowJobTokenOf puts a project on the job token allow-list of another: its jobs
// may then act there with their users' rights. GitLab's Job token scope API, "Add
// a project". Maintainers of the target only.
func (e *Engine) AllowJobTokenOf(ctx context.Context, c Caller, target ci.Project, source ci.ProjectID) error {
	if _, err := e.Authorize(ctx, c, target, auth.AdminProject); err != nil {
		return err
	}
	if err := e.store.AllowJobToken(ctx, target.ID, source, 0); err != nil {
		return fmt.Errorf("allow job tokens of project %d in project %d: %w", source, target.ID, err)
	}
	return nil
}
