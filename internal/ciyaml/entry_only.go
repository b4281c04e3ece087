package ciyaml

import (
	"regexp"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A policy is the value of only or except. A nil part is not given.
type policy struct {
	refs      []refPattern
	hasRefs   bool
	variables []*expr.Expr
	hasVars   bool
	changes   *patterns
	cluster   bool       // asks for a cluster, and there never is one
	node      *tree.Node // as written; nil for what only means without being written
}

// A refPattern is one element of refs: a keyword, a name, or an expression.
type refPattern struct {
	text    string
	re      *regexp.Regexp // nil for a text
	project string         // full path after "@", "" for any
}

// branchesAndTags is what only means where it does not name refs.
func branchesAndTags() *policy {
	return &policy{refs: []refPattern{{text: "branches"}, {text: "tags"}}, hasRefs: true}
}

const notRefs = "should be an array of strings or regular expressions using re2 syntax"

var policyKeys = &keyset{[]string{"refs", "variables", "changes", "kubernetes"}}

// policy reads only (or except); nil gives nil.
func (c *checker) policy(p *place, n *tree.Node, only bool) *policy {
	if n == nil {
		return nil
	}
	out := &policy{node: n}
	switch n.Kind {
	case tree.Seq:
		out.refs, out.hasRefs = c.refs(p, n, config), true
	case tree.Map:
		if len(n.Pairs) == 0 {
			c.fail(p, n.Pos, config, "can't be blank")
		}
		if c.keys(p, n, policyKeys) {
			c.policyMap(p, n, out)
		}
	default:
		c.raw(n.Pos, strings.ToLower(p.String()+" has to be either an array of conditions or a hash"))
	}
	if only && !out.hasRefs {
		out.refs, out.hasRefs = branchesAndTags().refs, true
	}
	return out
}

func (c *checker) policyMap(p *place, n *tree.Node, out *policy) {
	if v := given(n, "refs"); v != nil {
		out.refs, out.hasRefs = c.refs(p, v, "refs"), true
	}
	if v := given(n, "variables"); v != nil {
		out.hasVars = true
		c.list(p, v, "variables")
		for _, item := range v.Items {
			if item.Kind != tree.String {
				break
			}
			out.variables = append(out.variables, c.condition(p, item, "variables"))
		}
	}
	if v := given(n, "changes"); v != nil {
		out.changes = c.globs(p, v, "changes")
	}
	if v := given(n, "kubernetes"); v != nil {
		if out.cluster = true; v.Text != "active" {
			c.fail(p, v.Pos, "kubernetes", "unknown value: "+inlineText(v)).Hint = didYouMean(v.Text, []string{"active"})
		}
	}
}

// refs reads a list of PATTERN or PATTERN@project.
func (c *checker) refs(p *place, n *tree.Node, attribute string) []refPattern {
	texts, bad := stringList(n)
	if bad != nil {
		c.fail(p, bad.Pos, attribute, notRefs)
		return nil
	}
	out := make([]refPattern, len(texts))
	for i, text := range texts {
		ref := &out[i]
		ref.text, ref.project, _ = strings.Cut(text, "@")
		body, flags, ok := patternLiteral(ref.text)
		if !ok {
			continue
		}
		re, err := compileRegexp(body, flags)
		if err != nil {
			c.fail(p, n.Items[i].Pos, attribute, notRefs).Hint = short(err.Error())
			return nil
		}
		ref.re = re
	}
	return out
}
