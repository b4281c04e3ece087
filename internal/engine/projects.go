package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A NewProject is a project to be made. NamespaceID zero means the caller's own.
type NewProject struct {
	Name                 string // empty: from Path
	Path                 string // empty: from Name
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
	project, err := e.insertProject(ctx, c, n)
	if err != nil {
		return ci.Project{}, err
	}
	if err := e.createRepository(ctx, project); err != nil {
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

// insertProject checks a new project and writes its row.
func (e *Engine) insertProject(ctx context.Context, c Caller, n NewProject) (ci.Project, error) {
	e.moves.RLock()
	defer e.moves.RUnlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return ci.Project{}, err
	}
	defer release()
	namespace, err := e.namespaceForProject(ctx, c, n.NamespaceID)
	if err != nil {
		return ci.Project{}, err
	}
	settings := ci.DefaultProjectSettings()
	if n.Settings != nil {
		settings = *n.Settings
	}
	now := e.now()
	project := ci.Project{
		NamespaceID: namespace.ID, NamespaceKind: namespace.Kind, Name: orText(n.Name, n.Path), Path: orText(n.Path, pathFrom(n.Name)),
		Description: n.Description, Visibility: ci.Visibility(orText(string(n.Visibility), string(ci.Private))),
		DefaultBranch: orText(n.DefaultBranch, "main"), CreatorID: c.User.ID, CreatedAt: now, UpdatedAt: now, ProjectSettings: settings,
	}
	project.FullPath = namespace.FullPath + "/" + project.Path
	if err := checkProject(project, namespace); err != nil {
		return ci.Project{}, err
	}
	project, err = e.store.CreateProject(ctx, project, &ci.Member{UserID: c.User.ID, Role: ci.Owner, CreatedAt: now})
	if err != nil {
		return ci.Project{}, pathTaken(fmt.Errorf("create project: %w", err))
	}
	return project, nil
}

// finishProject makes the repository that a crash kept a new project from getting.
// When the table knows refs of it, it was there and is lost: that is for people to
// look into.
func (e *Engine) finishProject(ctx context.Context, id ci.ProjectID) error {
	refs, err := e.view.Refs(ctx, id, "")
	if err != nil {
		return err
	}
	if len(refs) > 0 {
		e.log.ErrorContext(ctx, "project has no repository", "project_id", int64(id))
		return nil
	}
	project, err := e.view.Project(ctx, id)
	if err != nil {
		return err
	}
	if err := e.createRepository(ctx, project); err != nil {
		return fmt.Errorf("create repository of project %d: %w", id, err)
	}
	return nil
}

// createRepository makes the repository of a new project. An empty one that is there
// already comes from another server, which starts at this moment and took the row
// for one that a crash had left.
func (e *Engine) createRepository(ctx context.Context, project ci.Project) error {
	err := e.git.Create(ctx, int64(project.ID), project.DefaultBranch)
	if !errors.Is(err, git.ErrExist) {
		return err
	}
	refs, readErr := e.git.Refs(ctx, int64(project.ID))
	if readErr != nil || len(refs) > 0 {
		return errors.Join(err, readErr)
	}
	return nil
}

// A ProjectChange is what to change of a project; nil fields stay as they are.
type ProjectChange struct {
	Name          *string
	Path          *string
	Description   *string
	Visibility    *ci.Visibility
	DefaultBranch *string
	Settings      func(*ci.ProjectSettings)
}

// UpdateProject changes a project. GitLab's Projects API, "Edit a project":
// maintainers, and owners for the visibility. A new path leaves a redirect. Errors:
// ci.KindInvalid for a bad or taken path.
func (e *Engine) UpdateProject(ctx context.Context, c Caller, project ci.Project, change ProjectChange) (ci.Project, error) {
	needed := []auth.Action{auth.AdminProject}
	if change.Visibility != nil && *change.Visibility != project.Visibility {
		needed = append(needed, auth.ChangeVisibility)
	}
	for _, action := range needed {
		if _, err := e.Authorize(ctx, c, project, action); err != nil {
			return ci.Project{}, err
		}
	}
	return e.changeProject(ctx, project.ID, func(p *ci.Project) error {
		namespace, err := e.view.Namespace(ctx, p.NamespaceID)
		if err != nil {
			return err
		}
		setTo(&p.Name, change.Name)
		setTo(&p.Path, change.Path)
		setTo(&p.Description, change.Description)
		setTo(&p.DefaultBranch, change.DefaultBranch)
		setTo(&p.Visibility, change.Visibility)
		if change.Settings != nil {
			change.Settings(&p.ProjectSettings)
		}
		p.FullPath = namespace.FullPath + "/" + p.Path
		if err := checkProject(*p, namespace); err != nil {
			return err
		}
		return e.moveHead(ctx, *p, change.DefaultBranch)
	})
}

// setTo changes a field for which there is a new value.
func setTo[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// moveHead makes another branch the one that a clone checks out. A branch that is
// not there is refused, unless there is none at all yet.
func (e *Engine) moveHead(ctx context.Context, p ci.Project, branch *string) error {
	if branch == nil {
		return nil
	}
	head, err := e.headOf(ctx, p.ID, ci.BranchPrefix+*branch)
	if err != nil {
		return err
	}
	if head == ci.ZeroSHA {
		branches, err := e.view.Refs(ctx, p.ID, ci.BranchPrefix)
		if err != nil {
			return err
		}
		if len(branches) > 0 {
			return ci.Refused("Could not change HEAD: branch '" + *branch + "' does not exist")
		}
	}
	return e.git.SetHead(ctx, int64(p.ID), *branch)
}

// adoptBranch makes the only branch of a project its default one, if that is another
// than the one that was meant to be: whoever pushes master first means it.
func (e *Engine) adoptBranch(ctx context.Context, p ci.Project) (ci.Project, error) {
	head, err := e.headOf(ctx, p.ID, ci.BranchPrefix+p.DefaultBranch)
	if err != nil || head != ci.ZeroSHA {
		return p, err
	}
	branches, err := e.view.Refs(ctx, p.ID, ci.BranchPrefix)
	if err != nil || len(branches) != 1 {
		return p, err
	}
	return e.changeProject(ctx, p.ID, func(p *ci.Project) error {
		p.DefaultBranch = branches[0].Short()
		return e.git.SetHead(ctx, int64(p.ID), p.DefaultBranch)
	})
}

// TransferProject moves a project to another namespace and leaves a redirect.
// GitLab's Projects API, "Transfer a project to a new namespace". Owners only, who
// must be allowed to create projects there.
func (e *Engine) TransferProject(ctx context.Context, c Caller, project ci.Project, to ci.NamespaceID) (ci.Project, error) {
	if _, err := e.Authorize(ctx, c, project, auth.ChangeNamespace); err != nil {
		return ci.Project{}, err
	}
	return e.changeProject(ctx, project.ID, func(p *ci.Project) error {
		namespace, err := e.namespaceForProject(ctx, c, to)
		if err != nil {
			return err
		}
		if p.NamespaceID == namespace.ID {
			return ci.BadRequest("Project is already in this namespace.")
		}
		p.NamespaceID, p.NamespaceKind, p.FullPath = namespace.ID, namespace.Kind, namespace.FullPath+"/"+p.Path
		return checkProject(*p, namespace)
	})
}

// ArchiveProject makes a project read-only, or lets it be changed again. Owners
// only.
func (e *Engine) ArchiveProject(ctx context.Context, c Caller, project ci.Project, archived bool) (ci.Project, error) {
	if _, err := e.Authorize(ctx, c, project, auth.ArchiveProject); err != nil {
		return ci.Project{}, err
	}
	return e.changeProject(ctx, project.ID, func(p *ci.Project) error {
		p.Archived = archived
		return nil
	})
}

// DeleteProject removes a project with all its rows at once; what is on disk goes
// by way of the trash. Owners only.
func (e *Engine) DeleteProject(ctx context.Context, c Caller, project ci.Project) error {
	if _, err := e.Authorize(ctx, c, project, auth.RemoveProject); err != nil {
		return err
	}
	if err := e.store.DeleteProject(context.WithoutCancel(ctx), project.ID); err != nil {
		return fmt.Errorf("delete project %d: %w", project.ID, err)
	}
	return nil
}

// changeProject loads a project, changes it and saves it, one change after the
// other within this process.
func (e *Engine) changeProject(ctx context.Context, id ci.ProjectID, change func(*ci.Project) error) (ci.Project, error) {
	e.moves.RLock()
	defer e.moves.RUnlock()
	defer e.projects.lock(id)()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return ci.Project{}, err
	}
	defer release()
	project, err := e.view.Project(ctx, id)
	if err != nil {
		return ci.Project{}, err
	}
	if err := change(&project); err != nil {
		return ci.Project{}, err
	}
	project.UpdatedAt = e.now()
	if err := e.store.UpdateProject(ctx, project); err != nil {
		return ci.Project{}, pathTaken(fmt.Errorf("update project %d: %w", id, err))
	}
	e.hub.WakeAll() // runners that wait may be allowed its jobs now
	return project, nil
}

// pathTaken words the refusal of a path that something else has.
func pathTaken(err error) error {
	if taken := (*store.Taken)(nil); errors.As(err, &taken) {
		return ci.Invalid("path", "has already been taken")
	}
	return err
}

// Bounds of what a project may be set to, which are GitLab's.
const (
	maxName        = 255
	maxProjectText = 2000
	maxGitDepth    = 1000
	minBuildTime   = 600     // seconds
	maxBuildTime   = 2592000 // seconds
)

// checkProject refuses attributes that GitLab refuses, in its words.
func checkProject(p ci.Project, in ci.Namespace) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if err := checkPathPart(p.Path); err != nil {
		return err
	}
	switch {
	case len(p.Description) > maxProjectText:
		return ci.Invalid("description", fmt.Sprintf("is too long (maximum is %d characters)", maxProjectText))
	case git.CheckBranchName(p.DefaultBranch) != nil:
		return ci.Invalid("default_branch", "is not a valid branch name")
	case in.Kind == ci.GroupNamespace && p.Visibility.Wider(in.Visibility):
		return ci.Invalid("visibility_level", fmt.Sprintf("%s is not allowed in a %s group.", p.Visibility, in.Visibility))
	}
	return checkSettings(p.ProjectSettings)
}

func checkSettings(s ci.ProjectSettings) error {
	switch {
	case s.GitDepth < 0:
		return ci.Invalid("ci_default_git_depth", "must be greater than or equal to 0")
	case s.GitDepth > maxGitDepth:
		return ci.Invalid("ci_default_git_depth", fmt.Sprintf("must be less than or equal to %d", maxGitDepth))
	case s.BuildTimeout < minBuildTime || s.BuildTimeout > maxBuildTime:
		return ci.Invalid("build_timeout", "needs to be between 10 minutes and 1 month")
	case strings.Contains("/"+s.ConfigPath+"/", "/../"):
		return ci.Invalid("ci_config_path", "can't include directory traversal.")
	case strings.Contains(s.ConfigPath, "@"), strings.Contains(s.ConfigPath, "://"):
		return ci.Invalid("ci_config_path", "in another project or on another server is not supported yet")
	}
	return nil
}

// checkName refuses a name that GitLab has no project or group by.
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return ci.Invalid("name", "can't be blank")
	case len([]rune(name)) > maxName:
		return ci.Invalid("name", fmt.Sprintf("is too long (maximum is %d characters)", maxName))
	}
	for i, r := range name {
		plain := unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So) || r == '_'
		if !plain && (i == 0 || !strings.ContainsRune(".+- ()", r)) {
			return ci.Invalid("name", "can contain only letters, digits, emoji, '_', '.', '+', dashes, or spaces. It must start with a letter, digit, emoji, or '_'.")
		}
	}
	return nil
}

// pathFrom makes a path of a name that cannot be one itself.
func pathFrom(name string) string {
	if checkPathPart(name) == nil {
		return name
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
	return strings.Join(words, "-")
}

// namespaceForProject finds where a new project goes and whether the caller may
// put it there.
func (e *Engine) namespaceForProject(ctx context.Context, c Caller, id ci.NamespaceID) (ci.Namespace, error) {
	if err := userOnly(c); err != nil {
		return ci.Namespace{}, err
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
