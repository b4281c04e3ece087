package trace

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	logs := open(t, config(t))
	add(t, logs, 7, "one\ntwo\n\nfour\nfi")
	add(t, logs, 8, "one\ntwo\n")
	add(t, logs, 9, strings.Repeat("long", maxTail/4)+"er\nlast\n")
	for _, test := range []struct {
		job   int64
		lines int
		want  string
	}{
		{7, 0, ""}, {7, 1, "fi"}, {7, 2, "four\nfi"}, {7, 3, "\nfour\nfi"}, {7, 5, "one\ntwo\n\nfour\nfi"}, {7, 99, "one\ntwo\n\nfour\nfi"},
		{8, 1, "two\n"}, {8, 2, "one\ntwo\n"}, {9, 1, "last\n"}, {99, 3, ""},
	} {
		data, start, err := logs.Tail(t.Context(), test.job, test.lines)
		if err != nil || string(data) != test.want {
			t.Errorf("last %d of log %d: got %q, %v, want %q", test.lines, test.job, data, err, test.want)
		}
		if got := part(t, logs, test.job, start, -1); got != string(data) {
			t.Errorf("last %d of log %d: the offset %d is wrong", test.lines, test.job, start)
		}
	}
	if data, _, err := logs.Tail(t.Context(), 9, 2); err != nil || len(data) != maxTail {
		t.Errorf("a long line: got %d bytes, %v, want %d", len(data), err, maxTail)
	}
}

// numbered writes n lines, each with its number, as a runner that sends 64 KiB at a
// time would.
func numbered(t testing.TB, logs *Traces, job int64, n int) (size int64) {
	t.Helper()
	var buffer bytes.Buffer
	flush := func() {
		length, err := logs.Append(t.Context(), job, size, buffer.Bytes(), []string{"glcbt-nothing-like-it"})
		if err != nil {
			t.Fatal(err)
		}
		size = length
		buffer.Reset()
	}
	for i := range n {
		fmt.Fprintf(&buffer, "%07d: some text that a build prints now and then\n", i)
		if buffer.Len() > 64<<10 {
			flush()
		}
	}
	flush()
	return size
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A million lines are written, found and read in the memory of a few pieces.
func TestMemoryIsBounded(t *testing.T) {
	const lines, bound = 1_000_000, 16 << 20
	logs := open(t, config(t))
	before := heap()
	size := numbered(t, logs, 7, lines)
	grown := func(when string) {
		t.Helper()
		if after := heap(); after > before+bound {
			t.Errorf("%s: the heap grew by %d KiB, want %d KiB at most", when, (after-before)>>10, bound>>10)
		}
	}
	grown("written")
	finish(t, logs, 7)
	if info, err := logs.Stat(t.Context(), 7); err != nil || info.Size != size || info.Lines != lines {
		t.Errorf("stat: got %+v, %v, want %d bytes, %d lines", info, err, size, lines)
	}
	for _, line := range []int64{0, 1, 999, 1000, 1001, 54_321, 500_000, 999_999} {
		offset, err := logs.Line(t.Context(), 7, line)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := part(t, logs, 7, offset, 8), fmt.Sprintf("%07d:", line); got != want {
			t.Errorf("line %d: got %q, want %q", line, got, want)
		}
	}
	if offset, err := logs.Line(t.Context(), 7, lines); err != nil || offset != size {
		t.Errorf("line behind the end: got %d, %v, want %d", offset, err, size)
	}
	r, err := logs.Read(t.Context(), 7, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	total := stats.TotalAlloc
	if n, err := io.Copy(struct{ io.Writer }{io.Discard}, r); err != nil || n != size {
		t.Errorf("read: got %d bytes, %v, want %d", n, err, size)
	}
	runtime.ReadMemStats(&stats)
	if got := stats.TotalAlloc - total; got > bound {
		t.Errorf("read: %d KiB were allocated in all, want %d KiB at most", got>>10, bound>>10)
	}
	grown("read")
}
