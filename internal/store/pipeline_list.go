package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A PipelineFilter narrows a list of a project's pipelines as
// contract/trigger-api.md 6.1 says. Zero fields do not, but for child pipelines,
// which only the source "parent_pipeline" lists. The words of Scope, OrderBy and
// Sort are the contract's; others are an error.
type PipelineFilter struct {
	ProjectID     ci.ProjectID
	Scope         string // running, pending, finished, branches or tags
	Status        ci.Status
	Ref           string // short name
	SHA           string
	Source        ci.Source
	Username      string // of who started it, in any case
	Name          string
	YAMLErrors    *bool
	UpdatedAfter  time.Time
	UpdatedBefore time.Time
	CreatedAfter  time.Time
	CreatedBefore time.Time
	TriggerID     ci.TriggerID
	OrderBy       string // id (default), status, ref, updated_at or user_id
	Sort          string // desc (default) or asc
	Limit         int    // 0: all
	Offset        int
}

// Pipelines lists the pipelines of a project and says how many match.
func (v *View) Pipelines(ctx context.Context, f PipelineFilter) ([]ci.Pipeline, int, error) {
	q, err := f.where()
	if err != nil {
		return nil, 0, fmt.Errorf("list pipelines: %w", err)
	}
	order, err := f.order()
	if err != nil {
		return nil, 0, fmt.Errorf("list pipelines: %w", err)
	}
	return page(ctx, v, "pipelines", scanPipeline, q, pipelineColumns, `pipelines p`, order, f.Limit, f.Offset)
}

// where gives the conditions.
func (f *PipelineFilter) where() (*filter, error) {
	q := new(filter)
	q.and(`p.project_id = $`, f.ProjectID)
	if err := f.scope(q); err != nil {
		return nil, err
	}
	if f.Source == "" {
		q.and(`p.source <> 'parent_pipeline'`)
	}
	for _, c := range []struct {
		condition string
		value     string
	}{
		{`p.source = $`, string(f.Source)},
		{`p.status = $`, string(f.Status)},
		{`p.ref = $`, f.Ref},
		{`p.sha = $`, f.SHA},
		{`p.name = $`, f.Name},
		{`p.user_id = (select u.id from users u where lower(u.username) = $)`, folded(f.Username)},
	} {
		if c.value != "" {
			q.and(c.condition, c.value)
		}
	}
	for _, c := range []struct {
		condition string
		when      time.Time
	}{
		{`p.updated_at > $`, f.UpdatedAfter},
		{`p.updated_at < $`, f.UpdatedBefore},
		{`p.created_at > $`, f.CreatedAfter},
		{`p.created_at < $`, f.CreatedBefore},
	} {
		if !c.when.IsZero() {
			q.and(c.condition, micros(c.when))
		}
	}
	if f.YAMLErrors != nil {
		q.and(`(p.yaml_errors <> '') = $`, *f.YAMLErrors)
	}
	if f.TriggerID != 0 {
		q.and(`p.trigger_id = $ and p.trigger_id <> 0`, f.TriggerID)
	}
	return q, nil
}

// scope adds the condition for the scope: a status, or the newest pipeline of each
// branch or tag that exists.
func (f *PipelineFilter) scope(q *filter) error {
	newest := func(tag bool, prefix string) {
		q.and(`p.id in (
			select (select max(l.id) from pipelines l
				where l.project_id = r.project_id and l.ref = substr(r.name, length($) + 1) and l.tag = $ and l.source <> 'parent_pipeline')
			from refs r where r.project_id = $ and substr(r.name, 1, length($)) = $)`, prefix, tag, f.ProjectID, prefix, prefix)
	}
	switch f.Scope {
	case "":
	case "running", "pending":
		q.and(`p.status = $`, f.Scope)
	case "finished":
		q.and(`p.status in ('success', 'failed', 'canceled')`)
	case "branches":
		newest(false, ci.BranchPrefix)
	case "tags":
		newest(true, ci.TagPrefix)
	default:
		return fmt.Errorf("no scope %q", f.Scope)
	}
	return nil
}

// order gives the text after "order by". Ties are in the order of ids.
func (f *PipelineFilter) order() (string, error) {
	var direction string
	switch f.Sort {
	case "", "desc":
		direction = " desc"
	case "asc":
	default:
		return "", fmt.Errorf("no sort %q", f.Sort)
	}
	switch f.OrderBy {
	case "", "id":
		return `p.id` + direction, nil
	case "status", "ref", "updated_at", "user_id":
		return `p.` + f.OrderBy + direction + `, p.id` + direction, nil
	}
	return "", fmt.Errorf("no order %q", f.OrderBy)
}
