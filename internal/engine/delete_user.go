package engine

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// DeleteUser removes an account for good: its own projects, memberships, access
// tokens, sessions, and the trigger tokens that run as it. Its unfinished pipelines
// in other projects are canceled; those pipelines stay and name nobody. With hard,
// the groups that nobody else owns go too; without, they are refused. GitLab's Users
// API, "Delete a user". Administrators only, and not their own account. When it
// fails half-way, the call can be made again. Errors: ci.KindForbidden,
// ci.KindNotFound, ci.KindConflict.
func (e *Engine) DeleteUser(ctx context.Context, c Caller, id ci.UserID, hard bool) error {
	if err := e.adminOnly(c); err != nil {
		return err
	}
	user, err := e.view.User(ctx, id)
	switch {
	case ci.IsNotFound(err):
		return ci.NotFound("User")
	case err != nil:
		return err
	case user.ID == c.User.ID:
		return ci.Forbidden("The API cannot delete your own account")
	}
	groups, err := e.view.SoleOwned(ctx, id)
	if err != nil {
		return err
	}
	if len(groups) > 0 && !hard {
		return ci.Conflict("User cannot be removed while is the sole-owner of a group")
	}
	ctx = context.WithoutCancel(ctx)
	user.State = ci.UserBlocked // nothing more is started in their name
	if err := e.store.UpdateUser(ctx, user); err != nil {
		return fmt.Errorf("block user %d: %w", id, err)
	}
	if err := e.cancelPipelinesOf(ctx, id); err != nil {
		return err
	}
	for _, group := range groups {
		if err := e.deleteGroup(ctx, group); err != nil && !ci.IsNotFound(err) { // one may be in another
			return err
		}
	}
	home, err := e.view.NamespaceByPath(ctx, user.Username)
	if err != nil {
		return err
	}
	if err := e.deleteProjectsIn(ctx, home.ID); err != nil {
		return err
	}
	if err := e.store.DeleteUser(ctx, id); err != nil {
		return fmt.Errorf("delete user %d: %w", id, err)
	}
	return nil
}

// cancelPipelinesOf ends what is running in the name of an account.
func (e *Engine) cancelPipelinesOf(ctx context.Context, id ci.UserID) error {
	unfinished, err := e.view.UnfinishedOf(ctx, id)
	if err != nil {
		return err
	}
	for _, pipeline := range unfinished {
		_, err := e.change(ctx, pipeline, func(s *ci.Snapshot) (ci.Changes, error) { return flow.CancelPipeline(s, e.now()) })
		if unlessOver(err) != nil {
			return fmt.Errorf("cancel pipeline %d: %w", pipeline, err)
		}
	}
	return nil
}

// deleteProjectsIn removes the projects of a namespace and of all groups below it.
func (e *Engine) deleteProjectsIn(ctx context.Context, namespace ci.NamespaceID) error {
	projects, _, err := e.view.Projects(ctx, store.ProjectFilter{Admin: true, Namespace: namespace, Below: true})
	if err != nil {
		return err
	}
	for _, p := range projects {
		if err := e.store.DeleteProject(ctx, p.ID); err != nil && !ci.IsNotFound(err) {
			return fmt.Errorf("delete project %d: %w", p.ID, err)
		}
	}
	return nil
}
