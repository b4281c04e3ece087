package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// maxJobTokenSources is how many projects and groups one allow-list holds
// (contract/trigger-api.md 2.3).
const maxJobTokenSources = 200

// AllowJobTokenOf puts a project on the job token allow-list of another: its jobs
// may then act there with their users' rights. Doing it again changes nothing.
// GitLab's Job token scope API, "Add a project". Maintainers of the target only.
func (e *Engine) AllowJobTokenOf(ctx context.Context, c Caller, target ci.Project, source ci.ProjectID) error {
	if _, err := e.Authorize(ctx, c, target, auth.AdminProject); err != nil {
		return err
	}
	projects, _, err := e.jobTokenList(ctx, target)
	if err != nil || slices.Contains(projects, source) {
		return err
	}
	if err := e.store.AllowJobToken(ctx, target.ID, source, 0); err != nil {
		return fmt.Errorf("allow job tokens of project %d in project %d: %w", source, target.ID, err)
	}
	return nil
}

// AllowJobTokensBelow puts a group on the job token allow-list of a project, for
// all projects in it at any depth. Maintainers of the project only.
func (e *Engine) AllowJobTokensBelow(ctx context.Context, c Caller, target ci.Project, group ci.NamespaceID) error {
	if _, err := e.Authorize(ctx, c, target, auth.AdminProject); err != nil {
		return err
	}
	_, groups, err := e.jobTokenList(ctx, target)
	if err != nil || slices.Contains(groups, group) {
		return err
	}
	if err := e.store.AllowJobToken(ctx, target.ID, 0, group); err != nil {
		return fmt.Errorf("allow job tokens of group %d in project %d: %w", group, target.ID, err)
	}
	return nil
}

// jobTokenList reads an allow-list that is to grow; one that is full is refused.
func (e *Engine) jobTokenList(ctx context.Context, target ci.Project) ([]ci.ProjectID, []ci.NamespaceID, error) {
	projects, groups, err := e.view.JobTokenAllowlist(ctx, target.ID)
	if err != nil {
		return nil, nil, err
	}
	if len(projects)+len(groups) >= maxJobTokenSources {
		return nil, nil, ci.BadRequest(fmt.Sprintf("Source project exceeds the allowable number of project links (%d)", maxJobTokenSources))
	}
	return projects, groups, nil
}

// DisallowJobTokenOf takes a project or a group off the allow-list; the other one
// is zero. Errors: ci.KindNotFound when it is not on the list.
func (e *Engine) DisallowJobTokenOf(ctx context.Context, c Caller, target ci.Project, source ci.ProjectID, group ci.NamespaceID) error {
	if _, err := e.Authorize(ctx, c, target, auth.AdminProject); err != nil {
		return err
	}
	return e.store.DisallowJobToken(ctx, target.ID, source, group)
}

// LimitJobTokens says whether a project keeps an allow-list at all.
func (e *Engine) LimitJobTokens(ctx context.Context, c Caller, project ci.Project, limit bool) error {
	if _, err := e.Authorize(ctx, c, project, auth.AdminProject); err != nil {
		return err
	}
	_, err := e.changeProject(ctx, project.ID, func(p *ci.Project) error {
		p.InboundTokenScope = limit
		return nil
	})
	return err
}
