package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A LintRequest asks what a configuration would come to
// (contract/ci-yaml.md 9).
type LintRequest struct {
	Project ci.Project
	Actor   auth.Actor // whose rights count
	// Content is the configuration. A nil one is that of no file: a dry run then
	// takes the one at its ref.
	Content []byte
	// SHA is the commit that local includes are read at by a static check, "" for
	// the head of the default branch; a dry run reads them at its ref. VerifySHA
	// refuses a commit that neither branch nor tag leads to.
	SHA       string
	VerifySHA bool

	DryRun  bool   // go through all that creating a pipeline would
	Ref     string // of a dry run; "" is the default branch
	Explain bool   // of a dry run
}

// A LintResult is what it would come to.
type LintResult struct {
	Errors      ciyaml.Diagnostics // in GitLab's order; those that are not the compiler's have no place
	Warnings    ciyaml.Diagnostics
	Inspection  ciyaml.Inspection
	Static      []ciyaml.StaticJob // of a static check without errors
	Planned     []ciyaml.Job       // of a dry run without errors
	Explanation *ciyaml.Explanation
}

// Valid reports whether there is no error.
func (r *LintResult) Valid() bool { return len(r.Errors) == 0 }

// Lint checks a configuration. A static check evaluates no rules; a dry run goes
// the way of CreatePipeline for a push to the ref, and writes nothing. What is
// wrong with the configuration, or with the caller's right to run it, is in the
// result; an error means that it could not be checked.
func (e *Engine) Lint(ctx context.Context, r LintRequest) (*LintResult, error) {
	d := &pipelineDraft{PipelineRequest: PipelineRequest{Project: r.Project, Actor: r.Actor, Source: ci.SourcePush, Ref: r.Ref}}
	if d.Ref == "" {
		d.Ref = r.Project.DefaultBranch
	}
	out := &LintResult{}
	if !r.DryRun {
		return out, e.lintStatic(ctx, d, r, out)
	}
	for _, step := range []func(context.Context, *pipelineDraft) error{e.findRef, e.checkAbilities, e.checkRepository, e.checkVariables} {
		if err := step(ctx, d); err != nil {
			return out, out.refused(err)
		}
	}
	return out, e.lintDry(ctx, d, r, out)
}

// refused keeps a refusal of the chain as an error of the configuration, and
// passes on any other failure.
func (r *LintResult) refused(err error) error {
	if kept, ok := errors.AsType[*keptRefusal](err); ok {
		err = kept.invalid()
	}
	refusal, ok := errors.AsType[*ci.Error](err)
	if !ok || refusal.Kind != ci.KindInvalid {
		return err
	}
	texts := refusal.Fields["base"]
	if len(texts) == 0 {
		texts = []string{refusal.Message}
	}
	for _, text := range texts {
		r.Errors = append(r.Errors, ciyaml.Diagnostic{Code: "refused", Message: text, Hint: refusal.Hint})
	}
	return nil
}

// errDetached is what GitLab says of a commit that no branch or tag leads to.
const errDetached = "Could not validate configuration. The configuration originates from an external project or " +
	"a commit not associated with a Git reference (a detached commit)"

// lintStatic checks a configuration for no event at all.
func (e *Engine) lintStatic(ctx context.Context, d *pipelineDraft, r LintRequest, out *LintResult) error {
	d.ref.SHA = r.SHA
	if r.SHA == "" {
		ref, err := e.view.Ref(ctx, r.Project.ID, ci.BranchPrefix+r.Project.DefaultBranch)
		if err != nil && !ci.IsNotFound(err) {
			return fmt.Errorf("find default branch of project %d: %w", r.Project.ID, err)
		}
		d.ref.SHA = ref.SHA // "" in an empty repository, where no local include is
	}
	if r.VerifySHA && len(r.Content) > 0 {
		reached, err := e.git.Contained(ctx, int64(r.Project.ID), r.SHA)
		if err != nil {
			return err
		}
		if !reached {
			out.Errors = ciyaml.Diagnostics{{Code: ciyaml.CodeConfig, Message: errDetached}}
			return nil
		}
	}
	var err error
	if d.reaching, err = e.reaching(ctx, d.Project, 0); err != nil { // those that are for every ref
		return err
	}
	content := r.Content
	if content == nil {
		content = []byte{}
	}
	config, err := e.inspect(ctx, d, content, e.staticVariables(d), out)
	if config != nil {
		out.Static = config.StaticJobs()
	}
	return err
}

// staticVariables are those that are known without a pipeline.
func (e *Engine) staticVariables(d *pipelineDraft) []ciyaml.Variable {
	return appendYAML(appendYAML(nil, e.server), e.projectVariables(d.Project))
}

// inspect loads the configuration and keeps what there is to say about it. The
// Config is nil if there are errors.
func (e *Engine) inspect(ctx context.Context, d *pipelineDraft, content []byte, early []ciyaml.Variable, out *LintResult) (*ciyaml.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	in := e.loadInput(ctx, d, early)
	in.Content = content
	source := e.newConfigSource(d.Project, d.Actor.User)
	config, inspection, diagnostics := ciyaml.Inspect(ctx, source, in)
	if diagnostics.First().Code != ciyaml.CodeTimeout {
		if err := source.failure(); err != nil && !errors.Is(err, git.ErrNoRepository) {
			return nil, fmt.Errorf("read configuration of project %d: %w", d.Project.ID, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	for i := range inspection.Includes {
		include := &inspection.Includes[i]
		include.Location, include.Path = conceal(include.Location, d.secrets()), conceal(include.Path, d.secrets())
	}
	out.Inspection = inspection
	return config, out.add(d, diagnostics)
}

// add sorts the diagnostics of a draft; what failed without anybody's fault is an
// error.
func (r *LintResult) add(of *pipelineDraft, list ciyaml.Diagnostics) error {
	for _, d := range list {
		d = of.concealed(d)
		switch {
		case d.Code == ciyaml.CodeInternal:
			return fmt.Errorf("check configuration: %s", d.Message)
		case d.Severity == ciyaml.Error:
			r.Errors = append(r.Errors, d)
		default:
			r.Warnings = append(r.Warnings, d)
		}
	}
	return nil
}

// lintDry is compile without the rows.
func (e *Engine) lintDry(ctx context.Context, d *pipelineDraft, r LintRequest, out *LintResult) error {
	early := e.earlyVariables(d)
	config, err := e.inspect(ctx, d, r.Content, early, out)
	if config == nil || err != nil {
		return err
	}
	in := e.compileInput(ctx, d, early)
	var plan *ciyaml.Plan
	var diagnostics ciyaml.Diagnostics
	if r.Explain {
		plan, out.Explanation, diagnostics = config.Explain(in)
	} else {
		plan, diagnostics = config.Pipeline(in)
	}
	d.concealExplanation(out.Explanation)
	if plan == nil {
		return out.add(d, diagnostics)
	}
	if err := e.checkLimits(plan); err != nil {
		return out.refused(err)
	}
	out.Planned = d.concealJobs(plan.Jobs)
	return nil
}

// concealJobs takes the secrets out of what variables were put into.
func (d *pipelineDraft) concealJobs(jobs []ciyaml.Job) []ciyaml.Job {
	secrets := d.secrets()
	if len(secrets) == 0 {
		return jobs
	}
	out := slices.Clone(jobs)
	for i := range out {
		j := &out[i]
		j.Tags = slices.Clone(j.Tags)
		for k := range j.Tags {
			j.Tags[k] = conceal(j.Tags[k], secrets)
		}
		if j.Environment != nil {
			environment := *j.Environment
			environment.Name = conceal(environment.Name, secrets)
			j.Environment = &environment
		}
	}
	return out
}

// concealExplanation takes the secrets out of values and notes that were made of
// other variables. Those of variables that are secret themselves are not in it.
func (d *pipelineDraft) concealExplanation(e *ciyaml.Explanation) {
	secrets := d.secrets()
	if e == nil || len(secrets) == 0 {
		return
	}
	clauses := func(list []ciyaml.ClauseResult) {
		for i := range list {
			list[i].Note = conceal(list[i].Note, secrets)
			for k := range list[i].Variables {
				list[i].Variables[k].Value = conceal(list[i].Variables[k].Value, secrets)
			}
		}
	}
	decide := func(one *ciyaml.Decision) {
		for i := range one.Rules {
			clauses(one.Rules[i].Clauses)
		}
		clauses(one.Only)
		clauses(one.Except)
	}
	if e.Workflow != nil {
		decide(e.Workflow)
	}
	for i := range e.Jobs {
		decide(&e.Jobs[i])
	}
}
