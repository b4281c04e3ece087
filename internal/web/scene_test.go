package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

// sceneConfig has a job of each kind that pages tell apart.
const sceneConfig = `
stages: [build, test, deploy]
compile:
  stage: build
  script: make
lint:
  stage: test
  needs: [compile]
  script: make lint
  allow_failure: true
unit:
  stage: test
  needs: [compile]
  script: make test
ship:
  stage: deploy
  when: manual
  script: make ship
`

// A scene is a project in a nested group, with a maintainer, a developer, and a
// pipeline that a trigger token started.
type scene struct {
	*world
	project    ci.Project
	maintainer *browser
	developer  *browser
	token      string
	runner     *enginetest.Runner
	pipeline   ci.Pipeline
}

func newScene(t testing.TB, config string) *scene {
	t.Helper()
	w := newWorld(t, enginetest.Config{})
	group := w.Group("acme")
	sub := enginetest.Must(w.Engine.CreateGroup(t.Context(), w.Root, engine.NewGroup{Name: "tools", Path: "tools", ParentID: group.ID, Visibility: ci.Private}))(t)
	s := &scene{world: w, project: w.ProjectIn(sub.ID, "app", ".gitlab-ci.yml", config)}
	mia, dev := w.person("mia"), w.person("dev")
	w.Member(mia, s.project, ci.Maintainer)
	w.Member(dev, s.project, ci.Developer)
	s.maintainer, s.developer = w.as("mia"), w.as("dev")
	made := enginetest.Must(w.Engine.CreateTrigger(t.Context(), engine.Caller{User: mia}, s.project, "nightly", w.Now().AddDate(0, 1, 0)))(t)
	s.token = made.Token
	s.runner = w.Runner()
	s.pipeline = w.Started(s.project, s.token, "main", "COLOR", "red")
	return s
}

// path is below the project.
func (s *scene) path(format string, args ...any) string {
	return "/acme/tools/app" + fmt.Sprintf(format, args...)
}

// job finds the job of a name that counts.
func (s *scene) job(name string) ci.Job {
	s.t.Helper()
	jobs := s.Snapshot(s.pipeline.ID).Jobs
	for i := len(jobs) - 1; i >= 0; i-- {
		if jobs[i].Name == name && !jobs[i].Retried {
			return jobs[i]
		}
	}
	s.t.Fatalf("no job %s", name)
	return ci.Job{}
}

// write adds to the log of a running job.
func (s *scene) write(a *engine.Assignment, text string) {
	s.t.Helper()
	size := enginetest.Must(s.Traces.Size(s.t.Context(), int64(a.Job.ID)))(s.t)
	_, _, err := s.Engine.AppendLog(s.t.Context(), a.Job.ID, a.Token, size, strings.NewReader(text))
	enginetest.Check(s.t, err)
}

// run takes the next job, lets it write and ends it.
func (s *scene) run(success bool, log string) *engine.Assignment {
	s.t.Helper()
	a := s.runner.Take()
	if log != "" {
		s.write(a, log)
	}
	s.runner.Finish(a, success)
	return a
}

// upload stores an archive of a running job.
func (s *scene) upload(a *engine.Assignment, content string) {
	s.t.Helper()
	_, err := s.Engine.SaveArtifact(s.t.Context(), a.Job.ID, a.Token, engine.Upload{
		Type: "archive", Format: "zip", Name: "artifacts.zip", ExpireIn: "1 day", Body: strings.NewReader(content),
	})
	enginetest.Check(s.t, err)
}

// downstream makes a project whose pipeline a running job starts with its token.
func (s *scene) downstream(a *engine.Assignment, visible ci.Visibility) (ci.Project, ci.Pipeline) {
	s.t.Helper()
	s.number++
	project := s.Project(fmt.Sprintf("below%d", s.number), ".gitlab-ci.yml", "receive:\n  script: make\n")
	project = s.Set(project, func(p *ci.Project) { p.Visibility, p.InboundTokenScope = visible, false })
	s.Member(s.userOf(a), project, ci.Developer)
	return project, s.Started(project, a.Token, "main")
}

func (s *scene) userOf(a *engine.Assignment) ci.User {
	s.t.Helper()
	return enginetest.Must(s.View.User(s.t.Context(), a.Job.UserID))(s.t)
}
