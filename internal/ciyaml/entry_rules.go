package ciyaml

import (
	"fmt"
	"slices"
	"strings"

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
}

// patterns is a list of globs; expanding is off when none has a variable.
type patterns struct {
	globs     []string
	variables bool
}

func newPatterns(globs []string) *patterns {
	named := slices.ContainsFunc(globs, func(g string) bool { return len(expand.Names(g)) > 0 })
	return &patterns{globs, named}
}

// ruleKind is whose rules are read.
type ruleKind struct {
	keys *keyset
	when []string
	jobs bool // what concerns only jobs counts
}

var jobRule = ruleKind{
	keys: &keyset{
		prefix: "rules:",
		known:  []string{"if", "changes", "exists", "when", "start_in", "allow_failure", "variables", "interruptible"},
		later:  []string{"needs"},
	},
	when: []string{"on_success", "on_failure", "always", "never", "manual", "delayed"},
	jobs: true,
}

// workflowRule tolerates what means nothing to a whole pipeline, as GitLab
// does.
var workflowRule = ruleKind{
	keys: &keyset{
		prefix: "workflow:rules:",
		known: []string{
			"if", "changes", "exists", "when", "variables", "start_in", "allow_failure", "needs", "interruptible",
		},
		later: []string{"auto_cancel"},
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
	if wrong(c.diags[before:]) {
		return out
	}
	if v := given(n, "changes"); v != nil {
		out.changes = c.patterns(p.child("changes"), v, changesKeys)
	}
	if v := given(n, "exists"); v != nil {
		out.exists = c.patterns(p.child("exists"), v, existsKeys)
	}
	if v := given(n, "variables"); v != nil {
		out.variables = newVarSet(c.variables(p.child("variables"), v, ruleVariables))
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
	changesKeys = &keyset{prefix: "rules:changes:", known: []string{"paths"}, later: []string{"compare_to", "regexp"}}
	existsKeys  = &keyset{prefix: "rules:exists:", known: []string{"paths"}, later: []string{"project", "ref", "regexp"}}
)

// patterns reads a list of globs, or a map with the list as paths.
func (c *checker) patterns(p *place, n *tree.Node, keys *keyset) *patterns {
	attribute, list := config, n
	switch n.Kind {
	case tree.Seq:
	case tree.Map:
		attribute, list = "paths", given(n, "paths")
		if !c.keys(p, n, keys) || given(n, "regexp") != nil {
			return nil
		}
		if list == nil {
			c.fail(p, n.Pos, config, "must use exactly one of these keys: paths, regexp")
			return nil
		}
	default:
		c.raw(n.Pos, strings.ToLower(p.String()+" should be an array or a hash"))
		return nil
	}
	globs := c.list(p, list, attribute)
	if len(globs) > maxPatterns {
		c.fail(p, list.Pos, attribute, fmt.Sprintf("has too many entries (maximum %d)", maxPatterns))
	}
	return newPatterns(globs)
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
