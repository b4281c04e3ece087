package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// A call is one request on its way through a handler. Until begin has run, its
// caller is nobody, whatever the request brought along.
type call struct {
	api    *API
	route  route
	w      http.ResponseWriter
	r      *http.Request
	params *wire.Params
	caller engine.Caller
	actor  auth.Actor // the caller in the project that c.project found
}

// ctx is the context of the request.
func (c *call) ctx() context.Context { return c.r.Context() }

// reads reports whether the request only looks.
func (c *call) reads() bool { return c.r.Method == http.MethodGet || c.r.Method == http.MethodHead }

// begin answers what is wrong with the parameters that the handler has asked for,
// then finds out who is calling and holds them to what the route says.
func (c *call) begin() error {
	if err := c.params.Err(); err != nil {
		return err
	}
	caller, err := c.authenticate()
	if err != nil {
		return err
	}
	switch {
	case caller.Anonymous() && c.route.who&anyone == 0:
		return ci.Unauthorized()
	case c.route.who&admins != 0 && (!caller.User.Admin || caller.Job != nil):
		return ci.Forbidden("")
	}
	c.caller = caller
	if !caller.Anonymous() {
		wire.Annotate(c.ctx(), slog.Int64("user", int64(caller.User.ID)))
	}
	return nil
}

// project is begin, then finds the project that the path names and checks that the
// caller may do something with it; without an action, that they may know of it.
func (c *call) project(actions ...auth.Action) (ci.Project, error) {
	if err := c.begin(); err != nil {
		return ci.Project{}, err
	}
	id := c.r.PathValue("id")
	project, err := c.api.engine.FindProject(c.ctx(), id)
	if err != nil {
		return ci.Project{}, err
	}
	if c.actor, err = c.api.engine.Authorize(c.ctx(), c.caller, project, auth.ReadProject); err != nil {
		return ci.Project{}, err
	}
	if err := c.moved(id, project); err != nil {
		return ci.Project{}, err
	}
	for _, action := range actions {
		if _, err := c.api.engine.Authorize(c.ctx(), c.caller, project, action); err != nil {
			return ci.Project{}, err
		}
	}
	wire.Annotate(c.ctx(), slog.Int64("project", int64(project.ID)))
	return project, nil
}

// may reports whether the caller may do something with the project that c.project
// gave.
func (c *call) may(action auth.Action, project ci.Project) bool {
	return auth.Allow(c.actor, action, project) == auth.Allowed
}

// A movedError is the answer to a GET on the old path of a project.
type movedError struct{ location string }

func (m *movedError) Error() string { return "project has moved" }

// moved refuses to serve a project under a path that it had once
// (contract/trigger-api.md 0.3).
func (c *call) moved(id string, project ci.Project) error {
	if !strings.Contains(id, "/") || strings.EqualFold(id, project.FullPath) {
		return nil
	}
	if !c.reads() {
		return &ci.Error{Kind: ci.KindMethod, Message: "Non GET methods are not allowed for moved projects"}
	}
	_, rest, _ := strings.Cut(strings.TrimPrefix(c.r.URL.EscapedPath(), "/api/v4/projects/"), "/")
	location := c.api.urls.API() + "/projects/" + strconv.FormatInt(int64(project.ID), 10)
	if rest != "" {
		location += "/" + rest
	}
	if query := withoutCredentials(c.r.URL.Query()); len(query) > 0 {
		location += "?" + query.Encode()
	}
	return &movedError{location}
}

// withoutCredentials drops from a query what must not be repeated.
func withoutCredentials(query url.Values) url.Values {
	for name := range query {
		if wire.IsCredential(name) {
			query.Del(name)
		}
	}
	return query
}

// json answers with a shape.
func (c *call) json(status int, shape any) error { return wire.JSON(c.w, status, shape) }

// page answers one page of a list; total counts all pages, and is negative when
// nobody counted.
func (c *call) page(page wire.Page, found wire.Found, shapes any) error {
	c.api.urls.WritePage(c.w, c.r, c.params, page, found)
	return c.json(http.StatusOK, shapes)
}

// unlessModifiedSince checks the header If-Unmodified-Since, as the conditional
// deletions of GitLab do: one that cannot be read is not there, and the time of
// change counts with its fraction of a second (contract/trigger-api.md 1.5).
func (c *call) unlessModifiedSince(changed time.Time) error {
	limit, err := http.ParseTime(c.r.Header.Get("If-Unmodified-Since"))
	if err == nil && changed.After(limit) {
		return &ci.Error{Kind: ci.KindPrecondition}
	}
	return nil
}
