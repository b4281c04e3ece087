package ciyaml

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A rule is one element of rules or of workflow:rules. A nil clause always
// holds.
type rule struct {
	pos          tree.Pos
	condition    *expr.Expr
	changes      *patterns
	exists       *patterns
	when         string // "" leaves the job's
	startIn      int64
	allowFailure *bool
	interrupt    *bool
	variables    varSet
	needs        []needEntry // replace those of the job
	hasNeeds     bool
	autoCancel   AutoCancel // of the pipeline, in workflow rules
}

// patterns is a list of globs, or one regular expression; expanding is off when
// none has a variable. What they are compared with can be named, too.
type patterns struct {
	pos          tree.Pos
	globs        []string
	re           *regexp.Regexp
	variables    bool   // in globs
	compareTo    string // of changes: what to compare with, "" for the event's own
	project, ref string // of exists: where to look, "" for the pipeline's own
}

func newPatterns(globs []string) *patterns {
	named := slices.ContainsFunc(globs, func(g string) bool { return len(expand.Names(g)) > 0 })
	return &patterns{globs: globs, variables: named}
}

// names lists the variables that the clause reads.
func (p *patterns) names() []string {
	if p == nil {
		return nil
	}
	var out []string
	for _, text := range append([]string{p.compareTo, p.project, p.ref}, p.globs...) {
		out = append(out, expand.Names(text)...)
	}
	return out
}

// ruleKind is whose rules are read.
type ruleKind struct {
	keys *keyset
	when []string
	jobs bool // what concerns only jobs counts
}

var jobRule = ruleKind{
	keys: &keyset{[]string{"if", "changes", "exists", "when", "start_in", "allow_failure", "variables", "needs", "interruptible"}},
	when: []string{"on_success", "on_failure", "always", "never", "manual", "delayed"},
	jobs: true,
}

// workflowRule tolerates what means nothing to a whole pipeline, as GitLab
// does.
var workflowRule = ruleKind{
	keys: &keyset{[]string{
		"if", "changes", "exists", "when", "variables", "auto_cancel", "start_in", "allow_failure", "needs", "interruptible",
	},
	},
	when: []string{"always", "never"},
}

// jobRules reads rules, whose shape is known to be right.
func (c *checker) jobRules(p *place, n *tree.Node) []rule {
	items, _ := flatten(n, isHash)
	out := make([]rule, 0, len(items))
	for _, item := range items {
		out = append(out, c.rule(p.child("rule"), item, jobRule))
	}
	return out
}

// rule reads one rule.
func (c *checker) rule(p *place, n *tree.Node, kind ruleKind) rule {
	out := rule{pos: n.Pos}
	if len(n.Pairs) == 0 {
		c.fail(p, n.Pos, config, "can't be blank")
		return out
	}
	before := len(c.diags)
	c.keys(p, n, kind.keys)
	if v := given(n, "when"); v != nil {
		if out.when = v.Text; v.Kind != tree.String || !slices.Contains(kind.when, v.Text) {
			c.fail(p, v.Pos, "when", "unknown value: "+inlineText(v)).Hint = didYouMean(v.Text, kind.when)
		}
	}
	if v := given(n, "if"); v != nil {
		out.condition = c.condition(p, v, "if")
	}
	if kind.jobs {
		c.ruleForJobs(p, n, &out)
	}
	if len(c.diags) > before {
		return out
	}
	if v := given(n, "changes"); v != nil {
		out.changes = c.patterns(p.child("changes"), v, changesKeys)
	}
	if v := given(n, "exists"); v != nil {
		out.exists = c.patterns(p.child("exists"), v, existsKeys)
	}
	if v := given(n, "variables"); v != nil {
		out.variables = newVarSet(LayerRule, c.variables(p.child("variables"), v, ruleVariables))
	}
	if v := given(n, "needs"); v != nil && kind.jobs {
		list := c.needs(p.child("needs"), v, []string{needBridge, needCross, needProject})
		out.needs, out.hasNeeds = list.jobs, true
	}
	if v := given(n, "auto_cancel"); v != nil && !kind.jobs {
		out.autoCancel = c.autoCancel(p.child("auto_cancel"), v)
	}
	return out
}

// ruleForJobs reads what a rule says of its job.
func (c *checker) ruleForJobs(p *place, n *tree.Node, out *rule) {
	c.ruleStart(p, n, out)
	if v := given(n, "allow_failure"); v != nil {
		value := c.flag(p, v, "allow_failure", false)
		out.allowFailure = &value
	}
	if v := given(n, "interruptible"); v != nil {
		value := c.flag(p, v, "interruptible", false)
		out.interrupt = &value
	}
}

// ruleStart reads start_in, which goes with delayed and with nothing else.
func (c *checker) ruleStart(p *place, n *tree.Node, out *rule) {
	v := given(n, "start_in")
	switch {
	case out.when == "delayed" && v == nil:
		c.fail(p, keyPos(n, "when"), "start_in", "can't be blank")
	case out.when == "delayed":
		out.startIn = c.seconds(p, v, "start_in", week)
	case v != nil && given(n, "when") != nil && !slices.Contains(jobRule.when, out.when):
		// The value of when is reported already.
	case v != nil:
		c.fail(p, keyPos(n, "start_in"), config, "contains disallowed keys: start_in")
	}
}

func (c *checker) condition(p *place, n *tree.Node, attribute string) *expr.Expr {
	e, hint, ok := c.expression(n)
	if !ok {
		c.fail(p, n.Pos, attribute, "invalid expression syntax").Hint = hint
	}
	return e
}

// maxPatterns is how many patterns one clause may have.
const maxPatterns = 50

var (
	changesKeys = &keyset{[]string{"paths", "regexp", "compare_to"}}
	existsKeys  = &keyset{[]string{"paths", "regexp", "project", "ref"}}
)

// patterns reads a list of globs, or a map with the list as paths.
func (c *checker) patterns(p *place, n *tree.Node, keys *keyset) *patterns {
	switch n.Kind {
	case tree.Seq:
		return c.globs(p, n, config)
	case tree.Map:
	default:
		c.raw(n.Pos, strings.ToLower(p.String()+" should be an array or a hash"))
		return nil
	}
	if !c.keys(p, n, keys) {
		return nil
	}
	paths, pattern := given(n, "paths"), given(n, "regexp")
	if (paths == nil) == (pattern == nil) {
		c.fail(p, n.Pos, config, "must use exactly one of these keys: paths, regexp")
		return nil
	}
	var out *patterns
	if paths != nil {
		out = c.globs(p, paths, "paths")
	} else {
		out = &patterns{pos: pattern.Pos, re: c.pathRegexp(p, pattern)}
	}
	out.pos = n.Pos
	out.compareTo = c.text(p, given(n, "compare_to"), "compare_to")
	out.project, out.ref = c.text(p, given(n, "project"), "project"), c.text(p, given(n, "ref"), "ref")
	if out.ref != "" && out.project == "" {
		c.fail(p, keyPos(n, "ref"), config, "missing required keys: project")
	}
	out.variables = len(out.names()) > 0
	return out
}

// globs reads the list of a clause.
func (c *checker) globs(p *place, n *tree.Node, attribute string) *patterns {
	globs := c.list(p, n, attribute)
	if len(globs) > maxPatterns {
		c.fail(p, n.Pos, attribute, fmt.Sprintf("has too many entries (maximum %d)", maxPatterns))
	}
	out := newPatterns(globs)
	out.pos = n.Pos
	return out
}

// pathRegexp reads regexp: an expression, between slashes or not.
func (c *checker) pathRegexp(p *place, n *tree.Node) *regexp.Regexp {
	body, flags, slashed := patternLiteral(n.Text)
	if !slashed {
		body = n.Text
	}
	re, err := compileRegexp(body, flags)
	switch {
	case utf8.RuneCountInString(n.Text) > maxName:
		c.fail(p, n.Pos, "regexp", tooLongName)
	case n.Kind != tree.String || err != nil:
		c.fail(p, n.Pos, "regexp", "must be a regular expression with re2 syntax")
	}
	return re
}

// inlineText is a scalar as GitLab's messages show it.
func inlineText(n *tree.Node) string {
	if n.Kind >= tree.Seq {
		return inline(n)
	}
	return n.Text
}

const doubleRunWarning = " may allow multiple pipelines to run for a single action due to `rules:when` clause with no `workflow:rules`" +
	" - read more: https://docs.gitlab.com/ee/ci/jobs/job_troubleshooting.html#job-may-allow-multiple-pipelines-to-run-for-a-single-action-warning"

// maxWarnings is how many warnings a configuration gets.
const maxWarnings = 25

// warnRules warns of rules that end in one without a condition, since such a
// job runs for a push and again for its merge request.
func (c *checker) warnRules(pair tree.Pair, rules *tree.Node) {
	items, _ := flatten(rules, isHash)
	if c.workflow || len(items) == 0 || len(c.warnings) == maxWarnings {
		return
	}
	last := items[len(items)-1]
	if len(last.Pairs) == 1 && last.Pairs[0].Key == "when" && last.Pairs[0].Value.Text != "never" {
		c.warnings = append(c.warnings, Diagnostic{
			Pos: last.Pos, Severity: Warning, Code: CodeConfig, Message: "jobs:" + pair.Key + doubleRunWarning,
		})
	}
}
