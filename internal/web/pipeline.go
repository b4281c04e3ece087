package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A pipelinePage shows one pipeline with its stages, its jobs, and the pipelines of
// other projects that it is tied to.
type pipelinePage struct {
	shell
	Number     string
	Name       string
	Status     statusView
	Sentence   string // where it stands, in one sentence
	Ref        string
	RefURL     string // other pipelines of the ref
	Tag        bool
	SHA        string
	Short      string
	Source     string
	Token      string // description of the trigger token that started it
	User       string
	Created    timeView
	Since      timeView // when it began, while it runs
	Duration   string
	Retry      string // where the form posts to; empty: not for this visitor, or not now
	Cancel     string
	YAMLErrors string
	Graph      graph
	Tests      testsView
	Failed     []jobLine
	Manual     []jobLine
	Retried    []jobLine
	Upstream   []tieRow
	Downstream []tieRow
	Variables  []ci.Variable
}

// A jobLine is a job in a list on the page of its pipeline.
type jobLine struct {
	URL      string
	Name     string
	Stage    string
	Status   statusView
	Why      string
	Duration string
	Play     string // where the form posts to; empty: not for this visitor
}

// A tieRow is a pipeline of another project and the job that ties it to this one.
type tieRow struct {
	Job      string // its name; empty when it is gone
	JobURL   string // empty when the visitor may not see it
	Project  string
	Pipeline pipelineBrief
	Hidden   bool // the visitor may not see it: nothing but the job is told
}

// maxTies is how many tied pipelines are shown.
const maxTies = 50

// A pipelineState is what a page about a pipeline is made from.
type pipelineState struct {
	*ci.Snapshot
	ties    []store.Related
	visible map[ci.ProjectID]bool // projects of ties
	onRef   bool                  // the visitor may run things on its ref
	guards  []ci.Protection
}

// pipeline shows the page.
func (v *visit) pipeline() error {
	page, _, err := v.pipelinePage()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "pipeline", page)
}

// pipelineState loads what the page is about, and makes sure that it is of the
// project.
func (v *visit) pipelineState(id ci.PipelineID) (*pipelineState, error) {
	snapshot, err := v.web.view.Snapshot(v.ctx(), id)
	if err != nil {
		return nil, err
	}
	if snapshot.Pipeline.ProjectID != v.project.ID {
		return nil, ci.NoRecord()
	}
	s := &pipelineState{Snapshot: snapshot}
	if s.ties, err = v.web.view.RelatedPipelines(v.ctx(), id, maxTies); err != nil {
		return nil, err
	}
	if s.visible, err = v.web.visibleTies(v.ctx(), v.caller.User, s.ties); err != nil {
		return nil, err
	}
	if v.caller.Anonymous() {
		return s, nil
	}
	if s.guards, err = v.web.view.Protections(v.ctx(), v.project.ID); err != nil {
		return nil, err
	}
	s.onRef = auth.MayRunOnRef(v.actor, snapshot.Pipeline.Ref, snapshot.Pipeline.Tag, s.guards)
	return s, nil
}

// visibleTies tells which projects of ties a user may see the pipelines of.
func (web *Web) visibleTies(ctx context.Context, user ci.User, ties []store.Related) (map[ci.ProjectID]bool, error) {
	if len(ties) == 0 {
		return nil, nil
	}
	projects := make([]ci.Project, len(ties))
	for i, tie := range ties {
		projects[i] = tie.Project
	}
	return web.readable(ctx, user, projects)
}

// pipelinePage reads the pipeline that the path names.
func (v *visit) pipelinePage() (pipelinePage, *pipelineState, error) {
	id, err := v.id()
	if err != nil {
		return pipelinePage{}, nil, err
	}
	s, err := v.pipelineState(ci.PipelineID(id))
	if err != nil {
		return pipelinePage{}, nil, err
	}
	p := s.Pipeline
	title := "Pipeline #" + number(int(p.ID))
	page := pipelinePage{
		shell: v.projectShell(title, tabPipelines), Number: title, Name: p.Name, Status: pipelineStatus(p.Status, s.warnings()),
		Ref: p.Ref, RefURL: v.web.projectURL(v.project) + "?ref=" + queryEscape(p.Ref), Tag: p.Tag, SHA: p.SHA, Short: shortSHA(p.SHA),
		Source: sourceWord(p.Source), Created: at(p.CreatedAt), Duration: ran(p), YAMLErrors: p.YAMLErrors,
	}
	path := v.web.pipelineURL(v.project, p.ID)
	if !s.over() {
		page.Live = path + "/events"
	}
	if p.Status == ci.Running {
		page.Since = at(p.StartedAt)
	}
	page.Sentence = sentence(p)
	v.fillJobs(&page, s, path)
	page.Upstream, page.Downstream = v.web.tieRows(s)
	page.Graph = v.web.pipelineGraph(v.project, s)
	if page.Tests, err = v.pipelineTests(p.ID); err != nil {
		return pipelinePage{}, nil, err
	}
	return page, s, v.fillPeople(&page, s)
}

// sentence says where a pipeline stands.
func sentence(p ci.Pipeline) string {
	switch p.Status {
	case ci.Created, ci.Preparing, ci.WaitingForCallback:
		return "It is about to start."
	case ci.WaitingForResource:
		return "It waits for a resource group that another job holds."
	case ci.Pending:
		return "It waits for a runner."
	case ci.Manual:
		return "It waits for somebody to start a manual job."
	case ci.Scheduled:
		return "It waits for the time of a delayed job."
	case ci.Failed:
		if p.YAMLErrors != "" {
			return "Its configuration is not valid."
		}
	case ci.Running, ci.Success, ci.Canceling, ci.Canceled, ci.Skipped:
	}
	return ""
}

// fillPeople adds who and what started the pipeline, and its variables for those
// who may see them.
func (v *visit) fillPeople(page *pipelinePage, s *pipelineState) error {
	p := s.Pipeline
	users, err := v.web.view.UsersByID(v.ctx(), []ci.UserID{p.UserID})
	if err != nil {
		return err
	}
	page.User = users[p.UserID].Username
	if p.TriggerID != 0 && v.may(auth.AdminBuild) {
		trigger, err := v.web.view.Trigger(v.ctx(), v.project.ID, p.TriggerID)
		switch {
		case ci.IsNotFound(err):
			page.Token = "revoked since"
		case err != nil:
			return err
		case trigger.Description != nil:
			page.Token = *trigger.Description
		}
	}
	if !auth.MayReadVariables(v.actor, v.project, p, s.guards) {
		return nil
	}
	if page.Variables, err = v.web.engine.PipelineVariables(v.ctx(), p); err != nil {
		return err
	}
	for i := range page.Variables {
		page.Variables[i].Value = cutValue(page.Variables[i])
	}
	return nil
}

// maxValue is how much of a variable is shown, in bytes.
const maxValue = 4096

// cutValue is what is shown of a variable.
func cutValue(v ci.Variable) string {
	if v.Masked {
		return "(masked)"
	}
	if len(v.Value) > maxValue {
		return strings.ToValidUTF8(v.Value[:maxValue], "") + "…"
	}
	return v.Value
}

// fillJobs adds the lists of jobs that ask for something, and what can be done.
func (v *visit) fillJobs(page *pipelinePage, s *pipelineState, path string) {
	retryable, cancelable := false, false
	play := s.onRef && v.may(auth.PlayJob)
	for i := range s.Jobs {
		job := &s.Jobs[i]
		line := jobLine{
			URL: v.web.jobURL(v.project, job.ID), Name: job.Name, Stage: job.Stage, Status: jobStatus(job), Why: why(job),
			Duration: between(job.StartedAt, job.FinishedAt),
		}
		switch {
		case job.Retried:
			page.Retried = append(page.Retried, line)
			continue
		case job.Status == ci.Failed:
			page.Failed = append(page.Failed, line)
		case job.Status == ci.Manual || job.Status == ci.Scheduled:
			if play {
				line.Play = line.URL + "/play"
			}
			page.Manual = append(page.Manual, line)
		}
		retryable = retryable || job.Status == ci.Failed || job.Status == ci.Canceled
		cancelable = cancelable || job.Status.Cancelable() && job.Status != ci.Manual
	}
	if retryable && s.onRef && v.may(auth.UpdatePipeline) {
		page.Retry = path + "/retry"
	}
	if cancelable && s.onRef && v.may(auth.CancelPipeline) {
		page.Cancel = path + "/cancel"
	}
}

// warnings reports whether a job failed that was allowed to.
func (s *pipelineState) warnings() bool {
	for i := range s.Jobs {
		if job := &s.Jobs[i]; !job.Retried && job.Status == ci.Failed && job.AllowFailure {
			return true
		}
	}
	return false
}
