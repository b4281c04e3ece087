package ci

import (
	"strings"
	"time"
)

// Visibility says who may see a project or group without being a member.
type Visibility string

// The visibilities. Internal means: every signed-in user.
const (
	Private  Visibility = "private"
	Internal Visibility = "internal"
	Public   Visibility = "public"
)

// Wider reports whether more people see v than see other.
func (v Visibility) Wider(other Visibility) bool { return v.width() > other.width() }

func (v Visibility) width() int {
	switch v {
	case Public:
		return 2
	case Internal:
		return 1
	case Private:
	}
	return 0
}

// DefaultConfigPath is where a project's pipeline configuration is looked for.
const DefaultConfigPath = ".gitlab-ci.yml"

// A Project is a repository with its pipelines and settings. Its attributes
// carry the names of GitLab's projects API (design/interface.md).
type Project struct {
	ID            ProjectID
	NamespaceID   NamespaceID
	NamespaceKind NamespaceKind
	Name          string
	Path          string
	FullPath      string // "group/path"
	Description   string
	Visibility    Visibility
	DefaultBranch string
	CreatorID     UserID
	CreatedAt     time.Time
	UpdatedAt     time.Time
	Archived      bool
	ProjectSettings
}

// ProjectSettings are the CI/CD settings of a project, kept as one document.
type ProjectSettings struct {
	ConfigPath        string        `json:"ci_config_path"`      // empty: DefaultConfigPath
	BuildsAccess      AccessLevel   `json:"builds_access_level"` // enabled, private or disabled
	PublicJobs        bool          `json:"public_jobs"`
	VariablesRole     VariablesRole `json:"ci_pipeline_variables_minimum_override_role"`
	GitDepth          int           `json:"ci_default_git_depth"` // 0: whole history
	BuildTimeout      int64         `json:"build_timeout"`        // seconds
	AutoCancelPending bool          `json:"auto_cancel_pending_pipelines"`
	SharedRunners     bool          `json:"shared_runners_enabled"`
	InboundTokenScope bool          `json:"ci_inbound_job_token_scope_enabled"`
}

// DefaultProjectSettings are those of a new project here (design/interface.md).
func DefaultProjectSettings() ProjectSettings {
	return ProjectSettings{
		BuildsAccess: AccessEnabled, PublicJobs: true, VariablesRole: VariablesDeveloper,
		GitDepth: 20, BuildTimeout: 3600, AutoCancelPending: true, SharedRunners: true, InboundTokenScope: true,
	}
}

// Config gives the path of the configuration file in the repository.
func (p Project) Config() string {
	if p.ConfigPath == "" {
		return DefaultConfigPath
	}
	return p.ConfigPath
}

// NamespacePath is the full path without the project's own part.
func (p Project) NamespacePath() string {
	path, _, _ := cutLast(p.FullPath, "/")
	return path
}

// RootNamespace is the first part of the full path.
func (p Project) RootNamespace() string {
	root, _, _ := strings.Cut(p.FullPath, "/")
	return root
}

// AccessLevel says who may use a feature of a project.
type AccessLevel string

// The access levels of a feature.
const (
	AccessEnabled  AccessLevel = "enabled"  // everyone who sees the project
	AccessPrivate  AccessLevel = "private"  // members only
	AccessDisabled AccessLevel = "disabled" // nobody
)

// VariablesRole is the least role that may set pipeline variables
// (contract/trigger-api.md 4.6).
type VariablesRole string

// The values of ci_pipeline_variables_minimum_override_role.
const (
	VariablesNobody     VariablesRole = "no_one_allowed"
	VariablesDeveloper  VariablesRole = "developer"
	VariablesMaintainer VariablesRole = "maintainer"
	VariablesOwner      VariablesRole = "owner"
)

// cutLast cuts s at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
