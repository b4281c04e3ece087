package api

import (
	"strconv"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// projectBasic is GitLab's BasicProjectDetails: what anybody who sees a project is
// shown, and what ?simple=true asks for.
type projectBasic struct {
	ID                ci.ProjectID    `json:"id"`
	Description       *string         `json:"description"`
	Name              string          `json:"name"`
	NameWithNamespace string          `json:"name_with_namespace"`
	Path              string          `json:"path"`
	PathWithNamespace string          `json:"path_with_namespace"`
	CreatedAt         stamp           `json:"created_at"`
	DefaultBranch     string          `json:"default_branch"`
	TagList           []string        `json:"tag_list"`
	Topics            []string        `json:"topics"`
	SSHURL            string          `json:"ssh_url_to_repo"`
	HTTPURL           string          `json:"http_url_to_repo"`
	WebURL            string          `json:"web_url"`
	ReadmeURL         *string         `json:"readme_url"`
	ForksCount        int             `json:"forks_count"`
	AvatarURL         *string         `json:"avatar_url"`
	StarCount         int             `json:"star_count"`
	LastActivityAt    stamp           `json:"last_activity_at"`
	Visibility        ci.Visibility   `json:"visibility"`
	Namespace         *namespaceShape `json:"namespace"`
}

// projectShape is GitLab's Project, as far as it says something about what this
// server has. What it does not have is shown as switched off.
type projectShape struct {
	projectBasic
	Links         projectLinks `json:"_links"`
	CreatorID     ci.UserID    `json:"creator_id"`
	Owner         *userBasic   `json:"owner,omitempty"` // of a project that is not a group's
	UpdatedAt     stamp        `json:"updated_at"`
	Archived      bool         `json:"archived"`
	EmptyRepo     bool         `json:"empty_repo"`
	ImportURL     *string      `json:"import_url"`
	ImportType    *string      `json:"import_type"`
	ImportStatus  string       `json:"import_status"`
	ImportError   *string      `json:"import_error"`
	ObjectFormat  string       `json:"repository_object_format"`
	MarkedForDay  *string      `json:"marked_for_deletion_at"`
	MarkedForDate *string      `json:"marked_for_deletion_on"`
	projectFeatures
	projectCI
	Permissions *permissionsShape `json:"permissions,omitempty"` // of the caller
}

// projectFeatures says which parts of GitLab a project has.
type projectFeatures struct {
	IssuesEnabled            bool           `json:"issues_enabled"`
	MergeRequestsEnabled     bool           `json:"merge_requests_enabled"`
	WikiEnabled              bool           `json:"wiki_enabled"`
	JobsEnabled              bool           `json:"jobs_enabled"`
	SnippetsEnabled          bool           `json:"snippets_enabled"`
	ContainerRegistryEnabled bool           `json:"container_registry_enabled"`
	PackagesEnabled          bool           `json:"packages_enabled"`
	LFSEnabled               bool           `json:"lfs_enabled"`
	RequestAccessEnabled     bool           `json:"request_access_enabled"`
	CanCreateMergeRequestIn  bool           `json:"can_create_merge_request_in"`
	RepositoryAccess         ci.AccessLevel `json:"repository_access_level"`
	BuildsAccess             ci.AccessLevel `json:"builds_access_level"`
	IssuesAccess             ci.AccessLevel `json:"issues_access_level"`
	MergeRequestsAccess      ci.AccessLevel `json:"merge_requests_access_level"`
	ForkingAccess            ci.AccessLevel `json:"forking_access_level"`
	WikiAccess               ci.AccessLevel `json:"wiki_access_level"`
	SnippetsAccess           ci.AccessLevel `json:"snippets_access_level"`
	PagesAccess              ci.AccessLevel `json:"pages_access_level"`
	ReleasesAccess           ci.AccessLevel `json:"releases_access_level"`
	EnvironmentsAccess       ci.AccessLevel `json:"environments_access_level"`
	ContainerRegistryAccess  ci.AccessLevel `json:"container_registry_access_level"`
	OpenIssuesCount          int            `json:"open_issues_count"`
	SharedWithGroups         []string       `json:"shared_with_groups"`
}

// projectCI are the settings that a project has here.
type projectCI struct {
	ConfigPath         *string          `json:"ci_config_path"`
	GitDepth           int              `json:"ci_default_git_depth"`
	GitStrategy        string           `json:"build_git_strategy"`
	BuildTimeout       int64            `json:"build_timeout"`
	PublicJobs         bool             `json:"public_jobs"`
	PublicBuilds       bool             `json:"public_builds"` // the older name
	AutoCancelPending  string           `json:"auto_cancel_pending_pipelines"`
	SharedRunners      bool             `json:"shared_runners_enabled"`
	GroupRunners       bool             `json:"group_runners_enabled"`
	VariablesRole      ci.VariablesRole `json:"ci_pipeline_variables_minimum_override_role"`
	RestrictVariables  bool             `json:"restrict_user_defined_variables"`
	OutboundTokenScope bool             `json:"ci_job_token_scope_enabled"`
	RunnersToken       *string          `json:"runners_token"`
	AutoDevOps         bool             `json:"auto_devops_enabled"`
	KeepLatestArtifact bool             `json:"keep_latest_artifact"`
	SeparatedCaches    bool             `json:"ci_separated_caches"`
	ForwardDeployment  bool             `json:"ci_forward_deployment_enabled"`
	PushRepository     bool             `json:"ci_push_repository_for_job_token_allowed"`
}

// projectLinks are the addresses in the API of what a project holds.
type projectLinks struct {
	Self         string `json:"self"`
	RepoBranches string `json:"repo_branches"`
	Members      string `json:"members"`
}

// permissionsShape are the memberships of the caller.
type permissionsShape struct {
	ProjectAccess *accessShape `json:"project_access"`
	GroupAccess   *accessShape `json:"group_access"`
}

type accessShape struct {
	AccessLevel       ci.Role `json:"access_level"`
	NotificationLevel int     `json:"notification_level"`
}

// notifyByDefault is GitLab's level of notifications for "as set for the account".
const notifyByDefault = 3

// projectBasic shows a project in brief.
func (c *call) projectBasic(p ci.Project, namespaces *namespaceReader) (projectBasic, error) {
	a := c.api
	namespace, err := namespaces.get(p.NamespaceID)
	if err != nil {
		return projectBasic{}, err
	}
	within, err := namespaces.fullName(namespace)
	if err != nil {
		return projectBasic{}, err
	}
	shape := a.namespaceShape(namespace)
	return projectBasic{
		ID: p.ID, Description: orNull(p.Description), Name: p.Name, NameWithNamespace: within + " / " + p.Name,
		Path: p.Path, PathWithNamespace: p.FullPath, CreatedAt: stamp(p.CreatedAt), DefaultBranch: p.DefaultBranch,
		TagList: []string{}, Topics: []string{}, HTTPURL: a.urls.Clone(p.FullPath), WebURL: a.urls.Project(p.FullPath),
		LastActivityAt: stamp(p.UpdatedAt), Visibility: p.Visibility, Namespace: &shape,
	}, nil
}

// projectShape shows a project in full.
func (c *call) projectShape(p ci.Project, namespaces *namespaceReader) (projectShape, error) {
	basic, err := c.projectBasic(p, namespaces)
	if err != nil {
		return projectShape{}, err
	}
	self := c.api.urls.API() + "/projects/" + strconv.FormatInt(int64(p.ID), 10)
	shape := projectShape{
		projectBasic: basic,
		Links:        projectLinks{Self: self, RepoBranches: self + "/repository/branches", Members: self + "/members"},
		CreatorID:    p.CreatorID, UpdatedAt: stamp(p.UpdatedAt), Archived: p.Archived, ImportStatus: "none", ObjectFormat: "sha1",
		projectFeatures: featuresOf(p), projectCI: settingsOf(p),
	}
	if shape.EmptyRepo, err = c.emptyRepository(p); err != nil {
		return projectShape{}, err
	}
	if shape.Owner, err = c.ownerOf(p, namespaces); err != nil {
		return projectShape{}, err
	}
	shape.Permissions, err = c.permissions(p)
	return shape, err
}

func featuresOf(p ci.Project) projectFeatures {
	const off = ci.AccessDisabled
	return projectFeatures{
		JobsEnabled: p.BuildsAccess != off, RepositoryAccess: ci.AccessEnabled, BuildsAccess: p.BuildsAccess,
		IssuesAccess: off, MergeRequestsAccess: off, ForkingAccess: off, WikiAccess: off, SnippetsAccess: off, PagesAccess: off,
		ReleasesAccess: off, EnvironmentsAccess: off, ContainerRegistryAccess: off, SharedWithGroups: []string{},
	}
}

func settingsOf(p ci.Project) projectCI {
	autoCancel := "disabled"
	if p.AutoCancelPending {
		autoCancel = "enabled"
	}
	return projectCI{
		ConfigPath: orNull(p.ConfigPath), GitDepth: p.GitDepth, GitStrategy: "fetch", BuildTimeout: p.BuildTimeout,
		PublicJobs: p.PublicJobs, PublicBuilds: p.PublicJobs, AutoCancelPending: autoCancel, SharedRunners: p.SharedRunners, GroupRunners: true,
		VariablesRole: p.VariablesRole, RestrictVariables: p.VariablesRole != ci.VariablesDeveloper,
		SeparatedCaches: true, ForwardDeployment: true,
	}
}

// emptyRepository reports whether a project has no branch.
func (c *call) emptyRepository(p ci.Project) (bool, error) {
	_, err := c.api.view.Ref(c.ctx(), p.ID, ci.BranchPrefix+p.DefaultBranch)
	if !ci.IsNotFound(err) {
		return false, err
	}
	branches, err := c.api.view.Refs(c.ctx(), p.ID, ci.BranchPrefix)
	return len(branches) == 0, err
}

// ownerOf is who a project belongs to that is in nobody's group.
func (c *call) ownerOf(p ci.Project, namespaces *namespaceReader) (*userBasic, error) {
	if p.NamespaceKind != ci.UserNamespace {
		return nil, nil //nolint:nilnil // the shape leaves it out
	}
	namespace, err := namespaces.get(p.NamespaceID)
	if err != nil {
		return nil, err
	}
	owner, err := c.api.view.User(c.ctx(), namespace.OwnerID)
	if err != nil {
		return nil, err
	}
	return c.api.userBasic(owner), nil
}

// permissions are the caller's memberships of a project and of its groups.
func (c *call) permissions(p ci.Project) (*permissionsShape, error) {
	if c.caller.Anonymous() {
		return nil, nil //nolint:nilnil // the shape leaves it out
	}
	var shape permissionsShape
	member, err := c.api.view.Member(c.ctx(), c.caller.User.ID, p.ID, 0)
	switch {
	case err == nil && (member.ExpiresAt.IsZero() || member.ExpiresAt.After(c.api.now())):
		shape.ProjectAccess = &accessShape{member.Role, notifyByDefault}
	case err != nil && !ci.IsNotFound(err):
		return nil, err
	}
	if p.NamespaceKind != ci.GroupNamespace {
		return &shape, nil
	}
	role, err := c.api.view.Role(c.ctx(), c.caller.User.ID, ci.Project{NamespaceID: p.NamespaceID, NamespaceKind: p.NamespaceKind})
	if err == nil && role != ci.NoRole {
		shape.GroupAccess = &accessShape{role, notifyByDefault}
	}
	return &shape, err
}
