package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A pipelinesPage lists the pipelines of a project, newest first.
type pipelinesPage struct {
	shell
	Action   string // of the filter form
	Status   string
	Ref      string
	Source   string
	Statuses []option
	Sources  []option
	Clear    string // without filters; empty when there are none
	Rows     []pipelineRow
	Pager    pager
	Triggers string // page with a line to start one with, for those who may see it
}

// An option is a line of a select.
type option struct {
	Value, Text string
	Selected    bool
}

// A pipelineRow is a pipeline of a list.
type pipelineRow struct {
	ID       ci.PipelineID
	Number   string
	URL      string
	Status   statusView
	Name     string
	Ref      string
	Tag      bool
	SHA      string // the first eight characters
	Source   string
	User     string
	Created  timeView
	Duration string
	Stages   []stageDot
}

// A stageDot is a stage of a pipeline in a list.
type stageDot struct {
	Name   string
	Status statusView
}

// listedSources are those that a visitor may filter by.
var listedSources = []ci.Source{ci.SourcePush, ci.SourceTrigger, ci.SourcePipeline, ci.SourceAPI, ci.SourceWeb, ci.SourceSchedule}

// pipelines shows the list.
func (v *visit) pipelines() error {
	page, err := v.pipelinesPage()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "pipelines", page)
}

// pipelinesPage reads the filters and the list.
func (v *visit) pipelinesPage() (pipelinesPage, error) {
	query := v.r.URL.Query()
	filter := store.PipelineFilter{
		ProjectID: v.project.ID, Status: ci.Status(query.Get("status")), Ref: query.Get("ref"), Source: ci.Source(query.Get("source")),
	}
	path := v.web.projectURL(v.project)
	page := pipelinesPage{
		shell: v.projectShell("Pipelines", tabPipelines), Action: path,
		Status: string(filter.Status), Ref: filter.Ref, Source: string(filter.Source),
	}
	for _, status := range ci.Statuses {
		page.Statuses = append(page.Statuses, option{string(status), statusViews[status].Word, status == filter.Status})
	}
	for _, source := range listedSources {
		page.Sources = append(page.Sources, option{string(source), sourceWord(source), source == filter.Source})
	}
	page.Live = path + "/events"
	if v.r.URL.RawQuery != "" {
		page.Live += "?" + query.Encode()
	}
	if page.Status+page.Ref+page.Source != "" {
		page.Clear = path
	}
	if v.may(triggersAction) {
		page.Triggers = v.web.urls.Path(v.web.below(v.project) + triggersPath)
	}
	number := pageNumber(query)
	filter.Limit, filter.Offset = perPage, (number-1)*perPage
	list, total, err := v.web.view.Pipelines(v.ctx(), filter)
	if err != nil {
		return pipelinesPage{}, err
	}
	filters := url.Values{"status": {page.Status}, "ref": {page.Ref}, "source": {page.Source}}
	page.Pager = newPager(path, filters, number, len(list), total)
	page.Rows, err = v.web.pipelineRows(v.ctx(), v.project, list)
	return page, err
}

// pipelineRows shows pipelines. It takes two statements, however many there are.
func (web *Web) pipelineRows(ctx context.Context, project ci.Project, list []ci.Pipeline) ([]pipelineRow, error) {
	if len(list) == 0 {
		return nil, nil
	}
	ids, users := make([]ci.PipelineID, len(list)), make([]ci.UserID, len(list))
	for i, p := range list {
		ids[i], users[i] = p.ID, p.UserID
	}
	warnings, err := web.view.HasWarnings(ctx, ids)
	if err != nil {
		return nil, err
	}
	names, err := web.view.UsersByID(ctx, users)
	if err != nil {
		return nil, err
	}
	rows := make([]pipelineRow, len(list))
	for i, p := range list {
		rows[i] = pipelineRow{
			ID: p.ID, Number: "#" + number(int(p.ID)), URL: web.pipelineURL(project, p.ID), Status: pipelineStatus(p.Status, warnings[p.ID]),
			Name: p.Name, Ref: p.Ref, Tag: p.Tag, SHA: shortSHA(p.SHA), Source: sourceWord(p.Source), User: names[p.UserID].Username,
			Created: at(p.CreatedAt), Duration: ran(p),
		}
		for _, stage := range p.Stages {
			rows[i].Stages = append(rows[i].Stages, stageDot{stage.Name, pipelineStatus(stage.Status, false)})
		}
	}
	return rows, nil
}

// ran is how long jobs of a pipeline ran, "" while it has not ended.
func ran(p ci.Pipeline) string {
	if p.Duration < 0 || !p.Status.Complete() {
		return ""
	}
	if p.Duration < 10 && !p.StartedAt.IsZero() && !p.FinishedAt.IsZero() {
		return between(p.StartedAt, p.FinishedAt)
	}
	return lasted(time.Duration(p.Duration) * time.Second)
}

// shortSHA is how people write the id of a commit.
func shortSHA(sha string) string { return sha[:min(len(sha), 8)] }
