package engine

import (
	"context"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
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

// names reports whether a caller means this project by its id or full path.
func names(idOrPath string, project ci.Project) bool {
	return idOrPath == strconv.FormatInt(int64(project.ID), 10) || strings.EqualFold(idOrPath, project.FullPath)
}

// resolveRef finds the branch or tag that a caller means (contract 4.4), with the
// protections of the project: a full name is taken as it is, a short one must not
// be both a branch and a tag. Errors: ci.KindInvalid with the literal texts.
func (e *Engine) resolveRef(ctx context.Context, project ci.ProjectID, name string) (ci.Ref, store.RunnableRefs, error) {
	found, err := e.view.RunnableRefs(ctx, project, name)
	if err != nil {
		return ci.Ref{}, store.RunnableRefs{}, err
	}
	switch len(found.Refs) {
	case 0:
		return ci.Ref{}, store.RunnableRefs{}, ci.Refused("Reference not found")
	case 1:
		return found.Refs[0], found, nil
	}
	return ci.Ref{}, store.RunnableRefs{}, ci.Refused("Ref is ambiguous").WithHint("ref_ambiguous",
		"A branch and a tag have this name. Send refs/heads/NAME or refs/tags/NAME.")
}
