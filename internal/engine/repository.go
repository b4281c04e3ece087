package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// Refusals of what the API wants to do to branches and tags, in GitLab's words.
const (
	textPushHere      = "You are not allowed to push into this branch"
	textCreateBranch  = "You are not allowed to create protected branches on this project."
	textForceBranch   = "You are not allowed to force push code to a protected branch on this project."
	textDeleteBranch  = "You are not allowed to delete protected branches from this project. Only a project maintainer or owner can delete a protected branch."
	textDefaultBranch = "The default branch of a project cannot be deleted."
	textCreateTag     = "You are not allowed to create this tag as it is protected."
	textDeleteTag     = "You are not allowed to delete protected tags from this project. Only a project maintainer or owner can delete a protected tag."
)

// CommitFiles makes a commit through the API: the permission and the protection of
// the branch are those of a push, and so is what follows, a pipeline. GitLab's
// Commits API, "Create a commit with multiple files and actions". Errors:
// ci.KindForbidden, and *ci.Error with GitLab's text for actions that cannot be
// carried out, wrapping git.ErrFileChanged for a file that has changed meanwhile.
func (e *Engine) CommitFiles(ctx context.Context, c Caller, project ci.Project, r git.CommitRequest) (string, error) {
	actor, protections, err := e.pusher(ctx, c, project)
	if err != nil {
		return "", err
	}
	if !auth.MayPushRef(actor, r.Branch, false, protections) {
		return "", ci.Forbidden(textPushHere)
	}
	name := ci.BranchPrefix + r.Branch
	before, err := e.headOf(ctx, project.ID, name)
	if err != nil {
		return "", err
	}
	if r.Force && before != ci.ZeroSHA && !auth.MayForcePush(r.Branch, false, protections) {
		return "", ci.Forbidden(textForceBranch)
	}
	r.AuthorName, r.AuthorEmail = orText(r.AuthorName, c.User.Name), orText(r.AuthorEmail, c.User.Email)
	r.CommitterName, r.CommitterEmail = c.User.Name, c.User.Email
	r.Now = e.now().UTC()
	sha, err := e.git.CommitFiles(ctx, int64(project.ID), r)
	if err != nil {
		return "", err
	}
	return sha, e.pushed(ctx, c, project, RefChange{Name: name, Before: before, After: sha})
}

// CreateBranch makes a branch where from points and starts a pipeline on it, as a
// push would. GitLab's Branches API, "Create repository branch". It gives the
// commit.
func (e *Engine) CreateBranch(ctx context.Context, c Caller, project ci.Project, branch, from string) (string, error) {
	actor, protections, err := e.pusher(ctx, c, project)
	if err != nil {
		return "", err
	}
	if !auth.MayPushRef(actor, branch, false, protections) {
		return "", &ci.Error{Kind: ci.KindInvalid, Message: textCreateBranch}
	}
	sha, err := e.git.CreateBranch(ctx, int64(project.ID), branch, from)
	if err != nil {
		return "", err
	}
	return sha, e.pushed(ctx, c, project, RefChange{Name: ci.BranchPrefix + branch, Before: ci.ZeroSHA, After: sha})
}

// DeleteBranch removes a branch. GitLab's Branches API, "Delete repository branch":
// a protected one only by maintainers, the default one by nobody. check sees the
// branch's commit first and may refuse.
func (e *Engine) DeleteBranch(ctx context.Context, c Caller, project ci.Project, branch string, check func(sha string) error) error {
	actor, protections, err := e.pusher(ctx, c, project)
	if err != nil {
		return err
	}
	before, err := e.headOf(ctx, project.ID, ci.BranchPrefix+branch)
	switch {
	case err != nil:
		return err
	case before == ci.ZeroSHA:
		return ci.NotFound("Branch")
	case branch == project.DefaultBranch:
		return &ci.Error{Kind: ci.KindInvalid, Message: textDefaultBranch}
	case auth.Protected(branch, false, protections) && auth.Allow(actor, auth.AdminProject, project) != auth.Allowed:
		return &ci.Error{Kind: ci.KindInvalid, Message: textDeleteBranch}
	}
	if err := check(before); err != nil {
		return err
	}
	return e.deleteRef(ctx, c, project, ci.BranchPrefix+branch, "Branch", e.git.DeleteBranch)
}

// CreateTag makes a tag, annotated when it has a message, and starts a pipeline on
// it, as a push would. GitLab's Tags API, "Create a new tag".
func (e *Engine) CreateTag(ctx context.Context, c Caller, project ci.Project, r git.TagRequest) (git.Ref, error) {
	actor, protections, err := e.pusher(ctx, c, project)
	if err != nil {
		return git.Ref{}, err
	}
	if !auth.MayPushRef(actor, r.Name, true, protections) {
		return git.Ref{}, &ci.Error{Kind: ci.KindInvalid, Message: textCreateTag}
	}
	r.TaggerName, r.TaggerEmail, r.Now = c.User.Name, c.User.Email, e.now().UTC()
	ref, err := e.git.CreateTag(ctx, int64(project.ID), r)
	if err != nil {
		return git.Ref{}, err
	}
	return ref, e.pushed(ctx, c, project, RefChange{Name: ref.Name, Before: ci.ZeroSHA, After: ref.SHA})
}

// DeleteTag removes a tag, a protected one only for maintainers. GitLab's Tags API,
// "Delete a tag". check sees the tag's commit first and may refuse.
func (e *Engine) DeleteTag(ctx context.Context, c Caller, project ci.Project, tag string, check func(sha string) error) error {
	actor, protections, err := e.pusher(ctx, c, project)
	if err != nil {
		return err
	}
	before, err := e.headOf(ctx, project.ID, ci.TagPrefix+tag)
	switch {
	case err != nil:
		return err
	case before == ci.ZeroSHA:
		return ci.NotFound("Tag")
	case auth.Protected(tag, true, protections) && auth.Allow(actor, auth.AdminProject, project) != auth.Allowed:
		return &ci.Error{Kind: ci.KindInvalid, Message: textDeleteTag}
	}
	if err := check(before); err != nil {
		return err
	}
	return e.deleteRef(ctx, c, project, ci.TagPrefix+tag, "Tag", e.git.DeleteTag)
}

// deleteRef removes a ref from the repository and from the table.
func (e *Engine) deleteRef(ctx context.Context, c Caller, project ci.Project, name, what string,
	remove func(ctx context.Context, project int64, short string) (string, error)) error {
	before, err := remove(ctx, int64(project.ID), ci.ShortRef(name))
	if errors.Is(err, git.ErrNotExist) {
		return ci.NotFound(what)
	}
	if err != nil {
		return err
	}
	return e.pushed(ctx, c, project, RefChange{Name: name, Before: before, After: ci.ZeroSHA})
}

// pusher is who changes refs through the API, with the protections to hold them to.
func (e *Engine) pusher(ctx context.Context, c Caller, project ci.Project) (auth.Actor, []ci.Protection, error) {
	actor, err := e.Authorize(ctx, c, project, auth.PushCode)
	if err != nil {
		return auth.Actor{}, nil, err
	}
	protections, err := e.view.Protections(ctx, project.ID)
	if err != nil {
		return auth.Actor{}, nil, fmt.Errorf("read protections of project %d: %w", project.ID, err)
	}
	return actor, protections, nil
}

// pushed lets follow what follows a push. The repository has changed already, so a
// caller who hangs up now does not keep the rest from happening.
func (e *Engine) pushed(ctx context.Context, c Caller, project ci.Project, change RefChange) error {
	_, err := e.Pushed(context.WithoutCancel(ctx), Push{Project: project, Caller: c, Changes: []RefChange{change}})
	return err
}

// headOf is the commit of a ref by the table of refs, ci.ZeroSHA when there is none.
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
