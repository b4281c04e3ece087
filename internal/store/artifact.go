package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

const artifactColumns = `a.id, a.job_id, a.project_id, a.type, a.format, a.name, a.size, a.sha256, a.blob_key, a.access, a.expire_in`

func scanArtifact(s scanner, a *ci.Artifact) error {
	return s.Scan(&a.ID, &a.JobID, &a.ProjectID, &a.Type, &a.Format, &a.Name, &a.Size, &a.SHA256, &a.BlobKey, &a.Access, &a.ExpireIn)
}

// AddArtifact adds a stored upload of a job and sets when the job's artifacts
// expire; a zero time leaves that as it is. It returns *Taken for "type" when the
// job has one of the same type, and ci.NoRecord() when the job is gone.
//
// announced is what AnnounceBlob gave for its blob; 0: nothing. The announcement is
// taken back; one that is gone is ErrLate, since the blob may be gone too.
func (db *DB) AddArtifact(ctx context.Context, a ci.Artifact, expiresAt time.Time, announced int64) (ci.Artifact, error) {
	now := micros(db.now())
	err := db.quick(ctx, fmt.Sprintf("add artifact of job %d", a.JobID), func(tx *Tx) error {
		if announced != 0 {
			if n, err := tx.Exec(`delete from trash where id = $1`, announced); err != nil || n == 0 {
				return cmp.Or(err, ErrLate)
			}
		}
		err := tx.Row([]any{&a.ID}, `
			insert into artifacts (job_id, project_id, type, format, name, size, sha256, blob_key, access, expire_in, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id`,
			a.JobID, a.ProjectID, a.Type, a.Format, a.Name, a.Size, a.SHA256, a.BlobKey, a.Access, a.ExpireIn, now)
		if err == nil && a.Tests != nil {
			err = saveTests(tx, a.JobID, a.Tests)
		}
		if err != nil || expiresAt.IsZero() {
			return err
		}
		return tx.exec(`update jobs set artifacts_expire_at = $2 where id = $1`, a.JobID, micros(expiresAt))
	})
	return a, err
}

// Artifacts reads the artifacts of several jobs, in the order of upload. Jobs
// without any are not in the map.
func (v *View) Artifacts(ctx context.Context, jobs []ci.JobID) (map[ci.JobID][]ci.Artifact, error) {
	artifacts, err := list(ctx, v, "artifacts", scanArtifact, `
		select `+artifactColumns+` from artifacts a where a.job_id in {ints $1} order by a.id`, integers(jobs))
	if err != nil {
		return nil, err
	}
	byJob := make(map[ci.JobID][]ci.Artifact)
	for _, a := range artifacts {
		byJob[a.JobID] = append(byJob[a.JobID], a)
	}
	return byJob, nil
}

// Artifact reads the artifact of a type of a job.
func (v *View) Artifact(ctx context.Context, job ci.JobID, kind string) (ci.Artifact, error) {
	return one(ctx, v, "artifact", scanArtifact, `
		select `+artifactColumns+` from artifacts a where a.job_id = $1 and a.type = $2`, job, kind)
}

// DeleteArtifacts removes the artifacts of a job, with what its tests came to, and
// returns them. The blobs go by way of the trash.
func (db *DB) DeleteArtifacts(ctx context.Context, job ci.JobID) ([]ci.Artifact, error) {
	var removed []ci.Artifact
	now := micros(db.now())
	err := db.write(ctx, fmt.Sprintf("delete artifacts of job %d", job), func(tx *Tx) (err error) {
		removed, err = removeArtifacts(tx, job, now)
		return err
	})
	return removed, err
}

// RemoveExpiredArtifacts removes the artifacts of a job whose time is over. The job
// still tells when that was, so that jobs which need them can know that there were
// some, and what its tests came to. The blobs go by way of the trash.
func (db *DB) RemoveExpiredArtifacts(ctx context.Context, job ci.JobID) error {
	now := micros(db.now())
	return db.write(ctx, fmt.Sprintf("remove expired artifacts of job %d", job), func(tx *Tx) error {
		if err := trashArtifacts(tx, job, now); err != nil {
			return err
		}
		if err := tx.exec(`delete from artifacts where job_id = $1`, job); err != nil {
			return err
		}
		return tx.exec(`update jobs set artifacts_expire_at = -abs(artifacts_expire_at) where id = $1`, job)
	})
}

// An expiry scans when the artifacts of a job expire or did: the number is negative
// once they are removed, so that the index of those to be removed has no others.
type expiry time.Time

// Scan implements sql.Scanner.
func (e *expiry) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("expiry is %T, not an integer", src)
	}
	*e = expiry(instant(max(us, -us)))
	return nil
}

// trashArtifacts writes trash for the blobs of a job's artifacts.
func trashArtifacts(tx *Tx, job ci.JobID, now int64) error {
	return tx.exec(`
		insert into trash (kind, key, created_at)
		select $2, blob_key, $3 from artifacts where job_id = $1`, job, TrashBlob, now)
}

// removeArtifacts removes the rows and what was read out of a test report, writes
// trash for the blobs and clears the job's expiry.
func removeArtifacts(tx *Tx, job ci.JobID, now int64) ([]ci.Artifact, error) {
	if err := trashArtifacts(tx, job, now); err != nil {
		return nil, err
	}
	if err := tx.exec(`delete from test_summaries where job_id = $1`, job); err != nil {
		return nil, err
	}
	var removed []ci.Artifact
	rows, err := tx.Query(`
		delete from artifacts where job_id = $1
		returning id, job_id, project_id, type, format, name, size, sha256, blob_key, access, expire_in`, job)
	if err != nil {
		return nil, err
	}
	err = each(rows, func(s scanner) error {
		var a ci.Artifact
		err := scanArtifact(s, &a)
		removed = append(removed, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	return removed, tx.exec(`update jobs set artifacts_expire_at = 0 where id = $1`, job)
}

// KeepArtifacts takes the expiry away from a job's artifacts.
func (db *DB) KeepArtifacts(ctx context.Context, job ci.JobID) error {
	return db.quick(ctx, fmt.Sprintf("keep artifacts of job %d", job), func(tx *Tx) error {
		return tx.must(`update jobs set artifacts_expire_at = 0 where id = $1`, job)
	})
}

// ExpireArtifacts lets the artifacts of a project expire at a time, unless they are
// to be kept.
func (db *DB) ExpireArtifacts(ctx context.Context, project ci.ProjectID, when time.Time) error {
	return db.quick(ctx, fmt.Sprintf("expire artifacts of project %d", project), func(tx *Tx) error {
		return tx.exec(`update jobs set artifacts_expire_at = $2 where project_id = $1 and artifacts_expire_at > $2`, project, micros(when))
	})
}

// ExpiredArtifacts lists jobs whose artifacts have expired, at most limit.
func (v *View) ExpiredArtifacts(ctx context.Context, now time.Time, limit int) ([]ci.JobID, error) {
	return list(ctx, v, "expired artifacts", scanInto[ci.JobID], `
		select id from jobs where artifacts_expire_at <> 0 and artifacts_expire_at > 0 and artifacts_expire_at <= $1
		order by artifacts_expire_at limit $2`, micros(now), limit)
}

// LatestJobWithArtifacts reads the newest successful job of a name, on a ref by
// its short name, that has an archive. It looks at the newest 1000 pipelines of
// the ref.
func (v *View) LatestJobWithArtifacts(ctx context.Context, project ci.ProjectID, ref, name string) (ci.Job, error) {
	return one(ctx, v, "job with artifacts", scanJob, `
		select `+jobColumns+` from jobs j
		where j.pipeline_id in (select id from pipelines where project_id = $1 and ref = $2 order by id desc limit 1000)
			and j.name = $3 and j.status = 'success' and not j.retried
			and exists (select 1 from artifacts a where a.job_id = j.id and a.type = 'archive')
		order by j.pipeline_id desc, j.id desc limit 1`, project, ref, name)
}
