package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A gitLog is a git program that writes down what it is asked. While there is a file
// named like it with ".hold" it does not answer.
type gitLog struct {
	t    *testing.T
	file string
	seen int
}

// newGitLog makes the program.
func newGitLog(t *testing.T) (*gitLog, string) {
	t.Helper()
	dir := t.TempDir()
	log := &gitLog{t: t, file: filepath.Join(dir, "log")}
	script := fmt.Sprintf(`#!/bin/sh
for word in "$@"; do
	case "$word" in
	cat-file)
		while read -r line; do
			while [ -e %[1]q.hold ]; do touch %[1]q.held; sleep 0.01; done
			printf '%%s\n' "$line" >>%[1]q
			printf '%%s\n' "$line"
		done | exec git "$@"
		exit ;;
	ls-tree) echo list >>%[1]q ;;
	esac
done
exec git "$@"
`, log.file)
	program := filepath.Join(dir, "git")
	enginetest.Check(t, os.WriteFile(program, []byte(script), 0o700))
	return log, program
}

// reads are the files, lists and commits that were asked for since the last call.
func (l *gitLog) reads() string {
	l.t.Helper()
	data, err := os.ReadFile(l.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.t.Fatal(err)
	}
	var reads []string
	for line := range strings.Lines(string(data[l.seen:])) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, path, file := strings.Cut(name, ":")
		switch {
		case strings.TrimSpace(line) == "list":
			reads = append(reads, "list")
		case file && path != "":
			reads = append(reads, path)
		case strings.HasPrefix(line, "contents"):
			reads = append(reads, "commit")
		}
	}
	l.seen = len(data)
	return strings.Join(reads, " ")
}

// counted sets a scene whose git writes down what it is asked.
func counted(t *testing.T, config string, files ...string) (*scene, *gitLog) {
	t.Helper()
	log, program := newGitLog(t)
	w := enginetest.New(t, enginetest.Config{Git: git.Config{Git: program, CatFiles: 1}})
	s := newScene(t, w, "counted", config)
	if len(files) > 0 {
		s.Commit(s.project, "main", "More files", files...)
	}
	log.reads()
	return s, log
}

// started triggers main and gives the jobs.
func (s *scene) started(variables ...string) string {
	s.t.Helper()
	return s.Jobs(s.Started(s.project, s.token, "main", variables...).ID)
}

func TestConfigIsReadOnce(t *testing.T) {
	s, log := counted(t, "include: a.yml\n"+simple, "a.yml", "test:\n  script: test\n  rules: [{if: $DEEP}]\n")
	for _, step := range []struct {
		what  string
		vars  []string
		jobs  string
		reads string
	}{
		{"first", nil, "build pending", "commit .gitlab-ci.yml a.yml"},
		{"again", nil, "build pending", ""},
		{"another variable, which no include names", []string{"DEEP", "1"}, "test pending, build pending", ""},
	} {
		enginetest.Equal(t, step.what+": jobs", s.started(step.vars...), step.jobs)
		enginetest.Equal(t, step.what+": reads", log.reads(), step.reads)
	}
	s.as(ci.Maintainer)
	enginetest.Equal(t, "another right: reads", s.trigger("main")+log.reads(), "")

	s.Commit(s.project, "main", "Moved on", "a.yml", "lint:\n  script: lint\n")
	log.reads()
	enginetest.Equal(t, "moved branch: jobs", s.started(), "lint pending, build pending")
	enginetest.Equal(t, "moved branch: reads", log.reads(), "commit .gitlab-ci.yml a.yml")
	s.Tag(s.project, "v1", "main", "")
	enginetest.Equal(t, "tag of the same commit", s.trigger("v1"), "")
	enginetest.Equal(t, "tag of the same commit: reads of files", strings.Contains(log.reads(), "yml"), false)

	s.set(func(p *ci.Project) { p.ConfigPath = "a.yml" })
	enginetest.Equal(t, "another path: jobs", s.started(), "lint pending")
	enginetest.Equal(t, "another path: reads", log.reads(), "a.yml")
	s.set(func(p *ci.Project) { p.FullPath, p.Path = "root/renamed", "renamed" })
	enginetest.Equal(t, "renamed: jobs", s.started(), "lint pending")
}

// A configuration that names variables in include counts only for their values; a
// few values are kept side by side.
func TestConfigThatReadsVariables(t *testing.T) {
	s, log := counted(t, "include: $KIND.yml\n"+simple, "a.yml", "a: {script: x}", "b.yml", "b: {script: x}")
	for _, step := range []struct{ kind, jobs, reads string }{
		{"a", "a pending, build pending", "commit .gitlab-ci.yml a.yml"},
		{"b", "b pending, build pending", ".gitlab-ci.yml b.yml"},
		{"a", "a pending, build pending", ""},
		{"b", "b pending, build pending", ""},
	} {
		enginetest.Equal(t, step.kind+": jobs", s.started("KIND", step.kind, "OTHER", step.jobs), step.jobs)
		enginetest.Equal(t, step.kind+": reads", log.reads(), step.reads)
	}
	enginetest.Equal(t, "not there", s.trigger("main", "KIND", "c"), "unprocessable: Local file `c.yml` does not exist!")
	enginetest.Equal(t, "not there: reads", log.reads(), ".gitlab-ci.yml c.yml")
	enginetest.Equal(t, "not there, again", s.trigger("main", "KIND", "c"), "unprocessable: Local file `c.yml` does not exist!")
	enginetest.Equal(t, "not there, again: reads", log.reads(), "")
	enginetest.Equal(t, "not set", s.trigger("main"), "unprocessable: Local file `.yml` does not exist!")
	log.reads()
	for i := range 20 { // more values than are kept
		s.trigger("main", "KIND", fmt.Sprint(i))
	}
	log.reads()
	enginetest.Equal(t, "long ago: jobs", s.started("KIND", "a"), "a pending, build pending")
	enginetest.Equal(t, "long ago: reads", log.reads(), ".gitlab-ci.yml a.yml")
}

func TestBadConfigIsReadOnce(t *testing.T) {
	s, log := counted(t, "a: {script: x, foo: y}")
	for _, reads := range []string{"commit .gitlab-ci.yml", ""} {
		enginetest.Equal(t, "answer", s.trigger("main"), "unprocessable: jobs:a config contains unknown keys: foo")
		enginetest.Equal(t, "reads", log.reads(), reads)
	}
	none, log := counted(t, "")
	for _, reads := range []string{"commit .gitlab-ci.yml", ""} {
		enginetest.Equal(t, "answer without a file", none.trigger("main"), "invalid: Missing CI config file")
		enginetest.Equal(t, "reads without a file", log.reads(), reads)
	}
}

// Files for rules:exists, patterns of include and keys of caches are looked at once
// for each commit.
func TestListsAndCacheKeysAreReadOnce(t *testing.T) {
	s, log := counted(t, "include: ci/*.yml\nbuild:\n  script: x\n  cache: {key: {files: [go.sum]}, paths: [p]}\n  rules: [{exists: [go.sum]}]\n",
		"ci/a.yml", "a: {script: x}", "go.sum", "sum")
	enginetest.Equal(t, "jobs", s.started(), "a pending, build pending")
	enginetest.Equal(t, "reads", log.reads(), "commit .gitlab-ci.yml list ci/a.yml go.sum")
	enginetest.Equal(t, "jobs", s.started(), "a pending, build pending")
	enginetest.Equal(t, "reads", log.reads(), "")
}

// Two projects may have the same commit, even the same path one after the other;
// what was read for one says nothing about the other.
func TestConfigsOfProjectsStayApart(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	one, two := newScene(t, w, "one", "one: {script: x}"), newScene(t, w, "two", "two: {script: x}")
	enginetest.Equal(t, "one", one.started(), "one pending")
	enginetest.Equal(t, "two", two.started(), "two pending")
	sha := enginetest.Must(w.Git.Resolve(t.Context(), int64(one.project.ID), "main"))(t)
	ref := ci.Ref{ProjectID: two.project.ID, Name: "refs/heads/stolen", SHA: sha}
	w.Damage("refs/heads/stolen of project 2 is in the table and not in the repository")
	enginetest.Check(t, w.Store.SetRefs(t.Context(), two.project.ID, []ci.Ref{ref}, nil))
	enginetest.Equal(t, "a commit of the other", two.trigger("stolen"), "invalid: Commit not found")
	one.set(func(p *ci.Project) { p.FullPath, p.Path = "root/gone", "gone" })
	two.set(func(p *ci.Project) { p.FullPath, p.Path = "root/one", "one" })
	enginetest.Equal(t, "the path of the other", two.started(), "two pending")
}

// Many callers of one configuration cause one load. The one who began it may leave
// without harm to the others.
func TestConfigIsLoadedOnceForMany(t *testing.T) {
	log, program := newGitLog(t)
	w := enginetest.New(t, enginetest.Config{Git: git.Config{Git: program}})
	s := newScene(t, w, "many", simple)
	s.set(func(p *ci.Project) { p.ConfigPath = "other.yml" })
	enginetest.Equal(t, "so that the commit is known", s.trigger("main"), "invalid: Missing CI config file")
	s.set(func(p *ci.Project) { p.ConfigPath = "" })
	log.reads()
	hold := log.file + ".hold"
	enginetest.Check(t, os.WriteFile(hold, nil, 0o600))

	leader, leave := context.WithCancel(t.Context())
	defer leave()
	left := make(chan error)
	go func() {
		_, err := s.Engine.Trigger(leader, enginetest.Request(s.project, s.token, "main"))
		left <- err
	}()
	for _, err := os.Stat(log.file + ".held"); err != nil; _, err = os.Stat(log.file + ".held") {
		time.Sleep(time.Millisecond)
	}
	var group sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		group.Go(func() { _, errs[i] = s.Trigger(s.project, s.token, "main", "N", fmt.Sprint(i)) })
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("caller who left: got %v, want %v", err, context.Canceled)
	}
	enginetest.Check(t, os.Remove(hold))
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	enginetest.Equal(t, "reads", log.reads(), ".gitlab-ci.yml")
	enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 16)
}

// A cache that is too small for what is in use must only cost time.
func TestSmallCache(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{Limits: engine.Limits{CachedConfigs: 1}})
	var scenes []*scene
	for i := range 4 {
		scenes = append(scenes, newScene(t, w, fmt.Sprintf("small%d", i), fmt.Sprintf("job%d: {script: x}", i)))
	}
	for range 2 {
		for i, s := range slices.Backward(scenes) {
			enginetest.Equal(t, "jobs", s.started(), fmt.Sprintf("job%d pending", i))
		}
	}
}
