package store

import (
	"context"
	"errors"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// applyChanges is application.run for changes without new jobs, as one statement,
// since that is what a claim and the end of a job are. It gives how many pipelines
// were changed, and how many of the jobs are there.
const applyChanges = `
	with changes as (
		select * from unnest($12::bigint[], $13::text[], $14::boolean[], $15::boolean[], $16::bigint[], $17::boolean[], $18::bytea[],
			$19::bigint[], $20::bigint[], $21::bigint[], $22::boolean[], $23::bytea[], $24::bytea[],
			$25::text[], $26::bigint[], $27::double precision[],
			$28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[])
			as c (id, status, allow_failure, retried, user_id, played, sealed_variables,
				timeout, runner_id, manager_id, graceful, token_nonce, token_digest,
				failure_reason, exit_code, coverage,
				queued_at, started_at, finished_at, scheduled_at)
	), present as (
		select count(*) as jobs from jobs where id = any($12::bigint[])
	), target as (
		update pipelines set status = $3::text, name = $4::text, failure_reason = $5::text, stages = $6::text,
			updated_at = $7::bigint, started_at = $8::bigint, finished_at = $9::bigint, duration = $10::bigint, version = version + 1
		where id = $1::bigint and version = $2::bigint and (select jobs from present) = cardinality($12::bigint[])
		returning id, project_id
	), changed as (
		update jobs j set status = c.status, allow_failure = c.allow_failure, retried = c.retried, user_id = c.user_id,
			played = c.played, sealed_variables = c.sealed_variables, timeout = c.timeout, runner_id = c.runner_id,
			manager_id = c.manager_id, graceful = c.graceful, token_nonce = c.token_nonce, token_digest = c.token_digest,
			failure_reason = c.failure_reason, exit_code = c.exit_code, coverage = c.coverage,
			queued_at = c.queued_at, started_at = c.started_at, finished_at = c.finished_at, scheduled_at = c.scheduled_at
		from target, changes c where j.id = c.id and j.id = any($12::bigint[])
	), counted as (
		update project_running set running = running + $11::bigint from target
		where project_running.project_id = target.project_id and $11::bigint <> 0
	)
	select (select count(*) from target), (select jobs from present)`

// apply implements writes.
func (p *postgresWrites) apply(ctx context.Context, a *application) error {
	if len(a.New) > 0 {
		return p.do(ctx, committed, a.run)
	}
	l := &a.Pipeline
	args := append([]any{
		l.ID, l.Version, l.Status, l.Name, l.FailureReason, a.stages,
		micros(l.UpdatedAt), micros(l.StartedAt), micros(l.FinishedAt), l.Duration, a.running,
	}, jobChanges(a.Jobs)...)
	var changed, present int
	err := p.one(ctx, []any{&changed, &present}, applyChanges, args...)
	switch {
	case err != nil || changed == 1:
		return err
	case present == len(a.Jobs):
		return ErrMoved
	}
	err = p.do(ctx, committed, a.run) // which tells a missing job from a missing pipeline
	if err == nil {
		return errors.New("a change that was refused was then taken")
	}
	return err
}

// jobChanges gives what updateJob writes, a list for each column.
func jobChanges(jobs []ci.Job) []any {
	n := len(jobs)
	statuses, reasons := make([]string, n), make([]string, n)
	ids, users, timeouts, runners, managers, exits := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	queuedAt, startedAt, finishedAt, scheduledAt := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	allow, retried, played, graceful := make([]bool, n), make([]bool, n), make([]bool, n), make([]bool, n)
	variables, nonces, digests := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	coverage := make([]*float64, n)
	for i := range jobs {
		j := &jobs[i]
		ids[i], statuses[i], allow[i], retried[i], users[i], played[i] = int64(j.ID), string(j.Status), j.AllowFailure, j.Retried, int64(j.UserID), j.Played
		variables[i], timeouts[i], runners[i], managers[i], graceful[i] = j.SealedVariables, int64(j.Timeout), int64(j.RunnerID), j.ManagerID, j.Graceful
		nonces[i], digests[i], reasons[i], exits[i], coverage[i] = j.TokenNonce, j.TokenDigest, string(j.FailureReason), int64(j.ExitCode), j.Coverage
		queuedAt[i], startedAt[i], finishedAt[i], scheduledAt[i] = micros(j.QueuedAt), micros(j.StartedAt), micros(j.FinishedAt), micros(j.ScheduledAt)
	}
	return []any{
		ids, statuses, allow, retried, users, played, variables, timeouts, runners, managers, graceful, nonces, digests, reasons, exits,
		coverage, queuedAt, startedAt, finishedAt, scheduledAt,
	}
}
