package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

// An Entry is one line of a tree.
type Entry struct {
	Mode string // six digits: 100644, 100755, 120000 (symbolic link), 160000 (submodule), 040000
	Type string // blob, tree or commit (submodule)
	SHA  string
	Name string // the last part of Path
	Path string // from the root of the repository
}

// emptyTree is known to every git without being stored.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// Paths lists the paths of all files at a commit, symbolic links included and
// submodules not, in git's order.
func (s *Server) Paths(ctx context.Context, project int64, sha string) ([]string, error) {
	entries, err := s.Tree(ctx, project, sha, "", true)
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type == "blob" {
			paths = append(paths, e.Path)
		}
	}
	return paths, nil
}

// Tree lists a folder at a commit, in git's order; path "" is the root. Recursive
// means all folders below as well, each before its content. A missing commit or path,
// and a path that is a file, is ErrNotExist.
func (s *Server) Tree(ctx context.Context, project int64, sha, path string, recursive bool) ([]Entry, error) {
	path = strings.TrimSuffix(path, "/")
	if path != "" {
		if err := CheckPath(path); err != nil {
			return nil, err
		}
	}
	tree, err := s.folder(ctx, project, sha, path)
	if err != nil {
		return nil, fmt.Errorf("list %q at %s: %w", printable(path), printable(sha), err)
	}
	args := []string{"ls-tree", "-z", "--full-tree"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := s.run(ctx, project, nil, append(args, "--end-of-options", tree)...)
	if err != nil {
		return nil, fmt.Errorf("list %q at %s: %w", printable(path), sha, err)
	}
	if path != "" {
		path += "/"
	}
	entries := make([]Entry, 0, bytes.Count(out, []byte{0}))
	for line := range zeroSplit(out) {
		about, name, ok := strings.Cut(line, "\t")
		fields := strings.Split(about, " ")
		if !ok || len(fields) != 3 {
			return nil, fmt.Errorf("list %q at %s: unexpected line %q", printable(path), sha, printable(line))
		}
		entries = append(entries, Entry{Mode: fields[0], Type: fields[1], SHA: fields[2],
			Name: name[strings.LastIndexByte(name, '/')+1:], Path: path + name})
	}
	return entries, nil
}

// folder finds the tree object of a folder.
func (s *Server) folder(ctx context.Context, project int64, sha, path string) (string, error) {
	var tree string
	err := s.use(ctx, project, func(c *catFile) error {
		if !IsSHA(sha) {
			return ErrNotExist
		}
		h, err := c.info(sha + ":" + path)
		if err != nil {
			return err
		}
		if h[0].kind != "tree" {
			return ErrNotExist
		}
		tree = h[0].sha
		return nil
	})
	return tree, err
}

// DiffPaths lists the paths that differ between two commits; of a renamed file both
// names. An empty from or ZeroSHA stands for nothing: all paths of to.
func (s *Server) DiffPaths(ctx context.Context, project int64, from, to string) ([]string, error) {
	if from == "" || from == ZeroSHA {
		from = emptyTree
	}
	paths, err := s.diffPaths(ctx, project, from, to)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", printable(from), printable(to), err)
	}
	return paths, nil
}

func (s *Server) diffPaths(ctx context.Context, project int64, from, to string) ([]string, error) {
	for _, sha := range []string{from, to} {
		if sha == emptyTree {
			continue
		}
		if _, err := s.folder(ctx, project, sha, ""); err != nil {
			return nil, err
		}
	}
	out, err := s.run(ctx, project, nil, "diff-tree", "-r", "-z", "--no-renames", "--name-only",
		"--end-of-options", from, to, "--")
	if err != nil {
		return nil, err
	}
	var paths []string
	for path := range zeroSplit(out) {
		paths = append(paths, path)
	}
	return paths, nil
}

// A LogQuery says which commits a log shows. Zero fields narrow nothing, but for
// Limit, which is how many commits at most.
type LogQuery struct {
	Rev         string // where it starts, as Resolve has it
	All         bool   // it starts at all branches and tags as well
	Path        string // only commits that changed it or something below it
	Author      string // regular expression on "name <address>"
	Since       time.Time
	Until       time.Time
	FirstParent bool // only the first parent of a merge is followed
	Skip        int
	Limit       int
}

// Log returns commits, newest first. A revision that is not there is ErrNotExist.
func (s *Server) Log(ctx context.Context, project int64, q LogQuery) ([]Commit, error) {
	q.Path = strings.TrimSuffix(q.Path, "/")
	if q.Path != "" {
		if err := CheckPath(q.Path); err != nil {
			return nil, err
		}
	}
	rev := q.Rev
	var err error
	if q.Rev, err = s.Resolve(ctx, project, q.Rev); err != nil || q.Limit <= 0 {
		return nil, err
	}
	shas, err := s.revList(ctx, project, q)
	if err != nil {
		return nil, fmt.Errorf("log of %q: %w", printable(rev), err)
	}
	var commits []Commit
	err = s.use(ctx, project, func(c *catFile) error {
		commits = make([]Commit, 0, len(shas))
		for _, sha := range shas {
			commit, err := c.commit(sha, s.maxFile)
			if err != nil {
				return err
			}
			commits = append(commits, commit)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("log of %q: %w", printable(rev), err)
	}
	return commits, nil
}

// revList lists the commits of a query whose Rev is a commit's name.
func (s *Server) revList(ctx context.Context, project int64, q LogQuery) ([]string, error) {
	args := []string{"rev-list", "--skip=" + strconv.Itoa(max(q.Skip, 0)), "--max-count=" + strconv.Itoa(q.Limit)}
	if q.All {
		args = append(args, "--branches", "--tags")
	}
	if q.FirstParent {
		args = append(args, "--first-parent")
	}
	if q.Author != "" {
		args = append(args, "--author="+q.Author)
	}
	if !q.Since.IsZero() {
		args = append(args, "--max-age="+age(q.Since))
	}
	if !q.Until.IsZero() {
		args = append(args, "--min-age="+age(q.Until))
	}
	args = append(args, "--end-of-options", q.Rev, "--")
	if q.Path != "" {
		args = append(args, q.Path)
	}
	out, err := s.run(ctx, project, nil, args...)
	return strings.Fields(string(out)), err
}

// age spells a time for git, which reads dates in words by guessing. Older versions
// hold it in 32 bits.
func age(t time.Time) string { return strconv.FormatInt(min(max(t.Unix(), 0), math.MaxInt32), 10) }

// MergeBase returns the best common ancestor of two revisions; none is ErrNotExist.
func (s *Server) MergeBase(ctx context.Context, project int64, a, b string) (string, error) {
	first, second, err := s.pair(ctx, project, a, b)
	if err != nil {
		return "", err
	}
	out, err := s.run(ctx, project, nil, "merge-base", "--end-of-options", first, second)
	if exitCode(err) == 1 {
		err = ErrNotExist
	}
	if err != nil {
		return "", fmt.Errorf("merge base of %q and %q: %w", printable(a), printable(b), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// IsAncestor reports whether ancestor is reachable from rev; a commit is its own ancestor.
func (s *Server) IsAncestor(ctx context.Context, project int64, ancestor, rev string) (bool, error) {
	first, second, err := s.pair(ctx, project, ancestor, rev)
	if err != nil {
		return false, err
	}
	_, err = s.run(ctx, project, nil, "merge-base", "--is-ancestor", "--end-of-options", first, second)
	switch {
	case err == nil:
		return true, nil
	case exitCode(err) == 1:
		return false, nil
	}
	return false, fmt.Errorf("whether %q leads to %q: %w", printable(ancestor), printable(rev), err)
}

// Contained reports whether a branch or a tag leads to the commit sha.
func (s *Server) Contained(ctx context.Context, project int64, sha string) (bool, error) {
	if !IsSHA(sha) {
		return false, fmt.Errorf("%q is no commit: %w", printable(sha), ErrNotExist)
	}
	out, err := s.run(ctx, project, nil, "for-each-ref", "--count=1", "--format=%(refname)", "--contains="+sha, "refs/heads", "refs/tags")
	if err != nil {
		return false, fmt.Errorf("which refs lead to %s: %w", sha, err)
	}
	return len(bytes.TrimSpace(out)) > 0, nil
}

func (s *Server) pair(ctx context.Context, project int64, a, b string) (first, second string, err error) {
	if first, err = s.Resolve(ctx, project, a); err != nil {
		return "", "", err
	}
	if second, err = s.Resolve(ctx, project, b); err != nil {
		return "", "", err
	}
	return first, second, nil
}

// exitCode is the status a git process ended with, or -1 when err is something else.
func exitCode(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return -1
}

// zeroSplit goes over items that each end in a NUL.
func zeroSplit(out []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		text := string(out)
		for text != "" {
			item, rest, _ := strings.Cut(text, "\x00")
			if !yield(item) {
				return
			}
			text = rest
		}
	}
}
