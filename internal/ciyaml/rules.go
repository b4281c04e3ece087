package ciyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/glob"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
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

// A clauseError is a clause that cannot be evaluated, in GitLab's words.
type clauseError struct {
	pos     tree.Pos
	message string
}

func (e *clauseError) Error() string { return e.message }

// A fileList is paths to compare a clause with, or that nobody knows them.
type fileList struct {
	paths []string
	known bool
}

// changed evaluates changes: true when it is unknown what changed.
func (r *run) changed(p *patterns) (bool, error) {
	list, err := r.modified(p)
	if err != nil {
		return false, err
	}
	return !list.known || r.cached(p, list.paths, anyChanged), nil
}

// modified lists the files that changed, each list once in a run.
func (r *run) modified(p *patterns) (fileList, error) {
	since := r.expand(p.compareTo)
	key := "changes\x00" + since
	if list, ok := r.files[key]; ok {
		return list, nil
	}
	var list fileList
	var err error
	switch {
	case since == "" && r.in.Modified != nil:
		list.paths, list.known, err = r.in.Modified()
	case since != "" && r.in.ModifiedSince != nil:
		list.known = true
		list.paths, err = r.in.ModifiedSince(since)
	}
	switch {
	case errors.Is(err, ErrNotExist):
		return list, &clauseError{p.pos, "rules:changes:compare_to is not a valid ref"}
	case err != nil:
		return list, fmt.Errorf("list modified files: %w", err)
	}
	r.keepFiles(key, list)
	return list, nil
}

func (r *run) keepFiles(key string, list fileList) {
	if r.files == nil {
		r.files = make(map[string]fileList)
	}
	r.files[key] = list
}

// expand replaces the variables of one text of a clause.
func (r *run) expand(text string) string {
	if !strings.ContainsAny(text, "$%") {
		return text
	}
	return expand.Existing(text, r.scope.expanded(0))
}

func anyChanged(p *patterns, globs, paths []string) bool {
	if p.re != nil {
		return slices.ContainsFunc(paths, p.re.MatchString)
	}
	if len(paths)*len(globs) > maxComparisons {
		return true
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return glob.Match(g, path) })
	})
}

// existing evaluates exists on the files of a commit.
func (r *run) existing(p *patterns) (bool, error) {
	if len(p.globs) == 0 && p.re == nil {
		return false, nil
	}
	list, err := r.present(p)
	if err != nil {
		return false, err
	}
	return r.cached(p, list.paths, anyExists), nil
}

// present lists the files of the pipeline's commit or of the named project.
func (r *run) present(p *patterns) (fileList, error) {
	project, ref := r.expand(p.project), r.expand(p.ref)
	key := "exists\x00" + project + "\x00" + ref
	if list, ok := r.files[key]; ok {
		return list, nil
	}
	var list fileList
	var err error
	switch {
	case project != "" && r.in.ProjectPaths == nil:
		err = ErrNotExist
	case project != "":
		list.paths, err = r.in.ProjectPaths(project, ref)
	case r.in.Paths != nil:
		list.paths, err = r.in.Paths()
	}
	switch {
	case project != "" && errors.Is(err, ErrNoRef):
		return list, &clauseError{p.pos, fmt.Sprintf("rules:exists:ref `%s` is not a valid ref in project `%s`", ref, project)}
	case project != "" && errors.Is(err, ErrNotExist):
		return list, &clauseError{p.pos, fmt.Sprintf("rules:exists:project `%s` not found or access denied", project)}
	case err != nil:
		return list, fmt.Errorf("list files: %w", err)
	}
	r.keepFiles(key, list)
	return list, nil
}

// anyExists looks for plain names and extensions first, since those cost
// nothing and are not counted.
func anyExists(p *patterns, globs, paths []string) bool {
	if p.re != nil {
		return slices.ContainsFunc(paths, p.re.MatchString)
	}
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
func (r *run) cached(p *patterns, paths []string, eval func(p *patterns, globs, paths []string) bool) bool {
	if p.variables {
		return eval(p, r.scope.expandAll(p.globs), paths)
	}
	if value, ok := r.clauses[p]; ok {
		return value
	}
	value := eval(p, p.globs, paths)
	if r.clauses == nil {
		r.clauses = make(map[*patterns]bool)
	}
	r.clauses[p] = value
	return value
}
