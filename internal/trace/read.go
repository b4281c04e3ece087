package trace

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
)

// partBytes is how much of a tail is read at once.
const partBytes = 64 << 10

// ErrErased says that a log disappeared while it was being read.
var ErrErased = errors.New("the log was erased meanwhile")

// errDamaged says that stored bytes are not those that were written.
var errDamaged = errors.New("stored bytes are damaged")

// A Reader gives a part of a log. It holds one part of it in memory and no cursor
// of the database between calls, so a slow client costs nothing else. Close it.
type Reader struct {
	Start int64 // offset of the first byte in the log
	End   int64 // offset behind the last byte; fixed, although the log may grow
	Info  Info  // of the log when the Reader was made

	traces *Traces
	ctx    context.Context // of the call of Read
	job    int64
	offset int64
	part   io.ReadCloser // of what follows offset; nil: to be found
}

// Read opens limit bytes of a log from offset on, or fewer where the log has fewer.
// A negative limit means all that is there by now, a negative offset counts from
// the end. A log that is not there is empty. ctx bounds the reading too.
func (t *Traces) Read(ctx context.Context, job, offset, limit int64) (*Reader, error) {
	info, err := t.Stat(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	if offset < 0 {
		offset += info.Size
	}
	start := min(max(offset, 0), info.Size)
	end := info.Size
	if limit >= 0 && limit < end-start {
		end = start + limit
	}
	return &Reader{Start: start, End: end, Info: info, traces: t, ctx: ctx, job: job, offset: start}, nil
}

// Read implements io.Reader. Its errors other than io.EOF match ErrErased when the
// log is gone.
func (r *Reader) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil && len(p) > 0 {
		if r.offset == r.End {
			return 0, io.EOF
		}
		if r.part == nil {
			if r.part, err = r.traces.part(r.ctx, r.job, r.offset); err != nil {
				return 0, fmt.Errorf("read log of job %d at %d: %w", r.job, r.offset, err)
			}
		}
		n, err = r.part.Read(p[:min(int64(len(p)), r.End-r.offset)])
		r.offset += int64(n)
		if err == io.EOF { // of the part
			err = r.Close()
		}
	}
	if err != nil {
		err = fmt.Errorf("read log of job %d at %d: %w", r.job, r.offset, err)
	}
	return n, err
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.part == nil {
		return nil
	}
	err := r.part.Close()
	r.part = nil
	return err
}

// part finds what a log has at offset: the rest of a chunk, or some of the tail. A
// tail that is not there has just become a chunk.
func (t *Traces) part(ctx context.Context, job, offset int64) (io.ReadCloser, error) {
	for range 2 {
		c, err := t.chunkAt(ctx, job, offset)
		if err != nil {
			return nil, err
		}
		if c != nil {
			return c.open(ctx, t.config.Blobs, offset)
		}
		data, err := t.readRows(ctx, job, offset, partBytes)
		if err != nil {
			return nil, err
		}
		if len(data) > 0 {
			return io.NopCloser(bytes.NewReader(data)), nil
		}
	}
	return nil, ErrErased
}

// readRows reads about limit bytes of a tail from offset on: whole rows, the first
// one cut. It gives none when the tail has no such offset, which a seal may just
// have taken.
func (t *Traces) readRows(ctx context.Context, job, offset, limit int64) ([]byte, error) {
	rows, err := t.tails.QueryContext(ctx, `
		select start, crc, data from log_tails
		where job_id = $1 and start >= coalesce((select max(start) from log_tails where job_id = $1 and start <= $2), $2)
		order by start`, job, offset)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []byte
	for int64(len(out)) < limit && rows.Next() {
		var start int64
		var crc uint32
		var data sql.RawBytes
		if err := rows.Scan(&start, &crc, &data); err != nil {
			return nil, err
		}
		if checksum(0, data) != crc {
			return nil, errDamaged
		}
		skip := offset + int64(len(out)) - start
		if len(out) == 0 && (skip < 0 || skip >= int64(len(data))) {
			return nil, nil
		}
		if len(out) > 0 && skip != 0 {
			return nil, fmt.Errorf("%w: a gap at %d", errDamaged, start-skip)
		}
		out = append(out, data[skip:]...)
	}
	return out, rows.Err()
}

// A chunk is a part of a log in the blob store.
type chunk struct {
	start, size, firstLine int64
	crc                    uint32
	key                    string
	marks                  []byte
}

// chunkAt finds the chunk that has the byte at offset; nil when none has.
func (t *Traces) chunkAt(ctx context.Context, job, offset int64) (*chunk, error) {
	c, err := t.chunkWhere(ctx, `start <= $2`, job, offset)
	if c != nil && offset >= c.start+c.size {
		return nil, err
	}
	return c, err
}

// chunkWhere finds the last chunk of a log for which a condition on $2 holds.
func (t *Traces) chunkWhere(ctx context.Context, condition string, job, value int64) (*chunk, error) {
	var c chunk
	err := queryRow(ctx, t.tails, []any{&c.start, &c.size, &c.firstLine, &c.crc, &c.key, &c.marks}, `
		select start, size, first_line, crc, blob_key, marks from log_chunks
		where job_id = $1 and `+condition+` order by start desc limit 1`, job, value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &c, err
}

// open reads the chunk from an offset of the log on.
func (c *chunk) open(ctx context.Context, blobs Blobs, offset int64) (io.ReadCloser, error) {
	skip := offset - c.start
	body, err := blobs.Get(ctx, c.key, skip, -1)
	if err != nil {
		return nil, err
	}
	return &chunkReader{body: body, left: c.size - skip, crc: c.crc, whole: skip == 0}, nil
}

// A chunkReader reads a blob and makes sure that it is what was written: its
// length, and its checksum when all of it is read.
type chunkReader struct {
	body  io.ReadCloser
	left  int64
	crc   uint32
	sum   uint32
	whole bool
}

// Read implements io.Reader.
func (c *chunkReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.body.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.sum = checksum(c.sum, p[:n])
	switch {
	case c.left == 0 && c.whole && c.sum != c.crc:
		return n, errDamaged
	case c.left > 0 && err == io.EOF:
		return n, fmt.Errorf("%w: cut short", errDamaged)
	case err == io.EOF:
		return n, nil
	}
	return n, err
}

// Close implements io.Closer.
func (c *chunkReader) Close() error { return c.body.Close() }
