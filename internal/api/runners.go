package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// runnerTypes are the values of runner_type.
var runnerTypes = []string{string(ci.InstanceRunner), string(ci.GroupRunner), string(ci.ProjectRunner)}

// createRunner makes a runner and tells its token, for once. GitLab's Users API,
// "Create a runner".
func (a *API) createRunner(c *call) error {
	p := c.params
	p.Require("runner_type")
	n := engine.NewRunner{
		Type:           ci.RunnerType(p.Enum("runner_type", "", runnerTypes...)),
		RunnerSettings: c.runnerSettings(),
	}
	switch n.Type {
	case ci.GroupRunner:
		p.Require("group_id")
		n.NamespaceID = ci.NamespaceID(p.Int("group_id", 0))
	case ci.ProjectRunner:
		p.Require("project_id")
		n.ProjectID = ci.ProjectID(p.Int("project_id", 0))
	case ci.InstanceRunner:
	}
	if err := c.begin(); err != nil {
		return err
	}
	runner, token, err := a.engine.CreateRunner(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, newRunnerShape{ID: runner.ID, Token: token})
}

// runnerSettings reads the settings of a runner that were sent.
func (c *call) runnerSettings() engine.RunnerSettings {
	p := c.params
	s := engine.RunnerSettings{
		Description: c.sent("description"), Note: c.sent("maintenance_note"),
		Paused: sentBool(p, "paused"), Locked: sentBool(p, "locked"), RunUntagged: sentBool(p, "run_untagged"),
	}
	if active := sentBool(p, "active"); active != nil { // the older name, the other way round
		if s.Paused != nil {
			p.Fail("active, paused", "are mutually exclusive")
		}
		paused := !*active
		s.Paused = &paused
	}
	if p.Has("tag_list") {
		tags := p.Commas("tag_list")
		s.Tags = &tags
	}
	if p.Has("access_level") {
		protected := p.Enum("access_level", levelAll, levelAll, levelProtected) == levelProtected
		s.RefProtected = &protected
	}
	if p.Has("maximum_timeout") {
		timeout := p.Int("maximum_timeout", 0)
		s.MaximumTimeout = &timeout
	}
	return s
}

// sentBool reads a truth value, nil when it was not sent. A false of JSON was.
func sentBool(p *wire.Params, name string) *bool {
	if t := p.Get(name); t == nil || t.Kind == wire.Null || t.Kind == wire.String && t.Text == "" {
		return nil
	}
	value := p.Bool(name, false)
	return &value
}

// runnerFilter reads what a list of runners is to be narrowed to. The older
// parameter scope mixes types and statuses.
func (c *call) runnerFilter(page wire.Page) store.RunnerFilter {
	p := c.params
	f := store.RunnerFilter{
		Type: ci.RunnerType(p.Enum("type", "", runnerTypes...)), Paused: sentBool(p, "paused"), Tags: p.Commas("tag_list"),
		Limit: page.PerPage, Offset: page.Offset(),
	}
	f.Status = p.Enum("status", "", "active", "paused", "online", "offline", "never_contacted", "stale")
	switch scope := p.Enum("scope", "", "specific", "shared", "active", "paused", "online", "offline", "never_contacted", "stale"); scope {
	case "":
	case "specific":
		f.Type = ci.ProjectRunner
	case "shared":
		f.Type = ci.InstanceRunner
	default:
		f.Status = scope
	}
	if f.Status == "active" || f.Status == "paused" {
		paused := f.Status == "paused"
		f.Status, f.Paused = "", &paused
	}
	return f
}

// listRunners lists the runners that the caller looks after.
func (a *API) listRunners(c *call) error {
	page := c.params.Page()
	filter := c.runnerFilter(page)
	if err := c.begin(); err != nil {
		return err
	}
	filter.MaintainedBy = c.caller.User.ID
	return c.pageOfRunners(page, filter)
}

// listAllRunners lists every runner of the server, for administrators.
func (a *API) listAllRunners(c *call) error {
	page := c.params.Page()
	filter := c.runnerFilter(page)
	if err := c.begin(); err != nil {
		return err
	}
	return c.pageOfRunners(page, filter)
}

// listProjectRunners lists the runners that may work for a project.
func (a *API) listProjectRunners(c *call) error {
	page := c.params.Page()
	filter := c.runnerFilter(page)
	project, err := c.project(auth.ReadRunners)
	if err != nil {
		return err
	}
	filter.ProjectID = project.ID
	return c.pageOfRunners(page, filter)
}

// listGroupRunners lists the runners of a group and of those above it.
func (a *API) listGroupRunners(c *call) error {
	page := c.params.Page()
	filter := c.runnerFilter(page)
	group, err := c.group(auth.ReadRunners)
	if err != nil {
		return err
	}
	filter.NamespaceID = group.ID
	return c.pageOfRunners(page, filter)
}

func (c *call) pageOfRunners(page wire.Page, filter store.RunnerFilter) error {
	list, total, err := c.api.view.Runners(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes, err := c.runnerShapes(list)
	if err != nil {
		return err
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// runner is begin, then finds the runner that the path names for somebody who may
// look at it.
func (c *call) runner() (ci.Runner, error) {
	id := c.runnerID()
	if err := c.begin(); err != nil {
		return ci.Runner{}, err
	}
	return c.api.engine.FindRunner(c.ctx(), c.caller, id)
}

func (c *call) runnerID() ci.RunnerID { return ci.RunnerID(c.params.Int("runner_id", 0)) }

// getRunner shows one runner.
func (a *API) getRunner(c *call) error {
	runner, err := c.runner()
	if err != nil {
		return err
	}
	return c.answerRunner(runner)
}

func (c *call) answerRunner(runner ci.Runner) error {
	shape, err := c.runnerDetails(runner)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shape)
}

// listManagers lists the machines of a runner, newest first.
func (a *API) listManagers(c *call) error {
	runner, err := c.runner()
	if err != nil {
		return err
	}
	managers, err := a.view.Managers(c.ctx(), runner.ID)
	if err != nil {
		return err
	}
	shapes := make([]managerShape, len(managers))
	for i := range managers {
		held, err := a.view.HeldJobs(c.ctx(), managers[i].ID)
		if err != nil {
			return err
		}
		shapes[i] = managerShape{*shapeMachine(&managers[i], a.now()), executionStatus(held)}
	}
	return c.json(http.StatusOK, shapes)
}

// updateRunner changes settings of a runner.
func (a *API) updateRunner(c *call) error {
	settings, id := c.runnerSettings(), c.runnerID()
	if settings == (engine.RunnerSettings{}) {
		c.params.Fail("description, active, paused, tag_list, run_untagged, locked, access_level, maximum_timeout, maintenance_note",
			"are missing, at least one parameter must be provided")
	}
	if err := c.begin(); err != nil {
		return err
	}
	runner, err := a.engine.UpdateRunner(c.ctx(), c.caller, id, settings)
	if err != nil {
		return err
	}
	return c.answerRunner(runner)
}

// deleteRunner removes a runner.
func (a *API) deleteRunner(c *call) error {
	id := c.runnerID()
	if err := c.begin(); err != nil {
		return err
	}
	if err := a.engine.DeleteRunner(c.ctx(), c.caller, id); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// resetRunnerToken replaces the token of a runner and tells the new one, for once.
func (a *API) resetRunnerToken(c *call) error {
	id := c.runnerID()
	if err := c.begin(); err != nil {
		return err
	}
	token, err := a.engine.ResetRunnerToken(c.ctx(), c.caller, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, newRunnerShape{Token: token})
}

// assignRunner lets a runner work for a project.
func (a *API) assignRunner(c *call) error {
	c.params.Require("runner_id")
	id := c.runnerID()
	project, err := c.project(auth.AdminRunners)
	if err != nil {
		return err
	}
	runner, err := a.engine.AssignRunner(c.ctx(), c.caller, project, id)
	if err != nil {
		return err
	}
	shapes, err := c.runnerShapes([]ci.Runner{runner})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, shapes[0])
}

// unassignRunner ends that a runner works for a project.
func (a *API) unassignRunner(c *call) error {
	id := c.runnerID()
	project, err := c.project(auth.AdminRunners)
	if err != nil {
		return err
	}
	if err := a.engine.UnassignRunner(c.ctx(), c.caller, project, id); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}
