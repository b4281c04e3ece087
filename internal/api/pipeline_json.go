package api

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// pipelineBasic is GitLab's PipelineBasic (contract/trigger-api.md 5.1).
type pipelineBasic struct {
	ID        ci.PipelineID `json:"id"`
	IID       int64         `json:"iid"`
	ProjectID ci.ProjectID  `json:"project_id"`
	SHA       string        `json:"sha"`
	Ref       string        `json:"ref"`
	Status    ci.Status     `json:"status"`
	Source    ci.Source     `json:"source"`
	CreatedAt stamp         `json:"created_at"`
	UpdatedAt stamp         `json:"updated_at"`
	WebURL    string        `json:"web_url"`
}

// pipelineListed is PipelineBasicWithMetadata: a line of the list.
type pipelineListed struct {
	pipelineBasic
	Name *string `json:"name"`
}

// pipelineShape is Pipeline: what creating, retrying and canceling answer.
type pipelineShape struct {
	pipelineBasic
	BeforeSHA      string         `json:"before_sha"`
	Tag            bool           `json:"tag"`
	YAMLErrors     *string        `json:"yaml_errors"`
	User           *userBasic     `json:"user"`
	StartedAt      stamp          `json:"started_at"`
	FinishedAt     stamp          `json:"finished_at"`
	CommittedAt    stamp          `json:"committed_at"`
	Duration       *int64         `json:"duration"`
	QueuedDuration *int64         `json:"queued_duration"`
	Coverage       *string        `json:"coverage"`
	DetailedStatus detailedStatus `json:"detailed_status"`
	Archived       bool           `json:"archived"`
}

// pipelineNamed is PipelineWithMetadata: a single pipeline.
type pipelineNamed struct {
	pipelineShape
	Name *string `json:"name"`
}

func (a *API) pipelineBasic(p ci.Pipeline, project ci.Project) pipelineBasic {
	return pipelineBasic{
		ID: p.ID, IID: p.IID, ProjectID: p.ProjectID, SHA: p.SHA, Ref: p.Ref, Status: p.Status, Source: p.Source,
		CreatedAt: stamp(p.CreatedAt), UpdatedAt: stamp(p.UpdatedAt), WebURL: a.urls.Pipeline(project.FullPath, int64(p.ID)),
	}
}

// A pipelineFacts is what the shape of a pipeline needs beside its row.
type pipelineFacts struct {
	user     ci.User // zero: gone
	coverage *float64
	warnings bool
}

func (a *API) pipelineShape(p ci.Pipeline, project ci.Project, facts pipelineFacts) pipelineShape {
	shape := pipelineShape{
		pipelineBasic: a.pipelineBasic(p, project), BeforeSHA: p.BeforeSHA, Tag: p.Tag, YAMLErrors: orNull(p.YAMLErrors),
		User: a.userBasic(facts.user), StartedAt: stamp(p.StartedAt), FinishedAt: stamp(p.FinishedAt),
		QueuedDuration: queuedDuration(p), DetailedStatus: a.detailedStatus(p, project, facts.warnings),
	}
	if p.Duration >= 0 {
		shape.Duration = &p.Duration
	}
	if facts.coverage != nil {
		text := fmt.Sprintf("%.2f", *facts.coverage)
		shape.Coverage = &text
	}
	return shape
}

// queuedDuration is how many whole seconds a pipeline waited for its first job to
// be taken: null before that, and null for none.
func queuedDuration(p ci.Pipeline) *int64 {
	waited := int64(p.StartedAt.Sub(p.CreatedAt).Seconds())
	if p.StartedAt.IsZero() || waited <= 0 {
		return nil
	}
	return &waited
}

// pipelineFacts reads what the shape of a pipeline needs beside its row.
func (a *API) pipelineFacts(ctx context.Context, p ci.Pipeline) (pipelineFacts, error) {
	users, err := a.view.UsersByID(ctx, []ci.UserID{p.UserID})
	if err != nil {
		return pipelineFacts{}, err
	}
	ids := []ci.PipelineID{p.ID}
	coverage, err := a.view.PipelineCoverage(ctx, ids)
	if err != nil {
		return pipelineFacts{}, err
	}
	facts := pipelineFacts{user: users[p.UserID]}
	if mean, ok := coverage[p.ID]; ok {
		facts.coverage = &mean
	}
	if p.Status == ci.Success {
		warnings, err := a.view.HasWarnings(ctx, ids)
		if err != nil {
			return pipelineFacts{}, err
		}
		facts.warnings = warnings[p.ID]
	}
	return facts, nil
}

// answerPipeline answers with a pipeline as it stands, with its name where the
// entity has one.
func (c *call) answerPipeline(status int, p ci.Pipeline, project ci.Project, named bool) error {
	facts, err := c.api.pipelineFacts(c.ctx(), p)
	if err != nil {
		return err
	}
	shape := c.api.pipelineShape(p, project, facts)
	if named {
		return c.json(status, pipelineNamed{shape, orNull(p.Name)})
	}
	return c.json(status, shape)
}
