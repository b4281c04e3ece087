package ciyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// includeRuleKeys are the keys of a rule of include.
var includeRuleKeys = []string{"if", "exists", "changes", "when"}

// admit decides by its rules whether an include counts: the first that matches
// says so, and without a match it does not.
func (l *loader) admit(rules *tree.Node, from origin) (bool, Diagnostics) {
	if rules == nil {
		return true, nil
	}
	items, bad := []*tree.Node(nil), rules
	if rules.Kind == tree.Seq {
		items, bad = flatten(rules, func(n *tree.Node) bool { return n.Kind == tree.Map })
	}
	if bad != nil {
		return false, configError(bad.Pos, "include rules config should be an array containing hashes and arrays of hashes")
	}
	for _, rule := range items {
		if diags := checkIncludeRule(rule); diags != nil {
			return false, diags
		}
	}
	for _, rule := range items {
		matched, diags := l.ruleMatches(rule, from)
		if diags != nil {
			return false, diags
		}
		if matched {
			when := given(rule, "when")
			return when == nil || when.Text != "never", nil
		}
	}
	return false, nil
}

func checkIncludeRule(rule *tree.Node) Diagnostics {
	if len(rule.Pairs) == 0 {
		return configError(rule.Pos, "include rule config can't be blank")
	}
	var unknown []string
	var pos tree.Pos
	for _, p := range rule.Pairs {
		if !slices.Contains(includeRuleKeys, p.Key) {
			if unknown == nil {
				pos = p.KeyPos
			}
			unknown = append(unknown, p.Key)
		}
	}
	if unknown != nil {
		d := configError(pos, strings.ToLower("include rule config contains unknown keys: "+strings.Join(unknown, ", ")))
		d[0].Hint = didYouMean(unknown[0], includeRuleKeys)
		return d
	}
	if when := given(rule, "when"); when != nil && when.Text != "never" && when.Text != "always" {
		return configError(when.Pos, "include rule when unknown value: "+inlineText(when))
	}
	return nil
}

// ruleMatches evaluates one rule. All of its clauses must hold.
func (l *loader) ruleMatches(rule *tree.Node, from origin) (bool, Diagnostics) {
	if v := given(rule, "if"); v != nil {
		condition, err := expr.Parse(v.Text)
		if err != nil || v.Kind != tree.String {
			return false, configError(v.Pos, "include rule if invalid expression syntax")
		}
		if !condition.Eval(l.variable) {
			return false, nil
		}
	}
	if v := given(rule, "changes"); v != nil {
		if matched, diags := l.changesMatch(v); !matched || diags != nil {
			return false, diags
		}
	}
	if v := given(rule, "exists"); v != nil {
		return l.existsMatches(v, from)
	}
	return true, nil
}

// existsMatches evaluates exists on the files of the commit that the include
// is in, or of another project.
func (l *loader) existsMatches(n *tree.Node, from origin) (bool, Diagnostics) {
	globs, diags := l.includeGlobs("exists", n)
	if diags != nil || len(globs) == 0 {
		return false, diags
	}
	if v := given(n, "project"); v != nil {
		if from, diags = l.existsProject(n, v, from); diags != nil {
			return false, diags
		}
	}
	paths, err := l.list(from)
	if err == nil {
		err = l.ctx.Err()
	}
	if err != nil {
		return false, l.failure(n.Pos, err)
	}
	return anyExists(&patterns{}, globs, paths), nil
}

// existsProject finds the commit that exists:project and exists:ref name.
func (l *loader) existsProject(n, project *tree.Node, from origin) (origin, Diagnostics) {
	r := Reference{Project: strings.ToLower(expand.Existing(project.Text, l.variable)), Public: from.none()}
	if ref := given(n, "ref"); ref != nil {
		r.Ref = expand.Existing(ref.Text, l.variable)
	}
	read, err := l.resolve(r)
	switch {
	case err != nil:
		return origin{}, l.failure(project.Pos, err)
	case errors.Is(read.Problem, ErrNoProject):
		return origin{}, configError(project.Pos, fmt.Sprintf("rules:exists:project `%s` not found or access denied", r.Project))
	case read.Problem != nil:
		return origin{}, configError(n.Pos, fmt.Sprintf("rules:exists:ref `%s` is not a valid ref in project `%s`", r.Ref, r.Project))
	}
	return origin{project: read.Commit.Project, sha: read.Commit.SHA}, nil
}

// changesMatch evaluates changes: true when it is unknown what changed.
func (l *loader) changesMatch(n *tree.Node) (bool, Diagnostics) {
	globs, diags := l.includeGlobs("changes", n)
	if diags != nil {
		return false, diags
	}
	paths, known, err := l.in.modified()
	if err == nil && l.reads.Changes == "" {
		l.reads.Changes, err = changesDigest(l.in)
	}
	if err != nil {
		return false, l.failure(n.Pos, fmt.Errorf("list modified files: %w", err))
	}
	if !known {
		return true, nil
	}
	return anyChanged(&patterns{}, globs, paths), nil
}

// includeGlobs reads the patterns of a clause, with the variables in them
// expanded.
func (l *loader) includeGlobs(clause string, n *tree.Node) ([]string, Diagnostics) {
	list := n
	if n.Kind == tree.Map {
		for _, p := range n.Pairs {
			known := p.Key == "paths" || clause == "exists" && (p.Key == "project" || p.Key == "ref")
			if !known && !p.Value.IsNull() {
				return nil, Diagnostics{unsupported(p.KeyPos, "include:rules:"+clause+":"+p.Key)}
			}
		}
		if list = given(n, "paths"); list == nil {
			return nil, configError(n.Pos, "include rule "+clause+" paths can't be blank")
		}
	}
	globs, bad := stringList(list)
	switch {
	case list.Kind == tree.String && clause == "exists":
		globs, bad = []string{list.Text}, nil
	case bad == nil && len(globs) > maxPatterns:
		return nil, configError(list.Pos, fmt.Sprintf("include rule %s config has too many entries (maximum %d)", clause, maxPatterns))
	}
	if bad != nil {
		return nil, configError(bad.Pos, "include rule "+clause+" config should be an array of strings")
	}
	out := make([]string, len(globs))
	for i, g := range globs {
		out[i] = expand.Existing(g, l.variable)
	}
	return out, nil
}
