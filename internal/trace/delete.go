package trace

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// Erase removes the log of a job for good. When the call returns nobody can read it
// any more; its blobs are removed by Sweep.
func (t *Traces) Erase(ctx context.Context, job int64) error {
	return t.Delete(ctx, []int64{job})
}

// Delete is Erase for several jobs. Jobs without a log are no error.
func (t *Traces) Delete(ctx context.Context, jobs []int64) error {
	for _, job := range jobs {
		if err := t.drop(ctx, job); err != nil {
			return fmt.Errorf("delete log of job %d: %w", job, err)
		}
	}
	return t.durable()
}

// drop removes the rows of one log.
func (t *Traces) drop(ctx context.Context, job int64) error {
	s, unlock, err := t.lock(ctx, job)
	if err != nil {
		return err
	}
	defer unlock()
	defer s.forget()
	return t.writer.Do(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			`insert into trash (blob_key, ready) select blob_key, 1 from chunks where job_id = $1`,
			`delete from chunks where job_id = $1`,
			`delete from tails where job_id = $1`,
			`delete from logs where job_id = $1`,
		} {
			if _, err := tx.Exec(statement, job); err != nil {
				return err
			}
		}
		return nil
	})
}
