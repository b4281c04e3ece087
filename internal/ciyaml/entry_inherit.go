package ciyaml

import (
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A choiceOf says which of many a job inherits: all, none, or those named.
type choiceOf struct {
	none  bool
	named []string // if not nil, only these
}

func (c choiceOf) has(name string) bool {
	return !c.none && (c.named == nil || slices.Contains(c.named, name))
}

// all reports whether nothing is left out.
func (c choiceOf) all() bool { return !c.none && c.named == nil }

var inheritKeys = &keyset{[]string{"default", "variables"}}

// inherit reads inherit: what the job takes of default, and of the variables of
// the root and of workflow rules.
func (c *checker) inherit(p *place, n *tree.Node, e *jobEntry) {
	if n == nil || !c.isMap(p, n) || !c.keys(p, n, inheritKeys) {
		return
	}
	if v := given(n, "default"); v != nil {
		at := p.child("default")
		e.defaults = c.choiceOf(at, v)
		c.known(at, v, config, e.defaults.named, defaultKeys.known)
	}
	if v := given(n, "variables"); v != nil {
		e.rootVariables = c.choiceOf(p.child("variables"), v)
	}
}

func (c *checker) choiceOf(p *place, n *tree.Node) choiceOf {
	if n.Kind == tree.Bool {
		return choiceOf{none: n.Text == "false"}
	}
	names, bad := stringList(n)
	if bad != nil {
		c.raw(bad.Pos, strings.ToLower(p.String()+" should be a bool or array of strings"))
	}
	if names == nil {
		names = []string{}
	}
	return choiceOf{named: names}
}

// inherited returns those variables of the root or of workflow rules that the
// job takes.
func (e *jobEntry) inherited(list []Variable) []Variable {
	if e.rootVariables.all() {
		return list
	}
	var out []Variable
	for _, v := range list {
		if e.rootVariables.has(v.Key) {
			out = append(out, v)
		}
	}
	return out
}
