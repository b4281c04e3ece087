package engine_test

import (
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// keep gives a holder a variable; changes say what is unusual about it.
func (s *scene) keep(h engine.Holder, key, value string, changes ...func(*ci.OwnedVariable)) {
	s.t.Helper()
	v := ci.OwnedVariable{Variable: ci.Variable{Key: key, Value: value}, Scope: ci.AnyEnvironment}
	for _, change := range changes {
		change(&v)
	}
	enginetest.Must(s.Engine.CreateVariable(s.t.Context(), s.Root, h, v))(s.t)
}

func protected(v *ci.OwnedVariable) { v.Protected = true }
func masked(v *ci.OwnedVariable)    { v.Masked = true }
func hidden(v *ci.OwnedVariable)    { v.Masked, v.Hidden = true, true }
func onlyIn(scope string) func(*ci.OwnedVariable) {
	return func(v *ci.OwnedVariable) { v.Scope = scope }
}

// nested makes a scene whose project is two groups deep, and gives the holders from
// the instance down.
func nested(t *testing.T, config string) (*scene, []engine.Holder) {
	t.Helper()
	w := enginetest.New(t, enginetest.Config{})
	top := w.Group("top")
	sub := enginetest.Must(w.Engine.CreateGroup(t.Context(), w.Root, engine.NewGroup{Name: "sub", Path: "sub", ParentID: top.ID}))(t)
	s := &scene{World: w, t: t, project: w.ProjectIn(sub.ID, "demo", ".gitlab-ci.yml", config)}
	s.owner = w.Someone(s.project, ci.Developer)
	s.token = w.TriggerToken(s.project, s.owner)
	return s, []engine.Holder{{}, {Group: top}, {Group: sub}, {Project: s.project}}
}

// contract/ci-yaml.md 5.1: of each key the nearest owner counts, above the
// configuration and what jobs report, below what the pipeline was given; in rules,
// in tags and in the job alike.
func TestPrecedenceOfOwners(t *testing.T) {
	keys := []string{"INSTANCE", "TOP", "SUB", "PROJECT"}
	s, holders := nested(t, `
variables: {INSTANCE: yaml, TOP: yaml, SUB: yaml, PROJECT: yaml, GIVEN: yaml}
job:
  script: x
  tags: ["$INSTANCE $TOP $SUB $PROJECT $GIVEN"]
  variables: {INSTANCE: job, GIVEN: job}
  rules:
    - if: $INSTANCE == "instance" && $TOP == "top" && $SUB == "sub" && $PROJECT == "project" && $GIVEN == "given"
      variables: {PROJECT: rule}
`)
	for i, h := range holders {
		for _, key := range append(keys[i:], "GIVEN", "GITLAB_USER_NAME") {
			s.keep(h, key, strings.ToLower(keys[i]))
		}
	}
	s.Started(s.project, s.token, "main", "GIVEN", "given")
	a := s.Runner("instance top sub project given").Take()
	for key, want := range map[string]string{
		"INSTANCE": "instance", "TOP": "top", "SUB": "sub", "PROJECT": "project", "GIVEN": "given", "GITLAB_USER_NAME": "project",
	} {
		got := variable(t, a, key)
		enginetest.Equal(t, key, got.Value, want)
		enginetest.Equal(t, key+" is secret", got.Secret, true)
	}
}

// What include may name, and that a configuration is read anew when the value of a
// variable that it named has changed.
func TestOwnedVariablesInInclude(t *testing.T) {
	s, holders := nested(t, "include: $FILE.yml\njob: {script: x}\n")
	s.Commit(s.project, "main", "More", "one.yml", "one: {script: x}", "two.yml", "two: {script: x}")
	s.keep(holders[2], "FILE", "one")
	names := func(variables ...string) string {
		return s.Jobs(s.Started(s.project, s.token, "main", variables...).ID)
	}
	enginetest.Equal(t, "of the group", names(), "one pending, job pending")
	s.keep(holders[3], "LATER", "1")
	s.keep(holders[3], "FILE", "none", onlyIn("production"))
	enginetest.Equal(t, "for another environment", names(), "one pending, job pending")
	s.keep(holders[3], "FILE", "two")
	enginetest.Equal(t, "of the project", names(), "two pending, job pending")
	enginetest.Equal(t, "given", names("FILE", "one"), "one pending, job pending")
	change := func(v *ci.OwnedVariable) { v.Value = "one" }
	enginetest.Must(s.Engine.UpdateVariable(t.Context(), s.Root, holders[3], "FILE", "*", change))(t)
	enginetest.Equal(t, "changed", names(), "one pending, job pending")
	enginetest.Check(t, s.Engine.DeleteVariable(t.Context(), s.Root, holders[2], "FILE", ""))
	enginetest.Check(t, s.Engine.DeleteVariable(t.Context(), s.Root, holders[3], "FILE", "*"))
	enginetest.Equal(t, "deleted", s.trigger("main"), "unprocessable: Local file `.yml` does not exist!")
}

// Protected variables are for protected refs only, in rules and in jobs.
func TestProtectedVariables(t *testing.T) {
	s, holders := nested(t, "job: {script: x}\nruled: {script: x, rules: [{if: $DEPLOY_KEY}]}\n")
	s.Protect(s.project, "release/*", false, ci.Developer)
	s.Commit(s.project, "release/1", "Release", "file", "content")
	for _, h := range holders {
		s.keep(h, "DEPLOY_KEY", "k", protected)
	}
	runner := s.Runner()
	enginetest.Equal(t, "jobs", s.Jobs(s.Started(s.project, s.token, "main").ID), "job pending")
	for _, v := range runner.Run().Variables {
		enginetest.Equal(t, "a protected variable on another ref", v.Key == "DEPLOY_KEY", false)
	}
	enginetest.Equal(t, "jobs", s.Jobs(s.Started(s.project, s.token, "release/1").ID), "job pending, ruled pending")
	enginetest.Equal(t, "value", variable(t, runner.Run(), "DEPLOY_KEY").Value, "k")
}

// Variables for some environments reach jobs with such an environment, the most
// specific one wins, and what describes the environment is there.
func TestVariablesOfEnvironments(t *testing.T) {
	s, holders := nested(t, `
none: {script: x, tags: [none]}
review: {script: x, tags: [review], environment: {name: review/$CI_COMMIT_REF_NAME, url: "https://$HOST.example.com"}}
production: {script: x, tags: [production], environment: {name: production, action: prepare, deployment_tier: other}, rules: [{if: $HOST == "prod"}]}
`)
	s.keep(holders[3], "HOST", "any")
	s.keep(holders[3], "HOST", "review", onlyIn("review/*"))
	s.keep(holders[3], "HOST", "prod", onlyIn("production"))
	s.keep(holders[2], "HOST", "of the group", onlyIn("production"))
	s.keep(holders[2], "ONLY", "review", onlyIn("rev*"))
	s.Started(s.project, s.token, "main")
	for job, want := range map[string]map[string]string{
		"none": {"HOST": "any"},
		"review": {"HOST": "review", "ONLY": "review", "CI_ENVIRONMENT_NAME": "review/main", "CI_ENVIRONMENT_ACTION": "start",
			"CI_ENVIRONMENT_TIER": "development", "CI_ENVIRONMENT_URL": "https://review.example.com"},
		"production": {"HOST": "prod", "CI_ENVIRONMENT_NAME": "production", "CI_ENVIRONMENT_SLUG": "production",
			"CI_ENVIRONMENT_ACTION": "prepare", "CI_ENVIRONMENT_TIER": "other"},
	} {
		a := s.Runner(job).Take()
		enginetest.Equal(t, "job", a.Job.Name, job)
		for key, value := range want {
			enginetest.Equal(t, job+": "+key, variable(t, a, key).Value, value)
		}
		for _, v := range a.Variables {
			if _, wanted := want[v.Key]; !wanted && (v.Key == "ONLY" || strings.HasPrefix(v.Key, "CI_ENVIRONMENT_")) && v.Key != "CI_ENVIRONMENT_SLUG" {
				t.Errorf("%s sees %s=%s", job, v.Key, v.Value)
			}
		}
	}
}

// The runner is told what kind of variable each is; references in values are
// replaced, but not in raw ones.
func TestKindsOfOwnedVariables(t *testing.T) {
	s, holders := nested(t, "job: {script: x, variables: {LINK: <$PLAIN $RAW $FILE>}}\n")
	project := holders[3]
	s.keep(project, "PLAIN", "on $CI_COMMIT_REF_NAME")
	s.keep(project, "RAW", "$PLAIN", func(v *ci.OwnedVariable) { v.Raw = true })
	s.keep(project, "FILE", "content", func(v *ci.OwnedVariable) { v.File = true })
	s.keep(project, "MASKED", "s3cr3tvalue", masked)
	s.keep(project, "HIDDEN", "h1dd3nvalue", hidden)
	s.Started(s.project, s.token, "main")
	a := s.Runner().Take()
	for key, want := range map[string]ci.Variable{
		"PLAIN": {Value: "on main", Secret: true}, "RAW": {Value: "$PLAIN", Secret: true, Raw: true}, "FILE": {Value: "content", Secret: true, File: true},
		"MASKED": {Value: "s3cr3tvalue", Secret: true, Masked: true}, "HIDDEN": {Value: "h1dd3nvalue", Secret: true, Masked: true},
	} {
		want.Key = key
		enginetest.Equal(t, key, variable(t, a, key), want)
	}
	enginetest.Equal(t, "LINK", variable(t, a, "LINK").Value, "<on main $RAW $FILE>")
}

// Masked values appear in no log, whoever takes it: also when another process gave
// the job to its runner, and across pieces.
func TestMaskedInLogs(t *testing.T) {
	s, holders := nested(t, "job: {script: x}\n")
	s.keep(holders[1], "GROUP_SECRET", "gr0ups3cr3t", masked)
	s.keep(holders[3], "SECRET", "s3cr3tvalue", masked)
	s.keep(holders[3], "OTHER", "0thersecret", masked, onlyIn("production"))
	s.keep(holders[3], "OPEN", "openvalue")
	for _, replica := range []*engine.Engine{s.Engine, s.NewEngine()} {
		s.Started(s.project, s.token, "main")
		a := s.Runner().Take()
		var length int64
		for _, piece := range []string{"a gr0ups3cr3t s3cr3", "tvalue openvalue 0thersecret " + a.Token + "\n"} {
			var err error
			length, _, err = replica.AppendLog(t.Context(), a.Job.ID, a.Token, length, strings.NewReader(piece))
			enginetest.Check(t, err)
		}
		update := engine.JobUpdate{State: "success"}
		enginetest.Must(s.Engine.UpdateJob(t.Context(), a.Job.ID, a.Token, update))(t)
		want := "a xxxxxxxxxxx xxxxxxxxxxx openvalue 0thersecret " + strings.Repeat("x", len(a.Token)) + "\n"
		enginetest.Equal(t, "log", s.log(a.Job.ID), want)
	}
}

// A job that was put back and taken again has a new token. A process that remembers
// the old one hides the new one all the same.
func TestNewTokenIsMaskedInLogs(t *testing.T) {
	s, _ := nested(t, "job: {script: x}\n")
	s.Started(s.project, s.token, "main")
	runner := s.Runner()
	first := runner.Take()
	enginetest.Check(t, s.Engine.Unassign(t.Context(), first.Job.ID))
	a := enginetest.Must(s.NewEngine().RequestJob(t.Context(), runner.Contact()))(t)
	if a == nil || a.Job.ID != first.Job.ID || a.Token == first.Token {
		t.Fatal("the other process did not give the job away anew")
	}
	_, _, err := s.Engine.AppendLog(t.Context(), a.Job.ID, a.Token, 0, strings.NewReader("it is "+a.Token+"\n"))
	enginetest.Check(t, err)
	enginetest.Must(s.Engine.UpdateJob(t.Context(), a.Job.ID, a.Token, engine.JobUpdate{State: "success"}))(t)
	enginetest.Equal(t, "log", s.log(a.Job.ID), "it is "+strings.Repeat("x", len(a.Token))+"\n")
}

// log reads what is shown of a job's log.
func (s *scene) log(id ci.JobID) string {
	s.t.Helper()
	body := enginetest.Must(s.Traces.Read(s.t.Context(), int64(id), 0, -1))(s.t)
	defer body.Close()
	var b strings.Builder
	buf := make([]byte, 1<<10)
	for {
		n, err := body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

// What the caller reads of a refusal, and everybody of the failed row, shows no
// masked value; nor do the name of the pipeline and the log.
func TestMaskedInErrors(t *testing.T) {
	s, holders := nested(t, "include: $SECRET.yml\n")
	s.keep(holders[3], "SECRET", "s3cr3t-value", masked)
	s.keep(holders[3], "NAME", "h1dd3n-name", hidden)
	got := s.trigger("main")
	enginetest.Equal(t, "refusal", got, "unprocessable: Local file `[MASKED]xxxx.yml` does not exist!")
	enginetest.Equal(t, "row", s.latest().YAMLErrors, "Local file `[MASKED]xxxx.yml` does not exist!")
	s.Commit(s.project, "main", "Broken", "s3cr3t-value.yml", "job: {script: 1, nonsense: x}")
	if got := s.trigger("main"); strings.Contains(got, "s3cr3t") || got == "" {
		t.Errorf("refusal: got %q", got)
	}
	s.Commit(s.project, "main", "Named", ".gitlab-ci.yml", "workflow: {name: 'For $NAME'}\njob: {script: x}\n")
	enginetest.Equal(t, "name", s.Started(s.project, s.token, "main").Name, "For [MASKED]xxx")
	for _, secret := range []string{"s3cr3t-value", "h1dd3n-name"} {
		if strings.Contains(s.Log(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// A variable of the project that turns on debug mode counts for who may read logs.
func TestDebugModeByOwnedVariable(t *testing.T) {
	s, holders := nested(t, "job: {script: x}\n")
	p := s.Started(s.project, s.token, "main")
	job := s.Snapshot(p.ID).Jobs[0]
	enginetest.Equal(t, "before", enginetest.Must(s.Engine.DebugMode(t.Context(), s.project, job))(t), false)
	s.keep(holders[2], "CI_DEBUG_TRACE", "true")
	enginetest.Equal(t, "after", enginetest.Must(s.Engine.DebugMode(t.Context(), s.project, job))(t), true)
}

// Values lie sealed, each in its place: one that is moved to another row does not
// open there.
func TestVariablesAreSealed(t *testing.T) {
	s, holders := nested(t, simple)
	s.keep(holders[3], "A", "s3cr3tvalue")
	s.keep(holders[3], "B", "other")
	list, _, err := s.View.Variables(t.Context(), ci.VariableOwner{ProjectID: s.project.ID}, 10, 0)
	enginetest.Check(t, err)
	if strings.Contains(string(list[0].Sealed), "s3cr3tvalue") {
		t.Error("the value lies open in the database")
	}
	list[1].Sealed = list[0].Sealed
	enginetest.Check(t, s.Store.UpdateVariable(t.Context(), list[1]))
	if _, err := s.Engine.GetVariable(t.Context(), s.Root, holders[3], "B", ""); err == nil {
		t.Error("a value opens in the place of another")
	} else if strings.Contains(err.Error(), "s3cr3tvalue") {
		t.Errorf("the error has the value: %v", err)
	}
	list[1].Sealed = enginetest.Must(s.Keys.Seal([]byte("x"), nil))(t)
	if got := s.trigger("main"); !strings.Contains(got, "open variable") {
		t.Errorf("a trigger with a value that does not open: got %q", got)
	}
}

// Another process sees a change at once, and a group that moves brings its
// variables along.
func TestVariablesOfTwoReplicas(t *testing.T) {
	s, holders := nested(t, "job: {script: x, tags: [$WHERE]}\n")
	other := s.NewEngine()
	tag := func(e *engine.Engine) string {
		t.Helper()
		p := enginetest.Must(e.Trigger(t.Context(), enginetest.Request(s.project, s.token, "main")))(t).Pipeline
		return strings.Join(s.Snapshot(p.ID).Jobs[0].Tags, " ")
	}
	s.keep(holders[1], "WHERE", "top")
	enginetest.Equal(t, "one", tag(s.Engine), "top")
	enginetest.Equal(t, "other", tag(other), "top")
	enginetest.Must(s.Engine.UpdateVariable(t.Context(), s.Root, holders[1], "WHERE", "", func(v *ci.OwnedVariable) { v.Value = "changed" }))(t)
	enginetest.Equal(t, "other after a change", tag(other), "changed")
	elsewhere := s.Group("elsewhere")
	s.keep(engine.Holder{Group: elsewhere}, "WHERE", "elsewhere")
	enginetest.Equal(t, "before the move", tag(other), "changed")
	s.set(func(p *ci.Project) { p.NamespaceID, p.FullPath = elsewhere.ID, "elsewhere/demo" })
	enginetest.Equal(t, "after the move", tag(other), "elsewhere")
	enginetest.Equal(t, "after the move, here", tag(s.Engine), "elsewhere")
}

// With variables that reach the project, but did not change, a trigger asks the
// database nothing more than without.
func TestStatementsWithVariables(t *testing.T) {
	s, request := priced(t, 5)
	s.keep(engine.Holder{}, "INSTANCE", "1")
	s.keep(engine.Holder{Project: s.project}, "SECRET", "s3cr3tvalue", masked)
	count := func() int {
		return len(s.Statements.During(func() { enginetest.Must(s.Engine.Trigger(t.Context(), request))(t) }))
	}
	enginetest.Equal(t, "after a change", count(), 9)
	enginetest.Equal(t, "unchanged", count(), 8)
}
