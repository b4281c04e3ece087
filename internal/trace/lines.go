package trace

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
)

// linesPerMark is how far apart the marks of a chunk are.
const linesPerMark = 1000

// findMarks gives the index of a chunk: for each line whose number, counted from 0
// through the whole log, is a multiple of linesPerMark and that begins behind a
// line end of this chunk, the offset in the chunk where it begins. Each is stored
// as the distance from the one before.
func findMarks(firstLine int64, data []byte) []byte {
	marks := []byte{} // not null in the database
	line, last := firstLine, 0
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return marks
		}
		at += i + 1
		if line++; line%linesPerMark == 0 {
			marks = binary.AppendUvarint(marks, uint64(at-last))
			last = at
		}
	}
}

// nearest gives the last known beginning of a line at or before the wanted one: a
// number of line ends and the offset in the log behind them.
func (c *chunk) nearest(line int64) (ends, offset int64) {
	ends, offset = c.firstLine, c.start
	next := (c.firstLine/linesPerMark + 1) * linesPerMark
	at := c.start
	for marks := c.marks; len(marks) > 0 && next <= line; next += linesPerMark {
		distance, n := binary.Uvarint(marks)
		if n <= 0 {
			break
		}
		marks = marks[n:]
		at += int64(distance)
		ends, offset = next, at
	}
	return ends, offset
}

// Line gives the offset where a line begins, counted from 0; the size of the log
// for a line that it does not have. It reads about a thousand lines at most.
func (t *Traces) Line(ctx context.Context, job, line int64) (offset int64, err error) {
	row, err := t.load(ctx, job)
	if err != nil {
		return 0, fmt.Errorf("find line %d of log of job %d: %w", line, job, err)
	}
	if line <= 0 {
		return 0, nil
	}
	if line > row.lines {
		return row.size, nil
	}
	ends, offset := row.sealedLines, row.sealed
	if line <= row.sealedLines {
		c, err := t.chunkWhere(ctx, `first_line < $2`, job, line)
		if err == nil && c == nil {
			err = ErrErased
		}
		if err != nil {
			return 0, fmt.Errorf("find line %d of log of job %d: %w", line, job, err)
		}
		ends, offset = c.nearest(line)
	}
	return t.skipLines(ctx, job, offset, line-ends)
}

// skipLines gives the offset behind the n-th line end from offset on.
func (t *Traces) skipLines(ctx context.Context, job, offset, n int64) (int64, error) {
	r, err := t.Read(ctx, job, offset, -1)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	buffer := make([]byte, 32<<10)
	for n > 0 {
		count, err := r.Read(buffer)
		for data := buffer[:count]; n > 0; n-- {
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				offset += int64(len(data))
				break
			}
			offset, data = offset+int64(i)+1, data[i+1:]
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return offset, nil
}

// maxTail is the most that Tail reads, in bytes.
const maxTail = 256 << 10

// Tail reads the last lines of a log and gives the offset where they begin. It
// reads 256 KiB at most: of longer lines it gives fewer, or a part of one.
func (t *Traces) Tail(ctx context.Context, job int64, lines int) (data []byte, start int64, err error) {
	r, err := t.Read(ctx, job, -maxTail, -1)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	data = make([]byte, r.End-r.Start)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, 0, err
	}
	cut := len(data)
	for i := len(data) - 1; i >= 0 && lines > 0; i-- {
		if data[i] == '\n' && i < len(data)-1 { // the end of the last line begins no other
			lines--
		}
		if lines > 0 {
			cut = i
		}
	}
	return data[cut:], r.Start + int64(cut), nil
}
