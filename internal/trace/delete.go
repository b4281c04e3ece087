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
	for i, job := range jobs {
		write := t.tails.Do
		if i == len(jobs)-1 { // the last one makes all of them durable
			write = t.tails.Durable
		}
		if err := t.drop(ctx, job, write); err != nil {
			return fmt.Errorf("delete log of job %d: %w", job, err)
		}
	}
	return nil
}

// drop removes the rows of one log.
func (t *Traces) drop(ctx context.Context, job int64, write func(context.Context, func(*store.Tx) error) error) error {
	s, unlock, err := t.lock(ctx, job)
	if err != nil {
		return err
	}
	defer unlock()
	defer s.forget()
	return write(ctx, func(tx *store.Tx) error {
		for _, statement := range []string{
			`delete from logs where job_id = $1`, // first, so that nobody who writes to it comes between
			`insert into log_trash (blob_key, ready) select blob_key, 1 from log_chunks where job_id = $1`,
			`delete from log_chunks where job_id = $1`,
			`delete from log_tails where job_id = $1`,
		} {
			if _, err := tx.Exec(statement, job); err != nil {
				return err
			}
		}
		return nil
	})
}
