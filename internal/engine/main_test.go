package engine_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// TestMain ends the servers that tests and benchmarks shared, and then looks for
// goroutines that are left.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	problems := postgres.Stop()
	if *onPostgres {
		if server, err := durable(); err == nil {
			problems = errors.Join(problems, server.Stop())
		}
	}
	if code == 0 {
		problems = errors.Join(problems, goleak.Find())
	}
	if problems != nil {
		fmt.Fprintln(os.Stderr, problems)
		code = max(code, 1)
	}
	os.Exit(code)
}

// simple is the configuration of most projects here.
const simple = "build:\n  script: make\n"

// A scene is a project with a trigger token whose owner is a developer.
type scene struct {
	*enginetest.World
	t       *testing.T
	project ci.Project
	owner   ci.User
	token   string
}

// newScene sets a scene in a world. With an empty configuration the repository has
// another file only.
func newScene(t *testing.T, w *enginetest.World, path, config string) *scene {
	t.Helper()
	files := []string{"README.md", "# Hello\n"}
	if config != "" {
		files = append(files, ".gitlab-ci.yml", config)
	}
	s := &scene{World: w, t: t, project: w.Project(path, files...)}
	s.owner = w.Someone(s.project, ci.Developer)
	s.token = w.TriggerToken(s.project, s.owner)
	return s
}

// as gives the owner another role.
func (s *scene) as(role ci.Role) { s.Member(s.owner, s.project, role) }

// change changes the owner.
func (s *scene) change(fn func(*ci.User)) { s.owner = s.Change(s.owner, fn) }

// set changes the project.
func (s *scene) set(fn func(*ci.Project)) { s.project = s.Set(s.project, fn) }

// trigger triggers a ref and gives the refusal, "" if there is none.
func (s *scene) trigger(ref string, variables ...string) string {
	s.t.Helper()
	_, err := s.Trigger(s.project, s.token, ref, variables...)
	return enginetest.Text(err)
}

// latest is the newest pipeline of the project.
func (s *scene) latest() ci.Pipeline {
	s.t.Helper()
	list := s.Pipelines(s.project)
	if len(list) == 0 {
		s.t.Fatal("there is no pipeline")
	}
	return list[len(list)-1]
}
