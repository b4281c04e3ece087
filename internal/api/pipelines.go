package api

import (
	"fmt"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// listPipelines lists the pipelines of a project.
func (a *API) listPipelines(c *call) error {
	filter := pipelineFilter(c.params)
	page := c.params.Page()
	project, err := c.project(auth.ReadPipeline, auth.ReadBuild)
	if err != nil {
		return err
	}
	filter.ProjectID, filter.Limit, filter.Offset = project.ID, page.PerPage, page.Offset()
	list, total, err := a.view.Pipelines(c.ctx(), filter)
	if err != nil {
		return err
	}
	shapes := make([]pipelineListed, len(list))
	for i, p := range list {
		shapes[i] = pipelineListed{a.pipelineBasic(p, project), orNull(p.Name)}
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// pipelineFilter reads the parameters that narrow and order the list
// (contract/trigger-api.md 6.1).
func pipelineFilter(p *wire.Params) store.PipelineFilter {
	filter := store.PipelineFilter{
		Scope:         p.Enum("scope", "", "running", "pending", "finished", "branches", "tags"),
		Status:        ci.Status(p.Enum("status", "", statusNames()...)),
		Ref:           p.String("ref"),
		SHA:           p.String("sha"),
		Source:        ci.Source(p.Enum("source", "", sourceNames()...)),
		Username:      p.String("username"),
		Name:          p.String("name"),
		UpdatedAfter:  p.Time("updated_after"),
		UpdatedBefore: p.Time("updated_before"),
		CreatedAfter:  p.Time("created_after"),
		CreatedBefore: p.Time("created_before"),
		OrderBy:       p.Enum("order_by", "", "id", "status", "ref", "updated_at", "user_id"),
		Sort:          p.Enum("sort", "", "asc", "desc"),
	}
	if p.String("yaml_errors") != "" {
		broken := p.Bool("yaml_errors", false)
		filter.YAMLErrors = &broken
	}
	return filter
}

func statusNames() []string {
	names := make([]string, len(ci.Statuses))
	for i, s := range ci.Statuses {
		names[i] = string(s)
	}
	return names
}

func sourceNames() []string {
	names := make([]string, len(ci.Sources))
	for i, s := range ci.Sources {
		names[i] = string(s)
	}
	return names
}

// createPipeline starts a pipeline for a signed-in user.
func (a *API) createPipeline(c *call) error {
	c.params.Require("ref")
	ref, given := c.params.String("ref"), c.params.Map("inputs")
	variables := variableList(c.params, "variables")
	project, err := c.project(auth.CreatePipeline)
	if err != nil {
		return err
	}
	list, err := inputs(given)
	if err != nil {
		return err
	}
	pipeline, err := a.engine.RunPipeline(c.ctx(), c.caller, project, ref, variables, list...)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, a.pipelineShape(pipeline, project, pipelineFacts{user: c.caller.User}))
}

// variableList reads a list of variables: {key, value, variable_type} each.
func variableList(p *wire.Params, name string) []ci.Variable {
	var variables []ci.Variable
	for i, item := range p.List(name) {
		if item.Kind != wire.Map {
			p.Fail(name, "is invalid")
			return nil
		}
		field := func(field string) string { return fmt.Sprintf("%s[%d][%s]", name, i, field) }
		v := ci.Variable{}
		for _, part := range []struct {
			name string
			into *string
		}{{"key", &v.Key}, {"value", &v.Value}} {
			switch value := item.Get(part.name); {
			case value == nil:
				p.Fail(field(part.name), "is missing")
			case value.Kind == wire.List || value.Kind == wire.Map:
				p.Fail(field(part.name), "is invalid")
			default:
				*part.into = value.Text
			}
		}
		switch kind := item.Get("variable_type"); {
		case kind == nil || kind.Kind == wire.Null || kind.Text == "env_var":
		case kind.Text == "file":
			v.File = true
		default:
			p.Fail(field("variable_type"), "does not have a valid value")
		}
		variables = append(variables, v)
	}
	return variables
}

// latestPipeline shows the newest pipeline of the commit that a ref names now.
// GitLab checks the right to read a pipeline that is not there, so none is 403.
func (a *API) latestPipeline(c *call) error {
	name := c.params.String("ref")
	project, err := c.project(auth.ReadPipeline)
	if err != nil {
		return err
	}
	if name == "" {
		name = project.DefaultBranch
	}
	refs, err := a.view.RefsNamed(c.ctx(), project.ID, name)
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		return ci.Forbidden("")
	}
	pipeline, err := a.view.LatestPipeline(c.ctx(), project.ID, refs[0].Short(), refs[0].SHA)
	if ci.IsNotFound(err) {
		return ci.Forbidden("")
	}
	if err != nil {
		return err
	}
	return c.answerPipeline(http.StatusOK, pipeline, project, true)
}

// pipeline finds the pipeline that the path names and checks that the caller may do
// something with it.
func (c *call) pipeline(actions ...auth.Action) (ci.Pipeline, ci.Project, error) {
	id := ci.PipelineID(c.params.Int("pipeline_id", 0))
	project, err := c.project()
	if err != nil {
		return ci.Pipeline{}, ci.Project{}, err
	}
	pipeline, err := c.api.engine.ProjectPipeline(c.ctx(), project, id)
	if err != nil {
		return ci.Pipeline{}, ci.Project{}, err
	}
	for _, action := range actions {
		if _, err := c.api.engine.Authorize(c.ctx(), c.caller, project, action); err != nil {
			return ci.Pipeline{}, ci.Project{}, err
		}
	}
	return pipeline, project, nil
}

// getPipeline shows one pipeline.
func (a *API) getPipeline(c *call) error {
	pipeline, project, err := c.pipeline(auth.ReadPipeline)
	if err != nil {
		return err
	}
	return c.answerPipeline(http.StatusOK, pipeline, project, true)
}

// retryPipeline runs what failed in a pipeline once more.
func (a *API) retryPipeline(c *call) error {
	pipeline, project, err := c.pipeline()
	if err != nil {
		return err
	}
	if pipeline, err = a.engine.RetryPipeline(c.ctx(), c.caller, project, pipeline.ID); err != nil {
		return err
	}
	return c.answerPipeline(http.StatusCreated, pipeline, project, false)
}

// cancelPipeline stops what of a pipeline can be stopped.
func (a *API) cancelPipeline(c *call) error {
	pipeline, project, err := c.pipeline()
	if err != nil {
		return err
	}
	if pipeline, err = a.engine.CancelPipeline(c.ctx(), c.caller, project, pipeline.ID); err != nil {
		return err
	}
	return c.answerPipeline(http.StatusOK, pipeline, project, false)
}

// renamePipeline gives a pipeline another name.
func (a *API) renamePipeline(c *call) error {
	c.params.Require("name")
	name := c.params.String("name")
	pipeline, project, err := c.pipeline()
	if err != nil {
		return err
	}
	if pipeline, err = a.engine.RenamePipeline(c.ctx(), c.caller, project, pipeline.ID, name); err != nil {
		return err
	}
	return c.answerPipeline(http.StatusOK, pipeline, project, true)
}

// deletePipeline removes a pipeline, unless it changed since the caller saw it.
func (a *API) deletePipeline(c *call) error {
	pipeline, project, err := c.pipeline()
	if err != nil {
		return err
	}
	if err := a.engine.DeletePipeline(c.ctx(), c.caller, project, pipeline.ID, c.unlessModifiedSince); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// variableShape is GitLab's Variable of a pipeline.
type variableShape struct {
	Type  string `json:"variable_type"`
	Key   string `json:"key"`
	Value string `json:"value"`
	Raw   bool   `json:"raw"`
}

// pipelineVariables lists the variables that a pipeline was started with.
func (a *API) pipelineVariables(c *call) error {
	pipeline, project, err := c.pipeline()
	if err != nil {
		return err
	}
	variables, err := a.engine.VariablesOf(c.ctx(), c.caller, project, pipeline.ID)
	if err != nil {
		return err
	}
	shapes := make([]variableShape, len(variables))
	for i, v := range variables {
		shapes[i] = variableShape{Type: variableType(v), Key: v.Key, Value: v.Value, Raw: v.Raw}
	}
	return c.json(http.StatusOK, shapes)
}
