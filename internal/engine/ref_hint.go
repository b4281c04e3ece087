package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Bounds of the search for names that a caller may have meant.
const (
	maxCompared  = 1000 // refs
	maxEdits     = 6
	maxRefName   = 100 // bytes of a name that is compared or shown
	maxSuggested = 3
	maxHint      = 200 // bytes
)

// explainRef adds to the refusal of a ref what may have been meant. The caller has
// the right to run pipelines here, so the hint may name what is there.
func (e *Engine) explainRef(ctx context.Context, d *pipelineDraft, err error) error {
	refused, ok := errors.AsType[*ci.Error](err)
	if !ok || refused.Code != "" {
		return err
	}
	refs, err := e.view.Refs(ctx, d.Project.ID, "")
	if err != nil {
		return fmt.Errorf("list refs of project %d: %w", d.Project.ID, err)
	}
	return refused.WithHint("ref_not_found", refHint(d.Project, d.Ref, refs))
}

// refHint says in at most 200 plain characters what to send instead of name.
func refHint(project ci.Project, name string, refs []ci.Ref) string {
	hint := ""
	if rest, ok := strings.CutPrefix(name, "origin/"); ok && plain(rest) {
		return fmt.Sprintf("Send the name without the remote: %s", rest)
	}
	if len(name) >= 7 && len(name) <= len(ci.ZeroSHA) && strings.Trim(name, "0123456789abcdef") == "" {
		return "Refs are branches or tags; to pin a commit, push a tag for it or send it as a variable."
	}
	if plain(name) {
		hint = fmt.Sprintf("No branch or tag named '%s' in %s.", name, project.FullPath)
	} else {
		hint = fmt.Sprintf("No such branch or tag in %s.", project.FullPath)
	}
	if len(refs) == 0 {
		return shorten(hint, " The repository is empty: push a branch first.")
	}
	if plain(project.DefaultBranch) {
		hint = shorten(hint, fmt.Sprintf(" Default branch is '%s'.", project.DefaultBranch))
	}
	if near := nearest(ci.ShortRef(name), refs); len(near) > 0 {
		hint = shorten(hint, " Did you mean: "+strings.Join(near, ", ")+"?")
	}
	return hint
}

// shorten adds to a hint what fits.
func shorten(hint, more string) string {
	if len(hint)+len(more) > maxHint {
		return hint
	}
	return hint + more
}

// plain reports whether a name can be shown: short, and of printable ASCII.
func plain(name string) bool {
	return name != "" && len(name) <= maxRefName && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

// nearest gives the names that differ least from name, by at most a third of its
// length (and at least two letters) or by nothing but a common beginning.
func nearest(name string, refs []ci.Ref) []string {
	type candidate struct {
		name     string
		distance int
	}
	limit := min(max(2, len(name)/3), maxEdits)
	if len(name) > maxRefName {
		return nil
	}
	var found []candidate
	for _, ref := range refs[:min(len(refs), maxCompared)] {
		short := ref.Short()
		if !plain(short) {
			continue
		}
		distance := limit + 1
		switch {
		case len(name) >= 3 && strings.HasPrefix(short, name):
			distance = limit
		case len(short)-len(name) <= limit && len(name)-len(short) <= limit:
			distance = editDistance(strings.ToLower(name), strings.ToLower(short))
		}
		if distance <= limit && !slices.ContainsFunc(found, func(c candidate) bool { return c.name == short }) {
			found = append(found, candidate{short, distance})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range found[:min(len(found), maxSuggested)] {
		names = append(names, c.name)
	}
	return names
}

// editDistance is how many letters must be added, removed or changed to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
