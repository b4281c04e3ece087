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
	job      Job // all that is the same for every instance
	stagePos tree.Pos

	environmentPos tree.Pos
	interrupt      *bool
	variables      []Variable // its own
	rules          []rule
	hasRules       bool
	ruleVariables  bool // some rule has variables
	only, except   *policy
	needs          []needEntry // the jobs needed, by the name written
	dependencies   []nameEntry // nil when not given
	parallel       *parallel
	bridge         bool
	defaults       choiceOf // what it inherits of default
	rootVariables  choiceOf // and of the variables above its own
}

// nameEntry is a name and where it stands.
type nameEntry struct {
	name string
	pos  tree.Pos
}

// maxName is the length of names of jobs and stages, in characters.
const maxName = 255

const tooLongName = "is too long (maximum is 255 characters)"

var jobKeys = &keyset{[]string{
	"tags", "script", "image", "services", "start_in", "artifacts", "cache", "dependencies", "before_script",
	"after_script", "coverage", "retry", "parallel", "timeout", "extends", "stage", "only", "except", "rules",
	"variables", "allow_failure", "when", "needs", "interruptible", "release", "environment", "resource_group", "inherit",
	"id_tokens", "secrets", "hooks", "pages", "publish", "run", "identity", "dast_configuration", "manual_confirmation", "inputs",
},
}

// job reads a job; nil when it is wrong.
func (c *checker) job(p *place, pair tree.Pair, defaults *jobEntry) *jobEntry {
	n := pair.Value
	e := &jobEntry{job: Job{BaseName: pair.Key, Pos: pair.KeyPos, NodeTotal: 1}}
	before := len(c.diags)
	c.jobItself(p, pair, e)
	if len(c.diags) > before {
		return nil
	}
	c.processable(p, pair, e)
	c.inheritable(p, n, e)
	e.job.Script = c.script(p, n, "script")
	c.jobNeeds(p, n, e)
	if v := given(n, "coverage"); v != nil {
		e.job.Coverage = c.coverage(p.child("coverage"), v)
	}
	if v := given(n, "parallel"); v != nil {
		e.parallel = memo(c, "parallel", v, func() *parallel { return c.parallel(p.child("parallel"), v) })
	}
	c.allowFailure(p, n, e)
	c.jobLife(p, n, e)
	e.complete(n, defaults)
	return e
}

// processable reads what jobs and trigger jobs have in common.
func (c *checker) processable(p *place, pair tree.Pair, e *jobEntry) {
	n := pair.Value
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
	c.inherit(p.child("inherit"), given(n, "inherit"), e)
	e.job.ResourceGroup = textOf(given(n, "resource_group"))
	if v := given(n, "environment"); v != nil {
		e.job.Environment = memo(c, "environment", v, func() *Environment { return c.environment(p.child("environment"), v) })
		e.environmentPos = v.Pos
	}
}

// jobLife reads what only matters once the job runs.
func (c *checker) jobLife(p *place, n *tree.Node, e *jobEntry) {
	job := &e.job
	if v := given(n, "release"); v != nil {
		job.Release = memo(c, "release", v, func() *Release { return c.release(p.child("release"), v) })
	}
	if v := given(n, "secrets"); v != nil {
		job.Secrets = memo(c, "secrets", v, func() []Secret { return c.secrets(p.child("secrets"), v) })
	}
	if v := given(n, "dast_configuration"); v != nil {
		c.notYet(keyPos(n, "dast_configuration"), "dast_configuration", noEffect)
		job.DAST = c.dast(p.child("dast_configuration"), v)
	}
	if v := given(n, "run"); v != nil {
		job.Run = memo(c, "run", v, func() string { return c.runSteps(p.child("run"), v) })
	}
	if v := given(n, "inputs"); v != nil {
		job.Inputs = memo(c, "inputs", v, func() []JobInput { return c.jobInputs(p.child("inputs"), v) })
	}
}

// jobItself makes the checks of the job's own node, which hide those below it.
func (c *checker) jobItself(p *place, pair tree.Pair, e *jobEntry) {
	n := pair.Value
	c.jobName(p, pair)
	c.exclusive(p, n, "script", "run")
	c.exclusive(p, n, "script", "trigger")
	c.exclusive(p, n, "run", "trigger")
	c.exclusive(p, n, "run", "before_script")
	c.exclusive(p, n, "run", "after_script")
	c.processableItself(p, n)
	c.keys(p, n, jobKeys)
	if n.Get("run") == nil && empty(n.Get("script")) {
		c.fail(p, keyPos(n, "script"), "script", "can't be blank")
	}
	e.job.When = c.choice(p, given(n, "when"), "when", "on_success", "on_success", "on_failure", "always", "manual", "delayed")
	if v := given(n, "dependencies"); v != nil {
		e.dependencies = memo(c, "dependencies", v, func() []nameEntry {
			names := c.list(p, v, "dependencies")
			out := make([]nameEntry, len(names)) // not nil: an empty list means none
			for i, name := range names {
				out[i] = nameEntry{name, v.Items[i].Pos}
			}
			return out
		})
	}
	if v := given(n, "allow_failure"); v != nil && v.Kind != tree.Bool && v.Kind != tree.Map {
		c.fail(p, v.Pos, "allow_failure", "should be a hash or a boolean value")
	}
	e.job.ManualConfirmation = c.text(p, given(n, "manual_confirmation"), "manual_confirmation")
	c.pages(p, n, e)
	c.startIn(p, n, e)
}

// startIn reads start_in, which goes with delayed and with nothing else.
func (c *checker) startIn(p *place, n *tree.Node, e *jobEntry) {
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

func (c *checker) jobName(p *place, pair tree.Pair) {
	switch {
	case strings.TrimSpace(pair.Key) == "":
		c.fail(p, pair.KeyPos, "name", "can't be blank")
	case utf8.RuneCountInString(pair.Key) > maxName:
		c.fail(p, pair.KeyPos, "name", tooLongName)
	}
}

// exclusive refuses two keys that exclude each other.
func (c *checker) exclusive(p *place, n *tree.Node, one, other string) {
	if n.Get(one) != nil && n.Get(other) != nil {
		c.fail(p, keyPos(n, other), config, "these keys cannot be used together: "+one+", "+other)
	}
}

// processableItself makes the checks of the node itself that jobs and trigger
// jobs share.
func (c *checker) processableItself(p *place, n *tree.Node) {
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
	c.resourceGroup(p, given(n, "resource_group"))
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

var exitCodeKeys = &keyset{[]string{"exit_codes"}}
