package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// groupShape is GitLab's Group. What this server does not have is shown as
// switched off.
type groupShape struct {
	ID                      ci.NamespaceID `json:"id"`
	WebURL                  string         `json:"web_url"`
	Name                    string         `json:"name"`
	Path                    string         `json:"path"`
	Description             string         `json:"description"`
	Visibility              ci.Visibility  `json:"visibility"`
	ShareWithGroupLock      bool           `json:"share_with_group_lock"`
	RequireTwoFactor        bool           `json:"require_two_factor_authentication"`
	TwoFactorGracePeriod    int            `json:"two_factor_grace_period"`
	ProjectCreationLevel    string         `json:"project_creation_level"`
	SubgroupCreationLevel   string         `json:"subgroup_creation_level"`
	AutoDevOpsEnabled       *bool          `json:"auto_devops_enabled"`
	EmailsEnabled           bool           `json:"emails_enabled"`
	MentionsDisabled        *bool          `json:"mentions_disabled"`
	LFSEnabled              bool           `json:"lfs_enabled"`
	DefaultBranch           *string        `json:"default_branch"`
	DefaultBranchProtection int            `json:"default_branch_protection"`
	AvatarURL               *string        `json:"avatar_url"`
	RequestAccessEnabled    bool           `json:"request_access_enabled"`
	FullName                string         `json:"full_name"`
	FullPath                string         `json:"full_path"`
	CreatedAt               stamp          `json:"created_at"`
	ParentID                *int64         `json:"parent_id"`
	Archived                bool           `json:"archived"`
	SharedRunnersSetting    string         `json:"shared_runners_setting"`
	MarkedForDeletionOn     *string        `json:"marked_for_deletion_on"`
	SharedWithGroups        []string       `json:"shared_with_groups"`
}

func (c *call) groupShape(n ci.Namespace, namespaces *namespaceReader) (groupShape, error) {
	fullName, err := namespaces.fullName(n)
	return groupShape{
		ID: n.ID, WebURL: c.api.namespaceURL(n), Name: n.Name, Path: n.Path, Description: n.Description, Visibility: n.Visibility,
		ProjectCreationLevel: "developer", SubgroupCreationLevel: "maintainer", TwoFactorGracePeriod: 48, EmailsEnabled: true,
		FullName: fullName, FullPath: n.FullPath, CreatedAt: stamp(n.CreatedAt), ParentID: orNoID(n.ParentID),
		SharedRunnersSetting: "enabled", SharedWithGroups: []string{},
	}, err
}

// group is begin, then finds the group that the path names and checks that the
// caller may do something with it; without an action, that they may know of it.
func (c *call) group(actions ...auth.Action) (ci.Namespace, error) {
	if err := c.begin(); err != nil {
		return ci.Namespace{}, err
	}
	group, err := c.api.engine.FindGroup(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return ci.Namespace{}, err
	}
	for _, action := range append([]auth.Action{auth.ReadGroup}, actions...) {
		if err := c.api.engine.AuthorizeGroup(c.ctx(), c.caller, group, action); err != nil {
			return ci.Namespace{}, err
		}
	}
	return group, nil
}

// showGroup answers with a group.
func (c *call) showGroup(status int, n ci.Namespace) error {
	shape, err := c.groupShape(n, c.namespaces())
	if err != nil {
		return err
	}
	return c.json(status, shape)
}

// getGroup shows a group.
func (a *API) getGroup(c *call) error {
	group, err := c.group()
	if err != nil {
		return err
	}
	return c.showGroup(http.StatusOK, group)
}

// createGroup makes a group or, with parent_id, a subgroup.
func (a *API) createGroup(c *call) error {
	c.params.Require("name", "path")
	n := engine.NewGroup{
		Name: c.params.String("name"), Path: c.params.String("path"), ParentID: ci.NamespaceID(c.params.Int("parent_id", 0)),
		Description: c.params.String("description"), Visibility: visibility(c.params),
	}
	if err := c.begin(); err != nil {
		return err
	}
	group, err := a.engine.CreateGroup(c.ctx(), c.caller, n)
	if err != nil {
		return err
	}
	return c.showGroup(http.StatusCreated, group)
}

// updateGroup changes what was sent of a group.
func (a *API) updateGroup(c *call) error {
	change := engine.GroupChange{Name: c.sent("name"), Path: c.sent("path"), Description: c.sent("description")}
	if v := visibility(c.params); v != "" {
		change.Visibility = &v
	}
	group, err := c.group(auth.AdminGroup)
	if err != nil {
		return err
	}
	if group, err = a.engine.UpdateGroup(c.ctx(), c.caller, group, change); err != nil {
		return err
	}
	return c.showGroup(http.StatusOK, group)
}

// deleteGroup removes a group with all that is in it.
func (a *API) deleteGroup(c *call) error {
	group, err := c.group(auth.AdminGroup)
	if err != nil {
		return err
	}
	if err := a.engine.DeleteGroup(c.ctx(), c.caller, group); err != nil {
		return err
	}
	return c.accepted()
}
