package daemon

import (
	"fmt"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/api"
	"github.com/lanyard-ci/lanyard/internal/githttp"
	"github.com/lanyard-ci/lanyard/internal/runnerapi"
	"github.com/lanyard-ci/lanyard/internal/web"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// unknownTokens is how many attempts with unknown tokens one address has in a
// minute (docs/decisions, secrets).
const unknownTokens = 30

// handler puts all edges behind one door.
func (s *Server) handler() (http.Handler, error) {
	c := s.config
	view := s.state.store.View()
	limiter := wire.NewLimiter(wire.LimiterConfig{PerMinute: unknownTokens, Now: c.Now})
	mux := http.NewServeMux()
	rest, err := api.New(api.Config{
		Engine: s.engine, View: view, Blobs: s.state.blobs, Git: s.state.git, Traces: s.state.logs, Hub: s.hub,
		URLs: s.urls, Build: c.Version, Limiter: limiter, Now: c.Now, Logger: c.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("make REST API: %w", err)
	}
	rest.Routes(mux)
	runners, err := runnerapi.New(runnerapi.Config{
		Engine: s.engine, Blobs: s.state.blobs, Direct: directDownloads(s.state.blobs), Traces: s.state.logs, Hub: s.hub, URLs: s.urls,
		Limiter: limiter, Now: c.Now, Logger: c.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("make runner API: %w", err)
	}
	runners.Routes(mux)
	git, err := githttp.New(githttp.Config{
		Engine: s.engine, View: view, Git: s.state.git, URLs: s.urls, Limiter: limiter, Logger: c.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("make git over HTTP: %w", err)
	}
	pages, err := web.New(web.Config{
		Engine: s.engine, View: view, Blobs: s.state.blobs, Traces: s.state.logs, Hub: s.hub, URLs: s.urls, Now: c.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("make pages: %w", err)
	}
	return wire.New(wire.Config{
		URLs: s.urls, API: mux, Rest: s.rest(git, pages, limiter), Observe: observe(c.metrics), Proxies: c.TrustedProxies, Log: c.Logger, Now: c.Now,
	}), nil
}

// rest serves what is not the API: repositories, health, metrics and pages.
func (s *Server) rest(git *githttp.Handler, pages http.Handler, limiter *wire.Limiter) http.Handler {
	health := http.NewServeMux()
	health.Handle("GET /-/liveness", wire.Handler(func(w http.ResponseWriter, _ *http.Request) error {
		return wire.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}))
	health.Handle("GET /-/readiness", s.readiness(s.parts()))
	health.Handle("GET /-/metrics", s.metricsPage(limiter))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if git.Match(r.URL.Path) {
			git.ServeHTTP(w, r)
			return
		}
		if _, pattern := health.Handler(r); pattern != "" {
			health.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}
