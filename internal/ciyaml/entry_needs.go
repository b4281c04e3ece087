package ciyaml

import (
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var needKeys = &keyset{prefix: "needs:", known: []string{"job", "artifacts", "optional"}, later: []string{"parallel"}}

// jobNeeds reads needs and compares them with dependencies.
func (c *checker) jobNeeds(p *place, n *tree.Node, e *jobEntry) {
	v := given(n, "needs")
	if v == nil {
		return
	}
	before := len(c.diags)
	e.job.DAG = true
	at := p.child("needs")
	items := []*tree.Node{v}
	if v.Kind == tree.Seq {
		flat, bad := flatten(v, func(*tree.Node) bool { return true })
		if bad != nil {
			c.fail(at, bad.Pos, config, "can only be a hash or an array")
			return
		}
		items = flat
	} else if v.Kind != tree.Map {
		c.fail(at, v.Pos, config, "can only be a hash or an array")
		return
	}
	for _, item := range items {
		c.need(at.child("need"), item, e)
	}
	if len(c.diags) > before || len(e.needs) == 0 {
		return
	}
	var missing []string
	for _, d := range e.dependencies {
		if !slices.ContainsFunc(e.needs, func(n needEntry) bool { return n.Job == d.name }) {
			missing = append(missing, d.name)
		}
	}
	if missing != nil {
		c.fail(p, keyPos(n, "dependencies"), "dependencies", "the "+strings.Join(missing, ", ")+" should be part of needs")
	}
}

// need reads one element of needs; its keys say which kind it is.
func (c *checker) need(p *place, n *tree.Node, e *jobEntry) {
	out := needEntry{Need: Need{Artifacts: true}, pos: n.Pos}
	switch {
	case n.Kind == tree.String:
		out.Job = n.Text
	case given(n, "pipeline") != nil:
		c.refuse(keyPos(n, "pipeline"), "needs:pipeline")
		return
	case given(n, "project") != nil:
		c.refuse(keyPos(n, "project"), "needs:project")
		return
	case given(n, "job") == nil || given(n, "ref") != nil:
		d := c.raw(n.Pos, strings.ToLower(p.String()+" has an unsupported type"))
		if n.Kind == tree.Map && len(n.Pairs) > 0 {
			d.Hint = didYouMean(n.Pairs[0].Key, needKeys.known)
		}
		return
	default:
		if !c.keys(p, n, needKeys) {
			return
		}
		job := n.Get("job")
		out.Job, out.pos = c.text(p, job, "job"), job.Pos
		if job.Kind == tree.String && empty(job) {
			c.fail(p, job.Pos, "job", "can't be blank")
		}
		out.Artifacts = c.flag(p, given(n, "artifacts"), "artifacts", true)
		out.Optional = c.flag(p, given(n, "optional"), "optional", false)
	}
	e.needs = append(e.needs, out)
}
