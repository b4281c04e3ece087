package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// A visit is one request on its way through a page.
type visit struct {
	web     *Web
	w       http.ResponseWriter
	r       *http.Request
	caller  engine.Caller // nobody until serve has looked at the cookie
	secret  string        // in the cookie of the browser: of its session, or of its sign-in form
	project ci.Project    // that enter found
	actor   auth.Actor    // the caller in it
}

// maxForm is the largest form, in bytes.
const maxForm = 1 << 20

type projectKey struct{}

// withProject carries the path of a project past a mux.
func withProject(ctx context.Context, path string) context.Context {
	return context.WithValue(ctx, projectKey{}, path)
}

func projectOf(ctx context.Context) string {
	path, _ := ctx.Value(projectKey{}).(string)
	return path
}

// serve runs a page for a request that names this server, and shows its error as a
// page too.
func (web *Web) serve(w http.ResponseWriter, r *http.Request, page func(*visit) error) {
	v := &visit{web: web, r: r}
	wire.Adapt(func(w http.ResponseWriter, r *http.Request) error {
		v.w = w
		err := v.checkHost()
		if err == nil {
			err = page(v)
		}
		if errors.Is(err, errAnswered) {
			return nil
		}
		return err
	}, func(w http.ResponseWriter, _ *http.Request, p wire.Problem) error {
		v.w = w
		return v.problem(p)
	}).ServeHTTP(w, r)
}

// begin finds out who visits and, of a form, where it comes from.
func (v *visit) begin() error {
	if err := v.findSession(); err != nil {
		return err
	}
	if v.reads() {
		return nil
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	return v.checkForm()
}

// ctx is the context of the request.
func (v *visit) ctx() context.Context { return v.r.Context() }

// reads reports whether the request only looks.
func (v *visit) reads() bool { return v.r.Method == http.MethodGet || v.r.Method == http.MethodHead }

// enter finds a project by its path and checks that the visitor may do what a
// route needs. Who is not signed in is asked to, whether or not there is such a
// project; a project that has another path now is shown there.
func (v *visit) enter(path string, needs auth.Action) error {
	project, err := v.web.engine.FindProject(v.ctx(), path)
	if err == nil {
		v.actor, err = v.web.engine.Authorize(v.ctx(), v.caller, project, needs)
	}
	if kind := ci.KindOf(err); v.caller.Anonymous() && (kind == ci.KindNotFound || kind == ci.KindForbidden) {
		return v.askToSignIn()
	}
	if err != nil {
		return err
	}
	v.project = project
	wire.Annotate(v.ctx(), slog.Int64("project", int64(project.ID)))
	if project.FullPath != path {
		if !v.reads() {
			return ci.NotFound("Project")
		}
		return v.leave(http.StatusFound, v.web.below(project)+v.r.URL.EscapedPath(), v.r.URL.RawQuery)
	}
	return nil
}

// may reports whether the visitor may do something in the project.
func (v *visit) may(action auth.Action) bool {
	return auth.Allow(v.actor, action, v.project) == auth.Allowed
}

// errAnswered ends a visit that has its answer already.
var errAnswered = errors.New("the visit has its answer")

// id reads the id in the path.
func (v *visit) id() (int64, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, ci.NotFound("")
	}
	return id, nil
}

// below is the escaped path of a project, without the prefix of the server.
func (web *Web) below(project ci.Project) string { return escapePath(project.FullPath) }

// escapePath is the path of a page, escaped, from the full path of a project or
// namespace.
func escapePath(fullPath string) string {
	return "/" + wire.EscapePath(fullPath)
}

// redirect sends the browser to an escaped path of this server.
func (v *visit) redirect(status int, path, query string) error {
	if query != "" {
		path += "?" + query
	}
	v.w.Header().Set("Location", v.web.urls.Path(path))
	v.w.Header().Set("Cache-Control", "no-store")
	v.w.WriteHeader(status)
	return nil
}

// leave is redirect for steps before a page: nothing comes after it.
func (v *visit) leave(status int, path, query string) error {
	return errors.Join(v.redirect(status, path, query), errAnswered)
}

// after sends the browser from a form to a page.
func (v *visit) after(path string) error { return v.redirect(http.StatusSeeOther, path, "") }

// pipelinePath and jobPath are the paths of pages, without the prefix of the
// server.
func (web *Web) pipelinePath(project ci.Project, id ci.PipelineID) string {
	return fmt.Sprintf("%s/-/pipelines/%d", web.below(project), id)
}

func (web *Web) jobPath(project ci.Project, id ci.JobID) string {
	return fmt.Sprintf("%s/-/jobs/%d", web.below(project), id)
}
