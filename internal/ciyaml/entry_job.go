package ciyaml

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// jobEntry is a job as its entry says, before parallel is expanded. The entry
// of default is one too.
type jobEntry struct {
	job           Job // all that is the same for every instance
	stagePos      tree.Pos
	interrupt     *bool
	variables     []Variable // its own
	rules         []rule
	hasRules      bool
	ruleVariables bool // some rule has variables
	only, except  *policy
	needs         []needEntry // the jobs needed, by the name written
	dependencies  []nameEntry // nil when not given
	parallel      *parallel
}

// needEntry is one element of needs.
type needEntry struct {
	Need
	pos tree.Pos
}

// nameEntry is a name and where it stands.
type nameEntry struct {
	name string
	pos  tree.Pos
}

// maxName is the length of names of jobs and stages, in characters.
const maxName = 255

const tooLongName = "is too long (maximum is 255 characters)"

var jobKeys = &keyset{
	known: []string{
		"tags", "script", "image", "services", "start_in", "artifacts", "cache", "dependencies", "before_script",
		"after_script", "coverage", "retry", "parallel", "timeout", "extends", "stage", "only", "except", "rules",
		"variables", "allow_failure", "when", "needs", "interruptible",
	},
	later: []string{
		"release", "environment", "resource_group", "inherit", "id_tokens", "secrets", "hooks", "pages", "publish",
		"run", "identity", "dast_configuration", "manual_confirmation", "inputs",
	},
}

var bridgeKeys = &keyset{
	known: []string{
		"parallel", "extends", "stage", "only", "except", "rules", "variables", "allow_failure", "when", "needs", "interruptible",
	},
	later: []string{"trigger", "environment", "resource_group", "inherit"},
}

// job reads a job; nil when it is wrong.
func (c *checker) job(p *place, pair tree.Pair, defaults *jobEntry) *jobEntry {
	n := pair.Value
	e := &jobEntry{job: Job{BaseName: pair.Key, Pos: pair.KeyPos, NodeTotal: 1}}
	before := len(c.diags)
	c.jobItself(p, pair, e)
	if wrong(c.diags[before:]) {
		return nil
	}
	c.jobStage(p, n, e)
	e.only = c.policy(p.child("only"), given(n, "only"), true)
	e.except = c.policy(p.child("except"), given(n, "except"), false)
	if rules := given(n, "rules"); rules != nil {
		e.rules, e.hasRules = memo(c, "rules", rules, func() []rule { return c.jobRules(p.child("rules"), rules) }), true
		e.ruleVariables = slices.ContainsFunc(e.rules, func(r rule) bool { return len(r.variables.list) > 0 })
		c.warnRules(pair, rules)
	}
	if v := given(n, "variables"); v != nil {
		e.variables = memo(c, "variables", v, func() []Variable { return c.variables(p.child("variables"), v, jobVariables) })
	}
	c.inheritable(p, n, e)
	e.job.Script = c.script(p, n, "script")
	c.jobNeeds(p, n, e)
	if v := given(n, "coverage"); v != nil {
		e.job.Coverage = c.coverage(p.child("coverage"), v)
	}
	if v := given(n, "parallel"); v != nil {
		e.parallel = c.parallel(p.child("parallel"), v)
	}
	c.allowFailure(p, n, e)
	e.complete(n, defaults)
	return e
}

// wrong reports whether GitLab would find an error among diags.
func wrong(diags Diagnostics) bool {
	return slices.ContainsFunc(diags, func(d Diagnostic) bool { return d.Code != CodeUnsupported })
}

// jobItself makes the checks of the job's own node, which hide those below it.
func (c *checker) jobItself(p *place, pair tree.Pair, e *jobEntry) {
	n := pair.Value
	if utf8.RuneCountInString(pair.Key) > maxName {
		c.fail(p, pair.KeyPos, "name", tooLongName)
	}
	for _, other := range []string{"run", "trigger"} {
		if n.Get("script") != nil && n.Get(other) != nil {
			c.fail(p, keyPos(n, other), config, "these keys cannot be used together: script, "+other)
		}
	}
	c.processable(p, n)
	c.keys(p, n, jobKeys)
	if n.Get("run") == nil && empty(n.Get("script")) {
		c.fail(p, keyPos(n, "script"), "script", "can't be blank")
	}
	e.job.When = c.choice(p, given(n, "when"), "when", "on_success", "on_success", "on_failure", "always", "manual", "delayed")
	if v := given(n, "dependencies"); v != nil {
		names := c.list(p, v, "dependencies")
		e.dependencies = make([]nameEntry, len(names)) // not nil: an empty list means none
		for i, name := range names {
			e.dependencies[i] = nameEntry{name, v.Items[i].Pos}
		}
	}
	if v := given(n, "allow_failure"); v != nil && v.Kind != tree.Bool && v.Kind != tree.Map {
		c.fail(p, v.Pos, "allow_failure", "should be a hash or a boolean value")
	}
	start := given(n, "start_in")
	switch {
	case e.job.When == "delayed" && start == nil:
		c.fail(p, keyPos(n, "when"), "start_in", "should be a duration")
	case e.job.When == "delayed":
		e.job.StartIn = c.seconds(p, start, "start_in", week)
	case start != nil && given(n, "rules") == nil:
		c.fail(p, keyPos(n, "start_in"), "start_in", "must be blank")
	}
}

// processable makes the checks that jobs and trigger jobs share.
func (c *checker) processable(p *place, n *tree.Node) {
	if rules := given(n, "rules"); rules != nil {
		var barred []string
		for _, pair := range n.Pairs {
			if slices.Contains([]string{"only", "except", "start_in"}, pair.Key) && !pair.Value.IsNull() {
				barred = append(barred, pair.Key)
			}
		}
		if barred != nil {
			c.fail(p, keyPos(n, barred[0]), config, "key may not be used with `rules`: "+strings.Join(barred, ", "))
		}
		if _, bad := flatten(rules, isHash); bad != nil {
			c.fail(p, bad.Pos, "rules", "should be an array containing hashes and arrays of hashes")
		}
	}
	c.listOrText(p, given(n, "extends"), "extends")
}

// bridge refuses a trigger job, in GitLab's words as far as it would.
func (c *checker) bridge(p *place, pair tree.Pair) {
	n := pair.Value
	before := len(c.diags)
	c.processable(p, n)
	c.keys(p, n, bridgeKeys)
	if len(c.diags) > before {
		return
	}
	needs := given(n, "needs")
	items := []*tree.Node{needs}
	if needs != nil && needs.Kind == tree.Seq {
		items = needs.Items
	}
	for _, item := range items {
		if given(item, "pipeline") != nil {
			c.refuse(keyPos(item, "pipeline"), "needs:pipeline")
			return
		}
	}
	d := c.fail(p, pair.KeyPos, config, "should contain either a trigger or a needs:pipeline")
	d.Hint = "a job needs a script"
}

func (c *checker) jobStage(p *place, n *tree.Node, e *jobEntry) {
	e.job.Stage, e.stagePos = "test", e.job.Pos
	if v := given(n, "stage"); v != nil {
		p = p.child("stage")
		e.job.Stage, e.stagePos = c.text(p, v, config), v.Pos
		if utf8.RuneCountInString(e.job.Stage) > maxName {
			c.fail(p, v.Pos, config, tooLongName)
		}
	}
}

// coverage reads a regular expression between slashes.
func (c *checker) coverage(p *place, n *tree.Node) string {
	body, found := strings.CutPrefix(n.Text, "/")
	body, ends := strings.CutSuffix(body, "/")
	if n.Kind == tree.String && found && ends {
		if _, err := compileRegexp(body, ""); err == nil {
			return body
		}
	}
	c.fail(p, n.Pos, config, "must be a regular expression with re2 syntax")
	return ""
}

// allowFailure reads allow_failure, whose kind is known to be right. A manual
// job may fail unless it says otherwise; with exit codes the failure decides.
func (c *checker) allowFailure(p *place, n *tree.Node, e *jobEntry) {
	v := given(n, "allow_failure")
	switch {
	case v == nil:
		e.job.AllowFailure = e.job.When == "manual"
	case v.Kind == tree.Bool:
		e.job.AllowFailure = v.Text == "true"
	default:
		p = p.child("allow_failure")
		if !c.keys(p, v, exitCodeKeys) {
			return
		}
		codes := given(v, "exit_codes")
		if codes == nil {
			c.fail(p, v.Pos, config, "missing required keys: exit_codes")
			return
		}
		e.job.AllowFailureExitCodes = c.integers(p, codes, "exit_codes")
	}
}

var exitCodeKeys = &keyset{known: []string{"exit_codes"}}
