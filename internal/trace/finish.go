package trace

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// Stored gives the length that the runner has to continue from: what is kept and
// what is held back. It is what Append would return for no data.
func (t *Traces) Stored(ctx context.Context, job int64) (int64, error) {
	return t.Append(ctx, job, 0, nil, nil)
}

// MaxBytes is how large a log may grow.
func (t *Traces) MaxBytes() int64 { return t.config.MaxBytes }

// Finish ends a log: what was held back is shown, the rest is moved to the blob
// store, and all of it is on disk when the call returns. It reports whether the
// log is the one that the runner has: want is the checksum of the bytes as it sent
// them ("crc32:1a2b3c4d", the word and the colon may be missing) and size their
// number; an empty want matches everything, a size of 0 any size. The log ends in
// either case, so whoever wants missing bytes sent again asks Stored before.
//
// A log that has no bytes can be finished, and one that is finished, again.
func (t *Traces) Finish(ctx context.Context, job int64, want string, size int64) (matched bool, err error) {
	s, unlock, err := t.lock(ctx, job)
	if err != nil {
		return false, fmt.Errorf("finish log of job %d: %w", job, err)
	}
	defer unlock()
	length, crc := s.length(), s.crc()
	err = t.end(ctx, job, s)
	for try := 1; errors.Is(err, errMoved) && try < maxTries; try++ {
		if err = t.refresh(ctx, job, s); err == nil {
			length, crc = s.length(), s.crc()
			err = t.end(ctx, job, s)
		}
	}
	if err != nil {
		return false, fmt.Errorf("finish log of job %d: %w", job, s.after(err))
	}
	s.forget() // nobody writes to it any more
	return sameCRC(want, crc) && (size == 0 || size == length), nil
}

// maxTries is how often Finish begins anew because another process wrote to the
// log.
const maxTries = 5

// end does the writing of Finish.
func (t *Traces) end(ctx context.Context, job int64, s *state) error {
	if !s.row.finished {
		if err := t.extend(ctx, job, s, s.held.text, s.held.hidden, 0); err != nil {
			return err
		}
		s.held = held{}
		if err := t.seal(ctx, job, s); err != nil {
			return err
		}
		next := s.row
		next.finished, next.updated = true, t.config.Now().UnixMicro()
		return t.tails.Durable(ctx, func(tx *store.Tx) error { return next.save(tx, job, s.row) })
	}
	return t.tails.Durable(ctx, func(*store.Tx) error { return nil }) // an earlier call may not have got so far
}

// sameCRC compares a checksum as runners send it.
func sameCRC(want string, crc uint32) bool {
	if want == "" {
		return true
	}
	value, err := strconv.ParseUint(strings.TrimPrefix(want, "crc32:"), 16, 32)
	return err == nil && uint32(value) == crc
}
