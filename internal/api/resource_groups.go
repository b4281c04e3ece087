package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// resourceGroupShape is GitLab's Ci::ResourceGroup.
type resourceGroupShape struct {
	ID          int64          `json:"id"`
	Key         string         `json:"key"`
	ProcessMode ci.ProcessMode `json:"process_mode"`
	CreatedAt   stamp          `json:"created_at"`
	UpdatedAt   stamp          `json:"updated_at"`
}

func shapeResourceGroup(g ci.ResourceGroup) resourceGroupShape {
	return resourceGroupShape{ID: g.ID, Key: g.Key, ProcessMode: g.Mode, CreatedAt: stamp(g.CreatedAt), UpdatedAt: stamp(g.UpdatedAt)}
}

// listResourceGroups lists the resource groups of a project.
func (a *API) listResourceGroups(c *call) error {
	page := c.params.Page()
	project, err := c.project(auth.ReadResourceGroup)
	if err != nil {
		return err
	}
	groups, total, err := a.view.ResourceGroups(c.ctx(), project.ID, page.PerPage, page.Offset())
	if err != nil {
		return err
	}
	shapes := make([]resourceGroupShape, len(groups))
	for i, g := range groups {
		shapes[i] = shapeResourceGroup(g)
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// resourceGroup finds the resource group that the path names.
func (c *call) resourceGroup() (ci.ResourceGroup, ci.Project, error) {
	key := c.params.String("key")
	project, err := c.project(auth.ReadResourceGroup)
	if err != nil {
		return ci.ResourceGroup{}, ci.Project{}, err
	}
	group, err := c.api.view.ResourceGroup(c.ctx(), project.ID, key)
	if ci.IsNotFound(err) {
		err = ci.NotFound("Resource Group")
	}
	return group, project, err
}

// getResourceGroup shows one resource group.
func (a *API) getResourceGroup(c *call) error {
	group, _, err := c.resourceGroup()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shapeResourceGroup(group))
}

// updateResourceGroup changes the process mode of a resource group.
func (a *API) updateResourceGroup(c *call) error {
	names := make([]string, len(ci.ProcessModes))
	for i, mode := range ci.ProcessModes {
		names[i] = string(mode)
	}
	mode := c.params.Enum("process_mode", "", names...)
	group, project, err := c.resourceGroup()
	if err != nil {
		return err
	}
	if mode == "" {
		mode = string(group.Mode)
	}
	if group, err = a.engine.SetProcessMode(c.ctx(), c.caller, project, group.Key, ci.ProcessMode(mode)); err != nil {
		return err
	}
	return c.json(http.StatusOK, shapeResourceGroup(group))
}

// listUpcomingJobs lists the jobs that are to get a resource group, the next first.
func (a *API) listUpcomingJobs(c *call) error {
	page := c.params.Page()
	group, project, err := c.resourceGroup()
	if err != nil {
		return err
	}
	jobs, total, err := a.view.UpcomingJobs(c.ctx(), group, page.PerPage, page.Offset())
	if err != nil {
		return err
	}
	shapes, err := a.jobShapes(c.ctx(), project, jobs)
	if err != nil {
		return err
	}
	basic := make([]basicJob, len(shapes))
	for i, shape := range shapes {
		basic[i] = basicJob{jobShape: shape}
	}
	return c.page(page, wire.Found{Total: int64(total)}, basic)
}
