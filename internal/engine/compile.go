package engine

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// A compiledPlan is what a configuration comes to for one pipeline.
type compiledPlan struct {
	jobs  []ci.Job
	specs []storedSpec
}

// compile is steps 9 to 18 of the chain: read the configuration, decide which
// jobs run, map them to rows.
func (e *Engine) compile(ctx context.Context, d *pipelineDraft) error {
	early := e.earlyVariables(d)
	loaded, err := e.loadConfig(ctx, d, early)
	if err != nil {
		return err
	}
	if loaded.diagnostics.Failed() {
		return refusalOf(d.concealed(loaded.diagnostics.First()))
	}
	in := e.compileInput(ctx, d, early)
	in.IID = func() (iid string, ok bool) {
		if d.pipeline.IID, err = e.store.ReserveIID(ctx, d.Project.ID); err != nil {
			return "", false
		}
		return strconv.FormatInt(d.pipeline.IID, 10), true
	}
	plan, diagnostics := loaded.config.Pipeline(in)
	if err != nil {
		return err
	}
	if diagnostics.Failed() {
		return refusalOf(d.concealed(diagnostics.First()))
	}
	if err := e.checkLimits(plan); err != nil {
		return err
	}
	d.pipeline.Name = conceal(plan.Name, d.secrets())
	d.plan, err = e.mapPlan(ctx, d, loaded, plan)
	return err
}

// checkLimits refuses a pipeline that is too large.
func (e *Engine) checkLimits(plan *ciyaml.Plan) error {
	if len(plan.Jobs) > e.limits.JobsPerPipeline {
		return e.tooManyJobs()
	}
	return checkDeployments(plan.Jobs)
}

// tooManyJobs refuses a pipeline over the limit (contract/trigger-api.md 4.2, step
// 14). GitLab's text ends with the address of a help page, which is not here.
func (e *Engine) tooManyJobs() *keptRefusal {
	return &keptRefusal{
		message: fmt.Sprintf("The number of jobs has exceeded the limit of %d. Try splitting the configuration with parent-child-pipelines",
			e.limits.JobsPerPipeline),
		reason: ci.ReasonSizeLimit,
	}
}

// maxDeployments is how many jobs of a pipeline may deploy
// (contract/trigger-api.md 4.2, step 16).
const maxDeployments = 500

func checkDeployments(jobs []ciyaml.Job) error {
	count := 0
	for i := range jobs {
		if to := jobs[i].Environment; to != nil && to.Action == "start" {
			count++
		}
	}
	if count <= maxDeployments {
		return nil
	}
	return &keptRefusal{
		message: fmt.Sprintf("Pipeline has too many deployments! Requested %d, but the limit is %d.", count, maxDeployments),
		reason:  ci.ReasonDeploymentsLimit,
	}
}

// refusalOf turns the compiler's word into the chain's: what filtered a pipeline
// keeps no row, a broken configuration does.
func refusalOf(d ciyaml.Diagnostic) error {
	message := d.Message
	if d.Code == ciyaml.CodeUnsupported {
		message = fmt.Sprintf("%s: %s", d.Pos, d.Message)
	}
	switch d.Code {
	case ciyaml.CodeRulesFiltered, ciyaml.CodeMissingConfig: // no place in the file is at fault
		return ci.Refused(message).WithHint(d.Code, d.Hint)
	case ciyaml.CodeWorkflowFiltered:
		return ci.Refused(message).WithHint(d.Code, placedHint(d))
	case ciyaml.CodeInternal:
		return fmt.Errorf("compile configuration: %s", message)
	}
	refusal := configError("%s", message)
	refusal.code, refusal.hint = d.Code, placedHint(d)
	return refusal
}

// placedHint is a hint that says where in the configuration to look.
func placedHint(d ciyaml.Diagnostic) string {
	switch {
	case d.Pos.Line == 0 || !plain(d.Pos.File):
		return d.Hint
	case d.Hint == "":
		return fmt.Sprintf("See %s", d.Pos)
	}
	return fmt.Sprintf("See %s: %s", d.Pos, d.Hint)
}

// compileInput is the context of one pipeline. In job rules more variables count
// than in include.
func (e *Engine) compileInput(ctx context.Context, d *pipelineDraft, early []ciyaml.Variable) ciyaml.Input {
	in := ciyaml.Input{
		Source: string(d.Source), Ref: d.ref.Short(), Tag: d.ref.Tag(), ProjectPath: d.Project.FullPath,
		Predefined: appendYAML(early, triggerVariables(d.Trigger != nil, d.triggerShort())),
		Overrides:  d.overrides(""),
		Paths:      func() ([]string, error) { return e.paths(ctx, d.Project.ID, d.ref.SHA) },
		Modified:   func() ([]string, bool, error) { return e.modified(ctx, d) },
		ModifiedSince: func(ref string) ([]string, error) {
			return e.modifiedSince(ctx, d, ref)
		},
		ProjectPaths: func(project, ref string) ([]string, error) {
			return e.projectPaths(ctx, d, project, ref)
		},
	}
	if d.reaching != nil && d.reaching.scoped {
		in.OverridesIn = d.overrides
	}
	return in
}

// overrides are the variables above those of the configuration, for jobs with this
// environment or, for "", without one.
func (d *pipelineDraft) overrides(environment string) []ciyaml.Variable {
	var owned []ci.Variable
	if d.reaching != nil {
		owned = d.reaching.visible(d.protected, environment)
	}
	list := make([]ciyaml.Variable, 0, 4+len(owned)+len(d.variables))
	return appendYAML(appendYAML(appendYAML(list, userVariables(d.Actor.User)), owned), d.variables)
}

// triggerShort is the part of the trigger token that everybody may see.
func (d *pipelineDraft) triggerShort() string {
	if d.Trigger == nil {
		return ""
	}
	return d.Trigger.Short
}

// lookupIn finds a variable in lists of which later ones win.
func lookupIn(lists ...[]ciyaml.Variable) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := len(lists) - 1; i >= 0; i-- {
			for j := len(lists[i]) - 1; j >= 0; j-- {
				if lists[i][j].Key == name {
					return lists[i][j].Value, true
				}
			}
		}
		return "", false
	}
}

// appendYAML adds variables in the compiler's form. Values that the log must not
// show no explanation shows either.
func appendYAML(to []ciyaml.Variable, list []ci.Variable) []ciyaml.Variable {
	for i := range list {
		to = append(to, ciyaml.Variable{
			Key: list[i].Key, Value: list[i].Value, Raw: list[i].Raw, File: list[i].File, Secret: list[i].Masked || list[i].Secret,
		})
	}
	return to
}
