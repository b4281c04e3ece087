package engine

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
)

// ServerVersion is the version of GitLab that this server claims, so that clients
// and scripts know how to talk to it (design/interface.md).
const ServerVersion = "18.5.0"

// earlyVariables lists the variables that include may use: those known before the
// configuration is read (contract/trigger-api.md 7, phase pre).
func (e *Engine) earlyVariables(d *pipelineDraft) []ciyaml.Variable {
	list := make([]ciyaml.Variable, 0, 72)
	list = appendYAML(list, e.server)
	list = appendYAML(list, e.projectVariables(d.Project))
	list = appendYAML(list, commitVariables(d.pipeline, d.commit, d.tagMessage))
	return appendYAML(list, e.pipelineVariables(d.Project, d.pipeline))
}

// serverVariables are the same for every job of this server.
func serverVariables(urls URLs) []ci.Variable {
	root := urls.Base()
	list := []ci.Variable{
		{Key: "CI", Value: "true"}, {Key: "GITLAB_CI", Value: "true"}, {Key: "GITLAB_FEATURES"},
		{Key: "CI_SERVER_NAME", Value: "GitLab"}, {Key: "CI_SERVER_URL", Value: root},
		{Key: "CI_SERVER_VERSION", Value: ServerVersion}, {Key: "CI_SERVER_REVISION", Value: "lanyard"},
		{Key: "CI_API_V4_URL", Value: root + "/api/v4"}, {Key: "CI_API_GRAPHQL_URL", Value: root + "/api/graphql"},
		{Key: "CI_TEMPLATE_REGISTRY_HOST", Value: "registry.gitlab.com"},
	}
	version := strings.SplitN(ServerVersion, ".", 3)
	list = append(list,
		ci.Variable{Key: "CI_SERVER_VERSION_MAJOR", Value: version[0]},
		ci.Variable{Key: "CI_SERVER_VERSION_MINOR", Value: version[1]},
		ci.Variable{Key: "CI_SERVER_VERSION_PATCH", Value: version[2]})
	u, err := url.Parse(root)
	if err != nil { // the daemon checked the external URL
		return list
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return append(list,
		ci.Variable{Key: "CI_SERVER_HOST", Value: u.Hostname()}, ci.Variable{Key: "CI_SERVER_FQDN", Value: u.Host},
		ci.Variable{Key: "CI_SERVER_SHELL_SSH_HOST", Value: u.Hostname()}, ci.Variable{Key: "CI_SERVER_SHELL_SSH_PORT", Value: "22"},
		ci.Variable{Key: "CI_SERVER_PORT", Value: port}, ci.Variable{Key: "CI_SERVER_PROTOCOL", Value: u.Scheme})
}

// serverHost is the server as addresses of components name it.
func serverHost(urls URLs) string {
	u, err := url.Parse(urls.Base())
	if err != nil { // the daemon checked the external URL
		return ""
	}
	return u.Host
}

// projectVariables describe the project.
func (e *Engine) projectVariables(p ci.Project) []ci.Variable {
	return []ci.Variable{
		{Key: "CI_PROJECT_ID", Value: strconv.FormatInt(int64(p.ID), 10)},
		{Key: "CI_PROJECT_NAME", Value: p.Path}, {Key: "CI_PROJECT_TITLE", Value: p.Name},
		{Key: "CI_PROJECT_DESCRIPTION", Value: p.Description}, {Key: "CI_PROJECT_PATH", Value: p.FullPath},
		{Key: "CI_PROJECT_PATH_SLUG", Value: slug(p.FullPath)}, {Key: "CI_PROJECT_NAMESPACE", Value: p.NamespacePath()},
		{Key: "CI_PROJECT_NAMESPACE_SLUG", Value: slug(p.NamespacePath())},
		{Key: "CI_PROJECT_NAMESPACE_ID", Value: strconv.FormatInt(int64(p.NamespaceID), 10)},
		{Key: "CI_PROJECT_ROOT_NAMESPACE", Value: p.RootNamespace()}, {Key: "CI_PROJECT_URL", Value: e.urls.Project(p.FullPath)},
		{Key: "CI_PROJECT_VISIBILITY", Value: string(p.Visibility)}, {Key: "CI_PROJECT_REPOSITORY_LANGUAGES"},
		{Key: "CI_PROJECT_CLASSIFICATION_LABEL"}, {Key: "CI_DEFAULT_BRANCH", Value: p.DefaultBranch},
		{Key: "CI_CONFIG_PATH", Value: p.Config()},
	}
}

// commitVariables describe the commit and the ref. What people write freely is
// raw: a dollar sign in it stands for itself.
func commitVariables(p ci.Pipeline, c commitInfo, tagMessage string) []ci.Variable {
	list := []ci.Variable{
		{Key: "CI_COMMIT_SHA", Value: p.SHA}, {Key: "CI_COMMIT_SHORT_SHA", Value: p.SHA[:min(8, len(p.SHA))]},
		{Key: "CI_COMMIT_BEFORE_SHA", Value: p.BeforeSHA}, {Key: "CI_COMMIT_REF_NAME", Value: p.Ref},
		{Key: "CI_COMMIT_REF_SLUG", Value: slug(p.Ref)}, {Key: "CI_COMMIT_REF_PROTECTED", Value: strconv.FormatBool(p.Protected)},
		{Key: "CI_COMMIT_MESSAGE", Value: c.Message, Raw: true},
		{Key: "CI_COMMIT_MESSAGE_IS_TRUNCATED", Value: strconv.FormatBool(c.Truncated)},
		{Key: "CI_COMMIT_TITLE", Value: c.Title, Raw: true}, {Key: "CI_COMMIT_DESCRIPTION", Value: c.Description, Raw: true},
		{Key: "CI_COMMIT_TIMESTAMP", Value: c.Timestamp.Format(time.RFC3339)}, {Key: "CI_COMMIT_AUTHOR", Value: c.Author, Raw: true},
	}
	if c.Login != "" {
		list = append(list, ci.Variable{Key: "CI_COMMIT_USER_LOGIN", Value: c.Login})
	}
	if p.Tag {
		return append(list, ci.Variable{Key: "CI_COMMIT_TAG", Value: p.Ref},
			ci.Variable{Key: "CI_COMMIT_TAG_MESSAGE", Value: tagMessage, Raw: true})
	}
	return append(list, ci.Variable{Key: "CI_COMMIT_BRANCH", Value: p.Ref})
}

// pipelineVariables describe the pipeline, as far as it is known before its row
// is written.
func (e *Engine) pipelineVariables(project ci.Project, p ci.Pipeline) []ci.Variable {
	prefix := ci.BranchPrefix
	if p.Tag {
		prefix = ci.TagPrefix
	}
	_, address, _ := strings.Cut(e.urls.Base(), "://")
	return []ci.Variable{
		{Key: "CI_PIPELINE_SOURCE", Value: string(p.Source)},
		{Key: "CI_PIPELINE_CREATED_AT", Value: p.CreatedAt.UTC().Format(time.RFC3339)},
		{Key: "CI_PIPELINE_NAME", Value: p.Name, Raw: true},
		{Key: "CI_CONFIG_REF_URI", Value: address + "/" + project.FullPath + "//" + project.Config() + "@" + prefix + p.Ref},
	}
}

// triggerVariables say that a trigger token made the pipeline, and which one, by
// the characters of it that everybody may see; without a token they are not set at
// all (contract/trigger-api.md 7, phase pipe).
func triggerVariables(triggered bool, short string) []ci.Variable {
	switch {
	case !triggered:
		return nil
	case short == "": // the token was removed since
		return []ci.Variable{{Key: "CI_PIPELINE_TRIGGERED", Value: "true"}}
	}
	return []ci.Variable{{Key: "CI_PIPELINE_TRIGGERED", Value: "true"}, {Key: "CI_TRIGGER_SHORT_TOKEN", Value: short}}
}

// userVariables are those of the user the pipeline runs as. They beat YAML
// variables (contract/ci-yaml.md 5.1).
func userVariables(u ci.User) []ci.Variable {
	return []ci.Variable{
		{Key: "GITLAB_USER_ID", Value: strconv.FormatInt(int64(u.ID), 10)}, {Key: "GITLAB_USER_EMAIL", Value: u.Email},
		{Key: "GITLAB_USER_LOGIN", Value: u.Username}, {Key: "GITLAB_USER_NAME", Value: u.Name},
	}
}

// slug makes a name fit for host names: lower case, at most 63 of [a-z0-9-], no
// hyphen at the edges.
func slug(name string) string {
	out := make([]byte, 0, 63)
	for _, r := range strings.ToLower(name) {
		if len(out) == 63 {
			break
		}
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			r = '-'
		}
		out = append(out, byte(r))
	}
	return strings.Trim(string(out), "-")
}
