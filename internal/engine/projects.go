package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A NewProject is a project to be made. NamespaceID zero means the caller's own.
type NewProject struct {
	Name                 string
	Path                 string
	NamespaceID          ci.NamespaceID
	Description          string
	Visibility           ci.Visibility // empty: private
	DefaultBranch        string        // empty: main
	Settings             *ci.ProjectSettings
	InitializeWithReadme bool
}

// CreateProject makes a project with an empty repository; the caller becomes its
// owner. GitLab's Projects API, "Create a project". Errors: ci.KindForbidden,
// ci.KindInvalid for a bad or taken path.
func (e *Engine) CreateProject(ctx context.Context, c Caller, n NewProject) (ci.Project, error) {
	namespace, err := e.namespaceForProject(ctx, c, n.NamespaceID)
	if err != nil {
		return ci.Project{}, err
	}
	n.Name, n.Path = orText(n.Name, n.Path), orText(n.Path, n.Name)
	if err := checkPathPart(n.Path); err != nil {
		return ci.Project{}, err
	}
	n.DefaultBranch = orText(n.DefaultBranch, "main")
	if git.CheckBranchName(n.DefaultBranch) != nil {
		return ci.Project{}, ci.Invalid("default_branch", "is not a valid branch name")
	}
	settings := ci.DefaultProjectSettings()
	if n.Settings != nil {
		settings = *n.Settings
	}
	now := e.now()
	project, err := e.store.CreateProject(ctx, ci.Project{
		NamespaceID: namespace.ID, NamespaceKind: namespace.Kind, Name: n.Name, Path: n.Path, FullPath: namespace.FullPath + "/" + n.Path,
		Description: n.Description, Visibility: ci.Visibility(orText(string(n.Visibility), string(ci.Private))),
		DefaultBranch: n.DefaultBranch, CreatorID: c.User.ID, CreatedAt: now, UpdatedAt: now, ProjectSettings: settings,
	}, &ci.Member{UserID: c.User.ID, Role: ci.Owner, CreatedAt: now})
	var taken *store.Taken
	if errors.As(err, &taken) {
		return ci.Project{}, ci.Invalid("path", "has already been taken")
	}
	if err != nil {
		return ci.Project{}, fmt.Errorf("create project: %w", err)
	}
	if err := e.git.Create(ctx, int64(project.ID), project.DefaultBranch); err != nil {
		return ci.Project{}, errors.Join(fmt.Errorf("create repository of project %d: %w", project.ID, err),
			e.store.DeleteProject(context.WithoutCancel(ctx), project.ID))
	}
	if !n.InitializeWithReadme {
		return project, nil
	}
	_, err = e.CommitFiles(ctx, c, project, git.CommitRequest{
		Branch: project.DefaultBranch, Message: "Initial commit",
		Actions: []git.Action{{Kind: git.ActionCreate, Path: "README.md", Content: []byte("# " + project.Name + "\n")}},
	})
	return project, err
}

// namespaceForProject finds where a new project goes and whether the caller may
// put it there.
func (e *Engine) namespaceForProject(ctx context.Context, c Caller, id ci.NamespaceID) (ci.Namespace, error) {
	if c.Anonymous() {
		return ci.Namespace{}, ci.Unauthorized()
	}
	if id == 0 {
		return e.view.NamespaceByPath(ctx, c.User.Username)
	}
	namespace, err := e.view.Namespace(ctx, id)
	if ci.IsNotFound(err) {
		return ci.Namespace{}, ci.Invalid("namespace", "is not valid")
	}
	if err != nil {
		return ci.Namespace{}, err
	}
	if namespace.Kind == ci.UserNamespace {
		if namespace.OwnerID != c.User.ID && !c.User.Admin {
			return ci.Namespace{}, ci.Invalid("namespace", "is not valid")
		}
		return namespace, nil
	}
	err = e.AuthorizeGroup(ctx, c, namespace, auth.CreateProjects)
	if ci.KindOf(err) == ci.KindNotFound || ci.KindOf(err) == ci.KindForbidden {
		return ci.Namespace{}, ci.Invalid("namespace", "is not valid")
	}
	return namespace, err
}
