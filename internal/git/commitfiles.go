package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The texts in which GitLab refuses a commit made through its API.
const (
	textFileExists   = "A file with this name already exists"
	textNoFile       = "A file with this name doesn't exist"
	textNotOnBranch  = "You can only create or edit files when you are on a branch"
	textTwoStarts    = "You can't pass both start_branch and start_sha"
	textBranchTaken  = "A branch called '%s' already exists. Switch to that branch in order to make changes"
	textFileChanged  = "The file has changed since you started editing it: %s"
	textPleaseRepeat = "Could not update %s. Please refresh and try again."
)

// maxTries is how often a change starts anew when somebody else moved the ref meanwhile.
const maxTries = 5

// An ActionKind is what happens to one file of a commit.
type ActionKind string

// The kinds of actions, as GitLab's API names them.
const (
	ActionCreate ActionKind = "create"
	ActionUpdate ActionKind = "update"
	ActionDelete ActionKind = "delete"
	ActionMove   ActionKind = "move"
	ActionChmod  ActionKind = "chmod"
)

// An Action changes one file.
type Action struct {
	Kind         ActionKind
	Path         string
	PreviousPath string // of a move
	Content      []byte // of create and update; for a move nil keeps what the file holds
	Executable   bool   // of create and chmod
	LastCommitID string // when set, the last commit that is known to have changed the file
}

// A CommitRequest is a commit on a branch, made of actions that apply one after the other.
type CommitRequest struct {
	Branch      string
	StartBranch string // where a new Branch starts; Branch itself when empty
	StartSHA    string // instead of StartBranch
	Force       bool   // an existing Branch is set to the start and the commit

	Message        string
	AuthorName     string
	AuthorEmail    string
	CommitterName  string // the author when empty
	CommitterEmail string
	Now            time.Time // both dates, with their zone

	Actions []Action
}

// CommitFiles makes a commit and moves its branch to it in one step, and returns the
// commit. In an empty repository it is the first one. When somebody else moves the
// branch meanwhile, the actions apply to the new state. What the caller asked wrongly
// is a *ci.Error with GitLab's text, wrapping ErrFileChanged when LastCommitID is old.
func (s *Server) CommitFiles(ctx context.Context, project int64, r CommitRequest) (string, error) {
	for range maxTries {
		sha, err := s.commitOnce(ctx, project, r)
		if err == nil {
			return sha, nil
		}
		if !errors.Is(err, ErrMoved) {
			return "", fmt.Errorf("commit to %q: %w", printable(r.Branch), err)
		}
	}
	return "", invalid(ErrMoved, textPleaseRepeat, branchPrefix+r.Branch)
}

func (s *Server) commitOnce(ctx context.Context, project int64, r CommitRequest) (string, error) {
	tip, parent, err := s.base(ctx, project, r)
	if err != nil {
		return "", err
	}
	tree := ""
	if parent != "" {
		tree = parent + ":"
	}
	e, err := newEditor(tree, func(name string) ([]byte, error) { return s.readTree(ctx, project, name) })
	if err != nil {
		return "", err
	}
	for _, a := range r.Actions {
		if err := s.checkUnchanged(ctx, project, parent, a); err != nil {
			return "", err
		}
		if err := e.apply(a); err != nil {
			return "", err
		}
	}
	commit := newCommit(e.finish(), parent, r)
	if err := s.writeObjects(ctx, project, append(e.objects, commit)); err != nil {
		return "", err
	}
	if tip == "" {
		tip = ZeroSHA
	}
	return commit.sha, s.UpdateRef(ctx, project, branchPrefix+r.Branch, tip, commit.sha)
}

// base finds what the branch holds now and what the commit builds on; both may be
// empty. The checks and their order are those of GitLab's commit service.
func (s *Server) base(ctx context.Context, project int64, r CommitRequest) (tip, parent string, err error) {
	start := r.StartBranch
	switch {
	case r.StartSHA != "" && start != "":
		return "", "", invalid(nil, textTwoStarts)
	case r.StartSHA != "" && !IsSHA(r.StartSHA):
		return "", "", invalid(nil, "Invalid start_sha '%s'", printable(r.StartSHA))
	case start == "":
		start = r.Branch
	}
	if tip, err = s.branchTip(ctx, project, r.Branch); err != nil {
		return "", "", err
	}
	parent = tip
	switch {
	case r.StartSHA != "":
		parent, err = s.Resolve(ctx, project, r.StartSHA)
		if errors.Is(err, ErrNotExist) {
			err = invalid(ErrNotExist, "Cannot find start_sha '%s'", r.StartSHA)
		}
	case start != r.Branch:
		parent, err = s.branchTip(ctx, project, start)
	}
	if err != nil {
		return "", "", err
	}
	if parent == "" {
		empty, err := s.isEmpty(ctx, project)
		if err != nil {
			return "", "", err
		}
		if !empty {
			return "", "", invalid(nil, textNotOnBranch)
		}
	}
	if tip != "" && (r.StartSHA != "" || start != r.Branch) && !r.Force {
		return "", "", invalid(ErrExist, textBranchTaken, r.Branch)
	}
	if tip == "" && CheckBranchName(r.Branch) != nil {
		return "", "", invalid(nil, "Something went wrong when we tried to create %s for you: Branch name is invalid", printable(r.Branch))
	}
	return tip, parent, nil
}

// branchTip is the commit of a branch, or "" when there is none.
func (s *Server) branchTip(ctx context.Context, project int64, branch string) (string, error) {
	ref, err := s.Ref(ctx, project, branchPrefix+branch)
	if errors.Is(err, ErrNotExist) {
		return "", nil
	}
	return ref.SHA, err
}

// isEmpty reports whether the repository has no branch at all.
func (s *Server) isEmpty(ctx context.Context, project int64) (bool, error) {
	out, err := s.run(ctx, project, nil, "for-each-ref", "--count=1", "--format=%(refname)", branchPrefix)
	return len(out) == 0, err
}

func (s *Server) readTree(ctx context.Context, project int64, name string) ([]byte, error) {
	var raw []byte
	err := s.use(ctx, project, func(c *catFile) error {
		var err error
		_, raw, err = c.contentsOf("tree", name, maxOutput)
		return err
	})
	return raw, err
}

// checkUnchanged refuses an action whose author saw an older version of the file.
func (s *Server) checkUnchanged(ctx context.Context, project int64, parent string, a Action) error {
	if a.LastCommitID == "" || a.Kind == ActionCreate || parent == "" {
		return nil
	}
	path := a.Path
	if a.PreviousPath != "" {
		path = a.PreviousPath
	}
	if err := CheckPath(path); err != nil {
		return err
	}
	last, err := s.revList(ctx, project, LogQuery{Rev: parent, Path: path, Limit: 1})
	if err != nil {
		return err
	}
	if len(last) == 1 && last[0] != a.LastCommitID {
		return invalid(ErrFileChanged, textFileChanged, path)
	}
	return nil
}

// apply carries out one action on the tree in memory.
func (e *editor) apply(a Action) error {
	if err := CheckPath(a.Path); err != nil {
		return err
	}
	there, err := e.find(a.Path)
	if err != nil {
		return err
	}
	switch a.Kind {
	case ActionCreate:
		if there != nil {
			return invalid(nil, textFileExists)
		}
		return e.place(a.Path, fileMode(a.Executable), e.blob(a.Content))
	case ActionMove:
		return e.move(a, there)
	case ActionUpdate, ActionDelete, ActionChmod:
	default:
		return invalid(nil, "Unknown action '%s'", printable(string(a.Kind)))
	}
	if there == nil || there.isFolder() {
		return invalid(nil, textNoFile)
	}
	switch {
	case a.Kind == ActionDelete:
		return e.remove(a.Path)
	case there.mode == modeSubmodule:
		return invalid(nil, textNoFile)
	case a.Kind == ActionUpdate:
		return e.place(a.Path, there.mode, e.blob(a.Content))
	case there.mode != modeFile && there.mode != modeExecutable:
		return invalid(nil, textNoFile) // a link has no such bit
	}
	return e.place(a.Path, fileMode(a.Executable), there.sha)
}

func (e *editor) move(a Action, target *node) error {
	if err := CheckPath(a.PreviousPath); err != nil {
		return err
	}
	source, err := e.find(a.PreviousPath)
	if err != nil {
		return err
	}
	switch {
	case source == nil || source.isFolder() || source.mode == modeSubmodule:
		return invalid(nil, textNoFile)
	case target != nil:
		return invalid(nil, textFileExists)
	}
	mode, sha := source.mode, source.sha
	if a.Content != nil {
		sha = e.blob(a.Content)
	}
	if err := e.remove(a.PreviousPath); err != nil {
		return err
	}
	return e.place(a.Path, mode, sha)
}

// place is put for a caller's path: a file where a folder would have to be is theirs to mend.
func (e *editor) place(path, mode, sha string) error {
	err := e.put(path, mode, sha)
	if errors.Is(err, errOccupied) {
		return invalid(nil, textFileExists)
	}
	return err
}

func fileMode(executable bool) string {
	if executable {
		return modeExecutable
	}
	return modeFile
}

func newCommit(tree, parent string, r CommitRequest) object {
	if r.CommitterName == "" && r.CommitterEmail == "" {
		r.CommitterName, r.CommitterEmail = r.AuthorName, r.AuthorEmail
	}
	text := "tree " + tree + "\n"
	if parent != "" {
		text += "parent " + parent + "\n"
	}
	text += "author " + signature(r.AuthorName, r.AuthorEmail, r.Now) + "\n" +
		"committer " + signature(r.CommitterName, r.CommitterEmail, r.Now) + "\n\n" + message(r.Message)
	return newObject("commit", []byte(text))
}

// message makes a text fit for an object: UTF-8, no NUL, line feeds only.
func message(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.ReplaceAll(s, "\x00", "")
}
