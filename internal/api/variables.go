package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// ownedVariableShape is GitLab's Variable of a project or group
// (contract/trigger-api.md 6.3).
type ownedVariableShape struct {
	Type        string  `json:"variable_type"`
	Key         string  `json:"key"`
	Value       *string `json:"value"` // null when hidden
	Hidden      bool    `json:"hidden"`
	Protected   bool    `json:"protected"`
	Masked      bool    `json:"masked"`
	Raw         bool    `json:"raw"`
	Scope       string  `json:"environment_scope,omitempty"` // none for those of the instance
	Description *string `json:"description"`
}

func ownedVariable(v ci.OwnedVariable) ownedVariableShape {
	shape := ownedVariableShape{
		Type: variableType(v.Variable), Key: v.Key, Value: &v.Value, Hidden: v.Hidden, Protected: v.Protected, Masked: v.Masked,
		Raw: v.Raw, Scope: v.Scope, Description: orNull(v.Description),
	}
	if v.Hidden {
		shape.Value = nil
	}
	if v.Owner == (ci.VariableOwner{}) {
		shape.Scope = ""
	}
	return shape
}

// variableType is GitLab's word for the form of a variable.
func variableType(v ci.Variable) string {
	if v.File {
		return "file"
	}
	return "env_var"
}

// A holderFinder is begin, then finds whose variables a route is about.
type holderFinder func(*call) (engine.Holder, error)

func variablesOfProject(c *call) (engine.Holder, error) {
	project, err := c.project()
	return engine.Holder{Project: project}, err
}

func variablesOfGroup(c *call) (engine.Holder, error) {
	group, err := c.group()
	return engine.Holder{Group: group}, err
}

func variablesOfInstance(c *call) (engine.Holder, error) { return engine.Holder{}, c.begin() }

// readVariable sets what was sent of a variable, and tells what is wrong with it.
func (c *call) readVariable(v *ci.OwnedVariable) {
	p := c.params
	v.File = p.Enum("variable_type", variableType(v.Variable), "env_var", "file") == "file"
	v.Protected, v.Masked, v.Raw = p.Bool("protected", v.Protected), p.Bool("masked", v.Masked), p.Bool("raw", v.Raw)
	for _, text := range []struct {
		name  string
		field *string
	}{{"value", &v.Value}, {"environment_scope", &v.Scope}, {"description", &v.Description}} {
		if value := p.String(text.name); sent(p, text.name) {
			*text.field = value
		}
	}
}

// sent reports whether a parameter was sent, and not as null.
func sent(p *wire.Params, name string) bool {
	value := p.Get(name)
	return value != nil && value.Kind != wire.Null
}

// scopeFilter is the scope that the caller means of variables with one key; "" for
// any.
func (c *call) scopeFilter() string {
	if filter := c.params.Get("filter"); filter != nil && filter.Kind != wire.Map && !filter.Blank() {
		c.params.Fail("filter", "is invalid")
	}
	return c.params.String("filter[environment_scope]")
}

// listVariables lists the CI/CD variables of a project, a group or the instance.
func (a *API) listVariables(find holderFinder) func(*call) error {
	return func(c *call) error {
		page := c.params.Page()
		holder, err := find(c)
		if err != nil {
			return err
		}
		list, total, err := a.engine.ListVariables(c.ctx(), c.caller, holder, page.PerPage, page.Offset())
		if err != nil {
			return err
		}
		shapes := make([]ownedVariableShape, len(list))
		for i, v := range list {
			shapes[i] = ownedVariable(v)
		}
		return c.page(page, wire.Found{Total: int64(total)}, shapes)
	}
}

// getVariable shows one variable.
func (a *API) getVariable(find holderFinder) func(*call) error {
	return func(c *call) error {
		scope := c.scopeFilter()
		holder, err := find(c)
		if err != nil {
			return err
		}
		v, err := a.engine.GetVariable(c.ctx(), c.caller, holder, c.r.PathValue("key"), scope)
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, ownedVariable(v))
	}
}

// createVariable adds a variable.
func (a *API) createVariable(find holderFinder) func(*call) error {
	return func(c *call) error {
		c.params.Require("key", "value")
		v := ci.OwnedVariable{Scope: ci.AnyEnvironment, Variable: ci.Variable{Key: c.params.String("key")}}
		c.readVariable(&v)
		if c.params.Bool("masked_and_hidden", false) {
			v.Masked, v.Hidden = true, true
		}
		holder, err := find(c)
		if err != nil {
			return err
		}
		if v, err = a.engine.CreateVariable(c.ctx(), c.caller, holder, v); err != nil {
			return err
		}
		return c.json(http.StatusCreated, ownedVariable(v))
	}
}

// updateVariable changes what was sent of a variable.
func (a *API) updateVariable(find holderFinder) func(*call) error {
	return func(c *call) error {
		scope := c.scopeFilter()
		c.readVariable(&ci.OwnedVariable{}) // tells what is wrong
		holder, err := find(c)
		if err != nil {
			return err
		}
		v, err := a.engine.UpdateVariable(c.ctx(), c.caller, holder, c.r.PathValue("key"), scope, c.readVariable)
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, ownedVariable(v))
	}
}

// deleteVariable removes a variable.
func (a *API) deleteVariable(find holderFinder) func(*call) error {
	return func(c *call) error {
		scope := c.scopeFilter()
		holder, err := find(c)
		if err != nil {
			return err
		}
		if err := a.engine.DeleteVariable(c.ctx(), c.caller, holder, c.r.PathValue("key"), scope); err != nil {
			return err
		}
		return wire.NoContent(c.w)
	}
}
