package trace

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyard-ci/lanyard/internal/blob/disk"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postgres.M{M: m}) }

// flaky is a blob store whose next call fails on demand.
type flaky struct {
	Blobs
	putError, deleteError atomic.Pointer[error]
	puts                  atomic.Int64
}

func (f *flaky) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	f.puts.Add(1)
	if err := f.putError.Swap(nil); err != nil {
		return 0, *err
	}
	return f.Blobs.Put(ctx, key, r)
}

func (f *flaky) Delete(ctx context.Context, key string) error {
	if err := f.deleteError.Swap(nil); err != nil {
		return *err
	}
	return f.Blobs.Delete(ctx, key)
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// config gives a Config in a new directory.
func config(t testing.TB) Config {
	t.Helper()
	dir := t.TempDir()
	blobs, err := disk.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Path: filepath.Join(dir, "logs.db"), Blobs: &flaky{Blobs: blobs}, Now: func() time.Time { return noon }}
}

// open opens logs and closes them when the test ends.
func open(t testing.TB, c Config) *Traces {
	t.Helper()
	logs, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
	})
	return logs
}

// add appends data at the end of a log.
func add(t testing.TB, logs *Traces, job int64, data string, secrets ...string) {
	t.Helper()
	start, err := logs.Stored(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	length, err := logs.Append(t.Context(), job, start, []byte(data), secrets)
	if err != nil {
		t.Fatal(err)
	}
	if want := start + int64(len(data)); length != want {
		t.Fatalf("append: got length %d, want %d", length, want)
	}
}

// all reads a log as a whole.
func all(t testing.TB, logs *Traces, job int64) string {
	t.Helper()
	return part(t, logs, job, 0, -1)
}

func part(t testing.TB, logs *Traces, job, offset, limit int64) string {
	t.Helper()
	r, err := logs.Read(t.Context(), job, offset, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := int64(len(data)), r.End-r.Start; got != want {
		t.Fatalf("read: got %d bytes, want %d", got, want)
	}
	return string(data)
}

func finish(t testing.TB, logs *Traces, job int64) {
	t.Helper()
	if _, err := logs.Finish(t.Context(), job, "", 0); err != nil {
		t.Fatal(err)
	}
}

func crcOf(text string) string { return fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE([]byte(text))) }

func TestAppendAndRead(t *testing.T) {
	logs := open(t, config(t))
	add(t, logs, 7, "first\n")
	add(t, logs, 7, "second\n")
	add(t, logs, 8, "another job\n")
	if got, want := all(t, logs, 7), "first\nsecond\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	info, err := logs.Stat(t.Context(), 7)
	if want := (Info{Size: 13, Lines: 2, Updated: noon}); err != nil || info != want {
		t.Errorf("stat: got %+v, %v, want %+v", info, err, want)
	}
	for _, test := range []struct {
		offset, limit int64
		want          string
	}{
		{0, -1, "first\nsecond\n"}, {0, 0, ""}, {2, 3, "rst"}, {5, 4, "\nsec"}, {6, -1, "second\n"},
		{13, -1, ""}, {99, 5, ""}, {-3, -1, "nd\n"}, {-99, 2, "fi"}, {0, 99, "first\nsecond\n"},
	} {
		if got := part(t, logs, 7, test.offset, test.limit); got != test.want {
			t.Errorf("read %d bytes at %d: got %q, want %q", test.limit, test.offset, got, test.want)
		}
	}
	if got := all(t, logs, 9); got != "" {
		t.Errorf("log that is not there: got %q, want nothing", got)
	}
}

func TestAppendRefuses(t *testing.T) {
	c := config(t)
	c.MaxBytes = 20
	logs := open(t, c)
	add(t, logs, 7, "0123456789")
	for _, start := range []int64{0, 9, 11, 1 << 40, -1} {
		length, err := logs.Append(t.Context(), 7, start, []byte("x"), nil)
		var mismatch *Mismatch
		if !errors.As(err, &mismatch) || mismatch.Stored != 10 || length != 10 {
			t.Errorf("append at %d: got %d, %v, want a mismatch at 10", start, length, err)
		}
	}
	if length, err := logs.Append(t.Context(), 7, 10, []byte("0123456789+"), nil); ci.KindOf(err) != ci.KindTooLarge || length != 10 {
		t.Errorf("append over the limit: got %d, %v, want too large", length, err)
	}
	if length, err := logs.Append(t.Context(), 7, 0, nil, nil); err != nil || length != 10 {
		t.Errorf("append of nothing: got %d, %v, want 10", length, err)
	}
	add(t, logs, 7, "0123456789")
	finish(t, logs, 7)
	var mismatch *Mismatch
	if _, err := logs.Append(t.Context(), 7, 20, []byte("x"), nil); !errors.As(err, &mismatch) || mismatch.Stored != 20 {
		t.Errorf("append to a finished log: got %v, want a mismatch at 20", err)
	}
}

func TestFinish(t *testing.T) {
	const text, secret = "the token is s3cr3t\nand that is al", "s3cr3t"
	for _, test := range []struct {
		name string
		want string
		size int64
		ok   bool
	}{
		{"right", crcOf(text), int64(len(text)), true},
		{"size alone is wrong", crcOf(text), 5, false},
		{"size not sent", crcOf(text), 0, true},
		{"without prefix", strings.TrimPrefix(crcOf(text), "crc32:"), int64(len(text)), true},
		{"checksum of the masked text", crcOf(strings.ReplaceAll(text, secret, "xxxxxx")), int64(len(text)), false},
		{"nonsense", "crc32:zz", int64(len(text)), false},
		{"nothing sent", "", 0, true},
	} {
		logs := open(t, config(t))
		add(t, logs, 7, text, secret, "all and more")
		for range 2 { // runners repeat requests
			if got, err := logs.Finish(t.Context(), 7, test.want, test.size); err != nil || got != test.ok {
				t.Errorf("%s: got %v, %v, want %v", test.name, got, err, test.ok)
			}
		}
		if got, want := all(t, logs, 7), strings.ReplaceAll(text, secret, "xxxxxx"); got != want {
			t.Errorf("%s: got %q, want %q", test.name, got, want)
		}
		if info, err := logs.Stat(t.Context(), 7); err != nil || !info.Finished {
			t.Errorf("%s: got %+v, %v, want it finished", test.name, info, err)
		}
	}
	logs := open(t, config(t))
	finish(t, logs, 8)
	if info, err := logs.Stat(t.Context(), 8); err != nil || info.Size != 0 || !info.Finished {
		t.Errorf("log without bytes: got %+v, %v, want it finished", info, err)
	}
}

// A secret in two pieces: what could be its beginning is counted and not shown.
func TestHoldsBackWhatMayBeASecret(t *testing.T) {
	logs := open(t, config(t))
	const token = "glcbt-0123456789"
	for _, step := range []struct{ add, shown string }{
		{"token: glcbt-01234", "token: "},
		{"567", "token: "},
		{"89 and glcbt-012", "token: xxxxxxxxxxxxxxxx and "},
		{"x", "token: xxxxxxxxxxxxxxxx and glcbt-012x"},
		{"glcbt-0", "token: xxxxxxxxxxxxxxxx and glcbt-012x"},
	} {
		add(t, logs, 7, step.add, token)
		if got := all(t, logs, 7); got != step.shown {
			t.Errorf("after %q: got %q, want %q", step.add, got, step.shown)
		}
	}
	finish(t, logs, 7)
	if got, want := all(t, logs, 7), "token: xxxxxxxxxxxxxxxx and glcbt-012xglcbt-0"; got != want {
		t.Errorf("finished: got %q, want %q", got, want)
	}
}

func TestSealing(t *testing.T) {
	c := config(t)
	c.TailBytes = 100
	logs := open(t, c)
	var want strings.Builder
	for i := range 200 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		add(t, logs, 7, line)
		row, err := logs.load(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if row.tail() > 100 {
			t.Fatalf("tail of %d bytes, want 100 at most", row.tail())
		}
	}
	check := func(when string) {
		t.Helper()
		text := want.String()
		if got := all(t, logs, 7); got != text {
			t.Errorf("%s: got %d bytes, want %d", when, len(got), len(text))
		}
		for offset := 0; offset < len(text); offset += 37 {
			end := min(offset+150, len(text))
			if got := part(t, logs, 7, int64(offset), 150); got != text[offset:end] {
				t.Errorf("%s: at %d: got %q, want %q", when, offset, got, text[offset:end])
			}
		}
	}
	check("running")
	finish(t, logs, 7)
	check("finished")
	if got := count(t, logs, `select count(*) from log_tails`); got != 0 {
		t.Errorf("finished: got %d rows of tails, want 0", got)
	}
	if got := count(t, logs, `select count(*) from log_trash`); got != 0 {
		t.Errorf("finished: got %d blobs in the trash, want 0", got)
	}
}

// More than fits a tail in one call.
func TestLargeAppend(t *testing.T) {
	c := config(t)
	c.TailBytes = 10_000
	logs := open(t, c)
	text := strings.Repeat("0123456789abcdef\n", 10_000)
	add(t, logs, 7, text, "789ab")
	if got, want := all(t, logs, 7), strings.ReplaceAll(text, "789ab", "xxxxx"); got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

func count(t testing.TB, logs *Traces, query string) (n int) {
	t.Helper()
	if err := queryRow(t.Context(), logs.tails, []any{&n}, query); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFailedSealLosesNothing(t *testing.T) {
	c := config(t)
	c.TailBytes = 10
	logs := open(t, c)
	add(t, logs, 7, "0123456789")
	full := errors.New("disk full")
	c.Blobs.(*flaky).putError.Store(&full)
	if length, err := logs.Append(t.Context(), 7, 10, []byte("abc"), nil); !errors.Is(err, full) || length != 10 {
		t.Errorf("append: got %d, %v, want 10 and disk full", length, err)
	}
	add(t, logs, 7, "abc") // the runner tries again
	if got, want := all(t, logs, 7), "0123456789abc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Blobs.(*flaky).putError.Store(&full)
	if _, err := logs.Finish(t.Context(), 7, "", 0); !errors.Is(err, full) {
		t.Errorf("finish: got %v, want disk full", err)
	}
	if info, err := logs.Stat(t.Context(), 7); err != nil || info.Finished {
		t.Errorf("after a failed finish: got %+v, %v, want it unfinished", info, err)
	}
	if ok, err := logs.Finish(t.Context(), 7, crcOf("0123456789abc"), 13); err != nil || !ok {
		t.Errorf("finish again: got %v, %v", ok, err)
	}
	if removed, err := logs.Sweep(t.Context(), 10); err != nil || removed != 2 {
		t.Errorf("sweep of the two failed blobs: got %d, %v, want 2", removed, err)
	}
}

func TestDeleteAndSweep(t *testing.T) {
	c := config(t)
	c.TailBytes = 10
	logs := open(t, c)
	for job := int64(1); job <= 3; job++ {
		for range 5 {
			add(t, logs, job, "0123456789")
		}
		finish(t, logs, job)
	}
	reader, err := logs.Read(t.Context(), 1, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := logs.Delete(t.Context(), []int64{1, 2, 99}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(reader); !errors.Is(err, ErrErased) {
		t.Errorf("reader of an erased log: got %v, want ErrErased", err)
	}
	if got := all(t, logs, 1); got != "" {
		t.Errorf("erased: got %q, want nothing", got)
	}
	if got, want := all(t, logs, 3), strings.Repeat("0123456789", 5); got != want {
		t.Errorf("the other log: got %q, want %q", got, want)
	}
	broken := errors.New("broken")
	c.Blobs.(*flaky).deleteError.Store(&broken)
	if removed, err := logs.Sweep(t.Context(), 4); !errors.Is(err, broken) || removed != 0 {
		t.Errorf("sweep that fails: got %d, %v", removed, err)
	}
	if removed, err := logs.Sweep(t.Context(), 4); err != nil || removed != 4 {
		t.Errorf("sweep: got %d, %v, want 4", removed, err)
	}
	if removed, err := logs.Sweep(t.Context(), 100); err != nil || removed != 6 {
		t.Errorf("sweep: got %d, %v, want 6", removed, err)
	}
	add(t, logs, 1, "a new log\n")
	if got, want := all(t, logs, 1), "a new log\n"; got != want {
		t.Errorf("after erasing: got %q, want %q", got, want)
	}
	if err := logs.Erase(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	c := config(t)
	logs := open(t, c)
	if err := logs.tails.Do(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`pragma user_version = 99`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), c); !errors.Is(err, store.ErrNewer) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	c := config(t)
	logs := open(t, c)
	add(t, logs, 7, "0123456789")
	if err := logs.tails.Do(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`update log_tails set data = cast('0123456780' as blob)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	readFails := func(what string) {
		t.Helper()
		r, err := logs.Read(t.Context(), 7, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if data, err := io.ReadAll(r); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %q, %v, want an error", what, data, err)
		}
	}
	readFails("tail")
	if err := logs.Erase(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	add(t, logs, 7, "0123456789")
	finish(t, logs, 7)
	var key string
	if err := queryRow(t.Context(), logs.tails, []any{&key}, `select blob_key from log_chunks`); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []string{"0123456780", "012345678"} {
		if _, err := c.Blobs.Put(t.Context(), key, strings.NewReader(damage)); err != nil {
			t.Fatal(err)
		}
		readFails("chunk " + damage)
	}
	add(t, logs, 8, "0123456789")
	if err := logs.tails.Do(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`delete from log_tails`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := logs.Finish(ctx, 8, "", 0); !errors.Is(err, errDamaged) {
		t.Errorf("finish without the tail: got %v, want %v", err, errDamaged)
	}
}

// TestAppended holds that each byte that is stored is told once, and none that was
// refused.
func TestAppended(t *testing.T) {
	c := config(t)
	told, commits := 0, 0
	c.Appended = func(n int) { told += n }
	c.Committed = func(int, time.Duration) { commits++ }
	logs, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	add(t, logs, 1, "hello\n")
	add(t, logs, 1, "world\n")
	if _, err := logs.Append(t.Context(), 1, 0, []byte("hello\n"), nil); err == nil {
		t.Error("the same bytes were taken twice")
	}
	if err := logs.Close(); err != nil { // the writer has told all then
		t.Fatal(err)
	}
	if told != 12 || commits < 2 || logs.Queued() != 0 {
		t.Errorf("got %d bytes told in %d commits, want 12", told, commits)
	}
}
