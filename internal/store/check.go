package store

import (
	"context"
	"fmt"
	"strings"
)

// invariants are what always holds. Each query lists the numbers of the rows that
// break it, in the order of the verbs in words.
var invariants = []struct{ words, query string }{
	{"job %d is running in pipeline %d, which has ended", `
		select j.id, j.pipeline_id from jobs j join pipelines p on p.id = j.pipeline_id
		where ` + heldJobs + ` and p.status in ('success', 'failed', 'canceled', 'skipped')`},
	{"job %d is pending in pipeline %d, which has ended", `
		select j.id, j.pipeline_id from jobs j join pipelines p on p.id = j.pipeline_id
		where j.status = 'pending' and p.status in ('success', 'failed', 'canceled', 'skipped')`},
	{"project %d counts %d running jobs and has %d", `
		select r.project_id, r.running, (select count(*) from jobs j where j.project_id = r.project_id and ` + heldJobs + `) as held
		from project_running r
		where r.running <> (select count(*) from jobs j where j.project_id = r.project_id and ` + heldJobs + `)`},
	{"project %d has %d pipelines with iid %d", `
		select project_id, count(*), iid from pipelines group by project_id, iid having count(*) > 1`},
	{"project %d counted %d pipelines and has iid %d", `
		select i.project_id, i.last_iid, max(p.iid) from project_iids i join pipelines p on p.project_id = i.project_id
		group by i.project_id, i.last_iid having max(p.iid) > i.last_iid`},
	{"job %d of pipeline %d has no specification", `
		select j.id, j.pipeline_id from jobs j left join specs s on s.digest = j.spec_digest where s.digest is null`},
	{"pipeline %d belongs to project %d, which is not there", `
		select p.id, p.project_id from pipelines p left join projects o on o.id = p.project_id where o.id is null`},
	{"project %d has no counter of pipelines or of running jobs", `
		select p.id from projects p where not exists (select 1 from project_iids i where i.project_id = p.id)
			or not exists (select 1 from project_running r where r.project_id = p.id)`},
	{"job %d belongs to project %d, its pipeline %d to another", `
		select j.id, j.project_id, j.pipeline_id from jobs j join pipelines p on p.id = j.pipeline_id
		where j.project_id <> p.project_id`},
	{"variable %d belongs to project %d or group %d, which is not there", `
		select v.id, coalesce(v.project_id, 0), coalesce(v.namespace_id, 0) from variables v
		where (v.project_id is not null and not exists (select 1 from projects p where p.id = v.project_id))
			or (v.namespace_id is not null and not exists (select 1 from namespaces n where n.id = v.namespace_id and n.kind = 'group'))`},
	{"variable %d is hidden but not masked", `select id from variables where hidden and not masked`},
	{"versions of variables: %d rows, and there has to be one", `
		select n from (select count(*) as n from variables_version where id = 1) as versions where n <> 1`},
	{"job %d of pipeline %d waits in a queue of another project", `
		select j.id, j.pipeline_id from jobs j
		where j.status = 'pending' and substr(j.queue, 1, length(cast(j.project_id as text)) + 1) <> cast(j.project_id as text) || ':'`},
}

// maxBroken is how many rows Check names for each invariant.
const maxBroken = 100

// Check looks for broken invariants and returns each in words, or an empty list.
// It reads whole tables.
func (v *View) Check(ctx context.Context) ([]string, error) {
	broken := []string{}
	for _, inv := range invariants {
		numbers := make([]any, strings.Count(inv.words, "%d"))
		fields := make([]any, len(numbers))
		for i := range numbers {
			fields[i] = &numbers[i]
		}
		rows, err := v.query(ctx, `select * from (`+inv.query+`) as broken limit $1`, maxBroken)
		if err == nil {
			err = each(rows, func(s scanner) error {
				err := s.Scan(fields...)
				broken = append(broken, fmt.Sprintf(inv.words, numbers...))
				return err
			})
		}
		if err != nil {
			return nil, fmt.Errorf("check that no %s: %w", inv.words, err)
		}
	}
	return broken, nil
}
