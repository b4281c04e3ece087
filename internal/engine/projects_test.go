package engine_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// atOnce calls fn from n goroutines that start at the same moment and gives their
// errors.
func atOnce(n int, fn func(i int) error) []error {
	start, errs := make(chan struct{}), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

// One of those who want the same path at the same moment gets it; the others are
// told so, and nothing of theirs is left.
func TestOnePathForOneProject(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	group := w.Group("team")
	made := 0
	for i, err := range atOnce(8, func(i int) error {
		if i%2 == 0 {
			_, err := w.Engine.CreateGroup(t.Context(), w.Root, engine.NewGroup{Name: "x", Path: "same", ParentID: group.ID})
			return err
		}
		_, err := w.Engine.CreateProject(t.Context(), w.Root, engine.NewProject{Path: "same", NamespaceID: group.ID})
		return err
	}) {
		switch {
		case err == nil:
			made++
		case ci.KindOf(err) != ci.KindInvalid || !strings.Contains(err.Error(), "has already been taken"):
			t.Errorf("attempt %d: got error %v", i, err)
		}
	}
	enginetest.Equal(t, "made", made, 1)
}

// Commits that meet on a branch all get there one after the other, and the table of
// refs ends with the last of them.
func TestCommitsMeet(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	project := w.Project("busy", ".gitlab-ci.yml", "build: {script: [make]}")
	const n = 8
	for i, err := range atOnce(n, func(i int) error {
		_, err := w.Engine.CommitFiles(t.Context(), w.Root, project, git.CommitRequest{
			Branch: "main", Message: fmt.Sprint("commit ", i),
			Actions: []git.Action{{Kind: git.ActionCreate, Path: fmt.Sprint(i), Content: []byte("x")}},
		})
		return err
	}) {
		// Somebody who lost five times in a row is asked to try again.
		if err != nil && !strings.Contains(err.Error(), "Please refresh and try again") {
			t.Errorf("commit %d: %v", i, err)
		}
	}
	inTable := enginetest.Must(w.View.Ref(t.Context(), project.ID, "refs/heads/main"))(t)
	inRepository := enginetest.Must(w.Git.Resolve(t.Context(), int64(project.ID), "refs/heads/main"))(t)
	enginetest.Equal(t, "head", inTable.SHA, inRepository)
	log := enginetest.Must(w.Git.Log(t.Context(), int64(project.ID), git.LogQuery{Rev: "main", Limit: 100}))(t)
	enginetest.Equal(t, "pipelines", len(w.Pipelines(project)), len(log)-1)
}

// A crash between the row of a project and its repository is made good at the next
// start; a repository that is lost is not hidden by an empty one.
func TestRepositoryIsMissing(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	fresh, lost := w.Project("fresh"), w.Project("lost", "a", "a")
	for _, p := range []ci.Project{fresh, lost} {
		enginetest.Check(t, w.Git.Remove(t.Context(), int64(p.ID)))
	}
	w.Damage("project 2 has no repository")
	enginetest.Check(t, w.Engine.CompareRefs(t.Context()))
	enginetest.Equal(t, "repository of the new project", enginetest.Must(w.Git.Exists(t.Context(), int64(fresh.ID)))(t), true)
	enginetest.Equal(t, "repository that is lost", enginetest.Must(w.Git.Exists(t.Context(), int64(lost.ID)))(t), false)
	if !strings.Contains(w.Log(), "project has no repository") {
		t.Errorf("the log does not tell: %s", w.Log())
	}
	enginetest.Must(w.View.Ref(t.Context(), lost.ID, "refs/heads/main"))(t)
	_, err := w.Engine.CommitFiles(t.Context(), w.Root, fresh, git.CommitRequest{
		Branch: "main", Message: "m", Actions: []git.Action{{Kind: git.ActionCreate, Path: "a", Content: []byte("a")}},
	})
	enginetest.Check(t, err)
}

// After a project is deleted and the trash emptied nothing of it is on disk.
func TestDeletedProjectLeavesNothing(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	project := w.Project("gone", ".gitlab-ci.yml", "build: {script: [make]}")
	w.Started(project, w.TriggerToken(project, w.Root.User), "main")
	enginetest.Check(t, w.Engine.DeleteProject(t.Context(), w.Root, project))
	_, err := w.Engine.FindProject(t.Context(), fmt.Sprint(project.ID))
	enginetest.Equal(t, "kind of error", ci.KindOf(err), ci.KindNotFound)
	w.Engine.Background().Round(t.Context())
	if _, err := os.Stat(w.Git.Path(int64(project.ID))); !os.IsNotExist(err) {
		t.Errorf("repository: got %v, want that it does not exist", err)
	}
	enginetest.Equal(t, "trash", len(enginetest.Must(w.View.Trash(t.Context(), 10))(t)), 0)
}

// While a group moves, its projects are changed: neither undoes the other.
func TestGroupMovesUnderItsProjects(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	group := w.Group("old")
	project := w.ProjectIn(group.ID, "p")
	const n = 12
	for i, err := range atOnce(n, func(i int) error {
		if i%3 == 0 {
			path := fmt.Sprint("new", i)
			_, err := w.Engine.UpdateGroup(t.Context(), w.Root, group, engine.GroupChange{Path: &path})
			return err
		}
		if i%3 == 1 {
			_, err := w.Engine.ArchiveProject(t.Context(), w.Root, project, i%2 == 0)
			return err
		}
		return w.Engine.LimitJobTokens(t.Context(), w.Root, project, false)
	}) {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	now := enginetest.Must(w.View.Project(t.Context(), project.ID))(t)
	moved := enginetest.Must(w.View.Namespace(t.Context(), group.ID))(t)
	enginetest.Equal(t, "path", now.FullPath, moved.FullPath+"/p")
	enginetest.Equal(t, "limit", now.InboundTokenScope, false)
	enginetest.Equal(t, "old path leads to", enginetest.Must(w.Engine.FindProject(t.Context(), "old/p"))(t).ID, project.ID)
}

// An administrator's power ends where a job acts in the administrator's name.
func TestJobsOfAdministratorsAdministerNothing(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	project := w.Project("p")
	caller := w.Root
	caller.Job = &ci.Job{ProjectID: project.ID}
	_, err := w.Engine.CreateUser(t.Context(), caller, engine.NewUser{Username: "x", Name: "x", Email: "x@example.com"})
	enginetest.Equal(t, "user", ci.KindOf(err), ci.KindForbidden)
	_, _, err = w.Engine.CreateAccessToken(t.Context(), caller, w.Root.User.ID, engine.NewAccessToken{Name: "x", Scopes: []string{"api"}})
	enginetest.Equal(t, "own token", ci.KindOf(err), ci.KindForbidden)
	_, err = w.Engine.CreateGroup(t.Context(), caller, engine.NewGroup{Name: "x", Path: "x"})
	enginetest.Equal(t, "group", ci.KindOf(err), ci.KindForbidden)
	_, err = w.Engine.CreateProject(t.Context(), caller, engine.NewProject{Path: "x"})
	enginetest.Equal(t, "project", ci.KindOf(err), ci.KindForbidden)
	enginetest.Equal(t, "archive", ci.KindOf(second(w.Engine.ArchiveProject(t.Context(), caller, project, true))), ci.KindForbidden)
}

// second gives the error of a call.
func second[T any](_ T, err error) error { return err }
