package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// checkVariables is step 4 of the chain: may the caller set variables, and are
// they well formed. The server's own payload never counts against the caller.
func (e *Engine) checkVariables(_ context.Context, d *pipelineDraft) error {
	if len(d.Variables) > 0 && auth.Allow(d.Actor, auth.SetPipelineVariables, d.Project) != auth.Allowed {
		return ci.Refused("Insufficient permissions to set pipeline variables").WithHint("variables_denied",
			fmt.Sprintf("The project lets the role %q and above set variables. A maintainer can change ci_pipeline_variables_minimum_override_role.",
				d.Project.VariablesRole))
	}
	d.variables = append([]ci.Variable(nil), d.Variables...)
	if d.Payload != nil {
		d.variables = append(d.variables, *d.Payload)
	}
	if len(d.Variables) > e.limits.VariablesPerCall {
		return ci.Refused(fmt.Sprintf("There cannot be more than %d variables", e.limits.VariablesPerCall))
	}
	seen, twice := map[string]bool{}, []string{}
	for i := range d.variables {
		v := &d.variables[i]
		v.Key = strings.TrimSpace(v.Key)
		if seen[v.Key] {
			twice = append(twice, v.Key)
		}
		seen[v.Key] = true
		if text := keyProblem(v.Key); text != "" {
			return configError("Failed to build pipeline variables: Validation failed: %s", text)
		}
		if len(v.Value) > e.limits.VariableBytes && v != d.payloadIn(i) {
			return ci.TooLarge(fmt.Sprintf("variable %s is larger than %d bytes", v.Key, e.limits.VariableBytes))
		}
	}
	switch len(twice) {
	case 0:
		return nil
	case 1:
		return configError("Duplicate variable name: %s", twice[0])
	}
	return configError("Duplicate variable names: %s", strings.Join(twice, ", "))
}

// payloadIn gives the i-th variable if it is the server's payload, whose size the
// limit on request bodies bounds already.
func (d *pipelineDraft) payloadIn(i int) *ci.Variable {
	if d.Payload != nil && i == len(d.variables)-1 {
		return &d.variables[i]
	}
	return nil
}

// keyProblem says what is wrong with a variable's key, in Rails' words.
func keyProblem(key string) string {
	if !ci.ValidKey(key) {
		return "Key can contain only letters, digits and '_'."
	}
	return ""
}
