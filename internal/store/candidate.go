package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Candidate is a job that a runner may be about to take, with everything that
// decides whether it may and that the runner then gets, all as it was at one
// moment.
type Candidate struct {
	Snapshot         ci.Snapshot // of its pipeline
	Project          ci.Project
	RootNamespaceID  ci.NamespaceID
	User             ci.User                    // as whom it runs
	Spec             []byte                     // JSON form of its specification
	Variables        []byte                     // of the pipeline, sealed; nil: none
	VariablesVersion int64                      // as View.VariablesVersion
	TriggerShort     string                     // of the trigger token that started the pipeline, if it is still there
	RefKept          bool                       // the branch or tag is still there
	Artifacts        map[ci.JobID][]ci.Artifact // of the pipeline's jobs, in the order of upload: archives and dotenv reports
}

// candidateQuery gives a row for each job of the candidate's pipeline, and several
// for one that has several artifacts. c is the candidate beside itself and null
// beside the others, so that whatever is looked up through it is looked up once.
var candidateQuery = `
	with recursive above (id, parent_id) as (
		select ns.id, ns.parent_id from jobs k join projects pr on pr.id = k.project_id join namespaces ns on ns.id = pr.namespace_id
		where k.id = $1
		union all
		select ns.id, ns.parent_id from above join namespaces ns on ns.id = above.parent_id
	)
	select ` + pipelineColumns + `, ` + renamed(projectColumns, "p", "pr", "n", "ns") + `, ` + renamed(userColumns, "u", "o") + `,
		(select max(id) from above where parent_id = 0), sp.body, pv.sealed,
		case when c.id is null then 0 else (select version from variables_version where id = 1) end, coalesce(t.short, ''),
		exists (select 1 from refs f
			where f.project_id = c.project_id and f.name = case when p.tag then 'refs/tags/' else 'refs/heads/' end || p.ref),
		` + jobColumns + `,
		coalesce(a.id, 0), coalesce(a.job_id, 0), coalesce(a.project_id, 0), coalesce(a.type, ''), coalesce(a.format, ''), coalesce(a.name, ''),
		coalesce(a.size, 0), a.sha256, coalesce(a.blob_key, ''), coalesce(a.access, ''), coalesce(a.expire_in, '')
	from jobs k join jobs j on j.pipeline_id = k.pipeline_id
		left join jobs c on c.id = j.id and j.id = $1
		left join pipelines p on p.id = c.pipeline_id
		left join projects pr on pr.id = c.project_id
		left join namespaces ns on ns.id = pr.namespace_id
		left join users o on o.id = c.user_id
		left join specs sp on sp.digest = c.spec_digest
		left join pipeline_variables pv on pv.pipeline_id = c.pipeline_id
		left join triggers t on t.id = p.trigger_id and t.project_id = p.project_id
		left join artifacts a on a.job_id = j.id and a.type in ('archive', 'dotenv')
	where k.id = $1 and exists (select 1 from users e where e.id = k.user_id) and exists (select 1 from projects e where e.id = k.project_id)
	order by j.id, a.id`

// renamed gives columns under other names of their tables: pairs of old and new.
func renamed(columns string, names ...string) string {
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = name + "."
	}
	return strings.NewReplacer(pairs...).Replace(columns)
}

// Candidate reads a job that a runner may take, in one statement whatever the size
// of its pipeline. It returns ci.NoRecord() when the job, its pipeline, its project
// or its user is gone.
func (v *View) Candidate(ctx context.Context, id ci.JobID) (*Candidate, error) {
	rows, err := v.query(ctx, candidateQuery, id)
	if err != nil {
		return nil, fmt.Errorf("read job %d for a runner: %w", id, err)
	}
	c := &Candidate{Artifacts: map[ci.JobID][]ci.Artifact{}}
	if err := each(rows, newCandidateScan(c, id).row); err != nil {
		return nil, fmt.Errorf("read job %d for a runner: %w", id, err)
	}
	if c.Snapshot.Pipeline.ID == 0 {
		return nil, wrap(fmt.Sprintf("read job %d for a runner", id), ci.NoRecord())
	}
	return c, nil
}

// A candidateScan reads the rows of candidateQuery.
type candidateScan struct {
	into     *Candidate
	id       ci.JobID
	job      ci.Job
	artifact ci.Artifact

	own, all []any // places for what only the candidate's row has, and for what every row has
}

func newCandidateScan(c *Candidate, id ci.JobID) *candidateScan {
	s := &candidateScan{into: c, id: id}
	s.own = append(s.own, pipelineFields(&c.Snapshot.Pipeline)...)
	s.own = append(s.own, projectFields(&c.Project)...)
	s.own = append(s.own, userFields(&c.User)...)
	s.own = append(s.own, &c.RootNamespaceID, &c.Spec, &c.Variables, &c.VariablesVersion, &c.TriggerShort, &c.RefKept)
	a := &s.artifact
	every := append(jobFields(&s.job), &a.ID, &a.JobID, &a.ProjectID, &a.Type, &a.Format, &a.Name, &a.Size, &a.SHA256, &a.BlobKey, &a.Access, &a.ExpireIn)
	s.all = append(unread(len(s.own)), every...)
	s.own = append(s.own, unread(len(every))...)
	return s
}

// row reads one row: a job with one of its artifacts or none. The rows of a job
// follow each other.
func (s *candidateScan) row(from scanner) error {
	s.job, s.artifact = ci.Job{}, ci.Artifact{}
	if err := from.Scan(s.all...); err != nil {
		return err
	}
	jobs := s.into.Snapshot.Jobs
	if len(jobs) == 0 || jobs[len(jobs)-1].ID != s.job.ID {
		s.into.Snapshot.Jobs = append(jobs, s.job)
		if s.job.ID == s.id {
			if err := from.Scan(s.own...); err != nil {
				return err
			}
		}
	}
	if s.artifact.ID != 0 {
		s.into.Artifacts[s.job.ID] = append(s.into.Artifacts[s.job.ID], s.artifact)
	}
	return nil
}

// unread gives places for n columns that are left alone.
func unread(n int) []any {
	places := make([]any, n)
	for i := range places {
		places[i] = ignored{}
	}
	return places
}

// ignored is the place of a column that is left alone.
type ignored struct{}

// Scan implements sql.Scanner.
func (ignored) Scan(any) error { return nil }
