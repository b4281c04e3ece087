package engine

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// CommitFiles makes a commit through the API: the permission and the protection of
// the branch are those of a push, and so is what follows, a pipeline. GitLab's
// Commits API, "Create a commit with multiple files and actions".
func (e *Engine) CommitFiles(ctx context.Context, c Caller, project ci.Project, r git.CommitRequest) (string, error) {
	name := ci.BranchPrefix + r.Branch
	if err := e.CheckPush(ctx, c, project, []RefChange{{Name: name, Before: ci.ZeroSHA}}, nil); err != nil {
		return "", err
	}
	before, err := e.headOf(ctx, project.ID, name)
	if err != nil {
		return "", err
	}
	r.AuthorName, r.AuthorEmail = orText(r.AuthorName, c.User.Name), orText(r.AuthorEmail, c.User.Email)
	r.CommitterName, r.CommitterEmail = c.User.Name, c.User.Email
	r.Now = e.now().UTC()
	sha, err := e.git.CommitFiles(ctx, int64(project.ID), r)
	if err != nil {
		return "", err
	}
	_, err = e.Pushed(ctx, Push{Project: project, Caller: c, Changes: []RefChange{{Name: name, Before: before, After: sha}}})
	return sha, err
}

// headOf gives the commit of a ref as the table of refs has it, ci.ZeroSHA when
// there is none.
func (e *Engine) headOf(ctx context.Context, project ci.ProjectID, name string) (string, error) {
	ref, err := e.view.Ref(ctx, project, name)
	if ci.IsNotFound(err) {
		return ci.ZeroSHA, nil
	}
	if err != nil {
		return "", fmt.Errorf("look up %s of project %d: %w", name, project, err)
	}
	return ref.SHA, nil
}
