package ciyaml

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

const (
	errWorkflow = "The pipeline did not run. Review the workflow:rules configuration for the pipeline."
	errEmpty    = "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs."
)

// Input is the event that a pipeline is to be made for. Pipeline reads it and
// keeps nothing of it.
type Input struct {
	Source      string // CI_PIPELINE_SOURCE: push, trigger, pipeline, api, …
	Ref         string // name of the branch or tag
	Tag         bool
	ProjectPath string // full path, for only: [main@group/project]
	// Predefined variables lie below those of the configuration; texts that
	// others wrote, such as a commit's message, should be Raw. Overrides lie
	// above them: GITLAB_USER_*, then those of the instance, the groups, the
	// project and the pipeline. In either list the later wins. Variables of the
	// job itself (CI_JOB_NAME, CI_NODE_INDEX and so on) are added here.
	Predefined []Variable
	Overrides  []Variable
	// OverridesIn gives the Overrides of jobs with an environment of this name:
	// some variables are for certain environments only. nil means that they are
	// the same. It is called at most once for each name.
	OverridesIn func(environment string) []Variable
	// IID gives CI_PIPELINE_IID, which lies below all other variables; false
	// means that there is none, and so does nil. It is called at most once, and
	// only if it is needed.
	IID func() (string, bool)
	// Paths lists the files of the commit, for rules:exists; nil means none.
	// It is called at most once, and only if it is needed.
	Paths func() ([]string, error)
	// Modified lists the files that the event changes; known is false when
	// there is nothing to compare with, and nil means that, too. It is called
	// at most once, and only if it is needed.
	Modified func() (paths []string, known bool, err error)
	// ModifiedSince lists the files that differ from a ref or commit, for
	// changes:compare_to; the error is ErrNotExist when there is no such ref. nil
	// means that nobody knows. It is called at most once for each ref.
	ModifiedSince func(ref string) ([]string, error)
	// ProjectPaths lists the files of another project, at a ref or, for "", at
	// the head of its default branch, for exists:project. The error is
	// ErrNotExist when there is no project that the pipeline's user may read, and
	// ErrNoRef when it has no such ref. nil means that there is no other project.
	ProjectPaths func(project, ref string) ([]string, error)
}

// Pipeline decides which jobs the event gets. The Plan is nil when the
// diagnostics have an Error; its parts are shared with c and must not be
// changed. It is a pure function of c and in, safe for concurrent use.
//
// First come workflow rules, then the rules of all jobs, then, for the jobs
// that are in, needs and variables, all of whose errors are reported.
func (c *Config) Pipeline(in Input) (*Plan, Diagnostics) { return c.newRun(&in).pipeline() }

func (c *Config) newRun(in *Input) *run {
	r := &run{config: c, in: in}
	r.scope = scope{config: c, in: in}
	r.scope.fillSlots()
	r.lookup = r.scope.value
	return r
}

func (r *run) pipeline() (*Plan, Diagnostics) {
	c := r.config
	plan := &Plan{AutoCancel: c.autoCancel, Warnings: c.warnings}
	if c.workflow != nil {
		rule, err := r.firstMatch(c.workflow)
		if err != nil {
			return nil, ruleError(c.workflowPos, "workflow", err)
		}
		if r.scope.overrun {
			return nil, overrun(c.workflowPos)
		}
		if rule == nil || rule.when == "never" {
			return nil, r.filtered(rule)
		}
		r.scope.workflow = &rule.variables
		plan.AutoCancel.OnNewCommit = cmp.Or(rule.autoCancel.OnNewCommit, plan.AutoCancel.OnNewCommit)
		plan.AutoCancel.OnJobFailure = cmp.Or(rule.autoCancel.OnJobFailure, plan.AutoCancel.OnJobFailure)
	}
	if c.name != "" {
		if plan.Name = strings.TrimSpace(expand.All(c.name, r.scope.expanded(0))); utf8.RuneCountInString(plan.Name) > maxName {
			return nil, configError(c.namePos, "Failed to build pipeline metadata! Name "+tooLongName)
		}
		if r.scope.overrun {
			return nil, overrun(c.namePos)
		}
	}
	return r.plan(plan)
}

// A run is one call of Pipeline.
type run struct {
	config  *Config
	in      *Input
	scope   scope
	lookup  func(name string) (string, bool) // scope.value, made once
	clauses map[*patterns]bool
	files   map[string]fileList // that clauses asked for
}

// chosen is a job that is in the pipeline.
type chosen struct {
	spec  *jobSpec
	rule  *rule  // that let it in; nil without rules
	links *links // its needs, which the rule may have replaced
}

// filtered says why workflow rules want no pipeline.
func (r *run) filtered(rule *rule) Diagnostics {
	d := Diagnostic{Pos: r.config.workflowPos, Code: CodeWorkflowFiltered, Message: errWorkflow}
	if d.Hint = "no rule matches"; rule != nil {
		d.Pos, d.Hint = rule.pos, "this rule matches and says when: never"
	}
	return Diagnostics{d}
}

// empty says that no pipeline comes of n jobs, all of .pre and .post if any.
func (r *run) empty(n int) Diagnostics {
	d := Diagnostic{Pos: r.config.pos, Code: CodeRulesFiltered, Message: errEmpty}
	switch all := len(r.config.jobs); {
	case n > 0:
		d.Hint = "only jobs of .pre and .post are in"
	case all == 1:
		d.Hint = fmt.Sprintf("the only job is not in a pipeline of source %s", r.in.Source)
	default:
		d.Hint = fmt.Sprintf("none of %d jobs is in a pipeline of source %s", all, r.in.Source)
	}
	return Diagnostics{d}
}

func (r *run) plan(plan *Plan) (*Plan, Diagnostics) {
	c := r.config
	jobs, in, err := r.choose()
	if err != nil {
		return nil, err
	}
	plan.Jobs = make([]Job, 0, len(jobs))
	plan.Variables = overlay(c.root.list, r.scope.workflow)
	circles := r.scope.linked() || r.scope.workflow.refers()
	var diags Diagnostics
	stage, usual := -1, false
	for _, chosen := range jobs {
		job := r.job(chosen, plan.Variables)
		if r.scope.overrun {
			return nil, overrun(job.Pos)
		}
		diags = r.checkNeeds(diags, chosen, &job, in)
		if circles || chosen.spec.mayCircle || r.scope.rule.refers() || r.scope.overrides().linked {
			diags = r.checkVariables(diags, chosen)
		}
		if job.StageIndex != stage {
			stage = job.StageIndex
			plan.Stages = append(plan.Stages, job.Stage)
		}
		usual = usual || stage > 0 && stage < len(c.stages)-1
		plan.Jobs = append(plan.Jobs, job)
	}
	switch {
	case diags != nil:
		return nil, diags
	case !usual: // .pre and .post alone make no pipeline
		return nil, r.empty(len(plan.Jobs))
	}
	return plan, nil
}

// choose evaluates rules, or only and except, of every job. The second result
// says of each job whether it is in. All rules that cannot be evaluated are
// reported, before anything else is.
func (r *run) choose() ([]chosen, []bool, Diagnostics) {
	c := r.config
	out := make([]chosen, 0, len(c.jobs))
	in := make([]bool, len(c.jobs))
	var diags Diagnostics
	changed := false // needs are not those that were checked for circles
	for _, i := range c.order {
		spec := &c.jobs[i]
		r.scope.enter(spec, nil)
		var rule *rule
		var err error
		if spec.entry.hasRules {
			rule, err = r.firstMatch(spec.entry.rules)
			in[i] = rule != nil && rule.when != "never"
		} else {
			in[i], err = r.admitted(spec)
		}
		if r.scope.overrun {
			return nil, nil, overrun(spec.job.Pos)
		}
		if err != nil {
			diags = append(diags, ruleError(spec.job.Pos, spec.job.Name, err)...)
			if diags[len(diags)-1].Code == CodeInternal {
				return nil, nil, diags[len(diags)-1:]
			}
			continue
		}
		if !in[i] {
			continue
		}
		one := chosen{spec, rule, &spec.links}
		if linked := spec.ruleLinks[rule]; linked != nil {
			one.links, changed = linked, true
		}
		out = append(out, one)
	}
	if diags == nil && changed {
		diags = r.circle(out)
	}
	return out, in, diags
}

// circle looks for needs in a circle among the jobs that are in.
func (r *run) circle(jobs []chosen) Diagnostics {
	needs := make(map[string]*links, len(jobs))
	for _, chosen := range jobs {
		needs[chosen.spec.job.Name] = chosen.links
	}
	return r.config.circle(func(i int) *links { return needs[r.config.jobs[i].job.Name] })
}

// job completes a job with what its rule, the workflow rule and variables in
// tags say.
func (r *run) job(chosen chosen, root []Variable) Job {
	job, rule := chosen.spec.job, chosen.rule
	var variables *varSet
	if rule != nil {
		variables = &rule.variables
		applyRule(&job, rule)
	}
	r.scope.enter(chosen.spec, variables)
	if chosen.links != &chosen.spec.links {
		job.Needs = chosen.links.needs
		job.DAG = job.DAG || len(job.Needs) > 0
	}
	if len(r.scope.workflow.variables()) > 0 {
		job.Variables = overlay(chosen.spec.entry.inherited(root), &chosen.spec.own)
	}
	job.Variables = overlay(job.Variables, r.scope.rule)
	if chosen.spec.tagged {
		job.Tags = r.scope.expandAll(job.Tags)
	}
	if chosen.spec.placed {
		r.place(&job)
	}
	return job
}

// place replaces the variables in where the job deploys to.
func (r *run) place(job *Job) {
	job.ResourceGroup = expand.All(job.ResourceGroup, r.scope.expanded(0))
	if job.Environment == nil {
		return
	}
	job.Environment = job.Environment.settled(r.scope.environmentName(), r.scope.expanded(0))
}

func applyRule(job *Job, rule *rule) {
	if rule.when != "" {
		job.When, job.StartIn = rule.when, rule.startIn
	}
	if rule.allowFailure != nil {
		job.AllowFailure, job.AllowFailureExitCodes = *rule.allowFailure, nil
	}
	if rule.interrupt != nil {
		job.Interruptible = *rule.interrupt
	}
}

// checkNeeds drops optional needs of jobs that are not in, and reports others.
func (r *run) checkNeeds(diags Diagnostics, chosen chosen, job *Job, in []bool) Diagnostics {
	absent := 0
	for k, at := range chosen.links.jobs {
		if at >= 0 && in[at] {
			continue
		}
		absent++
		if need := job.Needs[k]; !need.Optional {
			diags = append(diags, Diagnostic{Pos: chosen.links.pos[k], Code: CodeConfig, Message: fmt.Sprintf(
				"'%s' job needs '%s' job, but '%s' does not exist in the pipeline. This might be because of the only, except, or rules keywords. "+
					"To need a job that sometimes does not exist in the pipeline, use needs:optional.", job.Name, need.Job, need.Job)})
		}
	}
	if len(job.Needs) > maxNeeds {
		diags = append(diags, Diagnostic{Pos: chosen.links.pos[maxNeeds], Code: CodeConfig, Message: fmt.Sprintf(
			"%s: one job can only need %d others, but you have listed %d. See needs keyword documentation for more details",
			job.Name, maxNeeds, len(job.Needs))})
	}
	if absent > 0 {
		needs := make([]Need, 0, len(job.Needs)-absent)
		for k, at := range chosen.links.jobs {
			if at >= 0 && in[at] {
				needs = append(needs, job.Needs[k])
			}
		}
		job.Needs = needs
	}
	return diags
}

func (r *run) checkVariables(diags Diagnostics, chosen chosen) Diagnostics {
	if circle := r.scope.circle(); circle != nil {
		diags = append(diags, Diagnostic{
			Pos: chosen.spec.job.Pos, Code: CodeConfig,
			Message: chosen.spec.job.Name + ": circular variable reference detected: " + quoteAll(circle),
		})
	}
	return diags
}

// overrun reports variables that refer to variables without end.
func overrun(pos tree.Pos) Diagnostics {
	return configError(pos, "The variables in tags and patterns are too big")
}

// ruleError reports why the rules of a job, or of workflow, cannot be evaluated:
// a clause names what is not there, or one of the Input's functions failed.
func ruleError(pos tree.Pos, name string, err error) Diagnostics {
	var clause *clauseError
	if errors.As(err, &clause) {
		return configError(clause.pos, fmt.Sprintf("Failed to parse rule for %s: %s", name, clause.message))
	}
	return Diagnostics{{Pos: pos, Code: CodeInternal, Message: err.Error()}}
}
