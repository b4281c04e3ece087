package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// perPage is how many rows a list shows.
const perPage = 25

// A projectsPage lists projects: all that the visitor may see, or those of a group
// or user.
type projectsPage struct {
	shell
	Heading string
	Search  string
	Action  string // of the search form
	Rows    []projectRow
	Pager   pager
	Empty   string
}

// A projectRow is a project with its newest pipeline, if the visitor may see it.
type projectRow struct {
	URL         string
	Namespace   string // "group/sub/"
	Name        string
	Description string
	Visibility  string
	Archived    bool
	Pipeline    *pipelineBrief
}

// A pipelineBrief is a pipeline in one line.
type pipelineBrief struct {
	Number  string // "#7"
	URL     string
	Status  statusView
	Ref     string
	Created timeView
}

// projects is the front page. Who is not signed in sees public projects, and the
// sign-in page when there are none.
func (v *visit) projects() error {
	page := projectsPage{shell: v.shell("Projects"), Heading: "Projects", Action: v.web.urls.Path("/"), Empty: "There is no project yet."}
	if err := v.listProjects(&page, store.ProjectFilter{}); err != nil {
		return err
	}
	if v.caller.Anonymous() && len(page.Rows) == 0 && v.r.URL.RawQuery == "" {
		return v.askToSignIn()
	}
	return v.show(http.StatusOK, "projects", page)
}

// namespaceOrProject shows what has a path: the projects of a group or user, or the
// pipelines of a project.
func (v *visit) namespaceOrProject(path string) error {
	namespace, err := v.web.engine.FindNamespace(v.ctx(), path)
	if ci.IsNotFound(err) {
		if err := v.enter(path, auth.ReadProject); err != nil {
			return err
		}
		return v.redirect(http.StatusFound, v.web.below(v.project)+"/-/pipelines", "")
	}
	if err != nil {
		return err
	}
	page := projectsPage{
		shell: v.shell(namespace.FullPath), Heading: namespace.Name, Action: v.web.urls.Path(escapePath(namespace.FullPath)),
		Empty: "There is no project here yet.",
	}
	page.Crumbs = v.web.crumbs(namespace.FullPath)
	if err := v.listProjects(&page, store.ProjectFilter{Namespace: namespace.ID, Below: true}); err != nil {
		return err
	}
	if len(page.Rows) == 0 && page.Search == "" {
		if err := v.mayKnow(namespace); err != nil {
			return err
		}
	}
	return v.show(http.StatusOK, "projects", page)
}

// mayKnow checks that somebody may know of a namespace in which they see no project:
// who sees one knows of all that is above it.
func (v *visit) mayKnow(namespace ci.Namespace) error {
	var err error
	switch {
	case namespace.Kind == ci.GroupNamespace:
		err = v.web.engine.AuthorizeGroup(v.ctx(), v.caller, namespace, auth.ReadGroup)
	case v.caller.Anonymous():
		err = ci.NotFound("")
	}
	if v.caller.Anonymous() && ci.IsNotFound(err) {
		return v.askToSignIn()
	}
	return err
}

// listProjects fills the rows of a page.
func (v *visit) listProjects(page *projectsPage, filter store.ProjectFilter) error {
	query := v.r.URL.Query()
	page.Search = query.Get("search")
	number := pageNumber(query)
	filter.UserID, filter.Admin, filter.Search = v.caller.User.ID, v.caller.User.Admin, page.Search
	filter.OrderBy, filter.Sort, filter.Limit, filter.Offset = "name", "asc", perPage, (number-1)*perPage
	list, total, err := v.web.view.Projects(v.ctx(), filter)
	if err != nil {
		return err
	}
	if page.Search != "" {
		page.Empty = "No project has this in its name."
	}
	page.Pager = newPager(page.Action, url.Values{"search": {page.Search}}, number, len(list), total)
	page.Rows, err = v.web.projectRows(v.ctx(), v.caller.User, list)
	return err
}

// projectRows shows projects. It takes three statements, however many there are.
func (web *Web) projectRows(ctx context.Context, user ci.User, list []ci.Project) ([]projectRow, error) {
	if len(list) == 0 {
		return nil, nil
	}
	ids := make([]ci.ProjectID, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	newest, err := web.view.NewestPipelines(ctx, ids)
	if err != nil {
		return nil, err
	}
	var pipelines []ci.PipelineID
	for _, p := range newest {
		pipelines = append(pipelines, p.ID)
	}
	warnings, err := web.view.HasWarnings(ctx, pipelines)
	if err != nil {
		return nil, err
	}
	allowed, err := web.readable(ctx, user, list)
	if err != nil {
		return nil, err
	}
	rows := make([]projectRow, len(list))
	for i, p := range list {
		namespace := p.NamespacePath()
		rows[i] = projectRow{
			URL: web.projectURL(p), Namespace: namespace + "/", Name: p.Name, Description: p.Description,
			Visibility: string(p.Visibility), Archived: p.Archived,
		}
		if pipeline, ok := newest[p.ID]; ok && allowed[p.ID] {
			rows[i].Pipeline = &pipelineBrief{
				Number: "#" + number(int(pipeline.ID)), URL: web.pipelineURL(p, pipeline.ID),
				Status: pipelineStatus(pipeline.Status, warnings[pipeline.ID]), Ref: pipeline.Ref, Created: at(pipeline.CreatedAt),
			}
		}
	}
	return rows, nil
}

// readable tells of which projects a user may see the pipelines, in one statement
// at most.
func (web *Web) readable(ctx context.Context, user ci.User, list []ci.Project) (map[ci.ProjectID]bool, error) {
	roles := map[ci.ProjectID]ci.Role{}
	if user.ID != 0 && !user.Admin {
		ids := make([]ci.ProjectID, len(list))
		for i, p := range list {
			ids[i] = p.ID
		}
		var err error
		if roles, err = web.view.Roles(ctx, user.ID, ids); err != nil {
			return nil, err
		}
	}
	allowed := make(map[ci.ProjectID]bool, len(list))
	for _, p := range list {
		actor := auth.Actor{User: user, Role: roles[p.ID]}
		allowed[p.ID] = auth.Allow(actor, auth.ReadPipeline, p) == auth.Allowed
	}
	return allowed, nil
}
