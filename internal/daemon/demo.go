package daemon

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
)

//go:embed all:demo
var demoFiles embed.FS

// A Demo is what `lanyard up` shows. TriggerToken is a secret, meant for whoever
// started the server.
type Demo struct {
	Project      string // full path
	Ref          string // its default branch
	Downstream   string // full path of the project that its pipeline starts
	CloneURL     string
	TriggerURL   string
	TriggerToken string
}

// Names of what `lanyard up` makes for itself: it finds its own by them.
const (
	demoTrigger = "lanyard up"           // description of the trigger token
	firstToken  = "lanyard up"           // root's first access token
	watchToken  = "lanyard up, watching" // what the demo is followed with
)

// Demo sets up the demo projects, as far as they are not there: whatever an earlier
// start was killed in the middle of is made up for. It starts no pipeline.
func (s *Server) Demo(ctx context.Context) (Demo, error) {
	root, err := s.engine.Root(ctx)
	if err != nil {
		return Demo{}, fmt.Errorf("find root: %w", err)
	}
	caller := engine.Caller{User: root}
	group, err := s.engine.FindNamespace(ctx, "demo")
	if ci.IsNotFound(err) {
		group, err = s.engine.CreateGroup(ctx, caller, engine.NewGroup{Name: "Demo", Path: "demo", Visibility: ci.Public})
	}
	if err != nil {
		return Demo{}, fmt.Errorf("create group demo: %w", err)
	}
	hello, err := s.demoProject(ctx, caller, group, "hello")
	if err != nil {
		return Demo{}, err
	}
	downstream, err := s.demoProject(ctx, caller, group, "downstream")
	if err != nil {
		return Demo{}, err
	}
	if err := s.engine.AllowJobTokenOf(ctx, caller, downstream, hello.ID); err != nil {
		return Demo{}, fmt.Errorf("let %s trigger %s: %w", hello.FullPath, downstream.FullPath, err)
	}
	token, err := s.demoToken(ctx, caller, hello)
	if err != nil {
		return Demo{}, err
	}
	return Demo{
		Project: hello.FullPath, Ref: hello.DefaultBranch, Downstream: downstream.FullPath, CloneURL: s.urls.Clone(hello.FullPath),
		TriggerURL: fmt.Sprintf("%s/projects/%d/trigger/pipeline", s.urls.API(), hello.ID), TriggerToken: token,
	}, nil
}

// demoProject makes a project from the embedded folder of its name.
func (s *Server) demoProject(ctx context.Context, caller engine.Caller, group ci.Namespace, name string) (ci.Project, error) {
	path := group.FullPath + "/" + name
	project, err := s.engine.FindProject(ctx, path)
	if ci.IsNotFound(err) {
		project, err = s.engine.CreateProject(ctx, caller, engine.NewProject{
			Name: name, Path: name, NamespaceID: group.ID, Visibility: ci.Public, DefaultBranch: "main",
		})
	}
	if err != nil {
		return ci.Project{}, fmt.Errorf("create project %s: %w", path, err)
	}
	branches, err := s.state.store.View().Refs(ctx, project.ID, ci.BranchPrefix)
	if err != nil {
		return ci.Project{}, fmt.Errorf("list branches of %s: %w", path, err)
	}
	if len(branches) > 0 {
		return project, nil
	}
	if err := s.demoCommit(ctx, caller, project, name); err != nil {
		return ci.Project{}, fmt.Errorf("commit to %s: %w", path, err)
	}
	return project, nil
}

// demoCommit makes the first commit, without a pipeline: the first one that a
// newcomer sees is the one that is triggered.
func (s *Server) demoCommit(ctx context.Context, caller engine.Caller, project ci.Project, folder string) error {
	actions, err := demoActions("demo/" + folder)
	if err != nil {
		return err
	}
	sha, err := s.state.git.CommitFiles(ctx, int64(project.ID), git.CommitRequest{
		Branch: project.DefaultBranch, Message: "Add a pipeline to look at", AuthorName: caller.User.Name, AuthorEmail: caller.User.Email,
		Now: s.config.Now().UTC(), Actions: actions,
	})
	if err != nil {
		return err
	}
	_, err = s.engine.Pushed(ctx, engine.Push{
		Project: project, Caller: caller, NoPipeline: true,
		Changes: []engine.RefChange{{Name: ci.BranchPrefix + project.DefaultBranch, Before: ci.ZeroSHA, After: sha}},
	})
	return err
}

// demoActions lists the embedded files of a folder as files to create.
func demoActions(folder string) ([]git.Action, error) {
	var actions []git.Action
	err := fs.WalkDir(demoFiles, folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := demoFiles.ReadFile(path)
		if err != nil {
			return err
		}
		actions = append(actions, git.Action{Kind: git.ActionCreate, Path: strings.TrimPrefix(path, folder+"/"), Content: content})
		return nil
	})
	return actions, err
}

// demoToken gives the trigger token of the demo, which its owner may read again.
func (s *Server) demoToken(ctx context.Context, caller engine.Caller, project ci.Project) (string, error) {
	list, _, err := s.engine.ListTriggers(ctx, caller, project, 100, 0)
	if err != nil {
		return "", fmt.Errorf("list trigger tokens of %s: %w", project.FullPath, err)
	}
	for _, t := range list {
		if t.Description != nil && *t.Description == demoTrigger && t.OwnerID == caller.User.ID && !t.Expired(s.config.Now()) {
			return t.Token, nil
		}
	}
	made, err := s.engine.CreateTrigger(ctx, caller, project, demoTrigger, time.Time{})
	if err != nil {
		return "", fmt.Errorf("create trigger token of %s: %w", project.FullPath, err)
	}
	return made.Token, nil
}

// FirstToken makes a personal access token of root's the first time that it is
// asked on this database, and is empty ever after: the token is readable only once.
func (s *Server) FirstToken(ctx context.Context) (string, error) {
	root, err := s.engine.Root(ctx)
	if err != nil {
		return "", fmt.Errorf("find root: %w", err)
	}
	tokens, err := s.state.store.View().AccessTokens(ctx, root.ID)
	if err != nil {
		return "", fmt.Errorf("list access tokens of root: %w", err)
	}
	for _, t := range tokens {
		if t.Name == firstToken {
			return "", nil
		}
	}
	return s.engine.NewRootToken(ctx, root, firstToken)
}

// SignInLink makes a URL that signs its first visitor in as root, for 15 minutes.
// It is a secret, meant for whoever started the server.
func (s *Server) SignInLink(ctx context.Context) (string, error) {
	path, err := s.engine.NewSignInLink(ctx)
	if err != nil {
		return "", fmt.Errorf("make sign-in link: %w", err)
	}
	return s.urls.Abs(path), nil
}

// WatchToken makes an access token of root's to follow a pipeline with, and what
// ends it.
func (s *Server) WatchToken(ctx context.Context) (token string, end func(context.Context) error, err error) {
	root, err := s.engine.Root(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("find root: %w", err)
	}
	caller := engine.Caller{User: root}
	saved, token, err := s.engine.CreateAccessToken(ctx, caller, root.ID, engine.NewAccessToken{
		Name: watchToken, Scopes: []string{auth.ScopeReadAPI}, ExpiresAt: s.config.Now().Add(24 * time.Hour),
	})
	if err != nil {
		return "", nil, fmt.Errorf("make a token to watch with: %w", err)
	}
	return token, func(ctx context.Context) error { return s.engine.RevokeAccessToken(ctx, caller, root.ID, saved.ID) }, nil
}
