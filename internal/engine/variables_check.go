package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// checkVariables is step 4 of the chain: may the caller set variables, and are
// they well formed. The server's own payload never counts against the caller. From
// here on the draft has all other variables too.
func (e *Engine) checkVariables(ctx context.Context, d *pipelineDraft) error {
	if len(d.Variables) > 0 && auth.Allow(d.Actor, auth.SetPipelineVariables, d.Project) != auth.Allowed {
		return ci.Refused("Insufficient permissions to set pipeline variables").WithHint("variables_denied", variablesHint(d.Project.VariablesRole))
	}
	if len(d.Variables) > e.limits.VariablesPerCall {
		return ci.Refused(fmt.Sprintf("There cannot be more than %d variables", e.limits.VariablesPerCall))
	}
	d.variables = make([]ci.Variable, 0, len(d.Variables)+1)
	for _, v := range d.Variables {
		v.Key = strings.TrimSpace(v.Key)
		if len(v.Value) > e.limits.VariableBytes {
			return ci.TooLarge(fmt.Sprintf("variable %s is larger than %d bytes", shortened(v.Key), e.limits.VariableBytes))
		}
		d.variables = append(d.variables, v)
	}
	if d.Payload != nil { // its size the limit on request bodies bounds
		d.variables = append(d.variables, *d.Payload)
	}
	switch twice := duplicates(d.variables); len(twice) {
	case 0:
	case 1:
		return configError("Duplicate variable name: %s", twice[0])
	default:
		return configError("Duplicate variable names: %s", strings.Join(twice, ", "))
	}
	for i := range d.variables {
		if text := keyProblem(d.variables[i].Key); text != "" {
			return configError("Failed to build pipeline variables: Validation failed: %s", text)
		}
	}
	var err error
	d.reaching, err = e.reaching(ctx, d.Project, d.version)
	return err
}

// variablesHint says who may set variables and who can change that.
func variablesHint(least ci.VariablesRole) string {
	who := fmt.Sprintf("the role %q and above", least)
	if least == ci.VariablesNobody {
		who = "nobody"
	}
	return "The project lets " + who + " set variables. A maintainer can change ci_pipeline_variables_minimum_override_role."
}

// duplicates lists the keys that there are more than once, each once.
func duplicates(list []ci.Variable) []string {
	count, twice := make(map[string]int, len(list)), []string(nil)
	for i := range list {
		if count[list[i].Key]++; count[list[i].Key] == 2 {
			twice = append(twice, list[i].Key)
		}
	}
	return twice
}

// keyProblem says what is wrong with a variable's key, in Rails' words.
func keyProblem(key string) string {
	if !ci.ValidKey(key) {
		return "Key can contain only letters, digits and '_'."
	}
	return ""
}
