package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// traced shows where a variable comes from: "value from kind, over kind, kind".
func traced(list []engine.TracedVariable, key string) string {
	name := func(o engine.Origin) string { return strings.TrimSpace(string(o.Kind) + " " + o.Group + o.Job) }
	for _, v := range list {
		if v.Key != key {
			continue
		}
		value := v.Value
		if !v.Shown {
			value = "(hidden)" + v.Value
		}
		text := value + " from " + name(v.Origin)
		for i, o := range v.Overrode {
			text += map[bool]string{true: ", over ", false: ", "}[i == 0] + name(o)
		}
		return text
	}
	return "none"
}

// Of each value it is known where it comes from and what it overrode, before a
// runner takes the job and after.
func TestOriginsOfVariables(t *testing.T) {
	s, holders := nested(t, `
variables: {ALL: global, GLOBAL: global, LINK: "<$SECRET>", GITLAB_USER_NAME: global, CI_PROJECT_NAME: mine}
workflow: {rules: [{when: always, variables: {ALL: workflow, WORKFLOW: workflow}}]}
job:
  script: x
  variables: {ALL: job, JOB: job}
  parallel: {matrix: [{ALL: matrix, MATRIX: matrix}]}
  rules: [{when: manual, variables: {ALL: rule, RULE: rule}}]
`)
	for i, name := range []string{"instance", "top", "sub", "project"} {
		s.keep(holders[i], "ALL", name)
		s.keep(holders[i], strings.ToUpper(name), name)
	}
	s.keep(holders[2], "SECRET", "s3cr3tvalue", masked)
	s.keep(holders[3], "HIDDEN", "h1dd3nvalue", hidden)
	s.keep(holders[3], "COPY", "copy of s3cr3tvalue")
	p := s.Started(s.project, s.token, "main", "ALL", "given", "GIVEN", "given")
	job := s.Snapshot(p.ID).Jobs[0]
	list := enginetest.Must(s.Engine.JobVariables(t.Context(), s.Root, s.project, job.ID))(t)
	below := "project, group top/sub, group top, instance, rule, matrix, job, workflow, global"
	want := map[string]string{
		"ALL": "given from pipeline, over " + below, "GIVEN": "given from pipeline", "PROJECT": "project from project",
		"SUB": "sub from group top/sub", "TOP": "top from group top", "INSTANCE": "instance from instance", "RULE": "rule from rule",
		"MATRIX": "matrix from matrix", "JOB": "job from job", "WORKFLOW": "workflow from workflow", "GLOBAL": "global from global",
		"CI": "true from predefined", "CI_PROJECT_NAME": "mine from global, over predefined", "LINK": "<$SECRET> from global",
		"GITLAB_USER_NAME": s.owner.Name + " from user, over global", "TRIGGER_PAYLOAD": `{"ref":"main"} from pipeline`,
		"SECRET": "(hidden) from group top/sub", "HIDDEN": "(hidden) from project", "COPY": "copy of [MASKED]xxx from project",
		"CI_JOB_TOKEN": "(hidden) from predefined", "CI_REPOSITORY_URL": "(hidden) from predefined", "CI_RUNNER_ID": "none", "NOTHING": "none",
	}
	for key, text := range want {
		enginetest.Equal(t, key, traced(list, key), text)
	}
	played := []ci.Variable{{Key: "ALL", Value: "played"}}
	enginetest.Must(s.Engine.PlayJob(t.Context(), s.Root, s.project, job.ID, played))(t)
	a := s.Runner().Take()
	list = enginetest.Must(s.Engine.JobVariables(t.Context(), s.Root, s.project, job.ID))(t)
	enginetest.Equal(t, "ALL, played", traced(list, "ALL"), "played from manual, over pipeline, "+below)
	enginetest.Equal(t, "runner", traced(list, "CI_RUNNER_ID"), fmt.Sprintf("%d from predefined", a.Runner.ID))
	enginetest.Equal(t, "as many as the runner got", len(list), len(a.Variables))
}

// Who may see where values come from, and whose.
func TestWhoSeesOrigins(t *testing.T) {
	s, holders := nested(t, "job: {script: x}\n")
	for i, name := range []string{"INSTANCE", "TOP", "SUB", "PROJECT"} {
		s.keep(holders[i], name, "value")
	}
	id := s.Snapshot(s.Started(s.project, s.token, "main").ID).Jobs[0].ID
	see := func(user ci.User) string {
		list, err := s.Engine.JobVariables(t.Context(), engine.Caller{User: user}, s.project, id)
		if err != nil {
			return enginetest.Text(err)
		}
		var shown []string
		for _, key := range []string{"INSTANCE", "TOP", "SUB", "PROJECT"} {
			shown = append(shown, strings.Fields(traced(list, key))[0])
		}
		return strings.Join(shown, " ")
	}
	enginetest.Equal(t, "developer", see(s.owner), "forbidden: 403 Forbidden")
	maintainer := s.Someone(s.project, ci.Maintainer)
	enginetest.Equal(t, "maintainer", see(maintainer), "(hidden) (hidden) (hidden) value")
	enginetest.Check(t, s.Store.SetMember(t.Context(), ci.Member{UserID: maintainer.ID, NamespaceID: holders[2].Group.ID, Role: ci.Owner}))
	enginetest.Equal(t, "owner of the lower group", see(maintainer), "(hidden) (hidden) value value")
	enginetest.Equal(t, "administrator", see(s.Root.User), "value value value value")
	other := s.Project("other", ".gitlab-ci.yml", simple)
	_, err := s.Engine.JobVariables(t.Context(), s.Root, other, id)
	enginetest.Equal(t, "job of another project", enginetest.Text(err), "not_found: 404 Not found")
}
