package git

import (
	"context"
	"fmt"
	"strings"
)

// minAbbreviation is the shortest beginning of a commit's name that is looked up, as
// in GitLab.
const minAbbreviation = 7

// Resolve returns the commit that rev stands for. rev is a full commit name, HEAD, a
// full ref name, a tag, a branch, or at least seven digits of a commit name, tried in
// that order; a tag beats a branch of the same name, as in git. A caller that means
// one of them says refs/heads/x or refs/tags/x. Anything else, names that are not
// valid included, is ErrNotExist.
func (s *Server) Resolve(ctx context.Context, project int64, rev string) (string, error) {
	var sha string
	err := s.use(ctx, project, func(c *catFile) (err error) {
		sha, err = c.resolve(rev)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("resolve %q: %w", printable(rev), err)
	}
	return sha, nil
}

func (c *catFile) resolve(rev string) (string, error) {
	names := candidates(rev)
	if len(names) == 0 {
		return "", ErrNotExist
	}
	found, err := c.info(names...)
	if err != nil {
		return "", err
	}
	for _, h := range found {
		if h.kind == "commit" {
			return h.sha, nil
		}
	}
	return "", ErrNotExist
}

// peeled makes a name stand for what a tag finally points at.
const peeled = "^{}"

// candidates lists what a revision may mean, best first, in a form that git cannot
// take for anything else.
func candidates(rev string) []string {
	switch {
	case IsSHA(rev), rev == "HEAD":
		return []string{rev + peeled}
	case CheckRefName(rev) != nil:
		return nil
	case strings.HasPrefix(rev, "refs/"):
		return []string{rev + peeled}
	}
	names := []string{tagPrefix + rev + peeled, branchPrefix + rev + peeled}
	if len(rev) >= minAbbreviation && len(rev) < len(ZeroSHA) && isHex(rev) {
		names = append(names, rev+"^{commit}") // said so, git leaves out files that begin like it
	}
	return names
}

// ReadFile returns a file as it is at a commit, which is named in full. A missing
// commit or path, and a path that is a folder, is ErrNotExist; a file over
// Config.MaxFile is ErrTooLarge; a path that CheckPath refuses is its error. Of a
// symbolic link it returns the target's name, as GitLab does.
func (s *Server) ReadFile(ctx context.Context, project int64, sha, path string) ([]byte, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	var body []byte
	err := s.use(ctx, project, func(c *catFile) error {
		if !IsSHA(sha) {
			return ErrNotExist
		}
		var err error
		_, body, err = c.contentsOf("blob", sha+":"+path, s.maxFile)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %q at %s: %w", printable(path), printable(sha), err)
	}
	return body, nil
}

// Commit reads the commit that rev stands for, as Resolve has it.
func (s *Server) Commit(ctx context.Context, project int64, rev string) (Commit, error) {
	var commit Commit
	err := s.use(ctx, project, func(c *catFile) error {
		sha := rev
		if !IsSHA(rev) {
			var err error
			if sha, err = c.resolve(rev); err != nil {
				return err
			}
		}
		var err error
		commit, err = c.commit(sha, s.maxFile)
		return err
	})
	if err != nil {
		return Commit{}, fmt.Errorf("read commit %q: %w", printable(rev), err)
	}
	return commit, nil
}

func (c *catFile) commit(sha string, limit int64) (Commit, error) {
	h, raw, err := c.contentsOf("commit", sha+peeled, limit)
	if err != nil {
		return Commit{}, err
	}
	return parseCommit(h.sha, raw), nil
}

// Tag reads the tag of that name; one that is not there is ErrNotExist.
func (s *Server) Tag(ctx context.Context, project int64, name string) (Tag, error) {
	var tag Tag
	err := s.use(ctx, project, func(c *catFile) error {
		if CheckRefName(name) != nil {
			return ErrNotExist
		}
		h, err := c.info(tagPrefix+name, tagPrefix+name+peeled)
		if err != nil {
			return err
		}
		if h[0].sha == "" {
			return ErrNotExist
		}
		tag = Tag{Name: name, SHA: h[0].sha}
		if h[1].kind == "commit" {
			tag.Commit = h[1].sha
		}
		if h[0].kind != "tag" {
			return nil
		}
		_, raw, err := c.contentsOf("tag", tag.SHA, s.maxFile)
		if err == nil {
			tag = parseTag(tag, raw)
		}
		return err
	})
	if err != nil {
		return Tag{}, fmt.Errorf("read tag %q: %w", printable(name), err)
	}
	return tag, nil
}
