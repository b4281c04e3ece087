package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// getProject shows a project: in brief to those who are not signed in, as GitLab
// does.
func (a *API) getProject(c *call) error {
	project, err := c.project()
	if err != nil {
		return err
	}
	if c.caller.Anonymous() {
		shape, err := c.projectBasic(project, c.namespaces())
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, shape)
	}
	return c.showProject(http.StatusOK, project)
}

// showProject answers with a project in full.
func (c *call) showProject(status int, p ci.Project) error {
	shape, err := c.projectShape(p, c.namespaces())
	if err != nil {
		return err
	}
	return c.json(status, shape)
}

// createProject makes a project with an empty repository.
func (a *API) createProject(c *call) error {
	if !c.params.Has("name") && !c.params.Has("path") {
		c.params.Fail("name, path", "are missing, at least one parameter must be provided")
	}
	settings := ci.DefaultProjectSettings()
	readSettings(c.params, &settings)
	n := engine.NewProject{
		Name: c.params.String("name"), Path: c.params.String("path"), NamespaceID: ci.NamespaceID(c.params.Int("namespace_id", 0)),
		Description: c.params.String("description"), Visibility: visibility(c.params), DefaultBranch: c.params.String("default_branch"),
		Settings: &settings, InitializeWithReadme: c.params.Bool("initialize_with_readme", false),
	}
	mirrored := c.mirrored()
	if err := c.begin(); err != nil {
		return err
	}
	if mirrored != nil {
		return mirrored
	}
	project, err := a.engine.CreateProject(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	return c.showProject(http.StatusCreated, project)
}

// updateProject changes what was sent of a project.
func (a *API) updateProject(c *call) error {
	readSettings(c.params, &ci.ProjectSettings{}) // tells what is wrong with them
	change := engine.ProjectChange{
		Name: c.sent("name"), Path: c.sent("path"), Description: c.sent("description"), DefaultBranch: c.sent("default_branch"),
		Settings: func(s *ci.ProjectSettings) { readSettings(c.params, s) },
	}
	if v := visibility(c.params); v != "" {
		change.Visibility = &v
	}
	mirrored := c.mirrored()
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	if mirrored != nil {
		return mirrored
	}
	if project, err = a.engine.UpdateProject(c.ctx(), c.caller, project, change); err != nil {
		return err
	}
	return c.showProject(http.StatusOK, project)
}

// transferProject moves a project into another namespace, by id or path.
func (a *API) transferProject(c *call) error {
	c.params.Require("namespace")
	to := c.params.String("namespace")
	project, err := c.project(auth.ChangeNamespace)
	if err != nil {
		return err
	}
	namespace, err := a.engine.FindNamespaceByID(c.ctx(), to)
	if ci.IsNotFound(err) {
		return ci.NotFound("Namespace")
	}
	if err != nil {
		return err
	}
	if project, err = a.engine.TransferProject(c.ctx(), c.caller, project, namespace.ID); err != nil {
		return err
	}
	return c.showProject(http.StatusOK, project)
}

// archiveProject makes a project read-only.
func (a *API) archiveProject(c *call) error { return a.setArchived(c, true) }

// unarchiveProject lets an archived project be changed again.
func (a *API) unarchiveProject(c *call) error { return a.setArchived(c, false) }

func (a *API) setArchived(c *call, archived bool) error {
	project, err := c.project(auth.ArchiveProject)
	if err != nil {
		return err
	}
	if project, err = a.engine.ArchiveProject(c.ctx(), c.caller, project, archived); err != nil {
		return err
	}
	return c.showProject(http.StatusCreated, project)
}

// deleteProject removes a project for good.
func (a *API) deleteProject(c *call) error {
	project, err := c.project(auth.RemoveProject)
	if err != nil {
		return err
	}
	if err := c.unlessModifiedSince(project.UpdatedAt); err != nil {
		return err
	}
	if err := a.engine.DeleteProject(c.ctx(), c.caller, project); err != nil {
		return err
	}
	return c.accepted()
}

// accepted answers that something is being done.
func (c *call) accepted() error {
	return c.json(http.StatusAccepted, map[string]string{"message": "202 Accepted"})
}

// sent reads a text that may stay away; null counts as empty.
func (c *call) sent(name string) *string {
	if !c.params.Has(name) {
		return nil
	}
	text := c.params.String(name)
	return &text
}

func visibility(p *wire.Params) ci.Visibility {
	return ci.Visibility(p.Enum("visibility", "", string(ci.Private), string(ci.Internal), string(ci.Public)))
}

// mirrored refuses repositories that would come from elsewhere. Nothing is made
// then, so that no one takes an empty project for a copy.
func (c *call) mirrored() error {
	const later = "is not supported yet"
	switch {
	case c.params.String("import_url") != "":
		return ci.Invalid("import_url", later)
	case c.params.Bool("mirror", false):
		return ci.Invalid("mirror", later)
	}
	return nil
}

// readSettings reads the CI/CD settings among the parameters; those that were not
// sent stay as they are.
func readSettings(p *wire.Params, s *ci.ProjectSettings) {
	if p.Has("ci_config_path") {
		s.ConfigPath = p.String("ci_config_path")
	}
	if p.Has("jobs_enabled") && p.Bool("jobs_enabled", true) != (s.BuildsAccess != ci.AccessDisabled) {
		s.BuildsAccess = ci.AccessDisabled
		if p.Bool("jobs_enabled", true) {
			s.BuildsAccess = ci.AccessEnabled
		}
	}
	s.BuildsAccess = ci.AccessLevel(p.Enum("builds_access_level", string(s.BuildsAccess),
		string(ci.AccessDisabled), string(ci.AccessPrivate), string(ci.AccessEnabled)))
	s.PublicJobs = p.Bool("public_builds", s.PublicJobs)
	s.PublicJobs = p.Bool("public_jobs", s.PublicJobs)
	s.VariablesRole = variablesRole(p, s.VariablesRole)
	s.GitDepth = int(p.Int("ci_default_git_depth", int64(s.GitDepth)))
	s.BuildTimeout = p.Int("build_timeout", s.BuildTimeout)
	s.SharedRunners = p.Bool("shared_runners_enabled", s.SharedRunners)
	switch p.Enum("auto_cancel_pending_pipelines", "", "enabled", "disabled") {
	case "enabled":
		s.AutoCancelPending = true
	case "disabled":
		s.AutoCancelPending = false
	}
}

// variablesRole reads who may set variables of pipelines: by role, or by the switch
// that GitLab had before.
func variablesRole(p *wire.Params, now ci.VariablesRole) ci.VariablesRole {
	switch restricted := p.Bool("restrict_user_defined_variables", now != ci.VariablesDeveloper); {
	case !restricted:
		now = ci.VariablesDeveloper
	case now == ci.VariablesDeveloper:
		now = ci.VariablesMaintainer
	}
	return ci.VariablesRole(p.Enum("ci_pipeline_variables_minimum_override_role", string(now), string(ci.VariablesNobody),
		string(ci.VariablesDeveloper), string(ci.VariablesMaintainer), string(ci.VariablesOwner)))
}
