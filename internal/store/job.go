package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// jobColumns is what scanJob reads, of a table named j.
const jobColumns = `j.id, j.pipeline_id, j.project_id, j.name, j.stage, j.stage_index, j.status, j.plan,
	j.allow_failure, j.retried, j.attempt, j.protected, j.user_id, j.played, j.sealed_variables,
	j.spec_digest, j.queue, j.timeout, j.runner_id, j.manager_id, j.graceful, j.token_nonce, j.token_digest,
	j.failure_reason, j.exit_code, j.coverage, j.created_at, j.queued_at, j.started_at, j.finished_at,
	j.scheduled_at, j.erased_at, j.artifacts_expire_at`

// jobFields gives the places for jobColumns.
func jobFields(j *ci.Job) []any {
	return []any{&j.ID, &j.PipelineID, &j.ProjectID, &j.Name, &j.Stage, &j.StageIndex, &j.Status, planText{&j.Plan},
		&j.AllowFailure, &j.Retried, &j.Attempt, &j.Protected, &j.UserID, &j.Played, &j.SealedVariables,
		&j.SpecDigest, queueTags{&j.Tags}, &j.Timeout, &j.RunnerID, &j.ManagerID, &j.Graceful, &j.TokenNonce, &j.TokenDigest,
		&j.FailureReason, &j.ExitCode, &j.Coverage, at(&j.CreatedAt), at(&j.QueuedAt), at(&j.StartedAt), at(&j.FinishedAt),
		at(&j.ScheduledAt), at(&j.ErasedAt), (*expiry)(&j.ArtifactsExpireAt)}
}

// queueTags scans the tags of a job from the key of its queue, which ends with
// them.
type queueTags struct{ dest *[]string }

// Scan implements sql.Scanner.
func (q queueTags) Scan(src any) error {
	key, ok := src.(string)
	if !ok {
		return fmt.Errorf("queue is %T, not text", src)
	}
	if strings.HasSuffix(key, ":[]") {
		return nil
	}
	queue, err := ci.ParseQueue(key)
	*q.dest = queue.Tags
	return err
}

func scanJob(s scanner, j *ci.Job) error { return s.Scan(jobFields(j)...) }

// Job reads one job.
func (v *View) Job(ctx context.Context, id ci.JobID) (ci.Job, error) {
	return one(ctx, v, "job", scanJob, `select `+jobColumns+` from jobs j where j.id = $1`, id)
}

// JobByToken finds the job whose token has this digest, in whatever state it is.
func (v *View) JobByToken(ctx context.Context, digest []byte) (ci.Job, error) {
	return one(ctx, v, "job", scanJob, `
		select `+jobColumns+` from jobs j where j.token_digest = $1 and j.token_digest is not null`, digest)
}

// A JobFilter narrows a list of jobs. Zero fields do not; one of the two ids is
// set.
type JobFilter struct {
	ProjectID  ci.ProjectID
	PipelineID ci.PipelineID
	Statuses   []ci.Status
	Ref        string   // of their pipeline, by its short name; beside ProjectID
	Retried    bool     // superseded jobs too
	BeforeID   ci.JobID // only older ones, for paging by key
	Limit      int      // 0: all
	Offset     int
}

// Jobs lists jobs, newest first, and says how many match, BeforeID included. A
// list of a whole project is not counted (contract/trigger-api.md 0.5): its total
// is -1.
func (v *View) Jobs(ctx context.Context, f JobFilter) ([]ci.Job, int, error) {
	var q filter
	if f.PipelineID != 0 {
		q.and(`j.pipeline_id = $`, f.PipelineID)
	}
	if f.ProjectID != 0 {
		q.and(`j.project_id = $`, f.ProjectID)
	}
	if len(f.Statuses) > 0 {
		q.and(`j.status in {texts $}`, words(f.Statuses))
	}
	if f.Ref != "" {
		q.and(`j.pipeline_id in (select p.id from pipelines p where p.project_id = $ and p.ref = $)`, f.ProjectID, f.Ref)
	}
	if !f.Retried {
		q.and(`not j.retried`)
	}
	if f.BeforeID != 0 {
		q.and(`j.id < $`, f.BeforeID)
	}
	if f.PipelineID == 0 {
		jobs, err := rows(ctx, v, "jobs", scanJob, &q, jobColumns, `jobs j`, `j.id desc`, f.Limit, f.Offset)
		return jobs, -1, err
	}
	return page(ctx, v, "jobs", scanJob, &q, jobColumns, `jobs j`, `j.id desc`, f.Limit, f.Offset)
}

// Spec reads the JSON form of a job specification.
func (v *View) Spec(ctx context.Context, digest []byte) ([]byte, error) {
	var body []byte
	err := v.row(ctx, []any{&body}, `select body from specs where digest = $1`, digest)
	return body, wrap("read job specification", err)
}

// TouchJob records that the runner of a job was heard of.
func (db *DB) TouchJob(ctx context.Context, id ci.JobID, when time.Time) error {
	return db.quick(ctx, fmt.Sprintf("touch job %d", id), func(tx *Tx) error {
		return tx.must(`update jobs set contacted_at = $2 where id = $1`, id, micros(when))
	})
}

// EraseJob records that somebody erased the log and artifacts of a job, removes
// the artifacts' rows and returns them. The blobs and the log go by way of the
// trash.
func (db *DB) EraseJob(ctx context.Context, id ci.JobID, when time.Time, by ci.UserID) ([]ci.Artifact, error) {
	var removed []ci.Artifact
	now := micros(db.now())
	err := db.write(ctx, fmt.Sprintf("erase job %d", id), func(tx *Tx) (err error) {
		err = tx.must(`update jobs set erased_at = $2, erased_by = $3 where id = $1`, id, micros(when), by)
		if err != nil {
			return err
		}
		if removed, err = removeArtifacts(tx, id, now); err != nil {
			return err
		}
		return tx.exec(`insert into trash (kind, key, created_at) values ($1, $2, $3)`, TrashLog, strconv.FormatInt(int64(id), 10), now)
	})
	return removed, err
}
