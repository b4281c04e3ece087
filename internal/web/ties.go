package web

import (
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// tieRows lists what started the pipeline and what it started.
func (web *Web) tieRows(s *pipelineState) (upstream, downstream []tieRow) {
	for _, tie := range s.ties {
		row := web.tieRow(tie, s.visible[tie.Project.ID])
		if tie.PipelineID == s.Pipeline.ID {
			upstream = append(upstream, row)
		} else {
			downstream = append(downstream, row)
		}
	}
	return upstream, downstream
}

// tieRow shows one tie. The job belongs to the pipeline upstream, so who may not
// see that does not learn the name of the job.
func (web *Web) tieRow(tie store.Related, visible bool) tieRow {
	project := tie.Project
	up := tie.Pipeline.ID == tie.SourcePipelineID
	row := tieRow{Hidden: !visible}
	if visible || !up {
		row.Job = tie.JobName
	}
	if !visible {
		return row
	}
	row.Project = project.FullPath
	row.Pipeline = pipelineBrief{
		Number: "#" + number(int(tie.Pipeline.ID)), URL: web.pipelineURL(project, tie.Pipeline.ID),
		Status: pipelineStatus(tie.Pipeline.Status, false), Ref: tie.Pipeline.Ref, Created: at(tie.Pipeline.CreatedAt),
	}
	if up && tie.JobName != "" {
		row.JobURL = web.jobURL(project, tie.SourceJobID)
	}
	return row
}

// pipelineGraph draws the stages with their jobs, what started the pipeline before
// them, and what its jobs started behind them.
func (web *Web) pipelineGraph(project ci.Project, s *pipelineState) graph {
	var columns []graphColumn
	var edges []edge
	before, behind := graphColumn{Title: "Upstream", Kind: "upstream"}, graphColumn{Title: "Downstream", Kind: "downstream"}
	for _, tie := range s.ties {
		card := web.tieCard(tie, s.visible[tie.Project.ID])
		if tie.PipelineID == s.Pipeline.ID {
			before.Cards = append(before.Cards, card)
			continue
		}
		behind.Cards = append(behind.Cards, card)
		edges = append(edges, edge{jobCardID(tie.SourceJobID), card.ID})
	}
	if len(before.Cards) > 0 {
		columns = append(columns, before)
	}
	ids := map[string]string{} // of cards, by the names of jobs
	for i := range s.Jobs {
		if job := &s.Jobs[i]; !job.Retried {
			ids[job.Name] = jobCardID(job.ID)
		}
	}
	for _, stage := range s.Pipeline.Stages {
		column := graphColumn{Title: stage.Name, Kind: "stage"}
		for i := range s.Jobs {
			job := &s.Jobs[i]
			if job.Retried || job.StageIndex != stage.Index {
				continue
			}
			column.Cards = append(column.Cards, web.jobCard(project, job))
			for _, need := range job.Plan.Needs {
				edges = append(edges, edge{ids[need.Job], jobCardID(job.ID)})
			}
		}
		columns = append(columns, column)
	}
	if len(behind.Cards) > 0 {
		columns = append(columns, behind)
	}
	return layOut(columns, edges)
}

func jobCardID(id ci.JobID) string { return fmt.Sprintf("job-%d", id) }

// jobCard shows a job.
func (web *Web) jobCard(project ci.Project, job *ci.Job) graphCard {
	card := graphCard{
		ID: jobCardID(job.ID), URL: web.jobURL(project, job.ID), Name: job.Name, Status: jobStatus(job),
		Note: between(job.StartedAt, job.FinishedAt),
	}
	if job.Status == ci.Running {
		card.Since = at(job.StartedAt)
	}
	needs := make([]string, len(job.Plan.Needs))
	for i, need := range job.Plan.Needs {
		needs[i] = need.Job
	}
	card.Needs = strings.Join(needs, ", ")
	return card
}

// tieCard shows a pipeline of another project.
func (web *Web) tieCard(tie store.Related, visible bool) graphCard {
	card := graphCard{ID: fmt.Sprintf("pipeline-%d", tie.Pipeline.ID), Name: "Another project"}
	if !visible {
		return card
	}
	card.URL, card.Name = web.pipelineURL(tie.Project, tie.Pipeline.ID), tie.Project.FullPath
	card.Status, card.Note = pipelineStatus(tie.Pipeline.Status, false), "#"+number(int(tie.Pipeline.ID))
	return card
}
