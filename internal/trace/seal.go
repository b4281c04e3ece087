package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// seal moves the tail of a log into a chunk: the blob first, then the rows. What a
// crash or an error leaves of it is in trash, and the tail is where it was.
func (t *Traces) seal(ctx context.Context, job int64, s *state) error {
	if s.row.tail() == 0 {
		return nil
	}
	data, err := t.readTail(ctx, job, s.row)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	key := blob.NewKey(t.config.Rand)
	late := t.config.Now().Add(sealTime).UnixMicro()
	announce := t.tails.Do
	if t.tails.shared() { // a database that crashes must know the blob of a server that does not
		announce = t.tails.Durable
	}
	if err := announce(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`insert into log_trash (blob_key, ready) values ($1, $2)`, key, late)
		return err
	}); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	next := s.row
	next.sealed, next.sealedLines = s.row.size, s.row.lines
	if _, err = t.config.Blobs.Put(ctx, key, bytes.NewReader(data)); err == nil {
		err = t.tails.Do(ctx, func(tx *store.Tx) error { return addChunk(tx, job, s.row, next, key, data) })
	}
	if err != nil {
		return errors.Join(fmt.Errorf("seal: %w", err), t.discard(ctx, key))
	}
	s.row = next
	return nil
}

// sealTime is when a blob that is being written counts as left behind by a process
// that has ended. One that takes as long after all is given up.
const sealTime = time.Hour

// errLate gives a seal up whose blob may be removed any moment.
var errLate = errors.New("writing a part of the log took too long")

// addChunk puts a chunk in the place of the tail.
func addChunk(tx *store.Tx, job int64, before, after row, key string, data []byte) error {
	if err := after.save(tx, job, before); err != nil {
		return err
	}
	n, err := tx.Exec(`delete from log_trash where blob_key = $1 and ready > 1`, key)
	if err == nil && n == 0 {
		err = errLate
	}
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`
		insert into log_chunks (job_id, start, size, first_line, crc, blob_key, marks) values ($1, $2, $3, $4, $5, $6, $7)`,
		job, before.sealed, len(data), before.sealedLines, int64(checksum(0, data)), key, findMarks(before.sealedLines, data)); err != nil {
		return err
	}
	_, err = tx.Exec(`delete from log_tails where job_id = $1`, job)
	return err
}

// discard readies a blob for removal that a failed seal may have written. When the
// seal was committed in spite of its error, there is nothing to discard any more.
func (t *Traces) discard(ctx context.Context, key string) error {
	return t.tails.Do(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		_, err := tx.Exec(`update log_trash set ready = 1 where blob_key = $1`, key)
		return err
	})
}

// readTail reads the whole tail: at most Config.TailBytes. One that is not all there
// any more is errMoved where another process may have sealed it.
func (t *Traces) readTail(ctx context.Context, job int64, r row) ([]byte, error) {
	data := make([]byte, 0, r.tail())
	for offset := r.sealed; offset < r.size; {
		part, err := t.readRows(ctx, job, offset, r.tail())
		if err != nil {
			return nil, err
		}
		if len(part) == 0 && t.tails.shared() {
			return nil, errMoved
		}
		if len(part) == 0 {
			return nil, fmt.Errorf("%w: no bytes at %d", errDamaged, offset)
		}
		data = append(data, part...)
		offset += int64(len(part))
	}
	return data, nil
}

// Sweep removes up to limit blobs that belong to no log any more, and returns how
// many. Logs that are erased or deleted leave them.
func (t *Traces) Sweep(ctx context.Context, limit int) (removed int, err error) {
	now := t.config.Now().UnixMicro()
	if err := t.tails.Do(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`update log_trash set ready = 1 where ready > 1 and ready <= $1`, now)
		return err
	}); err != nil {
		return 0, fmt.Errorf("sweep logs: %w", err)
	}
	keys, err := t.readTrash(ctx, limit)
	if err != nil {
		return 0, fmt.Errorf("sweep logs: %w", err)
	}
	for _, key := range keys {
		if err := t.config.Blobs.Delete(ctx, key); err != nil {
			return removed, fmt.Errorf("sweep logs: %w", err)
		}
		if err := t.tails.Do(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`delete from log_trash where blob_key = $1`, key)
			return err
		}); err != nil {
			return removed, fmt.Errorf("sweep logs: %w", err)
		}
		removed++
	}
	return removed, nil
}

// readTrash lists blobs that are ready to be removed.
func (t *Traces) readTrash(ctx context.Context, limit int) (keys []string, err error) {
	rows, err := t.tails.QueryContext(ctx, `select blob_key from log_trash where ready = 1 limit $1`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
