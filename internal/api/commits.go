package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// maxCommitBody is the largest request that carries files.
const maxCommitBody = 64 << 20

// commitDetail is GitLab's CommitDetail: a single commit.
type commitDetail struct {
	commitShape
	Stats        *commitStats   `json:"stats,omitempty"`
	Status       *ci.Status     `json:"status"`
	ProjectID    ci.ProjectID   `json:"project_id"`
	LastPipeline *pipelineBasic `json:"last_pipeline"`
}

type commitStats struct {
	Additions int `json:"additions"`
	Deletions int `json:"deletions"`
	Total     int `json:"total"`
}

// showCommit answers with a commit, its newest pipeline and, with stats, how many
// lines it changed.
func (c *call) showCommit(status int, project ci.Project, commit git.Commit, stats bool) error {
	shape := commitDetail{commitShape: c.api.commitShape(project.FullPath, commit), ProjectID: project.ID}
	if stats {
		parent := ""
		if len(commit.Parents) > 0 {
			parent = commit.Parents[0]
		}
		added, removed, err := c.api.git.LineStats(c.ctx(), int64(project.ID), parent, commit.SHA)
		if err != nil {
			return err
		}
		shape.Stats = &commitStats{Additions: added, Deletions: removed, Total: added + removed}
	}
	if c.may(auth.ReadPipeline, project) {
		list, _, err := c.api.view.Pipelines(c.ctx(), store.PipelineFilter{ProjectID: project.ID, SHA: commit.SHA, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) > 0 {
			basic := c.api.pipelineBasic(list[0], project)
			shape.LastPipeline, shape.Status = &basic, &basic.Status
		}
	}
	return c.json(status, shape)
}

// commitOf reads the commit that a branch, a tag or a commit's name stands for.
func (c *call) commitOf(project ci.Project, rev string) (git.Commit, error) {
	commit, err := c.api.git.Commit(c.ctx(), int64(project.ID), rev)
	if errors.Is(err, git.ErrNotExist) {
		return git.Commit{}, ci.NotFound("Commit")
	}
	return commit, err
}

// getCommit shows a commit.
func (a *API) getCommit(c *call) error {
	stats := c.params.Bool("stats", true)
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	commit, err := c.commitOf(project, c.r.PathValue("sha"))
	if err != nil {
		return err
	}
	return c.showCommit(http.StatusOK, project, commit, stats)
}

// listCommits shows the history of a branch, tag or commit, newest first.
func (a *API) listCommits(c *call) error {
	page := c.params.Page()
	query := git.LogQuery{
		Rev: firstOf(c.params.String("ref_name"), c.params.String("ref")), Path: c.params.String("path"), All: c.params.Bool("all", false),
		Since: c.params.Time("since"), Until: c.params.Time("until"), FirstParent: c.params.Bool("first_parent", false),
		Author: c.params.String("author"), Skip: page.Offset(), Limit: page.PerPage + 1,
	}
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	empty, err := c.emptyRepository(project)
	if err != nil {
		return err
	}
	if empty {
		return c.page(page, wire.Found{Total: -1}, []commitShape{})
	}
	query.Rev = firstOf(query.Rev, ci.BranchPrefix+project.DefaultBranch)
	commits, err := a.git.Log(c.ctx(), int64(project.ID), query)
	if errors.Is(err, git.ErrNotExist) {
		return ci.NotFound("Commit")
	}
	if err != nil {
		return err
	}
	more := len(commits) > page.PerPage
	shapes := make([]commitShape, min(len(commits), page.PerPage))
	for i := range shapes {
		shapes[i] = a.commitShape(project.FullPath, commits[i])
	}
	return c.page(page, wire.Found{Total: -1, More: more}, shapes)
}

// createCommit makes a commit out of actions.
func (a *API) createCommit(c *call) error {
	c.params.Require("branch", "commit_message", "actions")
	request := c.commitRequest()
	for i, action := range c.params.List("actions") {
		request.Actions = append(request.Actions, c.action(i, action))
	}
	stats := c.params.Bool("stats", true)
	project, err := c.pushTo(request)
	if err != nil {
		return err
	}
	sha, err := a.engine.CommitFiles(c.ctx(), c.caller, project, request)
	if err != nil {
		return err
	}
	commit, err := c.commitOf(project, sha)
	if err != nil {
		return err
	}
	return c.showCommit(http.StatusCreated, project, commit, stats)
}

// commitRequest reads what all ways to commit have in common.
func (c *call) commitRequest() git.CommitRequest {
	p := c.params
	return git.CommitRequest{
		Branch: p.String("branch"), StartBranch: p.String("start_branch"), StartSHA: p.String("start_sha"), Force: p.Bool("force", false),
		Message: p.String("commit_message"), AuthorName: p.String("author_name"), AuthorEmail: p.String("author_email"),
	}
}

// pushTo is c.project for a commit.
func (c *call) pushTo(r git.CommitRequest) (ci.Project, error) {
	start := c.params.String("start_project")
	project, err := c.project(auth.PushCode)
	switch {
	case err != nil:
		return ci.Project{}, err
	case start != "" && start != fmt.Sprint(int64(project.ID)) && !strings.EqualFold(start, project.FullPath):
		return ci.Project{}, ci.BadRequest("start_project is not supported yet")
	case r.Branch == "":
		return ci.Project{}, ci.BadParam("branch is empty")
	}
	return project, nil
}

// action reads the action at a place of the list.
func (c *call) action(i int, t *wire.Tree) git.Action {
	name := func(field string) string { return fmt.Sprintf("actions[%d][%s]", i, field) }
	text := func(field string) string {
		value := t.Get(field)
		switch {
		case value == nil || value.Kind == wire.Null:
			return ""
		case value.Kind == wire.List || value.Kind == wire.Map:
			c.params.Fail(name(field), "is invalid")
		}
		return value.Text
	}
	a := git.Action{
		Kind: git.ActionKind(text("action")), Path: text("file_path"), PreviousPath: text("previous_path"), LastCommitID: text("last_commit_id"),
		Executable: text("execute_filemode") == "true",
	}
	switch a.Kind {
	case git.ActionCreate, git.ActionUpdate, git.ActionDelete, git.ActionMove, git.ActionChmod:
	case "":
		c.params.Fail(name("action"), "is missing")
	default:
		c.params.Fail(name("action"), "does not have a valid value")
	}
	needed := map[git.ActionKind]string{git.ActionUpdate: "content", git.ActionMove: "previous_path", git.ActionChmod: "execute_filemode"}
	for _, field := range []string{"file_path", needed[a.Kind]} {
		if field != "" && t.Get(field) == nil {
			c.params.Fail(name(field), "is missing")
		}
	}
	if t.Get("content") != nil {
		a.Content = c.content(name("content"), text("content"), text("encoding"))
	}
	return a
}

// content decodes what a file is to hold.
func (c *call) content(name, text, encoding string) []byte {
	switch encoding {
	case "", "text":
		return []byte(text)
	case "base64":
		plain := strings.TrimRight(strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(text), "=")
		data, err := base64.RawStdEncoding.DecodeString(plain)
		if err != nil {
			c.params.Fail(name, "is invalid")
		}
		return data
	}
	c.params.Fail(strings.Replace(name, "content", "encoding", 1), "does not have a valid value")
	return nil
}
