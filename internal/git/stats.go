package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// LineStats counts the lines that changed between two commits; binary files and
// renames count nothing. An empty from or ZeroSHA stands for nothing: every line of
// to is new.
func (s *Server) LineStats(ctx context.Context, project int64, from, to string) (added, removed int, err error) {
	if from == "" || from == ZeroSHA {
		from = emptyTree
	}
	for _, sha := range []string{from, to} {
		if !IsSHA(sha) {
			return 0, 0, fmt.Errorf("count lines from %q to %q: %w", printable(from), printable(to), ErrNotExist)
		}
	}
	out, err := s.run(ctx, project, nil, "diff-tree", "-r", "-M", "--numstat", "--end-of-options", from, to, "--")
	if err != nil {
		return 0, 0, fmt.Errorf("count lines from %s to %s: %w", from, to, err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(line, "\t", 3)
		if len(fields) != 3 || fields[0] == "-" {
			continue
		}
		more, errMore := strconv.Atoi(fields[0])
		less, errLess := strconv.Atoi(fields[1])
		if errMore != nil || errLess != nil {
			return 0, 0, fmt.Errorf("count lines from %s to %s: unexpected line %q", from, to, printable(line))
		}
		added, removed = added+more, removed+less
	}
	return added, removed, nil
}

// Merged gives the full names of all branches whose commits can be reached from a
// commit.
func (s *Server) Merged(ctx context.Context, project int64, sha string) (map[string]bool, error) {
	if !IsSHA(sha) {
		return nil, fmt.Errorf("list branches merged into %q: %w", printable(sha), ErrNotExist)
	}
	out, err := s.run(ctx, project, nil, "for-each-ref", "--merged="+sha, "--format=%(refname)", branchPrefix)
	if err != nil {
		return nil, fmt.Errorf("list branches merged into %s: %w", sha, err)
	}
	merged := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		merged[strings.TrimSuffix(line, "\n")] = true
	}
	return merged, nil
}
