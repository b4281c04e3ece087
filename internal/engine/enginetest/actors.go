package enginetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// User makes a user, confirmed and active unless changes say otherwise.
func (w *World) User(name string, changes ...func(*ci.User)) ci.User {
	w.t.Helper()
	user := Must(w.Engine.CreateUser(w.t.Context(), w.Root, engine.NewUser{Username: name, Name: name, Email: name + "@example.com"}))(w.t)
	return w.Change(user, changes...)
}

// Change changes an account past every check.
func (w *World) Change(user ci.User, changes ...func(*ci.User)) ci.User {
	w.t.Helper()
	for _, change := range changes {
		change(&user)
	}
	if len(changes) > 0 {
		Check(w.t, w.Store.UpdateUser(w.t.Context(), user))
	}
	return user
}

// Member gives a user a role in a project, or takes it away with ci.NoRole.
func (w *World) Member(user ci.User, project ci.Project, role ci.Role) ci.User {
	w.t.Helper()
	if role == ci.NoRole {
		Check(w.t, w.Store.RemoveMember(w.t.Context(), user.ID, project.ID, 0))
		return user
	}
	Check(w.t, w.Store.SetMember(w.t.Context(), ci.Member{UserID: user.ID, ProjectID: project.ID, Role: role, CreatedAt: w.Now()}))
	return user
}

// Someone makes a user with a role in a project; their name says which.
func (w *World) Someone(project ci.Project, role ci.Role) ci.User {
	w.t.Helper()
	w.number++
	title, _, _ := strings.Cut(strings.ToLower(role.Title()), " ")
	return w.Member(w.User(fmt.Sprintf("%s%d", title, w.number)), project, role)
}

// Group makes a private group of the administrator.
func (w *World) Group(path string) ci.Namespace {
	w.t.Helper()
	return Must(w.Engine.CreateGroup(w.t.Context(), w.Root, engine.NewGroup{Name: path, Path: path, Visibility: ci.Private}))(w.t)
}

// Project makes a private project of the administrator whose branch main has these
// files, given as name and content by turns; without any its repository is empty.
// No pipeline runs.
func (w *World) Project(path string, files ...string) ci.Project {
	w.t.Helper()
	return w.ProjectIn(0, path, files...)
}

// ProjectIn is Project in a group.
func (w *World) ProjectIn(namespace ci.NamespaceID, path string, files ...string) ci.Project {
	w.t.Helper()
	project := Must(w.Engine.CreateProject(w.t.Context(), w.Root, engine.NewProject{Path: path, NamespaceID: namespace}))(w.t)
	if len(files) > 0 {
		w.Commit(project, "main", "First commit", files...)
	}
	return project
}

// Set changes a project past every check.
func (w *World) Set(project ci.Project, change func(*ci.Project)) ci.Project {
	w.t.Helper()
	change(&project)
	Check(w.t, w.Store.UpdateProject(w.t.Context(), project))
	return project
}

// Commit makes a commit in which files, given as name and content by turns, are as
// they are given, and records where the branch is. No pipeline runs. A branch that
// is not there starts at main.
func (w *World) Commit(project ci.Project, branch, message string, files ...string) (sha string) {
	w.t.Helper()
	ctx, id := w.t.Context(), int64(project.ID)
	request := git.CommitRequest{
		Branch: branch, Message: message, AuthorName: "Ann", AuthorEmail: "ann@example.com",
		Now: w.Now(),
	}
	head, err := w.Git.Resolve(ctx, id, ci.BranchPrefix+branch)
	if err != nil {
		if head, err = w.Git.Resolve(ctx, id, "refs/heads/main"); err == nil {
			request.StartBranch = "main"
		}
	}
	for pair := range slices.Chunk(files, 2) {
		action := git.Action{Kind: git.ActionCreate, Path: pair[0], Content: []byte(pair[1])}
		if _, err := w.Git.ReadFile(ctx, id, head, pair[0]); !errors.Is(err, git.ErrNotExist) {
			action.Kind = git.ActionUpdate
		}
		request.Actions = append(request.Actions, action)
	}
	sha = Must(w.Git.CommitFiles(ctx, id, request))(w.t)
	w.Record(project)
	return sha
}

// Tag makes a tag, an annotated one if there is a message, and records it.
func (w *World) Tag(project ci.Project, name, target, message string) {
	w.t.Helper()
	Must(w.Git.CreateTag(w.t.Context(), int64(project.ID), git.TagRequest{
		Name: name, Target: target, Message: message, TaggerName: "Ann", TaggerEmail: "ann@example.com", Now: w.Now(),
	}))(w.t)
	w.Record(project)
}

// Record brings the table of refs in step with the repository.
func (w *World) Record(project ci.Project) {
	w.t.Helper()
	var refs []ci.Ref
	for _, ref := range Must(w.Git.Refs(w.t.Context(), int64(project.ID)))(w.t) {
		refs = append(refs, ci.Ref{ProjectID: project.ID, Name: ref.Name, SHA: ref.Commit})
	}
	Must(w.Store.ReplaceRefs(w.t.Context(), project.ID, refs))(w.t)
}

// Protect lets only those with a role push to what a pattern covers, or merge into
// it.
func (w *World) Protect(project ci.Project, pattern string, tag bool, least ci.Role) {
	w.t.Helper()
	Must(w.Store.Protect(w.t.Context(), ci.Protection{
		ProjectID: project.ID, Pattern: pattern, Tag: tag, PushLevel: least, MergeLevel: least,
	}))(w.t)
}

// TriggerToken makes a trigger token that runs as owner, whatever their role.
func (w *World) TriggerToken(project ci.Project, owner ci.User) string {
	w.t.Helper()
	token := auth.NewTriggerToken(rand.Reader)
	digest := w.Keys.Digest(auth.TriggerTokens, token)
	Must(w.Store.CreateTrigger(w.t.Context(), ci.Trigger{
		ProjectID: project.ID, OwnerID: owner.ID, Digest: digest, Sealed: Must(w.Keys.Seal([]byte(token), digest))(w.t),
		Short: auth.Short(token), CreatedAt: w.Now(), UpdatedAt: w.Now(),
	}, ci.MaxTriggers))(w.t)
	return token
}

// Trigger calls the engine as the trigger endpoint does, with variables given as
// key and value by turns.
func (w *World) Trigger(project ci.Project, token, ref string, variables ...string) (engine.Triggered, error) {
	return w.Engine.Trigger(w.t.Context(), Request(project, token, ref, variables...))
}

// Request is a trigger call with variables given as key and value by turns.
func Request(project ci.Project, token, ref string, variables ...string) engine.TriggerRequest {
	r := engine.TriggerRequest{Project: fmt.Sprint(project.ID), Token: token, Ref: ref, Payload: `{"ref":"` + ref + `"}`}
	for pair := range slices.Chunk(variables, 2) {
		r.Variables = append(r.Variables, ci.Variable{Key: pair[0], Value: pair[1]})
	}
	return r
}

// Started triggers a pipeline that must come to be.
func (w *World) Started(project ci.Project, token, ref string, variables ...string) ci.Pipeline {
	w.t.Helper()
	return Must(w.Trigger(project, token, ref, variables...))(w.t).Pipeline
}

// Pipelines are those of a project, oldest first.
func (w *World) Pipelines(project ci.Project) []ci.Pipeline {
	w.t.Helper()
	list, _, err := w.View.Pipelines(w.t.Context(), store.PipelineFilter{ProjectID: project.ID, Limit: 10_000})
	Check(w.t, err)
	slices.SortFunc(list, func(a, b ci.Pipeline) int { return int(a.ID - b.ID) })
	return list
}

// Snapshot is a pipeline with all its jobs.
func (w *World) Snapshot(id ci.PipelineID) *ci.Snapshot {
	w.t.Helper()
	return Must(w.View.Snapshot(w.t.Context(), id))(w.t)
}

// Jobs shows the jobs of a pipeline, superseded ones included: "build success,
// test running".
func (w *World) Jobs(id ci.PipelineID) string {
	w.t.Helper()
	var words []string
	for _, job := range w.Snapshot(id).Jobs {
		words = append(words, job.Name+" "+string(job.Status))
	}
	return strings.Join(words, ", ")
}
