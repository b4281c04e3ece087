package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// ended is the condition of a pipeline that has come to its end.
const ended = `p.status in ('success', 'failed', 'canceled', 'skipped')`

// An invariant is what always holds. Its query lists the values of the rows that
// break it, in the order of the verbs in words.
type invariant struct{ words, query string }

// invariants are those that are not references. What the jobs of a pipeline come to
// is not among them: only the state machine knows that.
var invariants = []invariant{
	{"job %d is running in pipeline %d, which has ended", `
		select j.id, j.pipeline_id from jobs j join pipelines p on p.id = j.pipeline_id where ` + heldJobs + ` and ` + ended},
	{"job %d is pending in pipeline %d, which has ended", `
		select j.id, j.pipeline_id from jobs j join pipelines p on p.id = j.pipeline_id where j.status = 'pending' and ` + ended},
	{"project %d counts %d running jobs and has %d", `
		select r.project_id, r.running, (select count(*) from jobs j where j.project_id = r.project_id and ` + heldJobs + `) as held
		from project_running r
		where r.running <> (select count(*) from jobs j where j.project_id = r.project_id and ` + heldJobs + `)`},
	{"project %d counted %d pipelines and has iid %d", `
		select i.project_id, i.last_iid, max(p.iid) from project_iids i join pipelines p on p.project_id = i.project_id
		group by i.project_id, i.last_iid having max(p.iid) > i.last_iid`},
	{"job %d of pipeline %d has no specification", `
		select j.id, j.pipeline_id from jobs j left join specs s on s.digest = j.spec_digest where s.digest is null`},
	{"project %d has no counter of pipelines or of running jobs", `
		select p.id from projects p where not exists (select 1 from project_iids i where i.project_id = p.id)
			or not exists (select 1 from project_running r where r.project_id = p.id)`},
	{"job %d belongs to project %d, its pipeline %d to another", `
		select j.id, j.project_id, j.pipeline_id from jobs j join pipelines p on p.id = j.pipeline_id
		where j.project_id <> p.project_id`},
	{"job %d of pipeline %d has the queue %s of another project or protection", `
		select j.id, j.pipeline_id, j.queue from jobs j join pipelines p on p.id = j.pipeline_id
		where j.project_id = p.project_id and substr(j.queue, 1, length(cast(p.project_id as text)) + 3) <>
			cast(p.project_id as text) || ':' || (case when p.protected then '1' else '0' end) || ':'`},
	{"job %d waits for resource group %s, which project %d does not have", `
		select j.id, j.resource_group, j.project_id from jobs j where j.status = 'waiting_for_resource'
			and not exists (select 1 from resource_groups g where g.project_id = j.project_id and g.key = j.resource_group)`},
	{"artifact %d belongs to project %d, its job %d to another", `
		select a.id, a.project_id, a.job_id from artifacts a join jobs j on j.id = a.job_id where a.project_id <> j.project_id`},
	{"membership of user %d is in project %d and in group %d", `
		select m.user_id, m.project_id, m.namespace_id from members m where (m.project_id = 0) = (m.namespace_id = 0)`},
	{"user %d has no namespace", `
		select u.id from users u
		where not exists (select 1 from namespaces n where n.kind = 'user' and n.owner_id = u.id)`},
	{"project %d is at %s, which is not its place in namespace %d", `
		select p.id, p.full_path, n.id from projects p join namespaces n on n.id = p.namespace_id
		where p.full_path <> n.full_path || '/' || p.path`},
	{"group %d is at %s, which is not its place in group %d", `
		select n.id, n.full_path, o.id from namespaces n join namespaces o on o.id = n.parent_id
		where n.full_path <> o.full_path || '/' || n.path`},
	{"path %s leads away from project %d, which has it", `
		select r.path, p.id from redirects r join projects p on lower(p.full_path) = r.path`},
	{"project runner %d works for no project", `
		select r.id from runners r where r.type = 'project_type'
			and not exists (select 1 from runner_projects p where p.runner_id = r.id)`},
	{"group runner %d works for no group", `
		select r.id from runners r where r.type = 'group_type' and r.namespace_id = 0`},
	{"variable %d is hidden but not masked", `select id from variables where hidden and not masked`},
	{"versions of variables: %d rows, and there has to be one", `
		select n from (select count(*) as n from variables_version where id = 1) as versions where n <> 1`},
	{"trash %d is of the unknown kind %s", `
		select t.id, t.kind from trash t where t.kind not in ('` + TrashBlob + `', '` + TrashLog + `', '` + TrashRepository + `', '` + TrashSpec + `')`},
}

// references are the columns that name a row of another table: what it is, table,
// what tells its rows apart, column, the other table and what its rows are. In
// optional ones, 0 stands for none. Columns whose rows may outlive what they name
// (the runner and the trigger token of old jobs and pipelines) are not among them.
var references = []struct {
	noun, table, key, column, to, what string
	optional                           bool
}{
	{"namespace", "namespaces", "id", "parent_id", "namespaces", "group", true},
	{"namespace", "namespaces", "id", "owner_id", "users", "user", true},
	{"project", "projects", "id", "namespace_id", "namespaces", "namespace", false},
	{"project", "projects", "id", "creator_id", "users", "user", true},
	{"redirect", "redirects", "path", "project_id", "projects", "project", false},
	{"counter of pipelines", "project_iids", "project_id", "project_id", "projects", "project", false},
	{"count of running jobs", "project_running", "project_id", "project_id", "projects", "project", false},
	{"membership of user", "members", "user_id", "user_id", "users", "user", false},
	{"membership of user", "members", "user_id", "project_id", "projects", "project", true},
	{"membership of user", "members", "user_id", "namespace_id", "namespaces", "group", true},
	{"access token", "access_tokens", "id", "user_id", "users", "user", false},
	{"protection", "protections", "id", "project_id", "projects", "project", false},
	{"ref", "refs", "name", "project_id", "projects", "project", false},
	{"trigger token", "triggers", "id", "project_id", "projects", "project", false},
	{"trigger token", "triggers", "id", "owner_id", "users", "user", false},
	{"pipeline", "pipelines", "id", "project_id", "projects", "project", false},
	{"pipeline", "pipelines", "id", "user_id", "users", "user", true},
	{"variables of pipeline", "pipeline_variables", "pipeline_id", "pipeline_id", "pipelines", "pipeline", false},
	{"upstream of pipeline", "upstreams", "pipeline_id", "pipeline_id", "pipelines", "pipeline", false},
	{"upstream of pipeline", "upstreams", "pipeline_id", "source_pipeline_id", "pipelines", "pipeline", false},
	{"upstream of pipeline", "upstreams", "pipeline_id", "source_job_id", "jobs", "job", true},
	{"job", "jobs", "id", "pipeline_id", "pipelines", "pipeline", false},
	{"job", "jobs", "id", "user_id", "users", "user", true},
	{"erased job", "jobs", "id", "erased_by", "users", "user", true},
	{"artifact", "artifacts", "id", "job_id", "jobs", "job", false},
	{"test summary of job", "test_summaries", "job_id", "job_id", "jobs", "job", false},
	{"runner", "runners", "id", "namespace_id", "namespaces", "group", true},
	{"runner", "runners", "id", "creator_id", "users", "user", true},
	{"place of runner", "runner_projects", "runner_id", "runner_id", "runners", "runner", false},
	{"place of runner", "runner_projects", "runner_id", "project_id", "projects", "project", false},
	{"runner manager", "runner_managers", "id", "runner_id", "runners", "runner", false},
	{"allow-list of project", "job_token_allowlist", "project_id", "project_id", "projects", "project", false},
	{"allow-list of project", "job_token_allowlist", "project_id", "source_project_id", "projects", "project", true},
	{"allow-list of project", "job_token_allowlist", "project_id", "source_namespace_id", "namespaces", "group", true},
	{"idempotency key", "idempotency", "key", "pipeline_id", "pipelines", "pipeline", false},
	{"resource group", "resource_groups", "id", "project_id", "projects", "project", false},
	{"variable", "variables", "id", "project_id", "projects", "project", true},
	{"variable", "variables", "id", "namespace_id", "namespaces", "group", true},
	{"session", "sessions", "user_id", "user_id", "users", "user", false},
	{"sign-in link", "sign_in_links", "user_id", "user_id", "users", "user", false},
}

// dangling gives the references as invariants.
func dangling() []invariant {
	list := make([]invariant, len(references))
	for i, r := range references {
		list[i].words = r.noun + " %v belongs to " + r.what + " %v, which is not there"
		list[i].query = `select t.` + r.key + `, t.` + r.column + ` as named from ` + r.table + ` t
			where not exists (select 1 from ` + r.to + ` o where o.id = t.` + r.column + `)`
		if r.key == r.column {
			list[i].query = strings.Replace(list[i].query, "as named", "as again", 1)
		}
		if r.optional {
			list[i].query += ` and t.` + r.column + ` <> 0`
		}
	}
	return list
}

// maxBroken is how many rows Check names for each invariant.
const maxBroken = 100

// Check looks for broken invariants and returns each in words, or an empty list.
// It reads whole tables. Each invariant is looked at in one moment, so what others
// write meanwhile breaks none.
func (v *View) Check(ctx context.Context) ([]string, error) {
	broken := []string{}
	for _, inv := range append(dangling(), invariants...) {
		values := make([]any, strings.Count(inv.words, "%"))
		fields := make([]any, len(values))
		for i := range values {
			fields[i] = &values[i]
		}
		rows, err := v.query(ctx, `select * from (`+inv.query+`) as broken limit $1`, maxBroken)
		if err == nil {
			err = each(rows, func(s scanner) error {
				err := s.Scan(fields...)
				broken = append(broken, fmt.Sprintf(inv.words, values...))
				return err
			})
		}
		if err != nil {
			return nil, fmt.Errorf("check that no %s: %w", inv.words, err)
		}
	}
	return broken, nil
}

// PipelineIDs lists the pipelines of all projects after one, by id, at most limit.
func (v *View) PipelineIDs(ctx context.Context, after ci.PipelineID, limit int) ([]ci.PipelineID, error) {
	return list(ctx, v, "pipelines", scanInto[ci.PipelineID], `
		select id from pipelines where id > $1 order by id limit $2`, after, limit)
}

// JobsAmong gives those of the jobs that are there.
func (v *View) JobsAmong(ctx context.Context, jobs []ci.JobID) ([]ci.JobID, error) {
	return list(ctx, v, "jobs", scanInto[ci.JobID], `select id from jobs where id in {ints $1}`, integers(jobs))
}

// AllArtifacts lists the artifacts of all jobs after one, by id, at most limit.
func (v *View) AllArtifacts(ctx context.Context, after ci.ArtifactID, limit int) ([]ci.Artifact, error) {
	return list(ctx, v, "artifacts", scanArtifact, `
		select `+artifactColumns+` from artifacts a where a.id > $1 order by a.id limit $2`, after, limit)
}

// AllTrash lists what waits to be removed or is being written, after a row, by id,
// at most limit.
func (v *View) AllTrash(ctx context.Context, after int64, limit int) ([]Trash, error) {
	return list(ctx, v, "trash", scanTrash, `select id, kind, key, created_at from trash where id > $1 order by id limit $2`, after, limit)
}
