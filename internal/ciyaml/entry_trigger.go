package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var bridgeKeys = &keyset{[]string{
	"trigger", "parallel", "extends", "stage", "only", "except", "rules", "variables", "inherit", "allow_failure", "when", "needs",
	"resource_group", "environment", "interruptible",
}}

// bridge reads a job that starts another pipeline, or mirrors one; nil when it
// is wrong. Nothing of default counts for it.
func (c *checker) bridge(p *place, pair tree.Pair) *jobEntry {
	n := pair.Value
	e := &jobEntry{job: Job{BaseName: pair.Key, Pos: pair.KeyPos, NodeTotal: 1}, bridge: true}
	before := len(c.diags)
	c.bridgeItself(p, pair, e)
	if len(c.diags) > before {
		return nil
	}
	c.processable(p, pair, e)
	if v := given(n, "trigger"); v != nil {
		c.notYet(keyPos(n, "trigger"), "trigger", refusedAtOnce)
		e.job.Trigger = c.trigger(p.child("trigger"), v)
	}
	e.interruptible(c, p.child("interruptible"), given(n, "interruptible"))
	c.jobNeeds(p, n, e)
	if v := given(n, "parallel"); v != nil {
		e.parallel = c.matrixOnly(p.child("parallel"), v)
	}
	if v := given(n, "allow_failure"); v != nil {
		e.job.AllowFailure = v.Text == "true"
	} else {
		e.job.AllowFailure = e.job.When == "manual"
	}
	e.job.Interruptible = e.interrupt != nil && *e.interrupt
	switch {
	case len(c.diags) > before:
	case e.job.Trigger == nil && e.job.MirrorOf == "":
		c.fail(p, pair.KeyPos, config, "should contain either a trigger or a needs:pipeline").Hint = "a job needs a script"
	}
	return e
}

// bridgeItself makes the checks of the node itself, which hide those below it.
func (c *checker) bridgeItself(p *place, pair tree.Pair, e *jobEntry) {
	n := pair.Value
	c.jobName(p, pair)
	c.processableItself(p, n)
	c.keys(p, n, bridgeKeys)
	e.job.When = c.choice(p, given(n, "when"), "when", "on_success", "on_success", "on_failure", "always", "manual")
	c.flag(p, given(n, "allow_failure"), "allow_failure", false)
}

// matrixOnly is parallel where a number makes no sense.
func (c *checker) matrixOnly(p *place, n *tree.Node) *parallel {
	if n.Kind == tree.Int || n.Kind == tree.Float {
		c.fail(p, n.Pos, config, `cannot use "parallel: <number>".`)
		return nil
	}
	return c.parallel(p, n)
}

var (
	multiProjectKeys = &keyset{[]string{"project", "branch", "strategy", "forward", "inputs"}}
	childKeys        = &keyset{[]string{"include", "strategy", "forward", "inputs"}}
	forwardKeys      = &keyset{[]string{"yaml_variables", "pipeline_variables"}}
)

// trigger reads trigger (contract 7.9): a project, or a map that has include
// for a child pipeline.
func (c *checker) trigger(p *place, n *tree.Node) *Trigger {
	out := &Trigger{ForwardYAML: true}
	switch {
	case n.Kind == tree.String:
		if out.Project = n.Text; empty(n) {
			c.fail(p, n.Pos, "project", "can't be blank")
		}
		return out
	case n.Kind != tree.Map:
		c.raw(n.Pos, strings.ToLower(p.String()+" has to be either a string or a hash"))
		return nil
	case n.Get("include") != nil:
		c.keys(p, n, childKeys)
	default:
		c.keys(p, n, multiProjectKeys)
		if out.Project = c.text(p, given(n, "project"), "project"); empty(n.Get("project")) {
			c.fail(p, keyPos(n, "project"), "project", "can't be blank")
		}
		out.Branch = c.text(p, given(n, "branch"), "branch")
	}
	if v := given(n, "strategy"); v != nil {
		if out.Strategy = v.Text; v.Text != "depend" && v.Text != "mirror" {
			c.fail(p, v.Pos, "strategy", "should be depend or mirror").Hint = didYouMean(v.Text, []string{"depend", "mirror"})
		}
	}
	if v := given(n, "forward"); v != nil {
		at := p.child("forward")
		if c.isMap(at, v) && c.keys(at, v, forwardKeys) {
			out.ForwardYAML = c.flag(at, given(v, "yaml_variables"), "yaml_variables", true)
			out.ForwardVariables = c.flag(at, given(v, "pipeline_variables"), "pipeline_variables", false)
		}
	}
	out.Inputs = c.triggerInputs(p.child("inputs"), given(n, "inputs"))
	if v := n.Get("include"); v != nil {
		out.Include = c.triggerIncludes(p.child("include"), v)
	}
	return out
}

func (c *checker) triggerInputs(p *place, n *tree.Node) []TriggerInput {
	if n == nil || !c.isMap(p, n) {
		return nil
	}
	out := make([]TriggerInput, len(n.Pairs))
	for i, pair := range n.Pairs {
		out[i] = TriggerInput{pair.Key, jsonText(pair.Value)}
	}
	return out
}

// maxTriggerIncludes is how many files make a child's configuration.
const maxTriggerIncludes = 3

// triggerIncludes reads the files of a child's configuration.
func (c *checker) triggerIncludes(p *place, n *tree.Node) []TriggerInclude {
	items := []*tree.Node{n}
	if !n.IsNull() && n.Kind == tree.Seq {
		items = n.Items
	}
	switch {
	case empty(n):
		c.fail(p, n.Pos, config, "can't be blank")
		return nil
	case len(items) > maxTriggerIncludes:
		c.fail(p, items[maxTriggerIncludes].Pos, config, fmt.Sprintf("is too long (maximum is %d)", maxTriggerIncludes))
		return nil
	}
	out := make([]TriggerInclude, 0, len(items))
	for _, item := range items {
		switch item.Kind {
		case tree.String:
			if strings.HasPrefix(item.Text, "https://") || strings.HasPrefix(item.Text, "http://") {
				out = append(out, TriggerInclude{Remote: item.Text})
				continue
			}
			out = append(out, TriggerInclude{Local: item.Text})
		case tree.Map:
			out = append(out, c.triggerInclude(&place{p.parent, "include"}, item)...)
		default:
			c.fail(p, item.Pos, config, "should be a hash or a string")
		}
	}
	return out
}

var triggerIncludeKeys = &keyset{[]string{
	"local", "file", "remote", "template", "component", "artifact", "job", "project", "ref", "inputs",
}}

// triggerInclude reads one file, or those of one project.
func (c *checker) triggerInclude(p *place, n *tree.Node) []TriggerInclude {
	if !c.keys(p, n, triggerIncludeKeys) {
		return nil
	}
	text := func(key string) string { return c.text(p, given(n, key), key) }
	one := TriggerInclude{
		Local: text("local"), Remote: text("remote"), Template: text("template"), Component: text("component"),
		Artifact: text("artifact"), Job: text("job"), Project: text("project"), Ref: text("ref"),
		Inputs: c.triggerInputs(p.child("inputs"), given(n, "inputs")),
	}
	kinds := 0
	for _, key := range []string{"local", "remote", "template", "component", "artifact", "project"} {
		if given(n, key) != nil {
			kinds++
		}
	}
	files := c.listOrText(p, given(n, "file"), "file")
	switch {
	case kinds != 1:
		c.raw(n.Pos, "Each include must use only one of: `local`, `project`, `remote`, `template`, `artifact`, `component`")
	case one.Artifact != "" && one.Job == "":
		c.fail(p, n.Pos, config, "must specify the job where to fetch the artifact from")
	case one.Project != "" && len(files) == 0:
		c.fail(p, n.Pos, config, "must specify the file where to fetch the config from")
	}
	if one.Project == "" {
		return []TriggerInclude{one}
	}
	out := slices.Repeat([]TriggerInclude{one}, len(files))
	for i, file := range files {
		out[i].File = file
	}
	return out
}
