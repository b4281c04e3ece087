package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Ref is a branch or tag and what it points at.
type Ref struct {
	Name   string // in full: refs/heads/x or refs/tags/x
	SHA    string // what the ref holds; a tag object for an annotated tag
	Commit string // the commit behind SHA; empty for the rare tag of something else
}

// Refs lists all branches and tags, by name.
func (s *Server) Refs(ctx context.Context, project int64) ([]Ref, error) {
	out, err := s.run(ctx, project, nil, "for-each-ref",
		"--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)", branchPrefix, tagPrefix)
	if err != nil {
		return nil, fmt.Errorf("list refs of project %d: %w", project, err)
	}
	var refs []Ref
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(fields) != 5 {
			return nil, fmt.Errorf("list refs of project %d: unexpected line %q", project, printable(line))
		}
		ref := Ref{Name: fields[0], SHA: fields[2]}
		switch {
		case fields[1] == "commit":
			ref.Commit = ref.SHA
		case fields[3] == "commit":
			ref.Commit = fields[4]
		case fields[3] == "tag": // a tag of a tag: the format peels once only
			ref.Commit, err = s.Resolve(ctx, project, ref.SHA)
			if err != nil && !errors.Is(err, ErrNotExist) {
				return nil, fmt.Errorf("list refs of project %d: %w", project, err)
			}
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// Ref reads one ref by its full name; one that is not there is ErrNotExist.
func (s *Server) Ref(ctx context.Context, project int64, name string) (Ref, error) {
	ref := Ref{Name: name}
	err := s.use(ctx, project, func(c *catFile) error {
		if !strings.HasPrefix(name, "refs/") || CheckRefName(name) != nil {
			return ErrNotExist
		}
		h, err := c.info(name, name+peeled)
		if err != nil {
			return err
		}
		if h[0].sha == "" {
			return ErrNotExist
		}
		ref.SHA = h[0].sha
		if h[1].kind == "commit" {
			ref.Commit = h[1].sha
		}
		return nil
	})
	if err != nil {
		return Ref{}, fmt.Errorf("read ref %q: %w", printable(name), err)
	}
	return ref, nil
}

// UpdateRef moves a ref, named in full, from one value to another as one step. ZeroSHA
// as old means that the ref must not exist, as new that it is deleted; an empty old
// means whatever it holds. A ref with another value is ErrMoved, an object that is
// not there ErrNotExist; a name that cannot stand beside an existing one (a beside
// a/b) is refused with ErrExist.
func (s *Server) UpdateRef(ctx context.Context, project int64, name, old, new string) error {
	if err := CheckRefName(name); err != nil {
		return err
	}
	if !strings.HasPrefix(name, "refs/") || !IsSHA(new) || old != "" && !IsSHA(old) || old == ZeroSHA && new == ZeroSHA {
		return fmt.Errorf("update ref %q from %q to %q: not possible", name, printable(old), printable(new))
	}
	command := "update " + name + "\x00" + new + "\x00" + old + "\x00"
	if new == ZeroSHA {
		command = "delete " + name + "\x00" + old + "\x00"
	}
	_, err := s.run(ctx, project, strings.NewReader(command), "update-ref", "--stdin", "-z")
	var exit *exitError
	if errors.As(err, &exit) {
		err = s.whyNotUpdated(ctx, project, name, old, new, exit)
	}
	if err != nil {
		return fmt.Errorf("update ref %q: %w", name, err)
	}
	return nil
}

// whyNotUpdated finds out what git's refusal meant by looking, not by reading its words.
func (s *Server) whyNotUpdated(ctx context.Context, project int64, name, old, new string, exit *exitError) error {
	ref, err := s.Ref(ctx, project, name)
	switch {
	case err == nil && old != "" && ref.SHA != old:
		return ErrMoved
	case errors.Is(err, ErrNotExist) && new == ZeroSHA, errors.Is(err, ErrNotExist) && old != "" && old != ZeroSHA:
		return ErrMoved
	case err != nil && !errors.Is(err, ErrNotExist):
		return err
	}
	if new != ZeroSHA {
		if _, err := s.Resolve(ctx, project, new); err != nil {
			return err
		}
	}
	if strings.Contains(exit.stderr, "; cannot create") {
		return invalid(ErrExist, "Invalid reference name: %s", name).WithHint("ref_name_taken",
			"Another ref is a folder of this name or the other way round; choose another name.")
	}
	return exit
}

// CreateBranch makes a branch at the commit that from stands for and returns that commit.
func (s *Server) CreateBranch(ctx context.Context, project int64, name, from string) (string, error) {
	if CheckBranchName(name) != nil {
		return "", invalid(nil, "Branch name is invalid")
	}
	_, err := s.Ref(ctx, project, branchPrefix+name)
	if err == nil {
		return "", invalid(ErrExist, "Branch already exists")
	}
	if !errors.Is(err, ErrNotExist) {
		return "", err
	}
	sha, err := s.Resolve(ctx, project, from)
	if errors.Is(err, ErrNotExist) {
		return "", invalid(ErrNotExist, "Invalid reference name: %s", printable(from))
	}
	if err != nil {
		return "", err
	}
	err = s.UpdateRef(ctx, project, branchPrefix+name, ZeroSHA, sha)
	if errors.Is(err, ErrMoved) {
		return "", invalid(ErrExist, "Branch already exists")
	}
	return sha, err
}

// DeleteBranch removes a branch and returns the commit it had; one that is not there
// is ErrNotExist. Which branches may go is the caller's decision.
func (s *Server) DeleteBranch(ctx context.Context, project int64, name string) (string, error) {
	return s.deleteRef(ctx, project, branchPrefix+name)
}

// DeleteTag removes a tag and returns what it held; one that is not there is ErrNotExist.
func (s *Server) DeleteTag(ctx context.Context, project int64, name string) (string, error) {
	return s.deleteRef(ctx, project, tagPrefix+name)
}

func (s *Server) deleteRef(ctx context.Context, project int64, name string) (string, error) {
	for range maxTries {
		ref, err := s.Ref(ctx, project, name)
		if err != nil {
			return "", fmt.Errorf("delete ref: %w", err)
		}
		err = s.UpdateRef(ctx, project, name, ref.SHA, ZeroSHA)
		if !errors.Is(err, ErrMoved) {
			return ref.SHA, err
		}
	}
	return "", ci.Busy("ref %q keeps moving", name)
}

// A TagRequest says which tag to make. With a Message it becomes an annotated tag,
// and then the tagger is needed; otherwise it is a name for the commit.
type TagRequest struct {
	Name        string
	Target      string // what Resolve takes
	Message     string
	TaggerName  string
	TaggerEmail string
	Now         time.Time // with the tagger's zone
}

// CreateTag makes a tag, with GitLab's refusals for names that are invalid or taken
// and for targets that do not exist.
func (s *Server) CreateTag(ctx context.Context, project int64, r TagRequest) (Ref, error) {
	if CheckBranchName(r.Name) != nil {
		return Ref{}, invalid(nil, "Tag name invalid")
	}
	taken := invalid(ErrExist, "Tag %s already exists", r.Name)
	ref := Ref{Name: tagPrefix + r.Name}
	switch _, err := s.Ref(ctx, project, ref.Name); {
	case err == nil:
		return Ref{}, taken
	case !errors.Is(err, ErrNotExist):
		return Ref{}, err
	}
	sha, err := s.Resolve(ctx, project, r.Target)
	if errors.Is(err, ErrNotExist) {
		return Ref{}, invalid(ErrNotExist, "Target %s is invalid", printable(r.Target))
	}
	if err != nil {
		return Ref{}, err
	}
	ref.SHA, ref.Commit = sha, sha
	if r.Message != "" {
		tag := newObject("tag", []byte("object "+sha+"\ntype commit\ntag "+r.Name+
			"\ntagger "+signature(r.TaggerName, r.TaggerEmail, r.Now)+"\n\n"+message(r.Message)))
		if err := s.writeObjects(ctx, project, []object{tag}); err != nil {
			return Ref{}, fmt.Errorf("create tag %q: %w", r.Name, err)
		}
		ref.SHA = tag.sha
	}
	err = s.UpdateRef(ctx, project, ref.Name, ZeroSHA, ref.SHA)
	if errors.Is(err, ErrMoved) {
		return Ref{}, taken
	}
	return ref, err
}
