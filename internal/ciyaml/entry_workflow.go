package ciyaml

import (
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var (
	workflowKeys   = &keyset{[]string{"rules", "name", "auto_cancel"}}
	autoCancelKeys = &keyset{[]string{"on_new_commit", "on_job_failure"}}
)

// workflowEntry reads workflow; nil rules let every pipeline pass.
func (c *checker) workflowEntry(p *place, n *tree.Node, out *rootEntries) {
	if !c.isMap(p, n) || !c.keys(p, n, workflowKeys) {
		return
	}
	if v := given(n, "name"); v != nil {
		c.workflowName(p, v)
		out.name, out.namePos = v.Text, v.Pos
	}
	if v := given(n, "auto_cancel"); v != nil {
		out.autoCancel = c.autoCancel(p.child("auto_cancel"), v)
	}
	rules := given(n, "rules")
	if rules == nil {
		return
	}
	out.workflowPos = keyPos(n, "rules")
	p = p.child("rules")
	items, bad := flatten(rules, isHash)
	if bad != nil {
		c.fail(p, bad.Pos, config, "should be an array containing hashes and arrays of hashes")
		return
	}
	out.rules = make([]rule, 0, len(items))
	for _, item := range items {
		out.rules = append(out.rules, c.rule(p.child("rule"), item, workflowRule))
	}
}

func (c *checker) workflowName(p *place, n *tree.Node) {
	length := utf8.RuneCountInString(n.Text)
	switch {
	case n.Kind != tree.String:
		c.fail(p, n.Pos, "name", "should be a string")
	case length == 0:
		c.fail(p, n.Pos, "name", "is too short (minimum is 1 character)")
	case length > maxName:
		c.fail(p, n.Pos, "name", tooLongName)
	}
}

// autoCancel reads auto_cancel, of workflow or of one of its rules.
func (c *checker) autoCancel(p *place, n *tree.Node) AutoCancel {
	var out AutoCancel
	if !c.isMap(p, n) || !c.keys(p, n, autoCancelKeys) {
		return out
	}
	out.OnNewCommit = c.oneOf(p, given(n, "on_new_commit"), "on_new_commit", "conservative", "interruptible", "none")
	out.OnJobFailure = c.oneOf(p, given(n, "on_job_failure"), "on_job_failure", "none", "all")
	return out
}

// oneOf is choice with the words of newer messages.
func (c *checker) oneOf(p *place, n *tree.Node, attribute string, words ...string) string {
	if n == nil {
		return ""
	}
	for _, word := range words {
		if n.Kind == tree.String && n.Text == word {
			return word
		}
	}
	c.fail(p, n.Pos, attribute, "must be one of: "+strings.Join(words, ", ")).Hint = didYouMean(n.Text, words)
	return ""
}
