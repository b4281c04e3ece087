// Package gittest makes repositories for tests: real ones, by the git package itself,
// in a temporary folder, without flushing to disk. A commit costs some milliseconds.
package gittest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/git"
)

// Main is the branch that every repository made here starts with.
const Main = "main"

// Start is the date of the first commit of every repository; each later one, and each
// tag, is a minute younger.
var Start = time.Date(2024, 5, 6, 7, 8, 9, 0, time.FixedZone("", 2*3600))

// Open starts a server on a temporary folder and closes it when the test ends.
func Open(t testing.TB) *git.Server {
	t.Helper()
	s, err := git.Open(git.Config{Root: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A Repository is one project's repository, written for a test. Every method ends the
// test when git refuses.
type Repository struct {
	Server  *git.Server
	Project int64

	t   testing.TB
	now time.Time
}

// New makes a project's repository with one commit on Main that holds the files; with
// no files it is left empty.
func New(t testing.TB, s *git.Server, project int64, files map[string]string) *Repository {
	t.Helper()
	r := &Repository{Server: s, Project: project, t: t, now: Start}
	if err := s.Create(t.Context(), project, Main); err != nil {
		t.Fatal(err)
	}
	if len(files) > 0 {
		r.Commit(Main, "First commit", files)
	}
	return r
}

// Commit adds a commit to a branch in which the files have the given contents, and
// returns it. A branch that does not exist starts at Main.
func (r *Repository) Commit(branch, message string, files map[string]string) string {
	r.t.Helper()
	start, there := r.start(branch)
	var actions []git.Action
	for _, path := range slices.Sorted(maps.Keys(files)) {
		kind := git.ActionCreate
		if slices.Contains(there, path) {
			kind = git.ActionUpdate
		}
		actions = append(actions, git.Action{Kind: kind, Path: path, Content: []byte(files[path])})
	}
	return r.commit(branch, start, message, actions)
}

// Remove adds a commit to a branch that deletes files, and returns it.
func (r *Repository) Remove(branch, message string, paths ...string) string {
	r.t.Helper()
	start, _ := r.start(branch)
	var actions []git.Action
	for _, path := range paths {
		actions = append(actions, git.Action{Kind: git.ActionDelete, Path: path})
	}
	return r.commit(branch, start, message, actions)
}

// start is the branch on which a commit to branch builds, and the files there.
func (r *Repository) start(branch string) (start string, paths []string) {
	r.t.Helper()
	refs, err := r.Server.Refs(r.t.Context(), r.Project)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{branch, Main} {
		i := slices.IndexFunc(refs, func(ref git.Ref) bool { return ref.Name == "refs/heads/"+name })
		if i < 0 {
			continue
		}
		if paths, err = r.Server.Paths(r.t.Context(), r.Project, refs[i].Commit); err != nil {
			r.t.Fatal(err)
		}
		return name, paths
	}
	return branch, nil
}

func (r *Repository) commit(branch, start, message string, actions []git.Action) string {
	r.t.Helper()
	sha, err := r.Server.CommitFiles(r.t.Context(), r.Project, git.CommitRequest{
		Branch: branch, StartBranch: start, Message: message, Actions: actions,
		AuthorName: "Ada Author", AuthorEmail: "ada@example.com",
		CommitterName: "Carl Committer", CommitterEmail: "carl@example.com",
		Now: r.tick(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return sha
}

// Branch makes a branch and returns its commit.
func (r *Repository) Branch(name, from string) string {
	r.t.Helper()
	sha, err := r.Server.CreateBranch(r.t.Context(), r.Project, name, from)
	if err != nil {
		r.t.Fatal(err)
	}
	return sha
}

// Tag makes a tag, annotated when there is a message, and returns its commit.
func (r *Repository) Tag(name, target, message string) string {
	r.t.Helper()
	ref, err := r.Server.CreateTag(r.t.Context(), r.Project, git.TagRequest{
		Name: name, Target: target, Message: message,
		TaggerName: "Tina Tagger", TaggerEmail: "tina@example.com", Now: r.tick(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return ref.Commit
}

// SHA is the commit that a revision stands for.
func (r *Repository) SHA(rev string) string {
	r.t.Helper()
	sha, err := r.Server.Resolve(r.t.Context(), r.Project, rev)
	if err != nil {
		r.t.Fatal(err)
	}
	return sha
}

func (r *Repository) tick() time.Time {
	now := r.now
	r.now = now.Add(time.Minute)
	return now
}
