package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A Holder is whose CI/CD variables a call is about: a project, a group or, when
// both are zero, the instance.
type Holder struct {
	Project ci.Project
	Group   ci.Namespace
}

// owner names the holder in the database.
func (h Holder) owner() ci.VariableOwner {
	return ci.VariableOwner{ProjectID: h.Project.ID, NamespaceID: h.Group.ID}
}

// How many variables an owner may have: GitLab's defaults.
const (
	maxProjectVariables  = 8000
	maxGroupVariables    = 30000
	maxInstanceVariables = 25
)

// maxInstanceValue is the longest value of a variable of the instance, in
// characters. Other owners' values are bounded by Limits.VariableBytes.
const maxInstanceValue = 10_000

// limit is how many variables the holder may have, and what GitLab calls them.
func (h Holder) limit() (most int, words string) {
	switch {
	case h.Project.ID != 0:
		return maxProjectVariables, "project ci variables"
	case h.Group.ID != 0:
		return maxGroupVariables, "group ci variables"
	}
	return maxInstanceVariables, "ci instance level variables"
}

// scope is the scope of a variable as it is kept: those of the instance are for all
// environments.
func (h Holder) scope(scope string) string {
	if h.owner() == (ci.VariableOwner{}) {
		return ci.AnyEnvironment
	}
	return strings.TrimSpace(scope)
}

// AuthorizeVariables checks that the caller may see and change the variables of a
// holder: maintainers of a project, owners of a group, administrators. Errors: as
// for Authorize and AuthorizeGroup.
func (e *Engine) AuthorizeVariables(ctx context.Context, c Caller, h Holder) error {
	switch {
	case h.Project.ID != 0:
		_, err := e.Authorize(ctx, c, h.Project, auth.AdminVariables)
		return err
	case h.Group.ID != 0:
		return e.AuthorizeGroup(ctx, c, h.Group, auth.AdminVariables)
	}
	actor := auth.Actor{User: c.User, Scopes: c.Scopes, JobToken: c.Job != nil}
	if auth.Allow(actor, auth.AdminInstance, ci.Project{}) != auth.Allowed {
		return ci.Forbidden("")
	}
	return nil
}

// ListVariables lists the variables of a holder, opened, in the order of creation.
// GitLab's Project-level, Group-level and Instance-level CI/CD variables APIs. limit
// and offset page it; total counts all. Values of hidden variables are empty.
func (e *Engine) ListVariables(ctx context.Context, c Caller, h Holder, limit, offset int) ([]ci.OwnedVariable, int, error) {
	if err := e.AuthorizeVariables(ctx, c, h); err != nil {
		return nil, 0, err
	}
	list, total, err := e.view.Variables(ctx, h.owner(), limit, offset)
	if err != nil {
		return nil, 0, err
	}
	for i := range list {
		if list[i], err = e.shownVariable(list[i]); err != nil {
			return nil, 0, err
		}
	}
	return list, total, nil
}

// GetVariable shows one variable of a holder, opened unless it is hidden. An empty
// scope means: whatever scope it has. Errors: "404 Variable Not Found",
// ci.KindConflict when there are several.
func (e *Engine) GetVariable(ctx context.Context, c Caller, h Holder, key, scope string) (ci.OwnedVariable, error) {
	v, err := e.findVariable(ctx, c, h, key, scope)
	if err != nil {
		return ci.OwnedVariable{}, err
	}
	return e.shownVariable(v)
}

// findVariable finds a variable that the caller may see and change.
func (e *Engine) findVariable(ctx context.Context, c Caller, h Holder, key, scope string) (ci.OwnedVariable, error) {
	if err := e.AuthorizeVariables(ctx, c, h); err != nil {
		return ci.OwnedVariable{}, err
	}
	list, err := e.view.VariablesNamed(ctx, h.owner(), key)
	if err != nil {
		return ci.OwnedVariable{}, err
	}
	var found []ci.OwnedVariable
	for _, v := range list {
		if scope == "" || v.Scope == scope {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 0:
		return ci.OwnedVariable{}, ci.NotFound("Variable")
	case 1:
		return found[0], nil
	}
	return ci.OwnedVariable{}, ci.Conflict("There are multiple variables with provided parameters. Please use 'filter[environment_scope]'")
}

// CreateVariable adds a variable to a holder. Errors: ci.KindInvalid with GitLab's
// texts for a bad or taken key, a value that cannot be masked and a limit.
func (e *Engine) CreateVariable(ctx context.Context, c Caller, h Holder, v ci.OwnedVariable) (ci.OwnedVariable, error) {
	if err := e.AuthorizeVariables(ctx, c, h); err != nil {
		return ci.OwnedVariable{}, err
	}
	v.Owner, v.CreatedAt, v.Scope = h.owner(), e.now(), h.scope(v.Scope)
	if err := e.checkVariable(h, v); err != nil {
		return ci.OwnedVariable{}, err
	}
	v, err := e.sealVariable(v)
	if err != nil {
		return ci.OwnedVariable{}, err
	}
	most, words := h.limit()
	value := v.Value
	v, err = e.store.CreateVariable(ctx, v, most)
	switch {
	case errors.Is(err, store.ErrTooMany):
		return ci.OwnedVariable{}, ci.Refused(fmt.Sprintf("Maximum number of %s (%d) exceeded", words, most))
	case err != nil:
		return ci.OwnedVariable{}, keyTaken(err, v.Key)
	}
	v.Value = value
	return shown(v), nil
}

// UpdateVariable changes a variable of a holder. change gets it opened and may
// change all but its key and whether it is hidden. Errors: those of GetVariable and
// CreateVariable.
func (e *Engine) UpdateVariable(ctx context.Context, c Caller, h Holder, key, scope string, change func(*ci.OwnedVariable)) (ci.OwnedVariable, error) {
	before, err := e.findVariable(ctx, c, h, key, scope)
	if err != nil {
		return ci.OwnedVariable{}, err
	}
	if before, err = e.openVariable(before); err != nil {
		return ci.OwnedVariable{}, err
	}
	v := before
	change(&v)
	v.Key, v.Hidden, v.Scope = before.Key, before.Hidden, h.scope(v.Scope)
	if v.Hidden && !v.Masked {
		return ci.OwnedVariable{}, ci.Refused("The visibility setting cannot be changed for masked and hidden variables.")
	}
	if err := e.checkVariable(h, v); err != nil {
		return ci.OwnedVariable{}, err
	}
	if v, err = e.sealVariable(v); err != nil {
		return ci.OwnedVariable{}, err
	}
	err = e.store.UpdateVariable(ctx, v)
	if ci.IsNotFound(err) { // deleted meanwhile
		return ci.OwnedVariable{}, ci.NotFound("Variable")
	}
	if err != nil {
		return ci.OwnedVariable{}, keyTaken(err, v.Key)
	}
	return shown(v), nil
}

// DeleteVariable removes a variable of a holder. Errors: those of GetVariable.
func (e *Engine) DeleteVariable(ctx context.Context, c Caller, h Holder, key, scope string) error {
	v, err := e.findVariable(ctx, c, h, key, scope)
	if err != nil {
		return err
	}
	err = e.store.DeleteVariable(ctx, v.ID)
	if ci.IsNotFound(err) {
		return ci.NotFound("Variable")
	}
	return err
}

// checkVariable refuses what GitLab's models refuse, in their words.
func (e *Engine) checkVariable(h Holder, v ci.OwnedVariable) error {
	problems := v.Problems()
	var long string
	switch instance := h.owner() == (ci.VariableOwner{}); {
	case instance && utf8.RuneCountInString(v.Value) > maxInstanceValue:
		long = fmt.Sprintf("The value of the provided variable exceeds the %d character limit", maxInstanceValue)
	case !instance && len(v.Value) > e.limits.VariableBytes:
		long = fmt.Sprintf("is too long (maximum is %d bytes)", e.limits.VariableBytes)
	}
	if long != "" {
		if problems == nil {
			problems = map[string][]string{}
		}
		problems["value"] = append(problems["value"], long)
	}
	if problems != nil {
		return &ci.Error{Kind: ci.KindInvalid, Fields: problems}
	}
	return nil
}

// keyTaken words that another variable of the holder has this key and scope.
func keyTaken(err error, key string) error {
	if taken, ok := errors.AsType[*store.Taken](err); ok && taken.Field == "key" {
		return ci.Invalid("key", "("+key+") has already been taken")
	}
	return err
}

// variableContext ties a sealed value to its place.
func variableContext(v ci.OwnedVariable) []byte {
	return fmt.Appendf(nil, "variable:%d:%d:%s", v.Owner.ProjectID, v.Owner.NamespaceID, v.Key)
}

// sealVariable seals the value of a variable.
func (e *Engine) sealVariable(v ci.OwnedVariable) (ci.OwnedVariable, error) {
	var err error
	v.Sealed, err = e.keys.Seal([]byte(v.Value), variableContext(v))
	if err != nil {
		return v, fmt.Errorf("seal variable: %w", err)
	}
	return v, nil
}

// openVariable opens the value of a variable.
func (e *Engine) openVariable(v ci.OwnedVariable) (ci.OwnedVariable, error) {
	value, err := e.keys.Open(v.Sealed, variableContext(v))
	if err != nil {
		return v, fmt.Errorf("open variable %d: %w", v.ID, err)
	}
	v.Value = string(value)
	return v, nil
}

// shownVariable opens a variable for somebody who may see its value, unless it is
// hidden from all.
func (e *Engine) shownVariable(v ci.OwnedVariable) (ci.OwnedVariable, error) {
	if v.Hidden {
		return shown(v), nil
	}
	return e.openVariable(v)
}

// shown takes the value of a hidden variable away.
func shown(v ci.OwnedVariable) ci.OwnedVariable {
	if v.Hidden {
		v.Value = ""
	}
	return v
}
