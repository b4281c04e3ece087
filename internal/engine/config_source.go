package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A configSource lets the compiler read what a configuration includes, with the
// rights of the pipeline's user: the project itself, others that the user may
// download the code of, remote files. It asks for each reference once, so it must
// not outlive one trigger. It keeps the first real failure, since the compiler only
// knows "not there".
type configSource struct {
	engine *Engine
	user   ci.User

	mu       sync.Mutex // protects all fields below: remote files come several at once
	projects map[string]ci.ProjectID
	refs     map[ciyaml.Reference]resolvedRef
	bytes    int // read so far
	err      error
}

// A resolvedRef is the answer to a reference.
type resolvedRef struct {
	commit ciyaml.Commit
	err    error
}

func (e *Engine) newConfigSource(project ci.Project, user ci.User) *configSource {
	return &configSource{
		engine: e, user: user,
		projects: map[string]ci.ProjectID{project.FullPath: project.ID}, refs: map[ciyaml.Reference]resolvedRef{},
	}
}

// ReadFile implements ciyaml.Source.
func (s *configSource) ReadFile(ctx context.Context, project, sha, path string) ([]byte, error) {
	id, err := s.project(project)
	if err != nil {
		return nil, err
	}
	data, err := s.engine.readFile(ctx, id, sha, path)
	s.count(len(data))
	switch {
	case errors.Is(err, git.ErrNotExist):
		return nil, ciyaml.ErrNotExist
	case errors.Is(err, git.ErrTooLarge):
		return nil, ciyaml.ErrTooLarge
	}
	return data, s.fail(err)
}

// Paths implements ciyaml.Source.
func (s *configSource) Paths(ctx context.Context, project, sha string) ([]string, error) {
	id, err := s.project(project)
	if err != nil {
		return nil, err
	}
	paths, err := s.engine.paths(ctx, id, sha)
	return paths, s.fail(err)
}

// Resolve implements ciyaml.Source.
func (s *configSource) Resolve(ctx context.Context, r ciyaml.Reference) (ciyaml.Commit, error) {
	s.mu.Lock()
	found, ok := s.refs[r]
	s.mu.Unlock()
	if ok {
		return found.commit, found.err
	}
	commit, id, err := s.engine.includedCommit(ctx, s.user, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.projects[commit.Project] = id
	case !errors.Is(err, ciyaml.ErrNoProject) && !errors.Is(err, ciyaml.ErrNoRef) && !errors.Is(err, ciyaml.ErrNoVersions):
		if s.err == nil {
			s.err = err
		}
		return ciyaml.Commit{}, err
	}
	s.refs[r] = resolvedRef{commit, err}
	return commit, err
}

// Fetch implements ciyaml.Source.
func (s *configSource) Fetch(ctx context.Context, address string) ([]byte, error) {
	if s.engine.remote == nil {
		return nil, &ciyaml.RemoteError{Problem: ciyaml.RemoteBlocked}
	}
	data, err := s.engine.remote.Fetch(ctx, address)
	s.count(len(data))
	if _, told := errors.AsType[*ciyaml.RemoteError](err); told {
		return nil, err
	}
	return data, s.fail(err)
}

// project finds a project that was resolved before, and with that authorized.
func (s *configSource) project(path string) (ci.ProjectID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.projects[path]
	if !ok {
		return 0, fmt.Errorf("read project %s, which was not resolved: %w", path, ciyaml.ErrNotExist)
	}
	return id, nil
}

// fail keeps the first failure.
func (s *configSource) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err == nil {
		s.err = err
	}
	return err
}

func (s *configSource) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *configSource) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += n
}

func (s *configSource) read() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// includedCommit finds the commit that an include means, if the user may read the
// code of its project. A project that they may not read is as little there as one
// that does not exist.
func (e *Engine) includedCommit(ctx context.Context, user ci.User, r ciyaml.Reference) (ciyaml.Commit, ci.ProjectID, error) {
	if r.Public {
		user = ci.User{}
	}
	project, err := e.readableProject(ctx, user, r.Project)
	if err != nil {
		return ciyaml.Commit{}, 0, err
	}
	commit := ciyaml.Commit{Project: project.FullPath}
	if r.Version {
		commit.Name, commit.SHA, err = e.latestVersion(ctx, project, r.Ref)
	} else {
		commit.SHA, err = e.refOfProject(ctx, project, r.Ref)
	}
	return commit, project.ID, err
}

// readableProject finds a project by its path whose code the user may download.
// Errors: ciyaml.ErrNoProject.
func (e *Engine) readableProject(ctx context.Context, user ci.User, path string) (ci.Project, error) {
	if !strings.Contains(path, "/") { // digits would be an id
		return ci.Project{}, ciyaml.ErrNoProject
	}
	project, err := e.findProject(ctx, path)
	if ci.IsNotFound(err) {
		return ci.Project{}, ciyaml.ErrNoProject
	}
	if err != nil {
		return ci.Project{}, fmt.Errorf("find project to include from: %w", err)
	}
	actor, err := e.Actor(ctx, Caller{User: user}, project)
	if err != nil {
		return ci.Project{}, err
	}
	if auth.Allow(actor, auth.DownloadCode, project) != auth.Allowed {
		return ci.Project{}, ciyaml.ErrNoProject
	}
	return project, nil
}

// refOfProject finds the commit of a branch, a tag or a part of a commit's name; a
// tag beats a branch of its name, as in git. "" is the head of the default branch.
// Errors: ciyaml.ErrNoRef.
func (e *Engine) refOfProject(ctx context.Context, project ci.Project, ref string) (string, error) {
	if ref == "" || ref == "HEAD" {
		ref = ci.BranchPrefix + project.DefaultBranch
	}
	var found []ci.Ref
	var err error
	if strings.HasPrefix(ref, "refs/") {
		var one ci.Ref
		if one, err = e.view.Ref(ctx, project.ID, ref); err == nil {
			found = []ci.Ref{one}
		} else if ci.IsNotFound(err) {
			err = nil
		}
	} else {
		found, err = e.view.RefsNamed(ctx, project.ID, ref)
	}
	if err != nil {
		return "", fmt.Errorf("look up ref of project %d: %w", project.ID, err)
	}
	if len(found) > 0 {
		return found[len(found)-1].SHA, nil // the tag is the last of them
	}
	sha, err := e.git.Resolve(ctx, int64(project.ID), ref)
	if errors.Is(err, git.ErrNotExist) {
		return "", ciyaml.ErrNoRef
	}
	if err != nil {
		return "", fmt.Errorf("resolve ref of project %d: %w", project.ID, err)
	}
	return sha, nil
}

// latestVersion finds the tag with the newest version that a component's version
// means. Errors: ciyaml.ErrNoVersions.
func (e *Engine) latestVersion(ctx context.Context, project ci.Project, want string) (tag, sha string, err error) {
	refs, err := e.view.Refs(ctx, project.ID, ci.TagPrefix)
	if err != nil {
		return "", "", fmt.Errorf("list tags of project %d: %w", project.ID, err)
	}
	tags := make([]string, len(refs))
	for i := range refs {
		tags[i] = refs[i].Short()
	}
	tag, found := ciyaml.LatestVersion(tags, want)
	if !found {
		return "", "", ciyaml.ErrNoVersions
	}
	sha, err = e.refOfProject(ctx, project, ci.TagPrefix+tag)
	return tag, sha, err
}
