package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// Config is what pages are made of. All fields but Ping are required.
type Config struct {
	Engine *engine.Engine
	View   *store.View
	Blobs  blob.Store
	Traces *trace.Traces
	Hub    *hub.Hub
	URLs   wire.URLs
	Now    ci.Clock
	Ping   time.Duration // how often a stream shows that it is alive; default 10 s
}

// Web serves the pages. It expects to run behind a wire.Edge.
type Web struct {
	engine *engine.Engine
	view   *store.View
	blobs  blob.Store
	traces *trace.Traces
	hub    *hub.Hub
	urls   wire.URLs
	now    ci.Clock
	ping   time.Duration

	pages     pages
	static    assets
	site      *http.ServeMux // what belongs to no project
	project   *http.ServeMux // what is below /group/project/-/
	addresses *wire.Limiter  // sign-ins that failed, by address
	accounts  *wire.Limiter  // the same, by account
}

// signInsPerMinute is how many wrong sign-ins an address, and an account, has.
const signInsPerMinute = 10

// New checks the configuration, the templates and the routes.
func New(c Config) (*Web, error) {
	if c.Engine == nil || c.View == nil || c.Blobs == nil || c.Traces == nil || c.Hub == nil || c.URLs.External == nil || c.Now == nil {
		return nil, errors.New("make pages: a required part is missing")
	}
	if c.Ping == 0 {
		c.Ping = 10 * time.Second
	}
	limiter := wire.LimiterConfig{PerMinute: signInsPerMinute, Now: c.Now}
	web := &Web{
		engine: c.Engine, view: c.View, blobs: c.Blobs, traces: c.Traces, hub: c.Hub, urls: c.URLs, now: c.Now,
		ping: c.Ping, addresses: wire.NewLimiter(limiter), accounts: wire.NewLimiter(limiter),
	}
	var err error
	if web.static, err = loadAssets(); err != nil {
		return nil, err
	}
	if web.pages, err = parsePages(); err != nil {
		return nil, err
	}
	return web, web.register()
}

// ServeHTTP finds the page for a path. Addresses below a project have the project
// in front of the first /-/, of any depth, which no pattern of a mux can say; so
// the path is cut there and two muxes see one half each.
func (web *Web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	escaped := r.URL.EscapedPath()
	if len(escaped) > 1 {
		escaped = strings.TrimSuffix(escaped, "/")
	}
	before, rest, below := strings.Cut(escaped, "/-/")
	owner, err := url.PathUnescape(strings.TrimPrefix(before, "/"))
	if err != nil {
		web.lost(w, r, ci.NotFound(""))
		return
	}
	switch {
	case below && owner != "":
		web.route(web.project, w, r, "/-/"+rest, owner)
	case below, escaped == "/", strings.HasPrefix(escaped, "/users/"), escaped == "/favicon.ico":
		web.route(web.site, w, r, escaped, "")
	default:
		r.Pattern = "/{namespace...}" // for the access log
		web.serve(w, r, func(v *visit) error {
			if err := v.begin(); err != nil {
				return err
			}
			return v.namespaceOrProject(owner)
		})
	}
}

// lost shows an error about an address that leads nowhere.
func (web *Web) lost(w http.ResponseWriter, r *http.Request, why error) {
	web.serve(w, r, func(v *visit) error {
		if err := v.findSession(); err != nil {
			return err
		}
		return why
	})
}

// route passes the part of a path that a mux knows to it.
func (web *Web) route(mux *http.ServeMux, w http.ResponseWriter, r *http.Request, escaped, project string) {
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		web.lost(w, r, ci.NotFound(""))
		return
	}
	u := *r.URL
	u.Path, u.RawPath = plain, escaped
	// A mux writes what it matched into the request, which is to be this copy.
	part := r.WithContext(withProject(r.Context(), project))
	part.URL = &u
	handler, pattern := mux.Handler(part)
	if pattern != "" {
		mux.ServeHTTP(w, part)
		return
	}
	answer := discard{header: http.Header{}}
	handler.ServeHTTP(&answer, part)
	if answer.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", answer.header.Get("Allow"))
		web.lost(w, r, &ci.Error{Kind: ci.KindMethod})
		return
	}
	web.lost(w, r, ci.NotFound(""))
}

// discard keeps what a mux answers to a path that it does not know.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
