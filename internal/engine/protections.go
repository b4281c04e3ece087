package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// maxPattern is the longest name or pattern of a protection, in bytes.
const maxPattern = 255

// Protect protects the branches or tags whose names match a pattern. GitLab's
// Protected branches and Protected tags APIs. Maintainers only. Errors:
// ci.KindConflict for a pattern that is protected already.
func (e *Engine) Protect(ctx context.Context, c Caller, project ci.Project, p ci.Protection) (ci.Protection, error) {
	if _, err := e.Authorize(ctx, c, project, auth.AdminProject); err != nil {
		return ci.Protection{}, err
	}
	switch {
	case p.Pattern == "":
		return ci.Protection{}, ci.Invalid("name", "can't be blank")
	case len(p.Pattern) > maxPattern:
		return ci.Protection{}, ci.Invalid("name", fmt.Sprintf("is too long (maximum is %d characters)", maxPattern))
	}
	p.ProjectID = project.ID
	saved, err := e.store.Protect(ctx, p)
	var taken *store.Taken
	if errors.As(err, &taken) {
		return ci.Protection{}, ci.Conflict(fmt.Sprintf("Protected %s '%s' already exists", kindOf(p.Tag), p.Pattern))
	}
	if err != nil {
		return ci.Protection{}, fmt.Errorf("protect %q in project %d: %w", p.Pattern, project.ID, err)
	}
	return saved, nil
}

// UpdateProtection changes the levels of a protection. Errors: ci.KindNotFound.
func (e *Engine) UpdateProtection(ctx context.Context, c Caller, project ci.Project, tag bool, pattern string, change func(*ci.Protection)) (ci.Protection, error) {
	if _, err := e.Authorize(ctx, c, project, auth.AdminProject); err != nil {
		return ci.Protection{}, err
	}
	p, err := e.Protection(ctx, project.ID, tag, pattern)
	if err != nil {
		return ci.Protection{}, err
	}
	change(&p)
	if err := e.store.UpdateProtection(ctx, p); err != nil {
		return ci.Protection{}, fmt.Errorf("update protection of %q in project %d: %w", pattern, project.ID, err)
	}
	return p, nil
}

// Unprotect removes a protection. Errors: ci.KindNotFound.
func (e *Engine) Unprotect(ctx context.Context, c Caller, project ci.Project, tag bool, pattern string) error {
	if _, err := e.Authorize(ctx, c, project, auth.AdminProject); err != nil {
		return err
	}
	return e.store.Unprotect(ctx, project.ID, tag, pattern)
}

// Protection finds the protection with this very pattern. Errors: ci.KindNotFound.
func (e *Engine) Protection(ctx context.Context, project ci.ProjectID, tag bool, pattern string) (ci.Protection, error) {
	all, err := e.view.Protections(ctx, project)
	if err != nil {
		return ci.Protection{}, err
	}
	for _, p := range all {
		if p.Tag == tag && p.Pattern == pattern {
			return p, nil
		}
	}
	return ci.Protection{}, ci.NoRecord()
}

// kindOf is the word for what a protection protects.
func kindOf(tag bool) string {
	if tag {
		return "tag"
	}
	return "branch"
}
