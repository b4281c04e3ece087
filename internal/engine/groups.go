package engine

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A NewGroup is a group to be made. ParentID zero makes a top-level group.
type NewGroup struct {
	Name        string
	Path        string
	Description string
	ParentID    ci.NamespaceID
	Visibility  ci.Visibility // empty: private
}

// pathPart is what one part of a path may look like. GitLab allows no leading
// hyphen, no trailing dot, and neither .git nor .atom at the end.
var pathPart = regexp.MustCompile(`^[a-zA-Z0-9_.][a-zA-Z0-9_.-]*$`)

// maxPathPart is the longest part of a path, in bytes.
const maxPathPart = 255

// reservedParts would hide pages of the server.
var reservedParts = []string{"-", "api", "help", "assets", "users", "groups", "projects", "search", "explore"}

// checkPathPart refuses a path that cannot be part of an address, in GitLab's words.
func checkPathPart(part string) error {
	lower := strings.ToLower(part)
	switch {
	case part == "":
		return ci.Invalid("path", "can't be blank")
	case len(part) > maxPathPart:
		return ci.Invalid("path", fmt.Sprintf("is too long (maximum is %d characters)", maxPathPart))
	case !pathPart.MatchString(part), strings.HasSuffix(part, "."), strings.HasSuffix(lower, ".git"), strings.HasSuffix(lower, ".atom"):
		return ci.Invalid("path", "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'")
	}
	return nil
}

// checkTopPath is checkPathPart for the first part of an address.
func checkTopPath(part string) error {
	for _, reserved := range reservedParts {
		if strings.EqualFold(part, reserved) {
			return ci.Invalid("path", part+" is a reserved name")
		}
	}
	return checkPathPart(part)
}

// CreateGroup makes a group whose owner is the caller. GitLab's Groups API,
// "Create a group". Errors: ci.KindForbidden for somebody who may not,
// ci.KindInvalid for a bad or taken path.
func (e *Engine) CreateGroup(ctx context.Context, c Caller, g NewGroup) (ci.Namespace, error) {
	if err := userOnly(c); err != nil {
		return ci.Namespace{}, err
	}
	now := e.now()
	group := ci.Namespace{
		Kind: ci.GroupNamespace, Name: g.Name, Path: g.Path, FullPath: g.Path, Description: g.Description, ParentID: g.ParentID,
		OwnerID: c.User.ID, Visibility: ci.Visibility(orText(string(g.Visibility), string(ci.Private))), CreatedAt: now,
	}
	e.moves.RLock()
	defer e.moves.RUnlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return ci.Namespace{}, err
	}
	defer release()
	var parent ci.Namespace
	if g.ParentID != 0 {
		if parent, err = e.parentGroup(ctx, c, g.ParentID); err != nil {
			return ci.Namespace{}, err
		}
		group.FullPath = parent.FullPath + "/" + g.Path
	}
	if err := checkGroup(group, parent); err != nil {
		return ci.Namespace{}, err
	}
	group, err = e.store.CreateNamespace(ctx, group, &ci.Member{UserID: c.User.ID, Role: ci.Owner, CreatedAt: now})
	if err != nil {
		return ci.Namespace{}, pathTaken(fmt.Errorf("create group: %w", err))
	}
	return group, nil
}

// parentGroup finds a group in which the caller may put another one.
func (e *Engine) parentGroup(ctx context.Context, c Caller, id ci.NamespaceID) (ci.Namespace, error) {
	parent, err := e.view.Namespace(ctx, id)
	if ci.IsNotFound(err) || err == nil && parent.Kind != ci.GroupNamespace {
		return ci.Namespace{}, ci.NotFound("Group")
	}
	if err != nil {
		return ci.Namespace{}, err
	}
	return parent, e.AuthorizeGroup(ctx, c, parent, auth.CreateSubgroup)
}

// checkGroup refuses attributes that GitLab refuses, in its words. parent is zero
// for a group at the top.
func checkGroup(g, parent ci.Namespace) error {
	check := checkTopPath
	if parent.ID != 0 {
		check = checkPathPart
	}
	if err := check(g.Path); err != nil {
		return err
	}
	if err := checkName(g.Name); err != nil {
		return err
	}
	switch {
	case len(g.Description) > maxGroupText:
		return ci.Invalid("description", fmt.Sprintf("is too long (maximum is %d characters)", maxGroupText))
	case parent.ID != 0 && g.Visibility.Wider(parent.Visibility):
		return ci.Invalid("visibility_level", fmt.Sprintf("%s is not allowed since the parent group has a %s visibility.", g.Visibility, parent.Visibility))
	}
	return nil
}

// maxGroupText is the longest description of a group, in bytes.
const maxGroupText = 500

// A GroupChange is what to change of a group; nil fields stay as they are.
type GroupChange struct {
	Name        *string
	Path        *string
	Description *string
	Visibility  *ci.Visibility
}

// UpdateGroup changes a group. With a new path, everything below it moves along and
// projects leave redirects. GitLab's Groups API, "Update group attributes". Owners
// only. Errors: ci.KindInvalid for a bad or taken path, and for a visibility that
// is below that of something in the group.
func (e *Engine) UpdateGroup(ctx context.Context, c Caller, group ci.Namespace, change GroupChange) (ci.Namespace, error) {
	if err := e.AuthorizeGroup(ctx, c, group, auth.AdminGroup); err != nil {
		return ci.Namespace{}, err
	}
	e.moves.Lock()
	defer e.moves.Unlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return ci.Namespace{}, err
	}
	defer release()
	group, err = e.view.Namespace(ctx, group.ID)
	if err != nil {
		return ci.Namespace{}, err
	}
	var parent ci.Namespace
	if group.ParentID != 0 {
		if parent, err = e.view.Namespace(ctx, group.ParentID); err != nil {
			return ci.Namespace{}, err
		}
	}
	setTo(&group.Name, change.Name)
	setTo(&group.Path, change.Path)
	setTo(&group.Description, change.Description)
	setTo(&group.Visibility, change.Visibility)
	group.FullPath = strings.TrimPrefix(parent.FullPath+"/"+group.Path, "/")
	if err := checkGroup(group, parent); err != nil {
		return ci.Namespace{}, err
	}
	if err := e.covers(ctx, group); err != nil {
		return ci.Namespace{}, err
	}
	if err := e.store.UpdateGroup(ctx, group); err != nil {
		return ci.Namespace{}, pathTaken(fmt.Errorf("update group %d: %w", group.ID, err))
	}
	return group, nil
}

// covers refuses a visibility that something in the group goes beyond.
func (e *Engine) covers(ctx context.Context, group ci.Namespace) error {
	for _, wider := range []ci.Visibility{ci.Internal, ci.Public} {
		if !wider.Wider(group.Visibility) {
			continue
		}
		_, projects, err := e.view.Projects(ctx, store.ProjectFilter{Admin: true, Namespace: group.ID, Visibility: wider, Limit: 1})
		if err != nil {
			return err
		}
		if projects > 0 {
			return ci.Invalid("visibility_level", fmt.Sprintf("%s is not allowed since this group contains projects with higher visibility.", group.Visibility))
		}
		_, groups, err := e.view.Groups(ctx, store.GroupFilter{Admin: true, ParentID: group.ID, Visibility: wider, Limit: 1})
		if err != nil {
			return err
		}
		if groups > 0 {
			return ci.Invalid("visibility_level", fmt.Sprintf("%s is not allowed since there are sub-groups with higher visibility.", group.Visibility))
		}
	}
	return nil
}

// DeleteGroup removes a group with all groups and projects below it at once; what
// is on disk goes by way of the trash. Owners only. When it fails half-way, the call
// can be made again.
func (e *Engine) DeleteGroup(ctx context.Context, c Caller, group ci.Namespace) error {
	if err := e.AuthorizeGroup(ctx, c, group, auth.AdminGroup); err != nil {
		return err
	}
	return e.deleteGroup(context.WithoutCancel(ctx), group.ID)
}

func (e *Engine) deleteGroup(ctx context.Context, id ci.NamespaceID) error {
	if err := e.deleteProjectsIn(ctx, id); err != nil {
		return err
	}
	if err := e.store.DeleteGroup(ctx, id); err != nil {
		return fmt.Errorf("delete group %d: %w", id, err)
	}
	return nil
}

// FindNamespace finds a group or user namespace by its full path. Errors:
// ci.KindNotFound.
func (e *Engine) FindNamespace(ctx context.Context, fullPath string) (ci.Namespace, error) {
	return e.view.NamespaceByPath(ctx, fullPath)
}

// FindNamespaceByID finds a group or user namespace by id or full path: digits are
// an id. Errors: ci.KindNotFound.
func (e *Engine) FindNamespaceByID(ctx context.Context, idOrPath string) (ci.Namespace, error) {
	if id, err := strconv.ParseInt(idOrPath, 10, 64); err == nil {
		return e.view.Namespace(ctx, ci.NamespaceID(id))
	}
	return e.view.NamespaceByPath(ctx, idOrPath)
}

// FindGroup finds a group by id or full path. Anything that is not there, user
// namespaces included, is "404 Group Not Found".
func (e *Engine) FindGroup(ctx context.Context, idOrPath string) (ci.Namespace, error) {
	group, err := e.FindNamespaceByID(ctx, idOrPath)
	if ci.IsNotFound(err) || err == nil && group.Kind != ci.GroupNamespace {
		return ci.Namespace{}, ci.NotFound("Group")
	}
	return group, err
}

// AuthorizeGroup checks one action of the caller on a group. Errors: "404 Group
// Not Found" when the caller may not know of it, "403 Forbidden" otherwise.
func (e *Engine) AuthorizeGroup(ctx context.Context, c Caller, group ci.Namespace, action auth.Action) error {
	actor := auth.Actor{User: c.User, Scopes: c.Scopes, JobToken: c.Job != nil}
	if !c.Anonymous() {
		// A project of the group that nobody is a member of has the group's roles.
		role, err := e.view.Role(ctx, c.User.ID, ci.Project{NamespaceID: group.ID, NamespaceKind: group.Kind})
		if err != nil {
			return fmt.Errorf("find role of user %d in group %d: %w", c.User.ID, group.ID, err)
		}
		actor.Role = role
	}
	switch auth.AllowGroup(actor, action, group) {
	case auth.Allowed:
		return nil
	case auth.Hidden:
		return ci.NotFound("Group")
	case auth.Denied:
	}
	return ci.Forbidden("")
}
