package api

import (
	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// projectFilter reads what narrows a list of projects; whose list it is, c.begin
// tells.
func (c *call) projectFilter(page wire.Page) store.ProjectFilter {
	p := c.params
	f := store.ProjectFilter{
		Search: p.String("search"), Visibility: visibility(p), Sort: p.Enum("sort", "desc", "asc", "desc"),
		OrderBy: p.Enum("order_by", "created_at", "id", "name", "path", "created_at", "updated_at", "last_activity_at", "star_count", "similarity"),
		Limit:   page.PerPage, Offset: page.Offset(),
	}
	switch f.OrderBy {
	case "last_activity_at":
		f.OrderBy = "updated_at"
	case "star_count", "similarity": // nobody gives stars here
		f.OrderBy = "id"
	}
	if p.Has("archived") {
		archived := p.Bool("archived", false)
		f.Archived = &archived
	}
	f.Membership, f.MinRole = c.membership()
	if p.Bool("membership", false) {
		f.Membership = true
	}
	return f
}

// listProjects lists the projects that the caller may see.
func (a *API) listProjects(c *call) error {
	page, simple := c.params.Page(), c.params.Bool("simple", false)
	filter := c.projectFilter(page)
	if err := c.begin(); err != nil {
		return err
	}
	return c.pageOfProjects(page, filter, simple)
}

// listGroupProjects lists the projects of a group and, when asked for, of the groups
// below it.
func (a *API) listGroupProjects(c *call) error {
	page, simple, below := c.params.Page(), c.params.Bool("simple", false), c.params.Bool("include_subgroups", false)
	filter := c.projectFilter(page)
	group, err := c.group(auth.ReadGroup)
	if err != nil {
		return err
	}
	filter.Namespace, filter.Below = group.ID, below
	return c.pageOfProjects(page, filter, simple)
}

// listUserProjects lists the projects in the namespace of a user, by id or name.
func (a *API) listUserProjects(c *call) error {
	page, simple := c.params.Page(), c.params.Bool("simple", false)
	filter := c.projectFilter(page)
	if err := c.begin(); err != nil {
		return err
	}
	user, err := c.userNamed(c.r.PathValue("user_id"))
	if err != nil {
		return err
	}
	home, err := a.view.NamespaceByPath(c.ctx(), user.Username)
	if err != nil {
		return err
	}
	filter.Namespace = home.ID
	return c.pageOfProjects(page, filter, simple)
}

func (c *call) pageOfProjects(page wire.Page, filter store.ProjectFilter, simple bool) error {
	filter.UserID, filter.Admin = c.caller.User.ID, c.caller.User.Admin
	projects, total, err := c.api.view.Projects(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes, namespaces := make([]any, len(projects)), c.namespaces()
	for i, p := range projects {
		if simple || c.caller.Anonymous() {
			shapes[i], err = c.projectBasic(p, namespaces)
		} else {
			shapes[i], err = c.projectShape(p, namespaces)
		}
		if err != nil {
			return err
		}
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// listMergeRequests lists none: clients ask for those of a branch before they look
// at its pipelines, and there are no merge requests here.
func (a *API) listMergeRequests(c *call) error {
	page := c.params.Page()
	if _, err := c.project(); err != nil {
		return err
	}
	return c.page(page, wire.Found{}, []ci.Project{})
}
