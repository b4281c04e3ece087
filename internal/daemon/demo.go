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

// A Demo is what `lanyard up` shows. The tokens are secrets, meant for whoever
// started the server.
type Demo struct {
	Project      string // full path
	CloneURL     string
	TriggerURL   string
	TriggerToken string
	RootToken    string // empty when the demo was there already
	PipelineID   int64
}

// demoDescription marks the trigger token of the demo.
const demoDescription = "lanyard up"

// Demo sets up the demo projects if they are not there and starts one pipeline,
// with the trigger token, just as a stranger's curl would.
func (s *Server) Demo(ctx context.Context) (Demo, error) {
	root, err := s.engine.Root(ctx)
	if err != nil {
		return Demo{}, fmt.Errorf("find root: %w", err)
	}
	caller := engine.Caller{User: root}
	demo := Demo{}
	hello, err := s.engine.FindProject(ctx, "demo/hello")
	if ci.IsNotFound(err) {
		if hello, err = s.makeDemo(ctx, caller); err == nil {
			demo.RootToken, err = s.engine.NewRootToken(ctx, root, demoDescription)
		}
	}
	if err != nil {
		return Demo{}, err
	}
	token, err := s.demoToken(ctx, caller, hello)
	if err != nil {
		return Demo{}, err
	}
	started, err := s.engine.Trigger(ctx, engine.TriggerRequest{
		Project: hello.FullPath, Token: token, Ref: hello.DefaultBranch,
		Payload: fmt.Sprintf(`{"ref":%q,"id":%q,"variables":{}}`, hello.DefaultBranch, hello.FullPath),
	})
	if err != nil {
		return Demo{}, fmt.Errorf("trigger demo pipeline: %w", err)
	}
	demo.Project, demo.CloneURL = hello.FullPath, s.urls.Clone(hello.FullPath)
	demo.TriggerURL = fmt.Sprintf("%s/projects/%d/trigger/pipeline", s.urls.API(), hello.ID)
	demo.TriggerToken, demo.PipelineID = token, int64(started.Pipeline.ID)
	return demo, nil
}

// makeDemo makes the group, both projects and the allow-list between them.
func (s *Server) makeDemo(ctx context.Context, caller engine.Caller) (ci.Project, error) {
	group, err := s.engine.FindNamespace(ctx, "demo")
	if ci.IsNotFound(err) {
		group, err = s.engine.CreateGroup(ctx, caller, engine.NewGroup{Name: "Demo", Path: "demo", Visibility: ci.Public})
	}
	if err != nil {
		return ci.Project{}, fmt.Errorf("create group demo: %w", err)
	}
	downstream, err := s.demoProject(ctx, caller, group, "downstream")
	if err != nil {
		return ci.Project{}, err
	}
	hello, err := s.demoProject(ctx, caller, group, "hello")
	if err != nil {
		return ci.Project{}, err
	}
	if err := s.engine.AllowJobTokenOf(ctx, caller, downstream, hello.ID); err != nil {
		return ci.Project{}, fmt.Errorf("let demo/hello trigger demo/downstream: %w", err)
	}
	return hello, nil
}

// demoProject makes a project from the embedded folder of its name.
func (s *Server) demoProject(ctx context.Context, caller engine.Caller, group ci.Namespace, name string) (ci.Project, error) {
	project, err := s.engine.FindProject(ctx, "demo/"+name)
	if ci.IsNotFound(err) {
		project, err = s.engine.CreateProject(ctx, caller, engine.NewProject{
			Name: name, Path: name, NamespaceID: group.ID, Visibility: ci.Public, DefaultBranch: "main",
		})
	}
	if err != nil {
		return ci.Project{}, fmt.Errorf("create project demo/%s: %w", name, err)
	}
	actions, err := demoActions("demo/" + name)
	if err != nil {
		return ci.Project{}, err
	}
	sha, err := s.state.git.CommitFiles(ctx, int64(project.ID), git.CommitRequest{
		Branch: "main", Message: "Add a pipeline to look at", AuthorName: caller.User.Name, AuthorEmail: caller.User.Email,
		Now: s.config.Now().UTC(), Actions: actions,
	})
	if err != nil {
		return ci.Project{}, fmt.Errorf("commit to demo/%s: %w", name, err)
	}
	// Without a pipeline: the first one that a newcomer sees is the one that is triggered.
	_, err = s.engine.Pushed(ctx, engine.Push{
		Project: project, Caller: caller, NoPipeline: true,
		Changes: []engine.RefChange{{Name: ci.BranchPrefix + "main", Before: ci.ZeroSHA, After: sha}},
	})
	if err != nil {
		return ci.Project{}, fmt.Errorf("record commit to demo/%s: %w", name, err)
	}
	return project, nil
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
		Name: "lanyard up, watching", Scopes: []string{auth.ScopeReadAPI}, ExpiresAt: s.config.Now().Add(24 * time.Hour),
	})
	if err != nil {
		return "", nil, fmt.Errorf("make a token to watch with: %w", err)
	}
	return token, func(ctx context.Context) error { return s.engine.RevokeAccessToken(ctx, caller, root.ID, saved.ID) }, nil
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
		return "", fmt.Errorf("list trigger tokens of the demo: %w", err)
	}
	for _, t := range list {
		if t.Description != nil && *t.Description == demoDescription && t.OwnerID == caller.User.ID {
			return t.Token, nil
		}
	}
	made, err := s.engine.CreateTrigger(ctx, caller, project, demoDescription, time.Time{})
	if err != nil {
		return "", fmt.Errorf("create trigger token of the demo: %w", err)
	}
	return made.Token, nil
}
