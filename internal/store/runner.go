package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// runnerColumns is what scanRunner reads, of a table named r.
const runnerColumns = `r.id, r.type, r.description, r.note, r.digest, r.short, r.paused, r.locked, r.run_untagged, r.ref_protected,
	r.tags, r.maximum_timeout, r.namespace_id, r.creator_id, r.built_in, r.created_at, r.contacted_at,
	(select string_agg(cast(rp.project_id as text), ',') from runner_projects rp where rp.runner_id = r.id)`

func scanRunner(s scanner, r *ci.Runner) error {
	return s.Scan(&r.ID, &r.Type, &r.Description, &r.Note, &r.Digest, &r.Short, &r.Paused, &r.Locked, &r.RunUntagged, &r.RefProtected,
		document{&r.Tags}, &r.MaximumTimeout, &r.NamespaceID, &r.CreatorID, &r.BuiltIn, at(&r.CreatedAt), at(&r.ContactedAt),
		(*projectIDs)(&r.ProjectIDs))
}

// projectIDs scans ids that are joined by commas, or null for none, and sorts them.
type projectIDs []ci.ProjectID

// Scan implements sql.Scanner.
func (p *projectIDs) Scan(src any) error {
	if src == nil {
		return nil
	}
	joined, ok := src.(string)
	if !ok {
		return fmt.Errorf("list of projects is %T, not text", src)
	}
	for part := range strings.SplitSeq(joined, ",") {
		id, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return fmt.Errorf("list of projects: %w", err)
		}
		*p = append(*p, ci.ProjectID(id))
	}
	slices.Sort(*p)
	return nil
}

// CreateRunner adds a runner and returns it with its ID. It returns *Taken for
// "token", and ci.NoRecord() when one of its projects is gone.
func (db *DB) CreateRunner(ctx context.Context, r ci.Runner) (ci.Runner, error) {
	r.CreatedAt, r.ContactedAt = stored(r.CreatedAt), stored(r.ContactedAt)
	tags := texts(r.Tags)
	err := db.write(ctx, "create runner", func(tx *Tx) error {
		err := tx.Row([]any{&r.ID}, `
			insert into runners (type, description, note, digest, short, paused, locked, run_untagged, ref_protected,
				tags, maximum_timeout, namespace_id, creator_id, built_in, created_at, contacted_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) returning id`,
			r.Type, r.Description, r.Note, r.Digest, r.Short, r.Paused, r.Locked, r.RunUntagged, r.RefProtected,
			tags, r.MaximumTimeout, r.NamespaceID, r.CreatorID, r.BuiltIn, micros(r.CreatedAt), micros(r.ContactedAt))
		if err != nil {
			return err
		}
		return assignProjects(tx, r)
	})
	return r, err
}

// UpdateRunner writes everything of a runner but its type, creator, and the times
// of creation and contact. Its projects become exactly those of r.
func (db *DB) UpdateRunner(ctx context.Context, r ci.Runner) error {
	tags := texts(r.Tags)
	return db.write(ctx, fmt.Sprintf("update runner %d", r.ID), func(tx *Tx) error {
		err := tx.must(`
			update runners set description = $2, note = $3, digest = $4, short = $5, paused = $6, locked = $7, run_untagged = $8,
				ref_protected = $9, tags = $10, maximum_timeout = $11, namespace_id = $12, built_in = $13
			where id = $1`,
			r.ID, r.Description, r.Note, r.Digest, r.Short, r.Paused, r.Locked, r.RunUntagged,
			r.RefProtected, tags, r.MaximumTimeout, r.NamespaceID, r.BuiltIn)
		if err != nil {
			return err
		}
		if err := tx.exec(`delete from runner_projects where runner_id = $1`, r.ID); err != nil {
			return err
		}
		return assignProjects(tx, r)
	})
}

func assignProjects(tx *Tx, r ci.Runner) error {
	for _, project := range r.ProjectIDs {
		if err := tx.exec(`insert into runner_projects (runner_id, project_id) values ($1, $2)`, r.ID, project); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRunner removes a runner with its machines. What they hold must have been
// ended before.
func (db *DB) DeleteRunner(ctx context.Context, id ci.RunnerID) error {
	return db.write(ctx, fmt.Sprintf("delete runner %d", id), func(tx *Tx) error {
		return tx.must(`delete from runners where id = $1`, id)
	})
}

// Runner reads one runner.
func (v *View) Runner(ctx context.Context, id ci.RunnerID) (ci.Runner, error) {
	return one(ctx, v, "runner", scanRunner, `select `+runnerColumns+` from runners r where r.id = $1`, id)
}

// RunnerByDigest finds a runner by the digest of its token.
func (v *View) RunnerByDigest(ctx context.Context, digest []byte) (ci.Runner, error) {
	return one(ctx, v, "runner", scanRunner, `select `+runnerColumns+` from runners r where r.digest = $1`, digest)
}

// How long after its last contact a runner counts as online, and as stale
// (contract/runner-protocol.md 10).
const (
	runnerOnline = 2 * time.Hour
	runnerStale  = 7 * 24 * time.Hour
)

// A RunnerFilter narrows a list of runners. Zero fields do not. Status is online,
// offline, stale or never_contacted; others are an error.
type RunnerFilter struct {
	Type        ci.RunnerType
	Status      string
	Paused      *bool
	Tags        []string       // it has all of them
	ProjectID   ci.ProjectID   // it may serve the project: assigned to it, of a group above, or of the instance
	NamespaceID ci.NamespaceID // it may serve the group: of it or of a group above

	// MaintainedBy: it is of a group that the user owns, or assigned to a project that
	// the user maintains.
	MaintainedBy ci.UserID

	Limit  int // 0: all
	Offset int
}

// rolesDown gives the namespaces in which a user has at least a role: those of
// memberships with all below them, and the user's own.
const rolesDown = `with recursive mine (id) as (
		select m.namespace_id from members m
		where m.user_id = $ and m.namespace_id <> 0 and m.role >= $ and (m.expires_at = 0 or m.expires_at > $)
		union
		select n.id from namespaces n where n.kind = 'user' and n.owner_id = $
		union
		select n.id from mine join namespaces n on n.parent_id = mine.id
	) select id from mine`

// Runners lists runners, oldest first, and says how many match.
func (v *View) Runners(ctx context.Context, f RunnerFilter) ([]ci.Runner, int, error) {
	var q filter
	if f.Type != "" {
		q.and(`r.type = $`, f.Type)
	}
	if f.Paused != nil {
		q.and(`r.paused = $`, *f.Paused)
	}
	if err := runnerStatus(&q, f.Status, v.now()); err != nil {
		return nil, 0, fmt.Errorf("list runners: %w", err)
	}
	for _, tag := range f.Tags {
		q.and(`replace(r.tags, $, '') <> r.tags`, text(tag))
	}
	const groups = `with recursive up (id, parent_id) as (
			select id, parent_id from namespaces where id = $
			union all
			select n.id, n.parent_id from up join namespaces n on n.id = up.parent_id
		) select id from up`
	if f.ProjectID != 0 {
		q.and(`(r.type = 'instance_type' or r.id in (select rp.runner_id from runner_projects rp where rp.project_id = $)
			or r.type = 'group_type' and r.namespace_id in (`+strings.Replace(groups, "$", "(select namespace_id from projects where id = $)", 1)+`))`,
			f.ProjectID, f.ProjectID)
	}
	if f.NamespaceID != 0 {
		q.and(`r.type = 'group_type' and r.namespace_id in (`+groups+`)`, f.NamespaceID)
	}
	if f.MaintainedBy != 0 {
		now := micros(v.now())
		q.and(`(r.type = 'group_type' and r.namespace_id in (`+rolesDown+`)
			or r.type = 'project_type' and r.id in (
				select rp.runner_id from runner_projects rp join projects p on p.id = rp.project_id
				where p.namespace_id in (`+rolesDown+`) or exists (select 1 from members m
					where m.project_id = p.id and m.project_id <> 0 and m.user_id = $ and m.role >= $ and (m.expires_at = 0 or m.expires_at > $))))`,
			f.MaintainedBy, ci.Owner, now, f.MaintainedBy,
			f.MaintainedBy, ci.Maintainer, now, f.MaintainedBy,
			f.MaintainedBy, ci.Maintainer, now)
	}
	return page(ctx, v, "runners", scanRunner, &q, runnerColumns, `runners r`, `r.id`, f.Limit, f.Offset)
}

// A RunnerJobFilter narrows the jobs that a runner has or had.
type RunnerJobFilter struct {
	RunnerID   ci.RunnerID
	ManagerID  int64          // one machine of it; 0: all
	Statuses   []ci.Status    // nil: all
	ProjectIDs []ci.ProjectID // nil: all
	Ascending  bool           // oldest first
	Limit      int
	Offset     int
}

// RunnerJobs lists jobs that a runner took, superseded ones too, newest first, and
// says how many match.
func (v *View) RunnerJobs(ctx context.Context, f RunnerJobFilter) ([]ci.Job, int, error) {
	var q filter
	q.and(`j.runner_id = $ and j.runner_id <> 0`, f.RunnerID)
	if f.ManagerID != 0 {
		q.and(`j.manager_id = $`, f.ManagerID)
	}
	if len(f.Statuses) > 0 {
		q.and(`j.status in {texts $}`, words(f.Statuses))
	}
	if f.ProjectIDs != nil {
		q.and(`j.project_id in {ints $}`, integers(f.ProjectIDs))
	}
	order := `j.id desc`
	if f.Ascending {
		order = `j.id`
	}
	return page(ctx, v, "jobs of a runner", scanJob, &q, jobColumns, `jobs j`, order, f.Limit, f.Offset)
}

// runnerStatus adds the condition for a status; stale comes before all others.
func runnerStatus(q *filter, status string, now time.Time) error {
	online, stale := micros(now.Add(-runnerOnline)), micros(now.Add(-runnerStale))
	const fresh = `(r.contacted_at > $ or r.created_at > $)`
	switch status {
	case "":
	case "online":
		q.and(`r.contacted_at > $`, online)
	case "offline":
		q.and(`r.contacted_at <> 0 and r.contacted_at <= $ and `+fresh, online, stale, stale)
	case "never_contacted":
		q.and(`r.contacted_at = 0 and r.created_at > $`, stale)
	case "stale":
		q.and(`not `+fresh, stale, stale)
	default:
		return fmt.Errorf("no status %q", status)
	}
	return nil
}
