package trace

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// BenchmarkAppend is what a runner's update costs: 16 KiB, the job's token and a
// few masked variables, sealing included.
func BenchmarkAppend(b *testing.B) {
	c := config(b)
	c.MaxBytes = 1 << 60
	logs := open(b, c)
	data := bytes.Repeat([]byte("go: downloading golang.org/x/crypto v0.58.0 for something else\n"), 261)[:16<<10]
	secrets := []string{"glcbt-" + strings.Repeat("0123456789", 4), "hunter2hunter2", "AKIA0000000000000000", "-----BEGIN KEY-----"}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	length := int64(0)
	for b.Loop() {
		var err error
		if length, err = logs.Append(b.Context(), 7, length, data, secrets); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendParallel has several jobs, whose commits are grouped.
func BenchmarkAppendParallel(b *testing.B) {
	c := config(b)
	c.MaxBytes = 1 << 60
	logs := open(b, c)
	data := bytes.Repeat([]byte("go: downloading golang.org/x/crypto v0.58.0 for something else\n"), 261)[:16<<10]
	b.SetBytes(int64(len(data)))
	b.SetParallelism(8)
	next := make(chan int64, 1000)
	for i := range int64(1000) {
		next <- i
	}
	b.RunParallel(func(pb *testing.PB) {
		job, length := <-next, int64(0)
		for pb.Next() {
			var err error
			if length, err = logs.Append(b.Context(), job, length, data, []string{"glcbt-0123456789"}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkFinish(b *testing.B) {
	logs := open(b, config(b))
	job := int64(0)
	for b.Loop() {
		job++
		add(b, logs, job, "a short log\n")
		finish(b, logs, job)
	}
}

func BenchmarkRead(b *testing.B) {
	logs := open(b, config(b))
	size := numbered(b, logs, 7, 100_000)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		r, err := logs.Read(b.Context(), 7, 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(struct{ io.Writer }{io.Discard}, r); err != nil || n != size {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkMaskWorstCase has a text and a secret of one repeated letter.
func BenchmarkMaskWorstCase(b *testing.B) {
	data := bytes.Repeat([]byte("a"), 1<<20)
	m := newMask([]string{strings.Repeat("a", 10_000), strings.Repeat("ab", 5_000), strings.Repeat("a", 5_000) + "b"})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		m.push(held{}, data)
	}
}
