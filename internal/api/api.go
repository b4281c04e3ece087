// Package api is the REST API, version 4, in GitLab's shapes.
//
// Three nouns: the table of routes says for every address who may call it and
// what serves it; a call is one request on its way through a handler, with its
// parameters and its caller; a shape is a struct that becomes the JSON of one of
// GitLab's entities, kept beside the handlers that answer it.
//
// A handler reads its parameters, finds out who is calling and about which
// project, asks the engine to do something or the view what is true, and returns
// a shape or an error. The order matters, since clients see it: what is wrong with
// parameters is told before who is calling, and that before what is there
// (contract/trigger-api.md 1.1).
//
// The package refuses to decide: permissions are the table in auth, changes are
// the engine's, status codes of errors are wire's.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// Config is what the API works with. All fields but Hub, Build and Logger are
// required. Hub and Logger are what every edge gets: no call waits here yet, and
// what goes wrong is logged by the edge.
type Config struct {
	Engine  *engine.Engine
	View    *store.View
	Blobs   blob.Store
	Git     *git.Server
	Traces  *trace.Traces
	Hub     *hub.Hub
	URLs    wire.URLs
	Build   ci.Build
	Limiter *wire.Limiter // of attempts with unknown tokens, by address
	Now     ci.Clock
	Logger  *slog.Logger
}

// An API answers requests below /api/v4. Its methods may be called from any
// goroutine.
type API struct {
	engine  *engine.Engine
	view    *store.View
	blobs   blob.Store
	git     *git.Server
	traces  *trace.Traces
	urls    wire.URLs
	build   ci.Build
	limiter *wire.Limiter
	now     ci.Clock

	routes []route
}

// New makes an API. It fails when a part is missing or a route does not say who
// may call it.
func New(c Config) (*API, error) {
	if c.Engine == nil || c.View == nil || c.Blobs == nil || c.Git == nil || c.Traces == nil ||
		c.URLs.External == nil || c.Limiter == nil || c.Now == nil {
		return nil, errors.New("make API: a required part is missing")
	}
	a := &API{
		engine: c.Engine, view: c.View, blobs: c.Blobs, git: c.Git, traces: c.Traces,
		urls: c.URLs, build: c.Build, limiter: c.Limiter, now: c.Now,
	}
	a.routes = a.table()
	for _, r := range a.routes {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("make API: route %q: %w", r.pattern, err)
		}
	}
	return a, nil
}

// Routes registers every route.
func (a *API) Routes(mux *http.ServeMux) {
	for _, r := range a.routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		mux.Handle(method+" /api/v4"+path, a.handler(r))
	}
}

// handler reads the parameters of a request and passes it on as a call.
func (a *API) handler(r route) http.Handler {
	names := wildcards(r.pattern)
	return wire.Handler(func(w http.ResponseWriter, req *http.Request) error {
		c := &call{api: a, route: r, w: w, r: req}
		var err error
		if c.params, err = (wire.Limits{Bytes: r.bytes}).Read(w, req, names...); err != nil {
			return err
		}
		err = r.serve(c)
		if moved, ok := errors.AsType[*movedError](err); ok {
			w.Header().Set("Location", moved.location)
			return wire.Text(w, http.StatusMovedPermanently, "This resource has been moved permanently to "+moved.location)
		}
		return err
	})
}

// wildcards lists the names of a pattern's wildcards, in order.
func wildcards(pattern string) []string {
	var names []string
	for segment := range strings.SplitSeq(pattern, "/") {
		name, ok := strings.CutPrefix(segment, "{")
		if name, closed := strings.CutSuffix(name, "}"); ok && closed && name != "$" {
			names = append(names, strings.TrimSuffix(name, "..."))
		}
	}
	return names
}
