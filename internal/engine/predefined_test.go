package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// Phases of contract/trigger-api.md 7: from where on a variable is there.
const (
	pre  = 1 // include
	pipe = 2 // rules and tags of jobs
	job  = 3 // the running job
)

// A predefined is one row of that section.
type predefined struct {
	phase int
	value string
}

// zeros is the commit before the first.
const zeros = "0000000000000000000000000000000000000000"

// table is what contract/trigger-api.md 7 promises for a pipeline of the scene, but
// for what tells the ways in which a pipeline is made from one another.
func table(s *scene, p ci.Pipeline, user ci.User) map[string]predefined {
	id, project := fmt.Sprint(p.ID), fmt.Sprint(s.project.ID)
	home := "https://ci.example.com/" + s.project.FullPath
	return map[string]predefined{
		"CI": {pre, "true"}, "GITLAB_CI": {pre, "true"}, "GITLAB_FEATURES": {pre, ""},
		"CI_SERVER_URL": {pre, "https://ci.example.com"}, "CI_SERVER_HOST": {pre, "ci.example.com"}, "CI_SERVER_PORT": {pre, "443"},
		"CI_SERVER_SHELL_SSH_HOST": {pre, "ci.example.com"}, "CI_SERVER_SHELL_SSH_PORT": {pre, "22"},
		"CI_SERVER_PROTOCOL": {pre, "https"}, "CI_SERVER_FQDN": {pre, "ci.example.com"}, "CI_SERVER_NAME": {pre, "GitLab"},
		"CI_SERVER_VERSION": {pre, "18.5.0"}, "CI_SERVER_VERSION_MAJOR": {pre, "18"}, "CI_SERVER_VERSION_MINOR": {pre, "5"},
		"CI_SERVER_VERSION_PATCH": {pre, "0"}, "CI_SERVER_REVISION": {pre, "lanyard"}, "CI_SERVER": {job, "yes"},
		"CI_API_V4_URL": {pre, "https://ci.example.com/api/v4"}, "CI_API_GRAPHQL_URL": {pre, "https://ci.example.com/api/graphql"},
		"CI_TEMPLATE_REGISTRY_HOST": {pre, "registry.gitlab.com"},

		"CI_PROJECT_ID": {pre, project}, "CI_PROJECT_NAME": {pre, "hello-world"}, "CI_PROJECT_TITLE": {pre, "Hello, World"},
		"CI_PROJECT_DESCRIPTION": {pre, "Says hello"}, "CI_PROJECT_PATH": {pre, "tools/hello-world"}, "CI_PROJECT_PATH_SLUG": {pre, "tools-hello-world"},
		"CI_PROJECT_NAMESPACE": {pre, "tools"}, "CI_PROJECT_NAMESPACE_SLUG": {pre, "tools"},
		"CI_PROJECT_NAMESPACE_ID": {pre, fmt.Sprint(s.project.NamespaceID)}, "CI_PROJECT_ROOT_NAMESPACE": {pre, "tools"},
		"CI_PROJECT_URL": {pre, home}, "CI_PROJECT_VISIBILITY": {pre, "private"}, "CI_PROJECT_REPOSITORY_LANGUAGES": {pre, ""},
		"CI_PROJECT_CLASSIFICATION_LABEL": {pre, ""}, "CI_DEFAULT_BRANCH": {pre, "main"}, "CI_CONFIG_PATH": {pre, ".gitlab-ci.yml"},

		"CI_COMMIT_SHA": {pre, p.SHA}, "CI_COMMIT_SHORT_SHA": {pre, p.SHA[:8]}, "CI_COMMIT_BEFORE_SHA": {pre, zeros},
		"CI_COMMIT_MESSAGE": {pre, "A title\n\nWhat $HOME means\n"}, "CI_COMMIT_MESSAGE_IS_TRUNCATED": {pre, "false"},
		"CI_COMMIT_TITLE": {pre, "A title"}, "CI_COMMIT_DESCRIPTION": {pre, "What $HOME means\n"},
		"CI_COMMIT_TIMESTAMP": {pre, "2026-01-02T03:04:05Z"}, "CI_COMMIT_AUTHOR": {pre, "Ann <ann@example.com>"},

		"CI_PIPELINE_CREATED_AT": {pre, "2026-01-02T03:04:05Z"}, "CI_PIPELINE_NAME": {pre, ""},
		"CI_PIPELINE_ID": {job, id}, "CI_PIPELINE_IID": {pipe, fmt.Sprint(p.IID)}, "CI_PIPELINE_URL": {job, home + "/-/pipelines/" + id},

		"GITLAB_USER_ID": {pipe, fmt.Sprint(user.ID)}, "GITLAB_USER_EMAIL": {pipe, user.Email},
		"GITLAB_USER_LOGIN": {pipe, user.Username}, "GITLAB_USER_NAME": {pipe, user.Name},

		"CI_JOB_NAME": {pipe, "build all: [linux]"}, "CI_JOB_NAME_SLUG": {pipe, "build-all---linux"}, "CI_JOB_GROUP_NAME": {pipe, "build all"},
		"CI_JOB_STAGE": {pipe, "build"}, "CI_JOB_IMAGE": {pipe, "alpine:3"}, "CI_NODE_TOTAL": {pipe, "1"}, "CI_NODE_INDEX": {pipe, "1"},
		"CI_JOB_STARTED_AT": {job, "2026-01-02T03:04:05Z"}, "CI_JOB_TIMEOUT": {job, "3600"}, "CI_REGISTRY_USER": {job, "gitlab-ci-token"},
	}
}

// everything names each variable, so that what it is can be read from an error text
// and from a tag.
func everything(names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s=<$%s>", name, name)
	}
	return b.String()
}

// readBack finds the values in a text that everything became. What was not replaced
// is left out.
func readBack(text string) map[string]string {
	values := map[string]string{}
	for part := range strings.SplitSeq(text, ">") {
		name, value, ok := strings.Cut(part, "=<")
		if ok && value != "$"+name {
			values[name] = value
		}
	}
	return values
}

// checkTable compares what include, job rules and a job see with the table. Nothing
// but the given variables may be there beside it.
func checkTable(t *testing.T, what string, want map[string]predefined, phase int, got map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, set := got[name]
		switch row := want[name]; {
		case row.phase > phase && value != "":
			t.Errorf("%s: %s is %q before its time", what, name, value)
		case row.phase <= phase && (value != strings.ReplaceAll(row.value, ">", "") && value != row.value || !set):
			t.Errorf("%s: %s: got %q (set: %v), want %q", what, name, value, set, row.value)
		}
	}
	for name := range got {
		if _, known := want[name]; !known && phase == job {
			t.Errorf("%s: %s is not in the table", what, name)
		}
	}
}

// A seer shows a scene's variables at each phase.
type seer struct {
	*scene
	names []string
	tag   string
}

// newSeer makes a scene whose configuration shows all names.
func newSeer(t *testing.T, names []string) *seer {
	t.Helper()
	w := enginetest.New(t, enginetest.Config{})
	s := &seer{names: names, tag: everything(names)}
	s.scene = &scene{World: w, t: t, project: w.ProjectIn(w.Group("tools").ID, "hello-world")}
	s.set(func(p *ci.Project) { p.Name, p.Description = "Hello, World", "Says hello" })
	w.Commit(s.project, "main", "A title\n\nWhat $HOME means\n", ".gitlab-ci.yml", fmt.Sprintf(`
build all:
  stage: build
  image: alpine:3
  tags: [%q]
  script: x
  parallel: {matrix: [{OS: linux}]}
`, s.tag), "show.yml", fmt.Sprintf("include: %q\n", s.tag+".yml"))
	s.Protect(s.project, "release/*", false, ci.Developer)
	s.owner = w.Someone(s.project, ci.Developer)
	s.token = w.TriggerToken(s.project, s.owner)
	return s
}

// see triggers a pipeline and gives what each phase sees, and the job.
func (s *seer) see(token, ref string, variables ...string) (early, inRules, inJob map[string]string, a *engine.Assignment) {
	s.t.Helper()
	s.set(func(p *ci.Project) { p.ConfigPath = "show.yml" })
	_, err := s.Trigger(s.project, token, ref, variables...)
	text := strings.TrimPrefix(enginetest.Text(err), "unprocessable: Local file `")
	early = readBack(text)
	early["CI_CONFIG_PATH"] = strings.Replace(early["CI_CONFIG_PATH"], "show.yml", ".gitlab-ci.yml", 1)
	early["CI_CONFIG_REF_URI"] = strings.Replace(early["CI_CONFIG_REF_URI"], "show.yml", ".gitlab-ci.yml", 1)
	s.set(func(p *ci.Project) { p.ConfigPath = "" })
	p := s.Started(s.project, token, ref, variables...)
	tag := s.Snapshot(p.ID).Jobs[0].Tags[0]
	inRules = readBack(tag)
	a = s.Runner(tag).Take()
	enginetest.Equal(s.t, "pipeline of the job", a.Pipeline.ID, p.ID)
	inJob = map[string]string{}
	for _, v := range a.Variables {
		inJob[v.Key] = v.Value
	}
	return early, inRules, inJob, a
}

// allNames are those of the table and what belongs to one way or another only.
func allNames() []string {
	names := slices.Collect(maps.Keys(table(&scene{}, ci.Pipeline{SHA: zeros}, ci.User{})))
	names = append(names, "CI_PIPELINE_SOURCE", "CI_PIPELINE_TRIGGERED", "CI_TRIGGER_SHORT_TOKEN", "CI_COMMIT_REF_NAME", "CI_COMMIT_REF_SLUG",
		"CI_COMMIT_REF_PROTECTED", "CI_COMMIT_BRANCH", "CI_COMMIT_TAG", "CI_COMMIT_TAG_MESSAGE", "CI_CONFIG_REF_URI", "COLOR", "OS", "TRIGGER_PAYLOAD",
		"CI_UPSTREAM_PIPELINE_ID", "CI_UPSTREAM_PROJECT_ID", "CI_UPSTREAM_JOB_ID", "CI_JOB_MANUAL", "CI_JOB_ID", "CI_JOB_TOKEN")
	slices.Sort(names)
	return names
}

// own adds what depends on the job and on its runner.
func own(s *scene, want map[string]predefined, a *engine.Assignment) {
	id := fmt.Sprint(a.Job.ID)
	url := "https://ci.example.com/" + s.project.FullPath
	for name, value := range map[string]string{
		"CI_JOB_ID": id, "CI_JOB_URL": url + "/-/jobs/" + id, "CI_JOB_TOKEN": a.Token, "CI_REGISTRY_PASSWORD": a.Token,
		"CI_REPOSITORY_URL": "https://gitlab-ci-token:" + a.Token + "@ci.example.com/" + s.project.FullPath + ".git",
		"CI_RUNNER_ID":      fmt.Sprint(a.Runner.ID), "CI_RUNNER_DESCRIPTION": a.Runner.Description,
		"CI_RUNNER_TAGS": fmt.Sprintf("[%q]", strings.Join(a.Runner.Tags, `", "`)), "CI_RUNNER_SHORT_TOKEN": "shor",
	} {
		want[name] = predefined{job, value}
	}
}

func TestPredefinedVariables(t *testing.T) {
	s := newSeer(t, allNames())
	s.Commit(s.project, "release/Größe_1", "A title\n\nWhat $HOME means\n", "file", "content")
	s.Tag(s.project, "v1.0", "main", "First release\n\nIt costs $5\n")
	up := enginetest.Must(s.Engine.CreateProject(t.Context(), s.Root, engine.NewProject{Path: "up"}))(t)
	s.Commit(up, "main", "Up", ".gitlab-ci.yml", simple)
	s.Member(s.owner, up, ci.Developer)
	enginetest.Check(t, s.Store.AllowJobToken(t.Context(), s.project.ID, up.ID, 0))
	s.Started(up, s.TriggerToken(up, s.owner), "main")
	upstream := s.Runner().Take()
	short := strings.TrimPrefix(s.token, "glptt-")[:4]
	triggered := map[string]predefined{
		"CI_PIPELINE_SOURCE": {pre, "trigger"}, "CI_PIPELINE_TRIGGERED": {pipe, "true"}, "CI_TRIGGER_SHORT_TOKEN": {pipe, short},
	}
	for _, test := range []struct {
		name, token, ref string
		want             []map[string]predefined
	}{
		{"trigger token, branch", s.token, "main", []map[string]predefined{triggered, {
			"CI_COMMIT_REF_NAME": {pre, "main"}, "CI_COMMIT_REF_SLUG": {pre, "main"}, "CI_COMMIT_REF_PROTECTED": {pre, "false"},
			"CI_COMMIT_BRANCH":  {pre, "main"},
			"CI_CONFIG_REF_URI": {pre, "ci.example.com/tools/hello-world//.gitlab-ci.yml@refs/heads/main"},
		}}},
		{"trigger token, protected branch", s.token, "release/Größe_1", []map[string]predefined{triggered, {
			"CI_COMMIT_REF_NAME": {pre, "release/Größe_1"}, "CI_COMMIT_REF_SLUG": {pre, "release-gr--e-1"}, "CI_COMMIT_REF_PROTECTED": {pre, "true"},
			"CI_COMMIT_BRANCH":  {pre, "release/Größe_1"},
			"CI_CONFIG_REF_URI": {pre, "ci.example.com/tools/hello-world//.gitlab-ci.yml@refs/heads/release/Größe_1"},
		}}},
		{"trigger token, tag", s.token, "v1.0", []map[string]predefined{triggered, {
			"CI_COMMIT_REF_NAME": {pre, "v1.0"}, "CI_COMMIT_REF_SLUG": {pre, "v1-0"}, "CI_COMMIT_REF_PROTECTED": {pre, "false"},
			"CI_COMMIT_TAG": {pre, "v1.0"}, "CI_COMMIT_TAG_MESSAGE": {pre, "First release\n\nIt costs $5"},
			"CI_CONFIG_REF_URI": {pre, "ci.example.com/tools/hello-world//.gitlab-ci.yml@refs/tags/v1.0"},
		}}},
		{"job token", upstream.Token, "main", []map[string]predefined{{
			"CI_PIPELINE_SOURCE": {pre, "pipeline"},
			"CI_COMMIT_REF_NAME": {pre, "main"}, "CI_COMMIT_REF_SLUG": {pre, "main"}, "CI_COMMIT_REF_PROTECTED": {pre, "false"},
			"CI_COMMIT_BRANCH":  {pre, "main"},
			"CI_CONFIG_REF_URI": {pre, "ci.example.com/tools/hello-world//.gitlab-ci.yml@refs/heads/main"},
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.t = t
			early, inRules, inJob, a := s.see(test.token, test.ref, "COLOR", "red")
			want := table(s.scene, a.Pipeline, s.owner)
			for _, rows := range append(test.want, map[string]predefined{
				"COLOR": {pre, "red"}, "OS": {pipe, "linux"}, "TRIGGER_PAYLOAD": {pipe, `{"ref":"` + test.ref + `"}`},
			}) {
				maps.Copy(want, rows)
			}
			own(s.scene, want, a)
			checkTable(t, "include", want, pre, early)
			checkTable(t, "rules", want, pipe, inRules)
			checkTable(t, "job", want, job, inJob)
		})
	}
}

// The author of a commit is named by the account that has the address.
func TestLoginOfTheAuthor(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	w.User("ann")
	s := newScene(t, w, "author", "job: {script: x, rules: [{if: $CI_COMMIT_USER_LOGIN == 'ann'}]}\n")
	s.Started(s.project, s.token, "main")
	enginetest.Equal(t, "login", variable(t, w.Runner().Take(), "CI_COMMIT_USER_LOGIN").Value, "ann")
}
