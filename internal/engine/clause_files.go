package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// modified lists the files that a push of a branch changed. Other events have
// nothing to compare with, nor has a push over a commit that is gone.
func (e *Engine) modified(ctx context.Context, d *pipelineDraft) ([]string, bool, error) {
	if d.Source != ci.SourcePush || d.ref.Tag() || strings.Trim(d.Before, "0") == "" {
		return nil, false, nil
	}
	paths, err := e.git.DiffPaths(ctx, int64(d.Project.ID), d.Before, d.ref.SHA)
	if errors.Is(err, git.ErrNotExist) {
		return nil, false, nil
	}
	return paths, true, err
}

// modifiedSince lists the files that the pipeline's commit changed since its
// history left that of ref, for changes:compare_to.
func (e *Engine) modifiedSince(ctx context.Context, d *pipelineDraft, ref string) ([]string, error) {
	project := int64(d.Project.ID)
	since, err := e.git.Resolve(ctx, project, ref)
	if errors.Is(err, git.ErrNotExist) {
		return nil, ciyaml.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	base, err := e.git.MergeBase(ctx, project, since, d.ref.SHA)
	switch {
	case errors.Is(err, git.ErrNotExist): // histories that never met
		base = since
	case err != nil:
		return nil, err
	}
	return e.git.DiffPaths(ctx, project, base, d.ref.SHA)
}

// projectPaths lists the files of another project, for exists:project. The right
// to read it is that of the pipeline's user, asked each time.
func (e *Engine) projectPaths(ctx context.Context, d *pipelineDraft, path, ref string) ([]string, error) {
	project, err := e.readableProject(ctx, d.Actor.User, path)
	if errors.Is(err, ciyaml.ErrNoProject) {
		return nil, ciyaml.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	sha, err := e.refOfProject(ctx, project, ref)
	if err != nil {
		return nil, err
	}
	return e.paths(ctx, project.ID, sha)
}
