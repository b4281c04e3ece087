package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// Reason says what decided about a job or a pipeline.
type Reason string

// The reasons. A job is in for those before ByNoRule, but for ByNever.
const (
	ByRule     Reason = "rule"     // a rule matched
	ByOnly     Reason = "only"     // all that only says holds, and nothing of except
	ByDefault  Reason = "default"  // nothing is said: branches and tags have the job
	ByWorkflow Reason = "workflow" // nothing is said, and workflow:rules let the pipeline pass
	ByNever    Reason = "never"    // the rule that matched says when: never
	ByNoRule   Reason = "no_rule"  // no rule matched
	NotOnly    Reason = "not_only" // only does not hold
	NotDefault Reason = "not_default"
	ByExcept   Reason = "except"  // something of except holds
	ByError    Reason = "invalid" // a clause cannot be evaluated; Note of the clause says why
)

// Explanation says why a pipeline has the jobs it has.
type Explanation struct {
	Workflow *Decision  // nil without workflow:rules
	Jobs     []Decision // all of the configuration, by stage; none when workflow:rules want no pipeline
}

// Decision is what became of one job, or of the whole pipeline, and why.
type Decision struct {
	Job, Stage string   // empty for the pipeline
	Pos        tree.Pos // of the job's key; of workflow:rules
	In         bool
	Reason     Reason
	Rule       *RuleResult  // that decided, one of Rules; nil when none did
	Rules      []RuleResult // those that were looked at, in order
	RuleCount  int          // how many there are
	Omitted    int          // that did not match and are left out, since the explanation is long enough
	Only       []ClauseResult
	Except     []ClauseResult

	// What came of it for a job that is in.
	When                  string
	StartIn               int64 // seconds, when delayed
	AllowFailure          bool
	AllowFailureExitCodes []int
	DroppedNeeds          []string // optional ones, of jobs that are not in
	MissingNeeds          []string // others, which is an error
}

// RuleResult is one rule that was looked at.
type RuleResult struct {
	Number  int // from 1
	Pos     tree.Pos
	Text    string // the rule on one line
	Matched bool
	When    string // as the rule says, "" when it says nothing
	Clauses []ClauseResult
}

// ClauseResult is one condition that was looked at, or skipped because one
// before it did not hold.
type ClauseResult struct {
	Kind      string // if, changes, exists; of only and except also refs, variables, kubernetes
	Text      string
	Holds     bool
	Skipped   bool
	Parts     []expr.Part // of an expression
	Variables []SeenVariable
	Note      string // what decided, where the text does not show it
}

// SeenVariable is a variable as a condition saw it. A Hidden one has a value
// that is not shown (see Variable.Secret).
type SeenVariable struct {
	Name, Value string
	Set, Hidden bool
}

// Explain is Pipeline that says why. The explanation is there even when the
// diagnostics have an Error, as far as the rules were evaluated.
func (c *Config) Explain(in Input) (*Plan, *Explanation, Diagnostics) {
	r := c.newRun(&in)
	plan, diags := r.pipeline()
	return plan, (&narrator{run: r}).explain(), diags
}

// A narrator evaluates the rules of a run once more and keeps notes. The lists
// of files that the run has asked for it has as well.
type narrator struct {
	*run
	spent int // on what it kept, in bytes
}

// maxExplanation is how long an explanation may get, in bytes; from there on, only
// what decides is kept. A few lines of parallel and rules can ask for gigabytes.
const maxExplanation = 8 << 20

// keep counts what a rule takes.
func (n *narrator) keep(text string, clauses []ClauseResult) {
	const each = 64
	n.spent += each + len(text)
	for _, c := range clauses {
		n.spent += each + len(c.Text) + len(c.Note)
		for _, part := range c.Parts {
			n.spent += each + len(part.Text)
		}
		for _, v := range c.Variables {
			n.spent += each + len(v.Name) + len(v.Value)
		}
	}
}

func (n *narrator) full() bool { return n.spent > maxExplanation }

func (n *narrator) explain() *Explanation {
	c, out := n.config, &Explanation{}
	n.scope.job, n.scope.rule, n.scope.workflow, n.scope.scoped = nil, nil, nil, nil
	n.scope.spent, n.scope.overrun = 0, false
	if c.workflow != nil {
		d := &Decision{Pos: c.workflowPos}
		if rule := n.rules(d, c.workflow); d.In {
			n.scope.workflow = &rule.variables
		}
		if out.Workflow = d; !d.In {
			return out
		}
	}
	in := make([]bool, len(c.jobs))
	deciding := make([]*rule, len(c.order))
	out.Jobs = make([]Decision, len(c.order))
	for k, i := range c.order {
		deciding[k] = n.job(&out.Jobs[k], &c.jobs[i])
		in[i] = out.Jobs[k].In
	}
	for k, i := range c.order {
		if in[i] {
			n.outcome(&out.Jobs[k], &c.jobs[i], deciding[k], in)
		}
	}
	return out
}

// job decides about one job and returns the rule that let it in.
func (n *narrator) job(d *Decision, spec *jobSpec) *rule {
	n.scope.enter(spec, nil)
	d.Job, d.Stage, d.Pos = spec.job.Name, spec.job.Stage, spec.job.Pos
	if spec.entry.hasRules {
		return n.rules(d, spec.entry.rules)
	}
	n.policies(d, spec)
	return nil
}

// rules looks for the first rule that matches.
func (n *narrator) rules(d *Decision, rules []rule) *rule {
	d.RuleCount, d.Reason = len(rules), ByNoRule
	for i := range rules {
		if n.full() {
			if ok, err := n.matches(&rules[i]); !ok && err == nil {
				d.Omitted++
				continue
			}
		}
		result, wrong := n.rule(&rules[i])
		result.Number = i + 1
		n.keep(result.Text, result.Clauses)
		d.Rules = append(d.Rules, result)
		if !result.Matched && !wrong {
			continue
		}
		d.Rule, d.In = &d.Rules[len(d.Rules)-1], result.Matched && rules[i].when != "never"
		switch {
		case wrong:
			d.Reason = ByError
		case d.In:
			d.Reason = ByRule
		default:
			d.Reason = ByNever
		}
		return &rules[i]
	}
	return nil
}

func (n *narrator) rule(r *rule) (result RuleResult, wrong bool) {
	result = RuleResult{Pos: r.pos, Text: r.text(), When: r.when, Matched: true}
	clause := func(skipped ClauseResult, evaluate func() (ClauseResult, bool)) {
		if !result.Matched {
			skipped.Skipped = true
			result.Clauses = append(result.Clauses, skipped)
			return
		}
		c, bad := evaluate()
		result.Matched, wrong = c.Holds, wrong || bad
		result.Clauses = append(result.Clauses, c)
	}
	if r.condition != nil {
		clause(ClauseResult{Kind: "if", Text: r.condition.String()}, func() (ClauseResult, bool) { return n.condition("if", r.condition), false })
	}
	if r.changes != nil {
		clause(ClauseResult{Kind: "changes", Text: r.changes.text()}, func() (ClauseResult, bool) { return n.changes(r.changes) })
	}
	if r.exists != nil {
		clause(ClauseResult{Kind: "exists", Text: r.exists.text()}, func() (ClauseResult, bool) { return n.exists(r.exists) })
	}
	return result, wrong
}

func (n *narrator) condition(kind string, e *expr.Expr) ClauseResult {
	c := ClauseResult{Kind: kind, Text: e.String(), Variables: n.seen(e.Variables())}
	c.Holds, c.Parts = e.Explain(n.lookup)
	return c
}

// seen tells the values of variables as conditions see them.
func (n *narrator) seen(names []string) []SeenVariable {
	var out []SeenVariable
	for _, name := range names {
		v := SeenVariable{Name: name}
		if found := n.scope.find(name); found != nil {
			v.Set, v.Hidden = true, found.Secret
			if !v.Hidden {
				v.Value = found.Value
			}
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func (n *narrator) changes(p *patterns) (ClauseResult, bool) {
	c := ClauseResult{Kind: "changes", Text: p.text(), Variables: n.seen(p.names())}
	var err error
	if c.Holds, err = n.changed(p); err != nil {
		c.Note = err.Error()
		return c, true
	}
	switch list, err := n.modified(p); {
	case err != nil:
		c.Note = err.Error()
		return c, true
	case !list.known:
		c.Note = "it is not known which files changed, so this holds"
	case len(list.paths) == 0:
		c.Note = "no file changed"
	default:
		c.Note = n.found(p, c.Holds, list.paths, "none of %d changed files matches", anyChanged)
	}
	return c, false
}

func (n *narrator) exists(p *patterns) (ClauseResult, bool) {
	c := ClauseResult{Kind: "exists", Text: p.text(), Variables: n.seen(p.names())}
	var err error
	if c.Holds, err = n.existing(p); err != nil {
		c.Note = err.Error()
		return c, true
	}
	if len(p.globs) == 0 && p.re == nil {
		c.Note = "there is no pattern"
		return c, false
	}
	list, err := n.present(p)
	if err != nil {
		c.Note = err.Error()
		return c, true
	}
	c.Note = n.found(p, c.Holds, list.paths, "none of %d files matches", anyExists)
	return c, false
}

// found names the first path that a clause holds for.
func (n *narrator) found(p *patterns, holds bool, paths []string, none string, eval func(p *patterns, globs, paths []string) bool) string {
	if !holds {
		return fmt.Sprintf(none, len(paths))
	}
	if len(paths)*max(1, len(p.globs)) > maxComparisons {
		return "there are too many files to compare, so this holds"
	}
	globs := p.globs
	if p.variables {
		globs = n.scope.expandAll(globs)
	}
	i := slices.IndexFunc(paths, func(path string) bool { return eval(p, globs, []string{path}) })
	if i < 0 {
		return ""
	}
	return paths[i] + " matches"
}

// policies looks at only and except.
func (n *narrator) policies(d *Decision, spec *jobSpec) {
	d.In, d.Reason = true, ByWorkflow
	wrong := false
	if only := spec.only; only != nil {
		d.Reason = ByOnly
		refused := NotOnly
		if spec.entry.only == nil {
			d.Reason, refused = ByDefault, NotDefault
		}
		if d.Only, wrong = n.policy(only); slices.ContainsFunc(d.Only, func(c ClauseResult) bool { return !c.Holds }) {
			d.In, d.Reason = false, refused
		}
	}
	if except := spec.entry.except; except != nil && d.In && !wrong {
		if d.Except, wrong = n.policy(except); slices.ContainsFunc(d.Except, func(c ClauseResult) bool { return c.Holds }) {
			d.In, d.Reason = false, ByExcept
		} else if spec.entry.only == nil {
			d.Reason = ByOnly
		}
	}
	if wrong {
		d.In, d.Reason = false, ByError
	}
	if n.full() {
		d.Only, d.Except = nil, nil
	}
	n.keep("", d.Only)
	n.keep("", d.Except)
}

// policy evaluates all that a policy says.
func (n *narrator) policy(p *policy) (out []ClauseResult, wrong bool) {
	if p.hasRefs {
		texts := make([]string, len(p.refs))
		for i, ref := range p.refs {
			if texts[i] = ref.text; ref.project != "" {
				texts[i] += "@" + ref.project
			}
		}
		kind := "branch"
		if n.in.Tag {
			kind = "tag"
		}
		out = append(out, ClauseResult{
			Kind: "refs", Text: strings.Join(texts, ", "), Holds: n.anyRef(p.refs),
			Note: fmt.Sprintf("the source is %s, the ref is the %s %s", n.in.Source, kind, n.in.Ref),
		})
	}
	for i, condition := range p.variables {
		c := n.condition("variables", condition)
		if i > 0 && out[len(out)-1].Kind == "variables" { // one that holds is enough
			joined := &out[len(out)-1]
			joined.Text += ", " + c.Text
			joined.Holds = joined.Holds || c.Holds
			joined.Parts = append(joined.Parts, c.Parts...)
			for _, v := range c.Variables {
				if !slices.Contains(joined.Variables, v) {
					joined.Variables = append(joined.Variables, v)
				}
			}
			continue
		}
		out = append(out, c)
	}
	if p.hasVars && len(p.variables) == 0 {
		out = append(out, ClauseResult{Kind: "variables", Note: "there is no condition"})
	}
	if p.changes != nil {
		var c ClauseResult
		c, wrong = n.changes(p.changes)
		out = append(out, c)
	}
	if p.cluster {
		out = append(out, ClauseResult{Kind: "kubernetes", Text: "active", Note: "there is no cluster"})
	}
	return out, wrong
}

// outcome tells what a job that is in became.
func (n *narrator) outcome(d *Decision, spec *jobSpec, deciding *rule, in []bool) {
	job, linked := spec.job, &spec.links
	if deciding != nil {
		applyRule(&job, deciding)
		if replaced := spec.ruleLinks[deciding]; replaced != nil {
			linked = replaced
		}
	}
	d.When, d.StartIn, d.AllowFailure, d.AllowFailureExitCodes = job.When, job.StartIn, job.AllowFailure, job.AllowFailureExitCodes
	for k, at := range linked.jobs {
		switch {
		case at >= 0 && in[at]:
		case linked.needs[k].Optional:
			d.DroppedNeeds = append(d.DroppedNeeds, linked.needs[k].Job)
		default:
			d.MissingNeeds = append(d.MissingNeeds, linked.needs[k].Job)
		}
	}
}

// text writes a rule on one line, its keys in GitLab's order.
func (r *rule) text() string {
	var out []string
	add := func(key, value string) { out = append(out, key+": "+value) }
	if r.condition != nil {
		add("if", r.condition.String())
	}
	if r.changes != nil {
		add("changes", r.changes.text())
	}
	if r.exists != nil {
		add("exists", r.exists.text())
	}
	if r.when != "" {
		add("when", r.when)
	}
	if r.startIn > 0 {
		add("start_in", fmt.Sprintf("%d seconds", r.startIn))
	}
	if r.allowFailure != nil {
		add("allow_failure", fmt.Sprint(*r.allowFailure))
	}
	if r.interrupt != nil {
		add("interruptible", fmt.Sprint(*r.interrupt))
	}
	if len(r.variables.list) > 0 {
		names := make([]string, len(r.variables.list))
		for i, v := range r.variables.list {
			names[i] = v.Key
		}
		add("variables", strings.Join(names, ", "))
	}
	if r.hasNeeds {
		names := make([]string, len(r.needs))
		for i, need := range r.needs {
			names[i] = need.Job
		}
		add("needs", "["+strings.Join(names, ", ")+"]")
	}
	return strings.Join(out, ", ")
}

// text writes the patterns of a clause on one line, as they stand in the file.
func (p *patterns) text() string {
	out := "[" + strings.Join(p.globs, ", ") + "]"
	if p.re != nil {
		out = "regexp " + p.re.String()
	}
	if p.compareTo != "" {
		out += " compare_to " + p.compareTo
	}
	if p.project != "" {
		out += " project " + p.project
	}
	if p.ref != "" {
		out += " ref " + p.ref
	}
	return out
}
