package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// needEntry is one element of needs: a job of the pipeline.
type needEntry struct {
	Need
	pos    tree.Pos
	matrix bool // the name is of instances that needs:parallel lists
}

// The kinds of needs, in the words of GitLab's messages.
const (
	needJob     = "job"
	needCross   = "cross_dependency" // artifacts of another pipeline
	needProject = "cross_project"    // artifacts of another project
	needBridge  = "bridge"           // the status of another project's pipeline
)

// maxCrossNeeds is how many jobs of other pipelines, and of other projects, a
// job may need.
const maxCrossNeeds = 5

var needKeysOf = map[string]*keyset{
	needJob:     {known: []string{"job", "artifacts", "optional", "parallel"}},
	needCross:   {known: []string{"pipeline", "job", "artifacts"}},
	needProject: {known: []string{"project", "job", "ref", "artifacts"}},
	needBridge:  {known: []string{"pipeline"}},
}

// A needList is what needs, of a job or of a rule, says.
type needList struct {
	jobs   []needEntry // with the names as they are written
	cross  []CrossNeed
	mirror string
	kinds  []string // of each that is no plain job
}

// jobNeeds reads needs and compares them with dependencies.
func (c *checker) jobNeeds(p *place, n *tree.Node, e *jobEntry) {
	v := given(n, "needs")
	if v == nil {
		return
	}
	before := len(c.diags)
	e.job.DAG = true
	as, barred := "needs", []string{needBridge}
	if e.bridge {
		as, barred = "needs of a trigger job", []string{needCross, needProject}
	}
	list := memo(c, as, v, func() needList { return c.needs(p.child("needs"), v, barred) })
	e.needs, e.job.CrossNeeds, e.job.MirrorOf = list.jobs, list.cross, list.mirror
	if len(c.diags) > before || len(e.dependencies) == 0 {
		return
	}
	needed := make(map[string]bool, len(e.needs))
	for i := range e.needs {
		needed[e.needs[i].Job] = true
	}
	var missing []string
	for _, d := range e.dependencies {
		if !needed[d.name] {
			missing = append(missing, d.name)
		}
	}
	switch {
	case len(e.needs) == 0 && len(list.cross) > 0:
		c.fail(p, keyPos(n, "dependencies"), "needs", "corresponding to dependencies must be from the same pipeline")
	case missing != nil && len(e.needs) > 0:
		c.fail(p, keyPos(n, "dependencies"), "dependencies", "the "+strings.Join(missing, ", ")+" should be part of needs")
	}
}

// needs reads a list of needs, or one alone that is a map.
func (c *checker) needs(p *place, v *tree.Node, barred []string) needList {
	var out needList
	items := []*tree.Node{v}
	if v.Kind == tree.Seq {
		flat, bad := flatten(v, func(*tree.Node) bool { return true })
		if bad != nil {
			c.fail(p, bad.Pos, config, "can only be a hash or an array")
			return out
		}
		items = flat
	} else if v.Kind != tree.Map {
		c.fail(p, v.Pos, config, "can only be a hash or an array")
		return out
	}
	for _, item := range items {
		c.need(p.child("need"), item, &out)
	}
	var invalid []string
	count := map[string]int{}
	for _, kind := range out.kinds {
		if slices.Contains(barred, kind) && !slices.Contains(invalid, kind) {
			invalid = append(invalid, kind)
		}
		if count[kind]++; count[kind] == maxCrossNeeds+1 && !slices.Contains(barred, kind) {
			c.fail(p, v.Pos, config, fmt.Sprintf("must be less than or equal to %d", maxCrossNeeds))
		}
	}
	if invalid != nil {
		c.fail(p, v.Pos, config, "uses invalid types: "+strings.Join(invalid, ", "))
	}
	return out
}

// kindOfNeed tells the kind by the keys; "" is none.
func kindOfNeed(n *tree.Node) string {
	has := func(key string) bool { return given(n, key) != nil }
	switch {
	case n.Kind == tree.String, has("job") && !has("project") && !has("ref") && !has("pipeline"):
		return needJob
	case has("job") && has("pipeline") && !has("project"):
		return needCross
	case has("job") && has("project") && !has("pipeline"):
		return needProject
	case has("pipeline") && !has("job") && !has("project"):
		return needBridge
	}
	return ""
}

// need reads one element of needs.
func (c *checker) need(p *place, n *tree.Node, list *needList) {
	kind := kindOfNeed(n)
	if kind == "" {
		d := c.raw(n.Pos, strings.ToLower(p.String()+" has an unsupported type"))
		if n.Kind == tree.Map && len(n.Pairs) > 0 {
			d.Hint = didYouMean(n.Pairs[0].Key, needKeysOf[needJob].known)
		}
		return
	}
	if n.Kind == tree.String {
		list.jobs = append(list.jobs, needEntry{Need: Need{Job: n.Text, Artifacts: true}, pos: n.Pos})
		return
	}
	if !c.keys(p, n, needKeysOf[kind]) {
		return
	}
	for _, key := range []string{"job", "pipeline", "project"} {
		if v := given(n, key); v != nil && v.Kind == tree.String && empty(v) {
			c.fail(p, v.Pos, key, "can't be blank")
		}
	}
	if kind == needJob {
		c.jobNeed(p, n, list)
		return
	}
	list.kinds = append(list.kinds, kind)
	c.notYet(n.Pos, map[string]string{needCross: "needs:pipeline:job", needProject: "needs:project", needBridge: "needs:pipeline"}[kind], refusedAtOnce)
	if kind == needBridge {
		list.mirror = c.text(p, n.Get("pipeline"), "pipeline")
		return
	}
	pipeline := given(n, "pipeline")
	if pipeline != nil && pipeline.Kind != tree.Int {
		c.text(p, pipeline, "pipeline")
	}
	list.cross = append(list.cross, CrossNeed{
		Pipeline: textOf(pipeline), Project: c.text(p, given(n, "project"), "project"), Ref: c.text(p, given(n, "ref"), "ref"),
		Job: c.text(p, n.Get("job"), "job"), Artifacts: c.flag(p, given(n, "artifacts"), "artifacts", true),
	})
}

// jobNeed reads a map that names a job of the pipeline, with parallel some of
// its instances.
func (c *checker) jobNeed(p *place, n *tree.Node, list *needList) {
	job := n.Get("job")
	out := needEntry{pos: job.Pos}
	out.Job = c.text(p, job, "job")
	out.Artifacts = c.flag(p, given(n, "artifacts"), "artifacts", true)
	out.Optional = c.flag(p, given(n, "optional"), "optional", false)
	v := given(n, "parallel")
	if v == nil {
		list.jobs = append(list.jobs, out)
		return
	}
	for _, instance := range c.matrixOnly(p.child("parallel"), v).instances() {
		one := out
		one.Job += instance.suffix
		one.pos, one.matrix = v.Pos, true
		list.jobs = append(list.jobs, one)
	}
}
