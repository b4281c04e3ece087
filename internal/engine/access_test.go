package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// contract/trigger-api.md 4.4: what a ref that was sent stands for.
func TestRefs(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "refs", simple)
	main := enginetest.Must(w.Git.Resolve(t.Context(), int64(s.project.ID), "refs/heads/main"))(t)
	topic := s.Commit(s.project, "feature/topic", "Topic", "a", "b")
	s.Tag(s.project, "v1.0", main, "")
	s.Tag(s.project, "v2.0", main, "Second release")
	s.Commit(s.project, "both", "Both", "a", "branch")
	s.Tag(s.project, "both", main, "")
	both := enginetest.Must(w.Git.Resolve(t.Context(), int64(s.project.ID), "refs/heads/both"))(t)
	s.Protect(s.project, "v1*", true, ci.Maintainer)
	s.Protect(s.project, "feature/*", false, ci.Developer)
	const unknown = "invalid: Reference not found"
	for _, test := range []struct {
		sent, want string // want: name, kind, protected and commit of the pipeline, or the refusal
	}{
		{"main", "main branch " + main},
		{"refs/heads/main", "main branch " + main},
		{"feature/topic", "feature/topic branch protected " + topic},
		{"v2.0", "v2.0 tag " + main},
		{"refs/tags/v2.0", "v2.0 tag " + main},
		{"both", "invalid: Ref is ambiguous"},
		{"refs/heads/both", "both branch " + both},
		{"refs/tags/both", "both tag " + main},
		{main, unknown},
		{main[:8], unknown},
		{"HEAD", unknown},
		{"origin/main", unknown},
		{"refs/remotes/origin/main", unknown},
		{"refs/merge-requests/1/head", unknown},
		{"refs/heads/", unknown},
		{"heads/main", unknown},
		{"refs/tags/main", unknown},
		{"  main ", unknown},
		{"MAIN", unknown},
		{"ma*", unknown},
		{"v1.0", "invalid: You do not have sufficient permission to run a pipeline on 'v1.0'. " +
			"Please select a different branch or contact your administrator for assistance."},
	} {
		answer, err := s.Trigger(s.project, s.token, test.sent)
		got := enginetest.Text(err)
		if err == nil {
			got = placed(answer.Pipeline)
			enginetest.Equal(t, "before_sha", answer.Pipeline.BeforeSHA, strings.Repeat("0", 40))
			for _, job := range s.Snapshot(answer.Pipeline.ID).Jobs {
				enginetest.Equal(t, "job is protected", job.Protected, answer.Pipeline.Protected)
			}
		}
		enginetest.Equal(t, fmt.Sprintf("%q", test.sent), got, test.want)
	}
	s.as(ci.Maintainer)
	enginetest.Equal(t, "a maintainer on a protected tag", s.trigger("v1.0"), "")
}

// placed shows where a pipeline runs: name, kind, protected and commit.
func placed(p ci.Pipeline) string {
	words := []string{p.Ref, "branch"}
	if p.Tag {
		words[1] = "tag"
	}
	if p.Protected {
		words = append(words, "protected")
	}
	return strings.Join(append(words, p.SHA), " ")
}

// contract/trigger-api.md 4.6: who may set variables.
func TestWhoMaySetVariables(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "whovars", simple)
	admin := w.TriggerToken(s.project, w.Root.User)
	const refused = "invalid: Insufficient permissions to set pipeline variables"
	for _, test := range []struct {
		role   ci.VariablesRole
		as     ci.Role
		want   string
		ofRoot string
	}{
		{ci.VariablesDeveloper, ci.Developer, "", ""},
		{ci.VariablesMaintainer, ci.Developer, refused, ""},
		{ci.VariablesMaintainer, ci.Maintainer, "", ""},
		{ci.VariablesOwner, ci.Maintainer, refused, ""},
		{ci.VariablesOwner, ci.Owner, "", ""},
		{ci.VariablesNobody, ci.Owner, refused, refused},
	} {
		s.as(test.as)
		s.set(func(p *ci.Project) { p.VariablesRole = test.role })
		what := fmt.Sprintf("%s as %s", test.role, test.as.Title())
		enginetest.Equal(t, what, s.trigger("main", "A", "1"), test.want)
		enginetest.Equal(t, what+" without variables", s.trigger("main"), "")
		_, err := s.Trigger(s.project, admin, "main", "A", "1")
		enginetest.Equal(t, what+", administrator", enginetest.Text(err), test.ofRoot)
	}
	given := enginetest.Must(s.Engine.PipelineVariables(t.Context(), s.latest()))(t)
	if len(given) != 1 || given[0].Key != "TRIGGER_PAYLOAD" {
		t.Errorf("the payload needs no right: got %v", given)
	}
}

// Every pair of project and token that does not match is answered alike
// (contract/trigger-api.md 1.7, cases 12 to 14).
func TestUnknownTokens(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s, other := newScene(t, w, "one", simple), newScene(t, w, "two", simple)
	expired := enginetest.Must(w.Engine.CreateTrigger(t.Context(), w.Root, s.project, "", w.Now().Add(time.Hour)))(t)
	w.Clock.Advance(time.Hour)
	access := enginetest.Must(w.Engine.NewRootToken(t.Context(), w.Root.User, "t"))(t)
	for _, test := range []struct{ name, project, token string }{
		{"unknown project", "4711", s.token},
		{"unknown path", "root/nope", s.token},
		{"path without slash", "one", s.token},
		{"token of another project", "root/one", other.token},
		{"unknown token", "root/one", "glptt-0123456789012345678901234567890123456789"},
		{"empty token", "root/one", ""},
		{"access token", "root/one", access},
		{"expired token", "root/one", expired.Token},
		{"token with something after it", "root/one", s.token + "x"},
	} {
		_, err := w.Engine.Trigger(t.Context(), engine.TriggerRequest{Project: test.project, Token: test.token, Ref: "main"})
		enginetest.Equal(t, test.name, enginetest.Text(err), "not_found: 404 Not Found")
	}
	for _, project := range []string{"root/one", "ROOT/One", fmt.Sprint(s.project.ID)} {
		_, err := w.Engine.Trigger(t.Context(), engine.TriggerRequest{Project: project, Token: s.token, Ref: "main"})
		enginetest.Equal(t, project, enginetest.Text(err), "")
	}
}

// contract/trigger-api.md 2.2: the state of the job whose token is shown.
func TestJobTokenByState(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "states", simple)
	runner := w.Runner()
	ask := func(token string) string {
		_, err := s.Trigger(s.project, token, "main")
		return enginetest.Text(err)
	}
	w.Started(s.project, s.token, "main")
	a := runner.Take()
	caller := engine.Caller{User: s.owner}
	enginetest.Equal(t, "running", ask(a.Token), "")
	enginetest.Must(w.Engine.CancelJob(t.Context(), caller, s.project, a.Job.ID, false))(t)
	enginetest.Equal(t, "status", enginetest.Must(w.View.Job(t.Context(), a.Job.ID))(t).Status, ci.Canceling)
	enginetest.Equal(t, "canceling", ask(a.Token), "")
	runner.Finish(a, true)
	enginetest.Equal(t, "canceled", ask(a.Token), "unauthorized: Job is not running")
	enginetest.Must(w.Engine.EraseJob(t.Context(), caller, s.project, a.Job.ID))(t)
	enginetest.Equal(t, "erased", ask(a.Token), "unauthorized: Job has been erased!")

	b := runner.Take()
	enginetest.Equal(t, "another job", ask(b.Token), "")
	enginetest.Check(t, w.Engine.Unassign(t.Context(), b.Job.ID))
	enginetest.Equal(t, "given back", ask(b.Token), "not_found: 404 Not Found")
	c := runner.Take()
	enginetest.Equal(t, "taken again", c.Job.ID, b.Job.ID)
	enginetest.Equal(t, "the former token", ask(b.Token), "not_found: 404 Not Found")
	runner.Finish(c, false)
	enginetest.Equal(t, "failed", ask(c.Token), "unauthorized: Job is not running")
}

// contract/trigger-api.md 2.3: what the job's user may do in the target project.
func TestJobTokenAccess(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	group := w.Group("tools")
	source := &scene{World: w, t: t, project: w.ProjectIn(group.ID, "source", ".gitlab-ci.yml", simple)}
	source.owner = w.Someone(source.project, ci.Developer)
	source.token = w.TriggerToken(source.project, source.owner)
	w.Started(source.project, source.token, "main")
	a := w.Runner().Take()
	admin := w.Started(source.project, w.TriggerToken(source.project, w.Root.User), "main")
	ofAdmin := w.Runner().Take()
	enginetest.Equal(t, "job of the administrator", ofAdmin.Job.PipelineID, admin.ID)
	const hidden = "not_found: 404 Not Found"
	allow := func(target ci.Project) {
		enginetest.Check(t, w.Store.AllowJobToken(t.Context(), target.ID, source.project.ID, 0))
	}
	for i, test := range []struct {
		name       string
		visibility ci.Visibility
		role       ci.Role
		token      string
		setup      func(ci.Project)
		want       string
	}{
		{name: "2: not listed", role: ci.Developer, want: hidden},
		{name: "3: listed", role: ci.Developer, setup: allow},
		{name: "3: group listed", role: ci.Developer,
			setup: func(p ci.Project) { enginetest.Check(t, w.Store.AllowJobToken(t.Context(), p.ID, 0, group.ID)) }},
		{name: "4: reporter", role: ci.Reporter, setup: allow, want: notAllowed},
		{name: "4: guest", role: ci.Guest, setup: allow, want: notAllowed},
		{name: "5: no member", setup: allow, want: hidden},
		{name: "6: public, not listed", visibility: ci.Public, role: ci.Developer, want: notAllowed},
		{name: "6: internal, not listed", visibility: ci.Internal, role: ci.Developer, want: notAllowed},
		{name: "public, listed, no member", visibility: ci.Public, setup: allow, want: notAllowed},
		{name: "7: no limit", role: ci.Developer,
			setup: func(p ci.Project) { w.Set(p, func(p *ci.Project) { p.InboundTokenScope = false }) }},
		{name: "8: protected", role: ci.Developer, want: notOnMain,
			setup: func(p ci.Project) { allow(p); w.Protect(p, "main", false, ci.Maintainer) }},
		{name: "administrator who is no member", token: ofAdmin.Token, setup: allow, want: hidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := strange(t, w, fmt.Sprintf("target%d", i), test.visibility)
			if test.role != ci.NoRole {
				w.Member(source.owner, target, test.role)
			}
			if test.setup != nil {
				test.setup(target)
			}
			if test.token == "" {
				test.token = a.Token
			}
			answer, err := w.Trigger(target, test.token, "main")
			enginetest.Equal(t, "answer", enginetest.Text(err), test.want)
			if err == nil {
				checkDownstream(t, w, answer.Pipeline, a, source.owner)
			}
		})
	}
}

// strange makes a project in which the administrator has no part, private if its
// visibility is empty.
func strange(t *testing.T, w *enginetest.World, path string, visibility ci.Visibility) ci.Project {
	t.Helper()
	project := w.Project(path, ".gitlab-ci.yml", simple)
	w.Member(w.Root.User, project, ci.NoRole)
	owner := w.User("owner-of-" + path)
	namespace := enginetest.Must(w.View.NamespaceByPath(t.Context(), owner.Username))(t)
	return w.Set(project, func(p *ci.Project) {
		p.NamespaceID, p.FullPath = namespace.ID, owner.Username+"/"+p.Path
		if visibility != "" {
			p.Visibility = visibility
		}
	})
}

// checkDownstream looks at a pipeline that a job token made (contract 2.4).
func checkDownstream(t *testing.T, w *enginetest.World, p ci.Pipeline, a *engine.Assignment, user ci.User) {
	t.Helper()
	enginetest.Equal(t, "source", p.Source, ci.SourcePipeline)
	enginetest.Equal(t, "user", p.UserID, user.ID)
	enginetest.Equal(t, "trigger token", p.TriggerID, 0)
	up := enginetest.Must(w.View.Upstream(t.Context(), p.ID))(t)
	want := ci.Upstream{PipelineID: p.ID, SourceProjectID: a.Project.ID, SourcePipelineID: a.Pipeline.ID, SourceJobID: a.Job.ID}
	enginetest.Equal(t, "upstream", up, want)
}

// A job may trigger its own project whatever is listed; a repeated key is answered
// as before, for the same token only.
func TestIdempotency(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	s := newScene(t, w, "twice", simple)
	second := w.TriggerToken(s.project, s.owner)
	ask := func(token, key, body, ref string) (engine.Triggered, string) {
		r := enginetest.Request(s.project, token, ref)
		r.IdempotencyKey, r.BodyDigest = key, []byte(body)
		answer, err := w.Engine.Trigger(t.Context(), r)
		return answer, enginetest.Text(err)
	}
	first, text := ask(s.token, "k", "body", "main")
	enginetest.Equal(t, "first", text, "")
	again, text := ask(s.token, "k", "body", "main")
	enginetest.Equal(t, "again", text, "")
	enginetest.Equal(t, "again: pipeline", again.Pipeline.ID, first.Pipeline.ID)
	enginetest.Equal(t, "again: status", again.Pipeline.Status, ci.Created)
	enginetest.Equal(t, "again: replayed", again.Replayed, true)
	_, text = ask(s.token, "k", "another body", "main")
	enginetest.Equal(t, "another body", text, "unprocessable: Idempotency-Key was used with another request")
	other, text := ask(second, "k", "body", "main")
	enginetest.Equal(t, "another token", text, "")
	enginetest.Equal(t, "another token: replayed", other.Replayed, false)
	w.Clock.Advance(24 * time.Hour)
	later, _ := ask(s.token, "k", "body", "main")
	enginetest.Equal(t, "a day later: replayed", later.Replayed, true)
	w.Clock.Advance(time.Second)
	later, _ = ask(s.token, "k", "body", "main")
	enginetest.Equal(t, "more than a day later: replayed", later.Replayed, false)
	enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 3)

	enginetest.Check(t, w.Store.SetRefs(t.Context(), s.project.ID, nil, []string{"refs/heads/main"}))
	w.Damage("refs/heads/main of project 1 is in the repository and not in the table")
	gone, text := ask(second, "k", "body", "main")
	enginetest.Equal(t, "the branch is gone", text, "invalid: Reference not found") // the key is forgotten by now
	enginetest.Equal(t, "the branch is gone: pipeline", gone.Pipeline.ID, 0)
	gone, text = ask(s.token, "k", "body", "main")
	enginetest.Equal(t, "the branch is gone, with a key", text, "")
	enginetest.Equal(t, "the branch is gone, with a key: pipeline", gone.Pipeline.ID, later.Pipeline.ID)
}

// What was refused with a row is refused again in the same words.
func TestIdempotencyOfRefusals(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{Limits: engine.Limits{JobsPerPipeline: 1}})
	for i, test := range []struct{ config, want string }{
		{"a: {script: x, foo: y}", "unprocessable: jobs:a config contains unknown keys: foo"},
		{jobs(2), "unprocessable: The number of jobs has exceeded the limit of 1. Try splitting the configuration with parent-child-pipelines"},
	} {
		s := newScene(t, w, fmt.Sprintf("refused%d", i), test.config)
		r := enginetest.Request(s.project, s.token, "main")
		r.IdempotencyKey, r.BodyDigest = "k", []byte("body")
		for _, replayed := range []bool{false, true} {
			answer, err := w.Engine.Trigger(t.Context(), r)
			enginetest.Equal(t, "answer", enginetest.Text(err), test.want)
			enginetest.Equal(t, "replayed", answer.Replayed, replayed)
			enginetest.Equal(t, "pipeline", answer.Pipeline.ID, s.latest().ID)
		}
		enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 1)
	}
}

// How many deployments there were is in no row: the reason of the failure is.
func TestIdempotencyOfTooManyDeployments(t *testing.T) {
	s := newScene(t, enginetest.New(t, enginetest.Config{}), "deployments", `
.d: {script: x, environment: e, parallel: 200}
a: {extends: .d}
b: {extends: .d}
c: {extends: .d}
`)
	r := enginetest.Request(s.project, s.token, "main")
	r.IdempotencyKey, r.BodyDigest = "k", []byte("body")
	for _, want := range []string{
		"unprocessable: Pipeline has too many deployments! Requested 600, but the limit is 500.", "unprocessable: deployments_limit_exceeded",
	} {
		_, err := s.Engine.Trigger(t.Context(), r)
		enginetest.Equal(t, "answer", enginetest.Text(err), want)
	}
}
