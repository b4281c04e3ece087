package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Apply writes what a decision of the state machine came to, in one transaction,
// if the pipeline is still at the version that the decision saw; otherwise it
// returns ErrMoved and writes nothing. running is by how much the number of jobs
// that runners hold changes in the project. The ids of the rows in c.New are
// filled in.
//
// A job's ErasedAt and ArtifactsExpireAt are not written: they change apart from
// the pipeline (EraseJob, AddArtifact, KeepArtifacts).
func (db *DB) Apply(ctx context.Context, c ci.Changes, running int) error {
	a := &application{Changes: c, running: running, stages: stagesText(c.Pipeline.Stages)}
	for i := range c.New {
		job := &c.New[i]
		a.plans = append(a.plans, text(job.Plan))
		a.queues = append(a.queues, job.Queue().Key())
	}
	return db.worded(fmt.Sprintf("change pipeline %d", c.Pipeline.ID), db.writes.apply(ctx, a))
}

// application is Changes in the form that the writer needs.
type application struct {
	ci.Changes
	running       int
	stages        string
	plans, queues []string // of New
}

func (a *application) run(tx *Tx) error {
	if err := a.updatePipeline(tx); err != nil {
		return err
	}
	for i := range a.Jobs {
		if err := updateJob(tx, &a.Jobs[i]); err != nil {
			return fmt.Errorf("job %d: %w", a.Jobs[i].ID, err)
		}
	}
	for i := range a.New {
		if err := a.insertJob(tx, i); err != nil {
			return fmt.Errorf("job %q: %w", a.New[i].Name, err)
		}
	}
	if a.running == 0 {
		return nil
	}
	return tx.exec(`update project_running set running = running + $2 where project_id = $1`, a.Pipeline.ProjectID, a.running)
}

// updatePipeline is the compare-and-swap. What is fixed when a pipeline is made
// is not touched.
func (a *application) updatePipeline(tx *Tx) error {
	p := &a.Pipeline
	n, err := tx.Exec(`
		update pipelines set status = $3, name = $4, failure_reason = $5, stages = $6,
			updated_at = $7, started_at = $8, finished_at = $9, duration = $10, version = version + 1
		where id = $1 and version = $2`,
		p.ID, p.Version, p.Status, p.Name, p.FailureReason, a.stages,
		micros(p.UpdatedAt), micros(p.StartedAt), micros(p.FinishedAt), p.Duration)
	if err == nil && n == 0 {
		return ErrMoved
	}
	return err
}

// updateJob writes what may change in a job's life.
func updateJob(tx *Tx, j *ci.Job) error {
	return tx.must(`
		update jobs set status = $2, allow_failure = $3, retried = $4, user_id = $5, played = $6, sealed_variables = $7,
			timeout = $8, runner_id = $9, manager_id = $10, graceful = $11, token_nonce = $12, token_digest = $13,
			failure_reason = $14, exit_code = $15, coverage = $16,
			queued_at = $17, started_at = $18, finished_at = $19, scheduled_at = $20
		where id = $1`,
		j.ID, j.Status, j.AllowFailure, j.Retried, j.UserID, j.Played, bytesOrNull(j.SealedVariables),
		j.Timeout, j.RunnerID, j.ManagerID, j.Graceful, bytesOrNull(j.TokenNonce), bytesOrNull(j.TokenDigest),
		j.FailureReason, j.ExitCode, j.Coverage,
		micros(j.QueuedAt), micros(j.StartedAt), micros(j.FinishedAt), micros(j.ScheduledAt))
}

// insertJob adds a row to the pipeline: the retry of another.
func (a *application) insertJob(tx *Tx, i int) error {
	j := &a.New[i]
	return tx.Row([]any{&j.ID}, `
		insert into jobs (pipeline_id, project_id, name, stage, stage_index, status, plan, allow_failure, retried, attempt,
			protected, user_id, played, sealed_variables, spec_digest, queue, timeout, failure_reason, exit_code,
			created_at, queued_at, started_at, finished_at, scheduled_at, resource_group)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
		returning id`,
		a.Pipeline.ID, a.Pipeline.ProjectID, j.Name, j.Stage, j.StageIndex, j.Status, a.plans[i], j.AllowFailure, j.Retried, j.Attempt,
		j.Protected, j.UserID, j.Played, bytesOrNull(j.SealedVariables), j.SpecDigest, a.queues[i], j.Timeout, j.FailureReason, j.ExitCode,
		micros(j.CreatedAt), micros(j.QueuedAt), micros(j.StartedAt), micros(j.FinishedAt), micros(j.ScheduledAt), j.Plan.ResourceGroup)
}

// stagesText gives the stored form of a pipeline's stages.
func stagesText(stages []ci.Stage) string {
	if len(stages) == 0 {
		return "[]"
	}
	return text(stages)
}
