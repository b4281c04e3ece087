package engine

import (
	"context"
	"errors"
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
	Name       string
	Path       string
	ParentID   ci.NamespaceID
	Visibility ci.Visibility // empty: private
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
	if c.Anonymous() {
		return ci.Namespace{}, ci.Unauthorized()
	}
	fullPath, check := g.Path, checkTopPath
	if g.ParentID != 0 {
		parent, err := e.view.Namespace(ctx, g.ParentID)
		if err != nil {
			return ci.Namespace{}, ci.NotFound("Group")
		}
		if err := e.AuthorizeGroup(ctx, c, parent, auth.CreateSubgroup); err != nil {
			return ci.Namespace{}, err
		}
		fullPath, check = parent.FullPath+"/"+g.Path, checkPathPart
	}
	if err := check(g.Path); err != nil {
		return ci.Namespace{}, err
	}
	if err := checkName(g.Name); err != nil {
		return ci.Namespace{}, err
	}
	now := e.now()
	group, err := e.store.CreateNamespace(ctx, ci.Namespace{
		Kind: ci.GroupNamespace, Name: g.Name, Path: g.Path, FullPath: fullPath, ParentID: g.ParentID, OwnerID: c.User.ID,
		Visibility: ci.Visibility(orText(string(g.Visibility), string(ci.Private))), CreatedAt: now,
	}, &ci.Member{UserID: c.User.ID, Role: ci.Owner, CreatedAt: now})
	var taken *store.Taken
	if errors.As(err, &taken) {
		return ci.Namespace{}, ci.Invalid("path", "has already been taken")
	}
	if err != nil {
		return ci.Namespace{}, fmt.Errorf("create group: %w", err)
	}
	return group, nil
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
