package runner

import (
	"fmt"
	"hash/crc32"
	"os"
	"sync"
)

// outputLimit is how much of a job's log is kept, in bytes, unless Config says otherwise.
const outputLimit = 64 << 20

// trace is a job's log as the server shall have it: masked, whole, kept in a file without a name until the job is
// over, because the server may ask for any part of it again. Writers never wait for the network.
type trace struct {
	dirty chan struct{} // holds one token when something was written since the last look

	mu    sync.Mutex // protects all fields below
	file  *os.File
	mask  *masker
	size  int64
	sum   uint32
	limit int64
	full  bool
	err   error // first failure of the disk; the log is incomplete from there on
}

// openTrace makes an empty log in dir.
func openTrace(dir string, mask *masker, limit int64) (*trace, error) {
	file, err := os.CreateTemp(dir, "trace-")
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &trace{dirty: make(chan struct{}, 1), file: file, mask: mask, limit: limit}, nil
}

// Write masks p and appends it. It never fails: a full disk is reported by failure, past the limit bytes are dropped.
func (t *trace) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.append(t.mask.write(nil, p))
	return len(p), nil
}

// end writes out what the masker still held back.
func (t *trace) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.append(t.mask.flush(nil))
}

func (t *trace) append(p []byte) {
	if t.full || t.err != nil || len(p) == 0 {
		return
	}
	if t.size+int64(len(p)) > t.limit {
		p = p[:max(0, t.limit-t.size)]
		p = fmt.Appendf(p[:len(p):len(p)], "\n\x1b[33;1mThe log reached its limit of %d bytes and is cut here; the job goes on.\x1b[0;m\n", t.limit)
		t.full = true
	}
	if _, err := t.file.WriteAt(p, t.size); err != nil {
		t.err = fmt.Errorf("keep log: %w", err)
		return
	}
	t.size += int64(len(p))
	t.sum = crc32.Update(t.sum, crc32.IEEETable, p)
	select {
	case t.dirty <- struct{}{}:
	default:
	}
}

// summary is the log's length and checksum, for the server to compare.
func (t *trace) summary() output {
	t.mu.Lock()
	defer t.mu.Unlock()
	return output{Checksum: fmt.Sprintf("crc32:%08x", t.sum), Bytesize: t.size}
}

// failure is what kept the log from being whole, if anything.
func (t *trace) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// from reads at most n bytes from an offset; none when the log ends there.
func (t *trace) from(offset int64, n int) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if offset >= t.size {
		return nil, nil
	}
	chunk := make([]byte, min(int64(n), t.size-offset))
	if _, err := t.file.ReadAt(chunk, offset); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return chunk, nil
}

func (t *trace) close() { _ = t.file.Close() }
