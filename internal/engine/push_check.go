package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A pushCheck is the question whether one push may be carried out.
type pushCheck struct {
	actor       auth.Actor
	project     ci.Project
	protections []ci.Protection
	force       func(RefChange) (bool, error)
}

// CheckPush refuses a push whole if any of its refs may not change so, in GitLab's
// words: those of a push through git, or for a change without an After, a commit
// that is yet to be made, those of the API.
//
// force reports whether a change is not a fast-forward. It is asked only about
// branches that must not be rewritten; without it nothing is taken for a rewrite.
func (e *Engine) CheckPush(ctx context.Context, c Caller, project ci.Project, changes []RefChange, force func(RefChange) (bool, error)) error {
	actor, err := e.Authorize(ctx, c, project, auth.PushCode)
	if err != nil {
		return err
	}
	protections, err := e.view.Protections(ctx, project.ID)
	if err != nil {
		return fmt.Errorf("read protections of project %d: %w", project.ID, err)
	}
	check := pushCheck{actor, project, protections, force}
	for _, change := range changes {
		text, err := check.refusal(change)
		if err != nil {
			return fmt.Errorf("compare commits of %s: %w", change.Name, err)
		}
		if text == "" {
			continue
		}
		refusal := ci.Forbidden(text)
		if len(changes) > 1 {
			refusal = refusal.WithHint("push_refused", "Nothing was changed, because of "+shortened(change.Name)+". Push the other refs alone.")
		}
		return refusal
	}
	return nil
}

// shortened is the name of a ref in a form that fits into a hint.
func shortened(name string) string {
	const most = 100
	quoted := strings.Trim(strconv.QuoteToASCII(name), `"`)
	if len(quoted) > most {
		return quoted[:most] + "..."
	}
	return quoted
}

// reserved are the refs that are the server's own.
var reserved = []string{"refs/pipelines/", "refs/keep-around/", "refs/merge-requests/", "refs/environments/", "refs/tmp/"}

// refusal says why a ref may not change so, "" when it may. Refs that are neither
// branches nor tags belong to everybody who may push.
func (p pushCheck) refusal(c RefChange) (string, error) {
	ref := ci.Ref{Name: c.Name}
	switch {
	case ref.Tag():
		return p.tag(ref, c), nil
	case strings.HasPrefix(c.Name, ci.BranchPrefix):
		return p.branch(ref, c)
	}
	for _, prefix := range reserved {
		if strings.HasPrefix(c.Name, prefix) {
			return "You are not allowed to change refs below " + prefix + ".", nil
		}
	}
	return "", nil
}

// branch judges a branch. A deletion counts as one whatever the client says that the
// branch held, since git then takes any value.
func (p pushCheck) branch(ref ci.Ref, c RefChange) (string, error) {
	name := ref.Short()
	creates := c.Before == ci.ZeroSHA
	if c.After == ci.ZeroSHA {
		return p.deleteBranch(name), nil
	}
	if !auth.MayPushRef(p.actor, name, false, p.protections) {
		switch {
		case c.After == "":
			return "You are not allowed to push into this branch", nil
		case creates:
			return "You are not allowed to create protected branches on this project.", nil
		}
		return "You are not allowed to push code to protected branches on this project.", nil
	}
	switch {
	case c.After == "":
	case creates && git.IsSHA(name):
		return "You cannot create a branch with a 40-character hexadecimal branch name.", nil
	case creates && git.CheckBranchName(name) != nil:
		return "You cannot create a branch with an invalid name.", nil
	case !creates && p.force != nil && !auth.MayForcePush(name, false, p.protections):
		forced, err := p.force(c)
		if forced && err == nil {
			return "You are not allowed to force push code to a protected branch on this project.", nil
		}
		return "", err
	}
	return "", nil
}

func (p pushCheck) deleteBranch(name string) string {
	switch {
	case name == p.project.DefaultBranch:
		return "The default branch of a project cannot be deleted."
	case !auth.Protected(name, false, p.protections):
		return ""
	case auth.Allow(p.actor, auth.AdminProject, p.project) == auth.Allowed:
		return "You can only delete protected branches using the web interface or the API."
	}
	return "You are not allowed to delete protected branches from this project. Only a project maintainer or owner can delete a protected branch."
}

func (p pushCheck) tag(ref ci.Ref, c RefChange) string {
	name := ref.Short()
	protected := auth.Protected(name, true, p.protections)
	switch {
	case protected && c.After == ci.ZeroSHA && auth.Allow(p.actor, auth.AdminProject, p.project) == auth.Allowed:
		return "You can only delete protected tags using the web interface or the API."
	case protected && c.After == ci.ZeroSHA:
		return "You are not allowed to delete protected tags from this project. Only a project maintainer or owner can delete a protected tag."
	case protected && c.Before != ci.ZeroSHA:
		return "Protected tags cannot be updated."
	case !auth.MayPushRef(p.actor, name, true, p.protections):
		return "You are not allowed to create this tag as it is protected."
	}
	return ""
}
