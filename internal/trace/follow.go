package trace

import (
	"context"
	"io"
	"iter"
)

// Follow gives the bytes of a log from offset on as they come. After each pair it
// goes on as soon as it is asked to, and at the end of the log when wake receives:
// register for wake-ups before the call. It ends when the log is finished and read,
// when it is erased, when ctx ends and when wake is closed; after an error, which
// comes alone. The bytes are good until the next pair only.
func (t *Traces) Follow(ctx context.Context, job, offset int64, wake <-chan struct{}) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		buffer := make([]byte, 32<<10)
		for ctx.Err() == nil {
			r, err := t.Read(ctx, job, offset, -1)
			if err != nil {
				yield(nil, err)
				return
			}
			if !r.each(buffer, yield) {
				return
			}
			offset = max(offset, r.End)
			if r.Info.Finished || offset > 0 && r.Info == (Info{}) {
				return
			}
			select {
			case _, open := <-wake:
				if !open {
					return
				}
			case <-ctx.Done():
			}
		}
	}
}

// each yields all that the Reader has and closes it. It returns false when the
// yielding is over.
func (r *Reader) each(buffer []byte, yield func([]byte, error) bool) bool {
	defer r.Close()
	for {
		n, err := r.Read(buffer)
		if n > 0 && !yield(buffer[:n], nil) {
			return false
		}
		if err == io.EOF {
			return true
		}
		if err != nil {
			yield(nil, err)
			return false
		}
	}
}
