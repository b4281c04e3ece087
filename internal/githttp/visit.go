package githttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// jobUser is the user name that goes with a job token.
const jobUser = "gitlab-ci-token"

// maxToken is the longest credential that is looked at.
const maxToken = 8192

// A visit is a caller who was let into a repository.
type visit struct {
	caller  engine.Caller
	project ci.Project
	moved   bool // came by a path that the project had once
}

// repository is what package git calls the project.
func (v visit) repository() int64 { return int64(v.project.ID) }

// enter lets a caller into the repository of a project, or says why not.
func (h *Handler) enter(r *http.Request, path, service string) (visit, error) {
	caller, err := h.authenticate(r)
	if err != nil {
		return visit{}, err
	}
	if !caller.Anonymous() {
		wire.Annotate(r.Context(), slog.Int64("user", int64(caller.User.ID)))
	}
	v := visit{caller: caller}
	v.project, v.moved, err = h.find(r.Context(), path)
	if err == nil {
		err = h.authorize(r.Context(), v, service)
	}
	switch kind := ci.KindOf(err); {
	case caller.Anonymous() && (kind == ci.KindNotFound || kind == ci.KindForbidden):
		return visit{}, signIn()
	case kind == ci.KindNotFound:
		return visit{}, &ci.Error{Kind: kind, Message: "The project you were looking for could not be found or you don't have permission to view it."}
	case err != nil:
		return visit{}, err
	}
	wire.Annotate(r.Context(), slog.Int64("project", v.repository()))
	return v, nil
}

// authenticate finds out who is calling. Credentials that are there and wrong are
// never nobody's: a client whose token has run out learns so even where it needs none.
func (h *Handler) authenticate(r *http.Request) (engine.Caller, error) {
	if r.Header.Get("Authorization") == "" {
		return engine.Caller{}, nil
	}
	user, token, ok := r.BasicAuth()
	if !ok || token == "" {
		return engine.Caller{}, signIn()
	}
	if len(token) > maxToken {
		return engine.Caller{}, h.miss(r.Context())
	}
	lookUp := h.engine.AuthenticateAccessToken
	if user == jobUser {
		lookUp = h.engine.AuthenticateJobToken
	}
	caller, err := lookUp(r.Context(), token)
	var known *engine.TokenError
	switch {
	case errors.As(err, &known):
		return engine.Caller{}, &ci.Error{Kind: ci.KindUnauthorized, Message: known.Description}
	case ci.KindOf(err) == ci.KindUnauthorized:
		return engine.Caller{}, h.miss(r.Context())
	}
	return caller, err
}

// miss counts an unknown token against the address that it came from.
func (h *Handler) miss(ctx context.Context) error {
	if ok, after := h.limiter.Take(wire.LimitKey(wire.ClientAddr(ctx))); !ok {
		return wire.TooMany(after)
	}
	return signIn()
}

// signIn asks for credentials.
func signIn() error {
	return &ci.Error{
		Kind: ci.KindUnauthorized,
		Message: "HTTP Basic: Access denied. Use a personal access token with the scope api, read_repository or " +
			"write_repository as the password, or, in a job, the user " + jobUser + " with its CI_JOB_TOKEN.",
	}
}

// find finds a project by its full path or one that it had once.
func (h *Handler) find(ctx context.Context, path string) (project ci.Project, moved bool, err error) {
	project, err = h.view.ProjectByPath(ctx, path)
	if ci.IsNotFound(err) {
		project, err = h.view.Redirected(ctx, path)
		moved = true
	}
	if err != nil && !ci.IsNotFound(err) {
		err = fmt.Errorf("find project of a git client: %w", err)
	}
	return project, moved, err
}

// authorize checks the service against the caller's role and the token's scopes.
func (h *Handler) authorize(ctx context.Context, v visit, service string) error {
	action, use, denied := auth.DownloadCode, auth.UsePull, "You are not allowed to download code from this project."
	if service == git.ReceivePackService {
		action, use, denied = auth.PushCode, auth.UsePush, "You are not allowed to push code to this project."
	}
	_, err := h.engine.Authorize(ctx, v.caller, v.project, action)
	switch {
	case ci.KindOf(err) == ci.KindForbidden && v.caller.Job != nil && action == auth.PushCode:
		return ci.Forbidden("You are not allowed to push code with the token of a job.")
	case ci.KindOf(err) == ci.KindForbidden && v.project.Archived && action == auth.PushCode:
		return ci.Forbidden("You are not allowed to push code to this project: it is archived.")
	case ci.KindOf(err) == ci.KindForbidden && v.caller.Job == nil:
		return ci.Forbidden(denied)
	case err != nil:
		return err
	case !auth.Scoped(v.caller.Scopes, use, http.MethodPost):
		return ci.Forbidden(denied + " The token needs one of the scopes " + strings.Join(auth.UseScopes(use), ", ") + ".")
	}
	return nil
}
