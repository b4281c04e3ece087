package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A Mismatch refuses bytes that do not continue a log where it ends: 416, and the
// runner goes on from Stored (contract/runner-protocol.md 6).
type Mismatch struct{ Stored int64 }

// Error gives the stored length.
func (m *Mismatch) Error() string { return fmt.Sprintf("the log has %d bytes", m.Stored) }

// pieceBytes is how much of what is appended becomes one row.
const pieceBytes = 128 << 10

// Append adds data to the log of a job from offset start on and returns the length
// after it. Each byte of a secret is replaced by an x; all calls for a job are to
// name the same secrets. Empty data changes nothing and is never refused.
//
// Errors: *Mismatch when start is not the length, or the log is finished;
// ci.KindTooLarge when the log would grow over the limit, and nothing is added
// then. After any other error part of data may have been added: the caller's next
// try learns by a Mismatch from where to go on.
func (t *Traces) Append(ctx context.Context, job, start int64, data []byte, secrets []string) (length int64, err error) {
	s, unlock, err := t.lock(ctx, job)
	if err != nil {
		return 0, fmt.Errorf("append to log of job %d: %w", job, err)
	}
	defer unlock()
	if t.tails.shared() && len(data) > 0 {
		s.rewind(start)
	}
	switch length = s.length(); {
	case len(data) == 0:
		return length, nil
	case start != length || s.row.finished:
		return length, &Mismatch{Stored: length}
	case length+int64(len(data)) > t.config.MaxBytes:
		return length, ci.TooLarge(fmt.Sprintf("the log of job %d is over %d bytes", job, t.config.MaxBytes))
	}
	m := newMask(secrets)
	for piece := range slices.Chunk(data, min(pieceBytes, t.config.TailBytes)) {
		text, hidden, rest := m.push(s.held, piece)
		err := t.extend(ctx, job, s, text, hidden, rest.ahead)
		if errors.Is(err, errMoved) { // the runner sends to two processes at once
			if err = t.refresh(ctx, job, s); err == nil {
				return s.length(), &Mismatch{Stored: s.length()}
			}
		}
		if err != nil {
			return s.length(), fmt.Errorf("append to log of job %d: %w", job, s.after(err))
		}
		s.held = rest
	}
	return s.length(), nil
}

// rewind drops what is held back from an offset on: another process, which does not
// know it, told the runner to send it again from there.
func (s *state) rewind(start int64) {
	if keep := start - s.row.size; keep >= 0 && keep < int64(len(s.held.text)) && !s.row.finished {
		s.held.text, s.held.hidden = s.held.text[:keep], s.held.hidden[:keep]
	}
}

// extend stores bytes at the end of a log: text as the runner sent it, for the
// checksum, hidden as it is shown. Of what follows, ahead bytes are to be masked:
// this much has to be known of what is held back when the runner sends it again.
func (t *Traces) extend(ctx context.Context, job int64, s *state, text, hidden []byte, ahead int) error {
	if len(text) == 0 {
		return nil
	}
	if s.row.tail() > 0 && s.row.tail()+int64(len(hidden)) > int64(t.config.TailBytes) {
		if err := t.seal(ctx, job, s); err != nil {
			return err
		}
	}
	next := s.row
	next.size += int64(len(hidden))
	next.lines += int64(bytes.Count(hidden, newline))
	next.crc = checksum(next.crc, text)
	next.ahead = ahead
	next.updated = t.config.Now().UnixMicro()
	err := t.tails.Do(ctx, func(tx *store.Tx) error {
		if err := next.save(tx, job, s.row); err != nil {
			return err
		}
		_, err := tx.Exec(`insert into log_tails (job_id, start, crc, data) values ($1, $2, $3, $4)`,
			job, s.row.size, int64(checksum(0, hidden)), hidden)
		return err
	})
	if err != nil {
		return err
	}
	s.row = next
	if t.config.Appended != nil {
		t.config.Appended(len(hidden))
	}
	return nil
}

var newline = []byte("\n")
