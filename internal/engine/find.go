package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// findProject finds a project by id or by full path (contract/trigger-api.md
// 0.4): digits are an id, everything else needs a slash and follows renames.
// Errors: ci.KindNotFound.
func (e *Engine) findProject(ctx context.Context, idOrPath string) (ci.Project, error) {
	if id, err := strconv.ParseInt(idOrPath, 10, 64); err == nil && !strings.HasPrefix(idOrPath, "+") {
		return e.view.Project(ctx, ci.ProjectID(id))
	}
	if !strings.Contains(idOrPath, "/") {
		return ci.Project{}, ci.NotFound("Project")
	}
	project, err := e.view.ProjectByPath(ctx, idOrPath)
	if ci.IsNotFound(err) {
		return e.view.Redirected(ctx, idOrPath)
	}
	return project, err
}

// resolveRef finds the branch or tag that a caller means (contract 4.4): a full
// name is taken as it is, a short one must not be both a branch and a tag.
// Errors: ci.KindInvalid with the literal texts.
func (e *Engine) resolveRef(ctx context.Context, project ci.ProjectID, name string) (ci.Ref, error) {
	if strings.HasPrefix(name, ci.BranchPrefix) || strings.HasPrefix(name, ci.TagPrefix) {
		ref, err := e.view.Ref(ctx, project, name)
		if ci.IsNotFound(err) {
			return ci.Ref{}, ci.Refused("Reference not found")
		}
		return ref, err
	}
	found, err := e.view.RefsNamed(ctx, project, name)
	if err != nil {
		return ci.Ref{}, err
	}
	switch len(found) {
	case 0:
		return ci.Ref{}, ci.Refused("Reference not found")
	case 1:
		return found[0], nil
	}
	return ci.Ref{}, ci.Refused("Ref is ambiguous").WithHint("ref_ambiguous",
		"A branch and a tag have this name. Send refs/heads/NAME or refs/tags/NAME.")
}
