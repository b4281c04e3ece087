package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// protectedBranchShape is GitLab's ProtectedBranch.
type protectedBranchShape struct {
	ID                    int64        `json:"id"`
	Name                  string       `json:"name"`
	PushAccessLevels      []levelShape `json:"push_access_levels"`
	MergeAccessLevels     []levelShape `json:"merge_access_levels"`
	UnprotectAccessLevels []levelShape `json:"unprotect_access_levels"`
	AllowForcePush        bool         `json:"allow_force_push"`
	CodeOwnerApproval     bool         `json:"code_owner_approval_required"`
	Inherited             bool         `json:"inherited"`
}

// protectedTagShape is GitLab's ProtectedTag.
type protectedTagShape struct {
	Name               string       `json:"name"`
	CreateAccessLevels []levelShape `json:"create_access_levels"`
}

// levelShape is one of those who may do something with a protected ref. There is
// one for each action here, so it has the id of its protection.
type levelShape struct {
	ID          int64   `json:"id"`
	AccessLevel ci.Role `json:"access_level"`
	Description string  `json:"access_level_description"`
	DeployKeyID *int64  `json:"deploy_key_id"`
	UserID      *int64  `json:"user_id"`
	GroupID     *int64  `json:"group_id"`
}

func levels(p ci.Protection, role ci.Role) []levelShape {
	return []levelShape{{ID: p.ID, AccessLevel: role, Description: role.String()}}
}

// protectionShape shows a protection as that of a branch or of a tag.
func protectionShape(p ci.Protection) any {
	if p.Tag {
		return protectedTagShape{Name: p.Pattern, CreateAccessLevels: levels(p, p.PushLevel)}
	}
	return protectedBranchShape{
		ID: p.ID, Name: p.Pattern, PushAccessLevels: levels(p, p.PushLevel), MergeAccessLevels: levels(p, p.MergeLevel),
		UnprotectAccessLevels: []levelShape{}, AllowForcePush: p.ForcePush,
	}
}

// level reads the least role for an action: as <action>_access_level or, as GitLab
// Enterprise has it, as a list of those who are allowed to.
func (c *call) level(single, list string, otherwise ci.Role) ci.Role {
	role := readLevel(c.params, single, otherwise)
	for i, entry := range c.params.List(list) {
		name := list + "[" + strconv.Itoa(i) + "]"
		level := entry.Get("access_level")
		switch {
		case entry.Get("user_id") != nil, entry.Get("group_id") != nil, entry.Get("deploy_key_id") != nil:
			c.params.Fail(name, "of a user, group or deploy key is not supported yet")
		case i > 0:
			c.params.Fail(list, "with more than one level is not supported yet")
		case level == nil:
			c.params.Fail(name+"[access_level]", "is missing")
		default:
			role = parseLevel(c.params, name+"[access_level]", level, otherwise)
		}
	}
	return role
}

func readLevel(p *wire.Params, name string, otherwise ci.Role) ci.Role {
	t := p.Get(name)
	if t == nil || t.Kind == wire.Null || t.Text == "" {
		return otherwise
	}
	return parseLevel(p, name, t, otherwise)
}

func parseLevel(p *wire.Params, name string, t *wire.Tree, otherwise ci.Role) ci.Role {
	n, err := strconv.Atoi(strings.TrimSpace(t.Text))
	if err != nil {
		p.Fail(name, "is invalid")
		return otherwise
	}
	switch role := ci.Role(n); role {
	case ci.NoRole, ci.Developer, ci.Maintainer, ci.Admin:
		return role
	case ci.Guest, ci.Planner, ci.Reporter, ci.Owner:
	}
	p.Fail(name, "does not have a valid value")
	return otherwise
}

// listProtections lists the protections of branches or of tags.
func (a *API) listProtections(tag bool) func(*call) error {
	return func(c *call) error {
		page, search := c.params.Page(), strings.ToLower(c.params.String("search"))
		project, err := c.project(auth.AdminProject)
		if err != nil {
			return err
		}
		all, err := a.view.Protections(c.ctx(), project.ID)
		if err != nil {
			return err
		}
		shapes := []any{}
		for _, p := range all {
			if p.Tag == tag && strings.Contains(strings.ToLower(p.Pattern), search) {
				shapes = append(shapes, protectionShape(p))
			}
		}
		return c.page(page, wire.Found{Total: int64(len(shapes))}, part(shapes, page))
	}
}

// getProtection shows one protection.
func (a *API) getProtection(tag bool) func(*call) error {
	return func(c *call) error {
		project, err := c.project(auth.AdminProject)
		if err != nil {
			return err
		}
		p, err := a.engine.Protection(c.ctx(), project.ID, tag, c.r.PathValue("name"))
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, protectionShape(p))
	}
}

// protectBranch protects the branches of a name or pattern.
func (a *API) protectBranch(c *call) error {
	c.params.Require("name")
	return a.protect(c, ci.Protection{
		Pattern:    c.params.String("name"),
		PushLevel:  c.level("push_access_level", "allowed_to_push", ci.Maintainer),
		MergeLevel: c.level("merge_access_level", "allowed_to_merge", ci.Maintainer),
		ForcePush:  c.params.Bool("allow_force_push", false),
	})
}

// protectTag protects the tags of a name or pattern.
func (a *API) protectTag(c *call) error {
	c.params.Require("name")
	return a.protect(c, ci.Protection{
		Tag: true, Pattern: c.params.String("name"), PushLevel: c.level("create_access_level", "allowed_to_create", ci.Maintainer),
	})
}

func (a *API) protect(c *call, p ci.Protection) error {
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	p, err = a.engine.Protect(c.ctx(), c.caller, project, p)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, protectionShape(p))
}

// updateProtectedBranch changes what was sent of a protection.
func (a *API) updateProtectedBranch(c *call) error {
	read := func(p *ci.Protection) {
		p.PushLevel = c.level("push_access_level", "allowed_to_push", p.PushLevel)
		p.MergeLevel = c.level("merge_access_level", "allowed_to_merge", p.MergeLevel)
		p.ForcePush = c.params.Bool("allow_force_push", p.ForcePush)
	}
	read(&ci.Protection{}) // tells what is wrong with them
	project, err := c.project(auth.AdminProject)
	if err != nil {
		return err
	}
	p, err := a.engine.UpdateProtection(c.ctx(), c.caller, project, false, c.r.PathValue("name"), read)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, protectionShape(p))
}

// unprotect removes a protection.
func (a *API) unprotect(tag bool) func(*call) error {
	return func(c *call) error {
		project, err := c.project(auth.AdminProject)
		if err != nil {
			return err
		}
		if err := a.engine.Unprotect(c.ctx(), c.caller, project, tag, c.r.PathValue("name")); err != nil {
			return err
		}
		return wire.NoContent(c.w)
	}
}
