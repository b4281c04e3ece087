package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// resourceGroupColumns is what scanResourceGroup reads, of a table named g. The
// conditions on jobs are those of their indexes.
const resourceGroupColumns = `g.id, g.project_id, g.key, g.process_mode, g.created_at, g.updated_at, coalesce((
	select j.id from jobs j where j.project_id = g.project_id and j.resource_group = g.key
		and j.resource_group <> '' and j.status in ('pending', 'running', 'canceling')), 0)`

func scanResourceGroup(s scanner, g *ci.ResourceGroup) error {
	return s.Scan(&g.ID, &g.ProjectID, &g.Key, &g.Mode, at(&g.CreatedAt), at(&g.UpdatedAt), &g.Holder)
}

// AddResourceGroups makes those of a project's resource groups that are not there
// yet. ci.NoRecord() when the project is gone.
func (db *DB) AddResourceGroups(ctx context.Context, project ci.ProjectID, keys []string, now time.Time) error {
	return db.quick(ctx, fmt.Sprintf("add resource groups of project %d", project), func(tx *Tx) error {
		for _, key := range keys {
			err := tx.exec(`
				insert into resource_groups (project_id, key, created_at, updated_at) values ($1, $2, $3, $3)
				on conflict (project_id, key) do nothing`, project, key, micros(now))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SetProcessMode changes the mode of a resource group. Errors: ci.NoRecord().
func (db *DB) SetProcessMode(ctx context.Context, id int64, mode ci.ProcessMode, now time.Time) error {
	return db.write(ctx, fmt.Sprintf("change resource group %d", id), func(tx *Tx) error {
		return tx.must(`update resource_groups set process_mode = $2, updated_at = $3 where id = $1`, id, mode, micros(now))
	})
}

// ResourceGroup reads one resource group, with who holds it now.
func (v *View) ResourceGroup(ctx context.Context, project ci.ProjectID, key string) (ci.ResourceGroup, error) {
	return one(ctx, v, "resource group", scanResourceGroup, `
		select `+resourceGroupColumns+` from resource_groups g where g.project_id = $1 and g.key = $2`, project, key)
}

// ResourceGroups lists those of a project by id, and says how many there are.
func (v *View) ResourceGroups(ctx context.Context, project ci.ProjectID, limit, offset int) ([]ci.ResourceGroup, int, error) {
	q := new(filter)
	q.and(`g.project_id = $`, project)
	return page(ctx, v, "resource groups", scanResourceGroup, q, resourceGroupColumns, `resource_groups g`, `g.id`, limit, offset)
}

// upcomingOrders says for each process mode in which order jobs get a resource
// group. Within a pipeline those that wait come first, so that it does not wait for
// itself.
var upcomingOrders = map[ci.ProcessMode]string{
	ci.Unordered:        `j.id`,
	ci.OldestFirst:      `j.pipeline_id, j.status = 'waiting_for_resource' desc, j.id`,
	ci.NewestFirst:      `j.pipeline_id desc, j.status = 'waiting_for_resource' desc, j.id`,
	ci.NewestReadyFirst: `j.pipeline_id desc, j.id`,
}

// UpcomingJobs lists the jobs that are to get a resource group, the next one first,
// and says how many there are. With oldest_first and newest_first jobs count that do
// not wait yet: while the first is such a one, nobody gets the group.
func (v *View) UpcomingJobs(ctx context.Context, g ci.ResourceGroup, limit, offset int) ([]ci.Job, int, error) {
	q := new(filter)
	q.and(`j.project_id = $`, g.ProjectID)
	q.and(`j.resource_group = $`, g.Key)
	q.and(`j.resource_group <> ''`)
	q.and(`j.status in ('created', 'scheduled', 'waiting_for_resource')`)
	if g.Mode == ci.Unordered || g.Mode == ci.NewestReadyFirst {
		q.and(`j.status = 'waiting_for_resource'`)
	}
	order, ok := upcomingOrders[g.Mode]
	if !ok {
		return nil, 0, fmt.Errorf("list upcoming jobs: unknown process mode %q", g.Mode)
	}
	return page(ctx, v, "upcoming jobs", scanJob, q, jobColumns, `jobs j`, order, limit, offset)
}

// WaitedFor lists the resource groups that are free although jobs wait for them, but
// for their projects and keys without their other columns.
func (v *View) WaitedFor(ctx context.Context) ([]ci.ResourceGroup, error) {
	return list(ctx, v, "resource groups that jobs wait for", func(s scanner, g *ci.ResourceGroup) error {
		return s.Scan(&g.ProjectID, &g.Key)
	}, `
		select distinct w.project_id, w.resource_group from jobs w
		where w.status = 'waiting_for_resource' and not exists (
			select 1 from jobs j where j.project_id = w.project_id and j.resource_group = w.resource_group
				and j.resource_group <> '' and j.status in ('pending', 'running', 'canceling'))`)
}
