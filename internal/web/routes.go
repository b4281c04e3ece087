package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
)

// A route is a line of one of the tables below. A route without a permission makes
// New fail.
type route struct {
	pattern string      // method, and the path below the project or the server
	needs   auth.Action // what the visitor must be allowed to do in the project
	serve   func(*visit) error
}

// What routes need that belong to no project.
const (
	anyone auth.Action = "anyone" // whoever it is
	unseen auth.Action = "unseen" // nobody looks who it is
)

// siteRoutes are those that belong to no project.
func (web *Web) siteRoutes() []route {
	return []route{
		{"GET /{$}", anyone, (*visit).projects},
		{"GET /users/sign_in", anyone, (*visit).signInForm},
		{"POST /users/sign_in", anyone, (*visit).signIn},
		{"POST /users/sign_out", anyone, (*visit).signOut},
		{"GET /-/first/{token}", anyone, (*visit).first},
		{"GET /-/static/{file}", unseen, (*visit).staticFile},
		{"GET /favicon.ico", unseen, (*visit).favicon},
	}
}

// projectRoutes are those below /group/project.
func (web *Web) projectRoutes() []route {
	return []route{
		{"GET /-/pipelines", auth.ReadPipeline, (*visit).pipelines},
		{"GET /-/pipelines/events", auth.ReadPipeline, (*visit).pipelinesEvents},
		{"GET /-/pipelines/{id}", auth.ReadPipeline, (*visit).pipeline},
		{"GET /-/pipelines/{id}/events", auth.ReadPipeline, (*visit).pipelineEvents},
		{"POST /-/pipelines/{id}/retry", auth.UpdatePipeline, (*visit).retryPipeline},
		{"POST /-/pipelines/{id}/cancel", auth.CancelPipeline, (*visit).cancelPipeline},

		{"GET /-/jobs/{id}", auth.ReadBuild, (*visit).job},
		{"GET /-/jobs/{id}/raw", auth.ReadBuildTrace, (*visit).jobRaw},
		{"GET /-/jobs/{id}/events", auth.ReadBuild, (*visit).jobEvents},
		{"GET /-/jobs/{id}/artifacts/download", auth.ReadJobArtifacts, (*visit).downloadArtifact},
		{"POST /-/jobs/{id}/play", auth.PlayJob, (*visit).playJob},
		{"POST /-/jobs/{id}/retry", auth.RetryJob, (*visit).retryJob},
		{"POST /-/jobs/{id}/cancel", auth.CancelBuild, (*visit).cancelJob},
		{"POST /-/jobs/{id}/erase", auth.ReadBuild, (*visit).eraseJob}, // who may is a matter of the job, too

		{"GET /-/settings/ci_cd", auth.AdminBuild, (*visit).triggers},
		{"POST /-/triggers", auth.ManageTrigger, (*visit).createTrigger},
		{"POST /-/triggers/{id}", auth.AdminTrigger, (*visit).updateTrigger},
		{"POST /-/triggers/{id}/revoke", auth.ManageTrigger, (*visit).revokeTrigger},
	}
}

// register puts the tables into the muxes.
func (web *Web) register() error {
	web.site, web.project = http.NewServeMux(), http.NewServeMux()
	for _, table := range []struct {
		mux    *http.ServeMux
		routes []route
	}{{web.site, web.siteRoutes()}, {web.project, web.projectRoutes()}} {
		for _, r := range table.routes {
			if r.needs == "" || r.serve == nil || !strings.Contains(r.pattern, " /") {
				return fmt.Errorf("route %q does not say who may take it, or leads nowhere", r.pattern)
			}
			table.mux.Handle(r.pattern, web.handler(r))
		}
	}
	return nil
}

// handler serves a route.
func (web *Web) handler(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		web.serve(w, request, func(v *visit) error {
			if r.needs == unseen {
				return r.serve(v)
			}
			if err := v.begin(); err != nil {
				return err
			}
			if path := projectOf(request.Context()); path != "" {
				if err := v.enter(path, r.needs); err != nil {
					return err
				}
			}
			return r.serve(v)
		})
	})
}
