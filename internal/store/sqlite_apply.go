package store

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// SQLite has no statement that changes two tables, but a trigger can. A row that
// is inserted into the view changes, of which only the writer's connection knows,
// is application.run for changes without new jobs: one statement, since that is
// what a claim and the end of a job are. jobs is a JSON array of what changedJob
// gives.
const (
	changesView = `
	create temp view changes (id, version, status, name, failure_reason, stages, updated_at, started_at, finished_at, duration,
		project_id, running, jobs) as select 0, 0, '', '', '', '', 0, 0, 0, 0, 0, 0, ''`
	insertChanges = `insert into changes values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
)

// What the trigger says when it refuses.
const (
	changesMoved   = "pipeline moved"
	changesMissing = "job missing"
)

// changesSteps is what the trigger does.
var changesSteps = []string{
	`select raise(abort, '` + changesMoved + `')
	where not exists (select 1 from pipelines where id = new.id and version = new.version)`,
	`select raise(abort, '` + changesMissing + `')
	from jsonb_each(new.jobs) c where not exists (select 1 from jobs where id = c.value ->> 0)`,
	`update pipelines set status = new.status, name = new.name, failure_reason = new.failure_reason, stages = new.stages,
		updated_at = new.updated_at, started_at = new.started_at, finished_at = new.finished_at, duration = new.duration,
		version = version + 1
	where id = new.id`,
	`update jobs set status = c.value ->> 1, allow_failure = c.value ->> 2, retried = c.value ->> 3, user_id = c.value ->> 4,
		played = c.value ->> 5, sealed_variables = unhex(c.value ->> 6), timeout = c.value ->> 7, runner_id = c.value ->> 8,
		manager_id = c.value ->> 9, graceful = c.value ->> 10, token_nonce = unhex(c.value ->> 11), token_digest = unhex(c.value ->> 12),
		failure_reason = c.value ->> 13, exit_code = c.value ->> 14, coverage = c.value ->> 15,
		queued_at = c.value ->> 16, started_at = c.value ->> 17, finished_at = c.value ->> 18, scheduled_at = c.value ->> 19
	from jsonb_each(new.jobs) c where jobs.id = c.value ->> 0`,
	`update project_running set running = running + new.running where project_id = new.project_id and new.running <> 0`,
}

var createChangesTrigger = `create temp trigger apply_changes instead of insert on changes begin ` + strings.Join(changesSteps, "; ") + `; end`

// teachChanges makes the view and its trigger for this connection.
func teachChanges(tx *Tx) error {
	if err := tx.exec(changesView); err != nil {
		return err
	}
	return tx.exec(createChangesTrigger)
}

// apply implements writes.
func (s *sqliteWrites) apply(ctx context.Context, a *application) error {
	if len(a.New) > 0 {
		return s.writer.Do(ctx, a.run)
	}
	jobs := make([][20]any, len(a.Jobs))
	for i := range a.Jobs {
		jobs[i] = changedJob(&a.Jobs[i])
	}
	p := &a.Pipeline
	err := s.writer.Exec(ctx, insertChanges, p.ID, p.Version, p.Status, p.Name, p.FailureReason, a.stages,
		micros(p.UpdatedAt), micros(p.StartedAt), micros(p.FinishedAt), p.Duration, p.ProjectID, a.running, text(jobs))
	switch {
	case err == nil || !refused(err):
		return err
	case strings.Contains(err.Error(), changesMoved):
		return ErrMoved
	case strings.Contains(err.Error(), changesMissing):
		return errors.Join(ci.NoRecord(), err)
	}
	return err
}

// changedJob gives what updateJob writes, in the order in which the trigger reads
// it.
func changedJob(j *ci.Job) [20]any {
	return [20]any{
		j.ID, j.Status, j.AllowFailure, j.Retried, j.UserID, j.Played, hexOrNull(j.SealedVariables),
		j.Timeout, j.RunnerID, j.ManagerID, j.Graceful, hexOrNull(j.TokenNonce), hexOrNull(j.TokenDigest),
		j.FailureReason, j.ExitCode, j.Coverage,
		micros(j.QueuedAt), micros(j.StartedAt), micros(j.FinishedAt), micros(j.ScheduledAt),
	}
}

// hexOrNull is bytesOrNull for a value within JSON.
func hexOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return hex.EncodeToString(b)
}
