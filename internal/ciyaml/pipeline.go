package ciyaml

import (
	"fmt"

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
	// Paths lists the files of the commit, for rules:exists; nil means none.
	// It is called at most once, and only if it is needed.
	Paths func() ([]string, error)
	// Modified lists the files that the event changes; known is false when
	// there is nothing to compare with, and nil means that, too. It is called
	// at most once, and only if it is needed.
	Modified func() (paths []string, known bool, err error)
}

// Pipeline decides which jobs the event gets. The Plan is nil when the
// diagnostics have an Error; its parts are shared with c and must not be
// changed. It is a pure function of c and in, safe for concurrent use.
//
// First come workflow rules, then the rules of all jobs, then, for the jobs
// that are in, needs and variables, all of whose errors are reported.
func (c *Config) Pipeline(in Input) (*Plan, Diagnostics) {
	r := &run{config: c, in: &in}
	r.scope = scope{config: c, in: r.in}
	r.scope.fillSlots()
	r.lookup = r.scope.value
	if c.workflow != nil {
		rule, err := r.firstMatch(c.workflow)
		if err != nil {
			return nil, inputError(c.workflowPos, err)
		}
		if r.scope.overrun {
			return nil, overrun(c.workflowPos)
		}
		if rule == nil || rule.when == "never" {
			return nil, r.filtered(rule)
		}
		r.scope.workflow = &rule.variables
	}
	return r.plan()
}

// A run is one call of Pipeline.
type run struct {
	config   *Config
	in       *Input
	scope    scope
	lookup   func(name string) (string, bool) // scope.value, made once
	clauses  map[*patterns]bool
	modified struct {
		paths        []string
		known, asked bool
	}
	files struct {
		paths []string
		asked bool
	}
}

// chosen is a job that is in the pipeline.
type chosen struct {
	spec *jobSpec
	rule *rule // that let it in; nil without rules
}

// filtered says why workflow rules want no pipeline.
func (r *run) filtered(rule *rule) Diagnostics {
	d := Diagnostic{Pos: r.config.workflowPos, Code: CodeWorkflowFiltered, Message: errWorkflow}
	if d.Hint = "no rule matches"; rule != nil {
		d.Pos, d.Hint = rule.pos, "this rule matches and says when: never"
	}
	return Diagnostics{d}
}

func (r *run) plan() (*Plan, Diagnostics) {
	c := r.config
	jobs, in, err := r.choose()
	if err != nil {
		return nil, err
	}
	plan := &Plan{
		Jobs:      make([]Job, 0, len(jobs)),
		Variables: overlay(c.root.list, r.scope.workflow),
		Warnings:  c.warnings,
	}
	circles := r.scope.linked() || r.scope.workflow.refers()
	var diags Diagnostics
	stage, usual := -1, false
	for _, chosen := range jobs {
		job := r.job(chosen, plan.Variables)
		if r.scope.overrun {
			return nil, overrun(job.Pos)
		}
		diags = r.checkNeeds(diags, chosen.spec, &job, in)
		if circles || chosen.spec.mayCircle || r.scope.rule.refers() {
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
		return nil, Diagnostics{{Pos: c.pos, Code: CodeRulesFiltered, Message: errEmpty}}
	}
	return plan, nil
}

// choose evaluates rules, or only and except, of every job. The second result
// says of each job whether it is in.
func (r *run) choose() ([]chosen, []bool, Diagnostics) {
	c := r.config
	out := make([]chosen, 0, len(c.jobs))
	in := make([]bool, len(c.jobs))
	for _, i := range c.order {
		spec := &c.jobs[i]
		r.scope.job = spec
		var rule *rule
		var err error
		if spec.entry.hasRules {
			rule, err = r.firstMatch(spec.entry.rules)
			in[i] = rule != nil && rule.when != "never"
		} else {
			in[i], err = r.admitted(spec)
		}
		if err != nil {
			return nil, nil, inputError(spec.job.Pos, err)
		}
		if r.scope.overrun {
			return nil, nil, overrun(spec.job.Pos)
		}
		if in[i] {
			out = append(out, chosen{spec, rule})
		}
	}
	return out, in, nil
}

// job completes a job with what its rule, the workflow rule and variables in
// tags say.
func (r *run) job(chosen chosen, root []Variable) Job {
	job, rule := chosen.spec.job, chosen.rule
	r.scope.job, r.scope.rule = chosen.spec, nil
	if rule != nil {
		r.scope.rule = &rule.variables
		applyRule(&job, rule)
	}
	if len(r.scope.workflow.variables()) > 0 {
		job.Variables = overlay(root, &chosen.spec.own)
	}
	job.Variables = overlay(job.Variables, r.scope.rule)
	if chosen.spec.tagged {
		job.Tags = r.scope.expandAll(job.Tags)
	}
	return job
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
func (r *run) checkNeeds(diags Diagnostics, spec *jobSpec, job *Job, in []bool) Diagnostics {
	absent := 0
	for k, at := range spec.needs {
		if at >= 0 && in[at] {
			continue
		}
		absent++
		if need := job.Needs[k]; !need.Optional {
			diags = append(diags, Diagnostic{Pos: spec.needPos[k], Code: CodeConfig, Message: fmt.Sprintf(
				"'%s' job needs '%s' job, but '%s' does not exist in the pipeline. This might be because of the only, except, or rules keywords. "+
					"To need a job that sometimes does not exist in the pipeline, use needs:optional.", job.Name, need.Job, need.Job)})
		}
	}
	if len(job.Needs) > maxNeeds {
		diags = append(diags, Diagnostic{Pos: spec.needPos[maxNeeds], Code: CodeConfig, Message: fmt.Sprintf(
			"%s: one job can only need %d others, but you have listed %d. See needs keyword documentation for more details",
			job.Name, maxNeeds, len(job.Needs))})
	}
	if absent > 0 {
		needs := make([]Need, 0, len(job.Needs)-absent)
		for k, at := range spec.needs {
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

// inputError reports a failure of the Input's functions.
func inputError(pos tree.Pos, err error) Diagnostics {
	return Diagnostics{{Pos: pos, Code: CodeInternal, Message: err.Error()}}
}
