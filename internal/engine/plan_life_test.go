package engine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
)

const lifeConfig = `
workflow: {name: "For $WHO", auto_cancel: {on_job_failure: all}}
a:
  script: x
  when: manual
  manual_confirmation: Sure?
  environment: {name: review/$CI_COMMIT_REF_SLUG, url: "https://$CI_ENVIRONMENT_SLUG", on_stop: stop, auto_stop_in: 1 day, deployment_tier: testing}
  resource_group: deploy-$CI_COMMIT_REF_NAME
  hooks: {pre_get_sources_script: [h]}
  id_tokens: {T: {aud: u}}
  secrets: {S: {vault: a/b, token: $T}}
  release: {tag_name: v, description: d, assets: {links: [{name: n, url: u, link_type: other}]}}
  pages: {publish: site, expire_in: never}
  inputs: {i: {default: d, description: what}}
  identity: google_cloud
  image: {name: i, docker: {user: u}}
stop: {script: x, when: manual, environment: {name: review/$CI_COMMIT_REF_SLUG, action: stop}}
`

// What matters once a job runs is stored with it.
func TestPlanForTheLifeOfAJob(t *testing.T) {
	s := newScene(t, enginetest.New(t, enginetest.Config{}), "life", lifeConfig)
	p := s.Started(s.project, s.token, "main", "WHO", "me")
	enginetest.Equal(t, "name", p.Name, "For me")
	job := s.Snapshot(p.ID).Jobs[0]
	wantPlan := ci.JobPlan{
		When: ci.WhenManual, CancelOnFailure: true, Timeout: 3600, NodeTotal: 1, ResourceGroup: "deploy-main", ManualConfirmation: "Sure?",
		Environment: &ci.Environment{
			Name: "review/main", Slug: "review-main-yi2y9f", URL: "https://$CI_ENVIRONMENT_SLUG", Action: "start", OnStop: "stop", AutoStopIn: "1 day", Tier: "testing",
		},
	}
	if diff := cmp.Diff(wantPlan, job.Plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	want := ci.Spec{
		Script: []string{"x"}, PreGetSources: []string{"h"}, IDTokens: []ci.IDToken{{Name: "T", Audiences: []string{"u"}}},
		Secrets: []ci.Secret{{
			Name: "S", Provider: "vault", File: true, Token: "$T",
			Source: `{"engine":{"name":"kv-v2","path":"kv-v2"},"path":"a","field":"b"}`,
		}},
		Release:   &ci.Release{TagName: "v", Description: "d", Links: []ci.ReleaseLink{{Name: "n", URL: "u", Type: "other"}}},
		Pages:     &ci.Pages{Publish: "site", ExpireIn: "never"},
		Artifacts: []ci.ArtifactSpec{{Paths: []string{"site"}, Type: "archive", Format: "zip"}},
		Inputs:    []ci.JobInput{{Name: "i", Type: "string", Default: `"d"`, Description: "what"}},
		Identity:  "google_cloud", Image: &ci.Image{Name: "i", User: "u"},
	}
	spec := enginetest.Must(s.Engine.Spec(t.Context(), job))(t)
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("specification (-want +got):\n%s", diff)
	}
}

// A pipeline with a job that needs what is not here is refused; without that job
// the same configuration runs.
func TestJobsThatNeedOtherPipelines(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "bridges", `
a: {script: x}
b: {trigger: g/p, rules: [{if: '$WITH == "trigger"'}]}
c: {needs: {pipeline: g/p}, rules: [{if: '$WITH == "mirror"'}]}
d: {script: x, needs: [{pipeline: $P, job: x}], rules: [{if: '$WITH == "pipeline"'}]}
e: {script: x, needs: [{project: g/p, job: x, ref: main}], rules: [{if: '$WITH == "project"'}]}
f: {script: x, secrets: {S: {gitlab_secrets_manager: {name: n}}}, rules: [{if: '$WITH == "secret"'}]}
`)
	refused := func(job, pos, keyword string) string {
		return "unprocessable: .gitlab-ci.yml:" + pos + `: keyword "` + keyword + `" of job ` + job + " is not supported yet"
	}
	for with, want := range map[string]string{
		"":         "",
		"trigger":  refused("b", "3:1", "trigger"),
		"mirror":   refused("c", "4:1", "needs:pipeline"),
		"pipeline": refused("d", "5:1", "needs:pipeline:job"),
		"project":  refused("e", "6:1", "needs:project"),
		"secret":   refused("f", "7:1", "secrets:gitlab_secrets_manager"),
	} {
		enginetest.Equal(t, "with "+with, s.trigger("main", "WITH", with), want)
	}
}

// changes:compare_to compares with where the histories parted.
func TestCompareTo(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "compare", `
one: {script: x, rules: [{changes: {paths: [one], compare_to: $BASE}}]}
two: {script: x, rules: [{changes: {paths: [two], compare_to: $BASE}}]}
always: {script: x}
`)
	enginetest.Must(w.Git.CreateBranch(t.Context(), int64(s.project.ID), "topic", "main"))(t)
	s.Commit(s.project, "topic", "On the topic", "one", "1")
	s.Commit(s.project, "main", "Beside it", "two", "2")
	s.Record(s.project)
	for base, want := range map[string]string{
		"main": "one always", "refs/heads/main": "one always", "topic": "always",
	} {
		p := s.Started(s.project, s.token, "topic", "BASE", base)
		enginetest.Equal(t, "compared with "+base, jobNames(s.Snapshot(p.ID).Jobs), want)
	}
	enginetest.Equal(t, "compared with nothing", s.trigger("topic", "BASE", "nope"),
		"unprocessable: Failed to parse rule for one: rules:changes:compare_to is not a valid ref")
}

func jobNames(jobs []ci.Job) string {
	names := ""
	for i := range jobs {
		if i > 0 {
			names += " "
		}
		names += jobs[i].Name
	}
	return names
}

// exists:project reads with the rights of the pipeline's user, who may lose them.
func TestExistsInAnotherProject(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	other := w.Project("other", "Dockerfile", "FROM x\n")
	s := newScene(t, w, "looks", `
a: {script: x, rules: [{exists: {paths: [Dockerfile], project: `+other.FullPath+`, ref: $AT}}]}
b: {script: x}
`)
	const denied = "unprocessable: Failed to parse rule for a: rules:exists:project `"
	enginetest.Equal(t, "a stranger", s.trigger("main", "AT", "main"), denied+other.FullPath+"` not found or access denied")
	s.Member(s.owner, other, ci.Reporter)
	p := s.Started(s.project, s.token, "main", "AT", "main")
	enginetest.Equal(t, "a reporter", jobNames(s.Snapshot(p.ID).Jobs), "a b")
	enginetest.Equal(t, "no such ref", s.trigger("main", "AT", "nope"),
		"unprocessable: Failed to parse rule for a: rules:exists:ref `nope` is not a valid ref in project `"+other.FullPath+"`")
	s.owner = s.Someone(s.project, ci.Developer)
	s.token = s.TriggerToken(s.project, s.owner)
	enginetest.Equal(t, "another user, same commit", s.trigger("main", "AT", "main"), denied+other.FullPath+"` not found or access denied")
}

// files_commits makes the key change with the commits that touched the files, and
// with no other.
func TestCacheKeyOfCommits(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "commits", "a: {script: x, cache: {key: {files_commits: [go.sum, ../nope], prefix: p}, paths: [v]}}")
	key := func() string { return s.spec("main").Cache[0].Key }
	enginetest.Equal(t, "no such file", key(), "p-default-non_protected")
	s.Commit(s.project, "main", "One", "go.sum", "one")
	s.Record(s.project)
	first := key()
	enginetest.Equal(t, "a digest", git.IsSHA(sum(first)), true)
	s.Commit(s.project, "main", "Another file", "other", "x")
	s.Record(s.project)
	enginetest.Equal(t, "another file", key(), first)
	s.Commit(s.project, "main", "Two", "go.sum", "two")
	s.Record(s.project)
	enginetest.Equal(t, "changed", key() == first, false)
}

// A job gets its environment as variables, the address with those in it.
func TestEnvironmentVariables(t *testing.T) {
	s := newScene(t, enginetest.New(t, enginetest.Config{}), "environments", `
a:
  script: x
  environment: {name: "review/$CI_COMMIT_REF_NAME", url: "https://$CI_ENVIRONMENT_SLUG.$ZONE"}
  variables: {ZONE: example.com}
`)
	p := s.Started(s.project, s.token, "main")
	a := s.Runner().Take()
	slug := s.Snapshot(p.ID).Jobs[0].Plan.Environment.Slug
	for key, want := range map[string]string{
		"CI_ENVIRONMENT_NAME": "review/main", "CI_ENVIRONMENT_SLUG": slug, "CI_ENVIRONMENT_ACTION": "start",
		"CI_ENVIRONMENT_TIER": "development", "CI_ENVIRONMENT_URL": "https://" + slug + ".example.com",
	} {
		enginetest.Equal(t, key, variable(t, a, key).Value, want)
	}
}

// A pipeline may have 500 jobs with an environment, and no more.
func TestTooManyDeployments(t *testing.T) {
	s := newScene(t, enginetest.New(t, enginetest.Config{}), "deployments", `
.d: {script: x, environment: "e/$CI_NODE_INDEX"}
a: {extends: .d, parallel: 200}
b: {extends: .d, parallel: 200}
c: {extends: .d, parallel: 100}
d: {extends: .d, rules: [{if: $MORE}]}
`)
	enginetest.Equal(t, "at the limit", s.trigger("main"), "")
	enginetest.Equal(t, "over it", s.trigger("main", "MORE", "1"),
		"unprocessable: Pipeline has too many deployments! Requested 501, but the limit is 500.")
	reasons := map[string]int{}
	for _, p := range s.Pipelines(s.project) {
		reasons[p.FailureReason]++
	}
	enginetest.Equal(t, "failed for that reason", reasons[ci.ReasonDeploymentsLimit], 1)
}
