package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Caller is who asks for something: nobody, a user by a personal access token
// or a session, or a job by its job token (then User is the job's user).
type Caller struct {
	User   ci.User    // zero: anonymous
	Scopes []string   // of the access token; nil: everything
	Token  ci.TokenID // of the access token; zero: none was shown
	Job    *ci.Job    // set when a job token was shown
}

// Anonymous reports whether nobody is signed in.
func (c Caller) Anonymous() bool { return c.User.ID == 0 }

// A TokenError says why a known access token does not count (contract/trigger-api.md
// 3.2, cases 3 and 4). The edges answer it in the form of OAuth.
type TokenError struct{ Description string }

// Error gives the description.
func (e *TokenError) Error() string { return e.Description }

// AuthenticateAccessToken finds out who a personal access token belongs to.
// Errors: ci.KindUnauthorized for an unknown token, *TokenError for one that is
// expired or revoked, ci.KindForbidden for a user who may not act.
func (e *Engine) AuthenticateAccessToken(ctx context.Context, token string) (Caller, error) {
	found, err := e.view.AccessTokenByDigest(ctx, e.keys.Digest(auth.AccessTokens, token))
	switch {
	case ci.IsNotFound(err):
		return Caller{}, ci.Unauthorized()
	case err != nil:
		return Caller{}, fmt.Errorf("look up access token: %w", err)
	case !found.ExpiresAt.IsZero() && !found.ExpiresAt.After(e.now()):
		return Caller{}, &TokenError{"Token is expired. You can either do re-authorization or token refresh."}
	case found.Revoked:
		return Caller{}, &TokenError{"Token was revoked. You have to re-authorize from the user."}
	}
	user, err := e.view.User(ctx, found.UserID)
	switch {
	case ci.IsNotFound(err): // deleted since the token was read
		return Caller{}, ci.Unauthorized()
	case err != nil:
		return Caller{}, fmt.Errorf("load owner of access token %d: %w", found.ID, err)
	}
	if err := e.mayAct(user); err != nil {
		return Caller{}, err
	}
	return Caller{User: user, Scopes: found.Scopes, Token: found.ID}, nil
}

// AuthenticateJobToken finds the job whose token this is and that a runner holds
// right now. Errors: ci.KindUnauthorized otherwise.
func (e *Engine) AuthenticateJobToken(ctx context.Context, token string) (Caller, error) {
	job, err := e.view.JobByToken(ctx, e.keys.Digest(auth.JobTokens, token))
	switch {
	case ci.IsNotFound(err):
		return Caller{}, ci.Unauthorized()
	case err != nil:
		return Caller{}, fmt.Errorf("look up job token: %w", err)
	case !job.Status.Executing():
		return Caller{}, ci.Unauthorized()
	}
	user, err := e.view.User(ctx, job.UserID)
	switch {
	case ci.IsNotFound(err): // deleted
		return Caller{}, ci.Unauthorized()
	case err != nil:
		return Caller{}, fmt.Errorf("load user of job %d: %w", job.ID, err)
	}
	if err := e.mayAct(user); err != nil {
		return Caller{}, err
	}
	return Caller{User: user, Job: &job}, nil
}

// mayAct refuses blocked and deactivated accounts with GitLab's texts.
func (e *Engine) mayAct(user ci.User) error {
	switch user.State {
	case ci.UserBlocked:
		return ci.Forbidden("Your account has been blocked.")
	case ci.UserDeactivated:
		return ci.Forbidden("Your account has been deactivated by your administrator. " +
			"Please log back in from a web browser to reactivate your account at " + e.urls.Base())
	case ci.UserActive:
	}
	return nil
}

// Actor is the caller as the permission table sees them in one project.
func (e *Engine) Actor(ctx context.Context, c Caller, project ci.Project) (auth.Actor, error) {
	actor := auth.Actor{User: c.User, Scopes: c.Scopes}
	if !c.Anonymous() {
		role, err := e.view.Role(ctx, c.User.ID, project)
		if err != nil {
			return auth.Actor{}, fmt.Errorf("find role of user %d in project %d: %w", c.User.ID, project.ID, err)
		}
		actor.Role = role
	}
	if c.Job == nil {
		return actor, nil
	}
	inScope, err := e.jobTokenInScope(ctx, *c.Job, project)
	if err != nil {
		return auth.Actor{}, err
	}
	actor.JobToken, actor.JobProject, actor.InScope = true, c.Job.ProjectID, inScope
	return actor, nil
}

// jobTokenInScope reports whether project lets the token of a job act on it: its
// own jobs always, others when it lists them or keeps no list
// (contract/trigger-api.md 2.3).
func (e *Engine) jobTokenInScope(ctx context.Context, job ci.Job, project ci.Project) (bool, error) {
	if job.ProjectID == project.ID || !project.InboundTokenScope {
		return true, nil
	}
	source, err := e.view.Project(ctx, job.ProjectID)
	if err != nil {
		return false, fmt.Errorf("load project of job %d: %w", job.ID, err)
	}
	allowed, err := e.view.JobTokenAllowed(ctx, project, source)
	if err != nil {
		return false, fmt.Errorf("read job token allow-list of project %d: %w", project.ID, err)
	}
	return allowed, nil
}

// FindProject finds a project by id or full path, following renames; anything
// that does not exist is "404 Project Not Found".
func (e *Engine) FindProject(ctx context.Context, idOrPath string) (ci.Project, error) {
	project, err := e.findProject(ctx, idOrPath)
	if ci.IsNotFound(err) {
		return ci.Project{}, ci.NotFound("Project")
	}
	return project, err
}

// Authorize checks one action of the caller on a project and gives the actor for
// further questions. Errors: "404 Project Not Found" when the caller may not know
// of it, "403 Forbidden" when the action is not theirs, 401 when signing in could
// help with an action that nobody anonymous has.
func (e *Engine) Authorize(ctx context.Context, c Caller, project ci.Project, action auth.Action) (auth.Actor, error) {
	actor, err := e.Actor(ctx, c, project)
	if err != nil {
		return auth.Actor{}, err
	}
	switch auth.Allow(actor, action, project) {
	case auth.Allowed:
		return actor, nil
	case auth.Hidden:
		return actor, ci.NotFound("Project")
	case auth.Denied:
	}
	if c.Job != nil && !actor.InScope {
		return actor, e.outOfScope(ctx, *c.Job, project)
	}
	return actor, ci.Forbidden("")
}

// outOfScope words the refusal of a job token by the allow-list
// (contract/trigger-api.md 3.2, case 11).
func (e *Engine) outOfScope(ctx context.Context, job ci.Job, project ci.Project) error {
	source, err := e.view.Project(ctx, job.ProjectID)
	if err != nil {
		return fmt.Errorf("load project of job %d: %w", job.ID, err)
	}
	return ci.Forbidden(fmt.Sprintf("Authentication by CI/CD job token not allowed from %s to %s.", source.Path, project.Path))
}

// HasScope reports whether the token of the caller covers any of the scopes.
func (c Caller) HasScope(scopes ...string) bool {
	if c.Scopes == nil {
		return true
	}
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(c.Scopes, s) })
}
