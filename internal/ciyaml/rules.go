package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/glob"
)

// maxComparisons is how many comparisons of paths and patterns a clause may
// take; beyond, it holds.
const maxComparisons = 50_000

// firstMatch returns the first rule whose clauses all hold, nil if there is
// none (contract 4.2).
func (r *run) firstMatch(rules []rule) (*rule, error) {
	for i := range rules {
		ok, err := r.matches(&rules[i])
		if err != nil {
			return nil, err
		}
		if ok {
			return &rules[i], nil
		}
	}
	return nil, nil //nolint:nilnil // no rule matches: that is an answer
}

func (r *run) matches(rule *rule) (bool, error) {
	if rule.condition != nil && !rule.condition.Eval(r.lookup) {
		return false, nil
	}
	if rule.changes != nil {
		if ok, err := r.changed(rule.changes); !ok || err != nil {
			return false, err
		}
	}
	if rule.exists != nil {
		return r.existing(rule.exists)
	}
	return true, nil
}

// changed evaluates changes: true when it is unknown what changed.
func (r *run) changed(p *patterns) (bool, error) {
	if !r.modified.asked {
		if r.in.Modified != nil {
			paths, known, err := r.in.Modified()
			if err != nil {
				return false, fmt.Errorf("list modified files: %w", err)
			}
			r.modified.paths, r.modified.known = paths, known
		}
		r.modified.asked = true
	}
	if !r.modified.known {
		return true, nil
	}
	return r.cached(p, r.anyChanged), nil
}

func (r *run) anyChanged(globs []string) bool {
	paths := r.modified.paths
	if len(paths)*len(globs) > maxComparisons {
		return true
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return glob.Match(g, path) })
	})
}

// existing evaluates exists on the files of the commit.
func (r *run) existing(p *patterns) (bool, error) {
	if len(p.globs) == 0 {
		return false, nil
	}
	if !r.files.asked {
		if r.in.Paths != nil {
			paths, err := r.in.Paths()
			if err != nil {
				return false, fmt.Errorf("list files: %w", err)
			}
			r.files.paths = paths
		}
		r.files.asked = true
	}
	return r.cached(p, r.anyExists), nil
}

// anyExists looks for plain names and extensions first, since those cost
// nothing and are not counted.
func (r *run) anyExists(globs []string) bool {
	paths := r.files.paths
	var others []string
	for _, g := range globs {
		match := plainMatch(g)
		if match == nil {
			others = append(others, g)
		} else if slices.ContainsFunc(paths, match) {
			return true
		}
	}
	if len(paths)*len(others) > maxComparisons {
		return true
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		return slices.ContainsFunc(others, func(g string) bool { return glob.Match(g, path) })
	})
}

// plainMatch returns how a pattern without any glob, or with nothing but an
// extension, is matched; nil for others.
func plainMatch(g string) func(path string) bool {
	if ext, ok := strings.CutPrefix(g, "**/*."); ok && !strings.ContainsAny(ext, `*?[{/\`) {
		return func(path string) bool { return strings.HasSuffix(path, "."+ext) }
	}
	switch {
	case strings.ContainsAny(g, "*?[{"):
		return nil
	case strings.HasSuffix(g, "/"):
		return func(path string) bool { return strings.HasPrefix(path, g) }
	}
	return func(path string) bool { return path == g }
}

// cached evaluates a clause, once for all jobs if no variable is in it.
func (r *run) cached(p *patterns, eval func(globs []string) bool) bool {
	if p.variables {
		return eval(r.scope.expandAll(p.globs))
	}
	if value, ok := r.clauses[p]; ok {
		return value
	}
	value := eval(p.globs)
	if r.clauses == nil {
		r.clauses = make(map[*patterns]bool)
	}
	r.clauses[p] = value
	return value
}
