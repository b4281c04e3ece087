package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// getJobTokenScope says whether a project keeps an allow-list for job tokens of
// other projects. Limits on what the tokens of its own jobs may reach are gone from
// GitLab and not here.
func (a *API) getJobTokenScope(c *call) error {
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]bool{"inbound_enabled": project.InboundTokenScope, "outbound_enabled": false})
}

// setJobTokenScope turns the allow-list on or off.
func (a *API) setJobTokenScope(c *call) error {
	c.params.Require("enabled")
	enabled := c.params.Bool("enabled", true)
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	if err := a.engine.LimitJobTokens(c.ctx(), c.caller, project, enabled); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// listAllowedProjects lists the projects whose job tokens may act on this one, which
// is itself the first of them.
func (a *API) listAllowedProjects(c *call) error {
	page := c.params.Page()
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	sources, _, err := a.view.JobTokenAllowlist(c.ctx(), project.ID)
	if err != nil {
		return err
	}
	ids := []ci.ProjectID{project.ID}
	for _, id := range sources {
		if id != project.ID {
			ids = append(ids, id)
		}
	}
	shapes := []projectBasic{}
	namespaces := c.namespaces()
	for _, id := range part(ids, page) {
		source, err := a.view.Project(c.ctx(), id)
		if err != nil {
			return err
		}
		shape, err := c.projectBasic(source, namespaces)
		if err != nil {
			return err
		}
		shapes = append(shapes, shape)
	}
	return c.page(page, wire.Found{Total: int64(len(ids))}, shapes)
}

// allowProject puts a project on the allow-list; the caller must be able to see it.
func (a *API) allowProject(c *call) error {
	c.params.RequireFilled("target_project_id")
	id := c.params.Int("target_project_id", 0)
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	source, err := a.view.Project(c.ctx(), ci.ProjectID(id))
	if err == nil {
		_, err = a.engine.Authorize(c.ctx(), c.caller, source, auth.ReadProject)
	}
	if ci.IsNotFound(err) {
		return ci.NotFound("Project")
	}
	if err != nil {
		return err
	}
	if err := a.engine.AllowJobTokenOf(c.ctx(), c.caller, project, source.ID); err != nil {
		return err
	}
	return c.json(http.StatusCreated, map[string]ci.ProjectID{"source_project_id": project.ID, "target_project_id": source.ID})
}

// disallowProject takes a project off the allow-list.
func (a *API) disallowProject(c *call) error {
	id := c.params.Int("target_project_id", 0)
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	if err := a.engine.DisallowJobTokenOf(c.ctx(), c.caller, project, ci.ProjectID(id), 0); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// allowedGroupShape is a group on the allow-list.
type allowedGroupShape struct {
	ID     ci.NamespaceID `json:"id"`
	WebURL string         `json:"web_url"`
	Name   string         `json:"name"`
}

// listAllowedGroups lists the groups whose projects' job tokens may act on a
// project.
func (a *API) listAllowedGroups(c *call) error {
	page := c.params.Page()
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	_, ids, err := a.view.JobTokenAllowlist(c.ctx(), project.ID)
	if err != nil {
		return err
	}
	shapes := []allowedGroupShape{}
	for _, id := range part(ids, page) {
		group, err := a.view.Namespace(c.ctx(), id)
		if err != nil {
			return err
		}
		shapes = append(shapes, allowedGroupShape{ID: id, WebURL: a.namespaceURL(group), Name: group.Name})
	}
	return c.page(page, wire.Found{Total: int64(len(ids))}, shapes)
}

// allowGroup puts a group on the allow-list; the caller must be able to see it.
func (a *API) allowGroup(c *call) error {
	c.params.RequireFilled("target_group_id")
	id := c.params.String("target_group_id")
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	group, err := a.engine.FindGroup(c.ctx(), id)
	if err != nil {
		return err
	}
	if err := a.engine.AuthorizeGroup(c.ctx(), c.caller, group, auth.ReadGroup); err != nil {
		return err
	}
	if err := a.engine.AllowJobTokensBelow(c.ctx(), c.caller, project, group.ID); err != nil {
		return err
	}
	return c.json(http.StatusCreated, map[string]int64{"source_project_id": int64(project.ID), "target_group_id": int64(group.ID)})
}

// disallowGroup takes a group off the allow-list.
func (a *API) disallowGroup(c *call) error {
	id := c.params.Int("target_group_id", 0)
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	if err := a.engine.DisallowJobTokenOf(c.ctx(), c.caller, project, 0, ci.NamespaceID(id)); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}
