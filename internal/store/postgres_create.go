package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// maxCreations is how many pipelines one transaction writes at most.
const maxCreations = 64

// createTime bounds a group: a server that does not answer must not keep all that
// come later waiting. What became of the group is unknown then.
const createTime = 30 * time.Second

// A pipeline is created by one statement, so that the row that counts the iids of
// its project is locked as briefly as can be, and so that many of them fit into one
// round trip. A project that is gone, and an idempotency key that was used, are no
// row and no error: they must not undo the rest of the group.
//
// createPlain is for requests without an idempotency key, createKeyed for those
// with one: it takes the row of the project first, so that a key is never written
// for a project that is gone.
//
// What a new commit may make redundant is looked for in the same statement.
var (
	createPlain = strings.NewReplacer("{counted}", `counted as (
		update project_iids set last_iid = last_iid + 1 where project_id = $1 returning last_iid, nextval('pipelines_id_seq') as id
	)`).Replace(createPipeline)
	// createReserved and createKeyedReserved are the same for an iid that was reserved.
	createReserved = strings.NewReplacer("{counted}", `counted as (
		select $40::bigint as last_iid, nextval('pipelines_id_seq') as id from project_iids where project_id = $1 for update
	)`).Replace(createPipeline)
	createKeyedReserved = strings.NewReplacer(
		`update project_iids set last_iid = last_iid + 1 from claim where project_id = $1 returning last_iid, claim.pipeline_id as id`,
		`select $44::bigint as last_iid, claim.pipeline_id as id from claim`,
	).Replace(createKeyed)
	createKeyed = strings.NewReplacer("{counted}", `project as (
		select project_id, nextval('pipelines_id_seq') as id from project_iids where project_id = $1 for update
	), claim as (
		insert into idempotency (scope, key, body_digest, pipeline_id, created_at)
		select $40::bytea, $41::text, $42::bytea, id, $16::bigint from project
		on conflict (scope, key) do update
		set body_digest = excluded.body_digest, pipeline_id = excluded.pipeline_id, created_at = excluded.created_at
		where idempotency.created_at < $43::bigint
		returning pipeline_id
	), counted as (
		update project_iids set last_iid = last_iid + 1 from claim where project_id = $1 returning last_iid, claim.pipeline_id as id
	)`).Replace(createPipeline)

	// andLook gives the same with what olderPipelines gives.
	andLook = func() map[string]string {
		look := strings.NewReplacer("null::text", olderPipelines("$1::bigint", "$3::text", "$5::text",
			fmt.Sprintf("$16::bigint - %d", redundantFor.Microseconds())))
		queries := map[string]string{}
		for _, query := range []string{createPlain, createKeyed, createReserved, createKeyedReserved} {
			queries[query] = look.Replace(query)
		}
		return queries
	}()
)

const createPipeline = `
	with {counted}, pipeline as (
		insert into pipelines (id, iid, uid, project_id, ref, tag, sha, before_sha, source, status, protected,
			user_id, trigger_id, name, yaml_errors, failure_reason, stages,
			created_at, updated_at, started_at, finished_at, duration, version)
		select id, last_iid, $2::text, $1::bigint, $3::text, $4::boolean, $5::text, $6::text, $7::text, $8::text, $9::boolean,
			$10::bigint, $11::bigint, $12::text, $13::text, $14::text, $15::text,
			$16::bigint, $17::bigint, $18::bigint, $19::bigint, $20::bigint, $21::bigint
		from counted
		returning id, iid
	), variables as (
		insert into pipeline_variables (pipeline_id, sealed) select id, $22::bytea from pipeline where $22::bytea is not null
	), upstream as (
		insert into upstreams (pipeline_id, source_project_id, source_pipeline_id, source_job_id)
		select id, $23::bigint, $24::bigint, $25::bigint from pipeline where $23::bigint is not null
	), jobs as (
		insert into jobs (pipeline_id, project_id, created_at, user_id, protected, spec_digest,
			name, stage, stage_index, status, plan, allow_failure, queue, timeout,
			queued_at, finished_at, scheduled_at, failure_reason, resource_group)
		select id, $1, $16, $10, $9, u.spec_digest,
			u.name, u.stage, u.stage_index, u.status, u.plan, u.allow_failure, u.queue, u.timeout,
			u.queued_at, u.finished_at, u.scheduled_at, u.failure_reason, u.resource_group
		from pipeline, unnest($26::bytea[], $27::text[], $28::text[], $29::bigint[], $30::text[], $31::text[], $32::boolean[],
			$33::text[], $34::bigint[], $35::bigint[], $36::bigint[], $37::bigint[], $38::text[], $39::text[]) with ordinality
			as u (spec_digest, name, stage, stage_index, status, plan, allow_failure,
				queue, timeout, queued_at, finished_at, scheduled_at, failure_reason, resource_group, place)
		order by u.place
	)
	select id, iid, null::text from pipeline`

// addSpecs adds specifications that are not there yet. It is a transaction before
// the pipeline's own, so that groups of different processes never wait for each
// other's; a specification that no job names does no harm.
const addSpecs = `
	insert into specs (digest, body) select * from unnest($1::bytea[], $2::text[])
	on conflict (digest) do nothing`

// A postgresCreation is a creation as the values of its statement. It waits for
// its group.
type postgresCreation struct {
	*creation
	query string
	args  []any
}

func newPostgresCreation(c *creation) *postgresCreation {
	p := &c.pipeline
	w := &postgresCreation{creation: c, query: createPlain, args: []any{
		p.ProjectID, p.UID, p.Ref, p.Tag, p.SHA, p.BeforeSHA, p.Source, p.Status, p.Protected,
		p.UserID, p.TriggerID, p.Name, p.YAMLErrors, p.FailureReason, c.stages,
		micros(p.CreatedAt), micros(p.UpdatedAt), micros(p.StartedAt), micros(p.FinishedAt), p.Duration, p.Version,
		bytesOrNull(c.Variables),
	}}
	if u := c.Upstream; u != nil {
		w.args = append(w.args, u.SourceProjectID, u.SourcePipelineID, u.SourceJobID)
	} else {
		w.args = append(w.args, nil, nil, nil)
	}
	w.args = append(w.args, w.jobColumns()...)
	if k := c.Idempotency; k != nil {
		w.query = createKeyed
		w.args = append(w.args, k.Scope, k.Key, k.BodyDigest, micros(k.Since))
	}
	if c.Pipeline.IID != 0 {
		w.query = map[string]string{createPlain: createReserved, createKeyed: createKeyedReserved}[w.query]
		w.args = append(w.args, c.Pipeline.IID)
	}
	if c.Supersedes {
		w.query = andLook[w.query]
	}
	return w
}

// jobColumns gives what the jobs do not share, a list for each column.
func (w *postgresCreation) jobColumns() []any {
	n := len(w.Jobs)
	digests, allow := make([][]byte, n), make([]bool, n)
	names, stages, statuses, plans, queues, reasons, groups := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	places, timeouts, queuedAt, finishedAt, scheduledAt := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range w.Jobs {
		j := &w.Jobs[i]
		digests[i], names[i], stages[i], places[i] = j.SpecDigest, j.Name, j.Stage, int64(j.StageIndex)
		statuses[i], plans[i], allow[i], queues[i] = string(j.Status), text(j.Plan), j.AllowFailure, w.queue(j)
		timeouts[i], queuedAt[i], finishedAt[i], scheduledAt[i] = int64(j.Timeout), micros(j.QueuedAt), micros(j.FinishedAt), micros(j.ScheduledAt)
		reasons[i], groups[i] = string(j.FailureReason), j.Plan.ResourceGroup
	}
	return []any{digests, names, stages, places, statuses, plans, allow, queues, timeouts, queuedAt, finishedAt, scheduledAt, reasons, groups}
}

// postgresWrites takes writes for PostgreSQL: pipelines in groups, everything else
// as short transactions of its own.
type postgresWrites struct {
	*sessions
	url       string // a secret
	creations *groupQueue[*postgresCreation]
	alone     *sql.DB // one session, see DB.Alone
}

func newPostgresWrites(c Config, s *sessions, alone *sql.DB) *postgresWrites {
	p := &postgresWrites{sessions: s, url: c.URL, creations: newGroupQueue[*postgresCreation](maxCreations, c.Committed), alone: alone}
	go p.creations.run(p.createGroup, func() {})
	return p
}

func (p *postgresWrites) close() error {
	p.creations.close()
	return errors.Join(p.sessions.close(), p.alone.Close())
}

func (p *postgresWrites) queued() int { return p.creations.queued() }

func (p *postgresWrites) stats() sql.DBStats { return p.pool.Stats() }

func (p *postgresWrites) checkpoint(context.Context) error { return nil }

// create implements writes.
func (p *postgresWrites) create(ctx context.Context, c *creation, specs bool) error {
	if specs && len(c.Specs) > 0 {
		if err := p.addSpecs(ctx, c.Specs); err != nil {
			return err
		}
	}
	w := newPostgresCreation(c)
	if err := p.creations.put(ctx, w); err != nil {
		if kind, rule := postgresViolation(err); kind == foreignKeyViolation && rule == "jobs_spec_digest_fkey" {
			return errors.Join(errSpecs, err)
		}
		return err
	}
	if c.pipeline.ID == 0 {
		return p.refused(context.WithoutCancel(ctx), c)
	}
	return nil
}

// addSpecs writes specifications in the order of their digests, as everybody does,
// so that two processes do not wait for each other.
func (p *postgresWrites) addSpecs(ctx context.Context, specs []Spec) error {
	specs = slices.SortedFunc(slices.Values(specs), func(a, b Spec) int { return slices.Compare(a.Digest, b.Digest) })
	digests, bodies := make([][]byte, len(specs)), make([]string, len(specs))
	for i, spec := range specs {
		digests[i], bodies[i] = spec.Digest, string(spec.Body)
	}
	return p.twice(ctx, func(tx *Tx) error { return tx.exec(addSpecs, digests, bodies) })
}

// refused finds out why the statement of a pipeline gave no row: its key was used,
// or its project is gone.
func (p *postgresWrites) refused(ctx context.Context, c *creation) error {
	k := c.Idempotency
	if k == nil {
		return notFound(sql.ErrNoRows)
	}
	return p.twice(ctx, func(tx *Tx) error { return usedBefore(tx, k) })
}

// createGroup writes the pipelines of a group in one transaction and answers each.
// When one of them makes the transaction fail, each gets one of its own.
func (p *postgresWrites) createGroup(group []*entry[*postgresCreation]) {
	slices.SortStableFunc(group, func(a, b *entry[*postgresCreation]) int {
		return cmp.Compare(a.value.pipeline.ProjectID, b.value.pipeline.ProjectID)
	})
	err := p.repeat(context.Background(), func() error { return p.send(group) })
	if err == nil || len(group) == 1 || errors.Is(err, ErrUnknown) || lost(err) {
		answer(group, err)
		return
	}
	for i := range group {
		single := group[i : i+1]
		answer(single, p.repeat(context.Background(), func() error { return p.send(single) }))
	}
}

// send writes the pipelines of a group in one transaction and one round trip.
func (p *postgresWrites) send(group []*entry[*postgresCreation]) error {
	ctx, cancel := context.WithTimeout(context.Background(), createTime)
	defer cancel()
	conn, err := p.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	batch := &pgx.Batch{}
	for _, e := range group {
		e.value.pipeline.ID, e.value.pipeline.IID, e.value.older = 0, 0, nil
		batch.Queue(e.value.query, e.value.args...)
		if p.hook != nil {
			p.hook(e.value.query)
		}
	}
	return conn.Raw(func(driver any) error {
		results := driver.(*stdlib.Conn).Conn().SendBatch(ctx, batch)
		for _, e := range group {
			err := results.QueryRow().Scan(&e.value.pipeline.ID, &e.value.pipeline.IID, &e.value.older)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return outcome(errors.Join(err, results.Close()))
			}
		}
		if err := results.Close(); err != nil { // the end of the transaction
			return outcome(err)
		}
		return nil
	})
}
