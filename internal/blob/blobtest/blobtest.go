// Package blobtest is the contract of blob.Store as a test suite. Every
// implementation runs it, so that callers may rely on what the interface says and on
// nothing else.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lanyard-ci/lanyard/internal/blob"
)

// Run tests a kind of store. open returns an empty store that is fit for one test and
// cleans up after itself.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s blob.Store)
	}{
		{"put and get", putAndGet},
		{"ranges", ranges},
		{"stat", stat},
		{"missing", missing},
		{"replace", replace},
		{"delete", remove},
		{"list", list},
		{"bad keys", badKeys},
		{"failing reader", failingReader},
		{"cancelled", cancelled},
		{"large", large},
		{"concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// key makes a valid key that starts with the given digits.
func key(start string) string { return start + strings.Repeat("0", 32-len(start)) }

func put(t *testing.T, s blob.Store, key, content string) {
	t.Helper()
	// A reader that gives little at a time and hides its size, as a request's body does.
	size, err := s.Put(t.Context(), key, iotest.HalfReader(strings.NewReader(content)))
	if err != nil || size != int64(len(content)) {
		t.Fatalf("put %s: size %d, %v, want %d", key, size, err, len(content))
	}
}

func get(t *testing.T, s blob.Store, key string, offset, length int64) string {
	t.Helper()
	r, err := s.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return string(content)
}

// absent checks that nothing of a blob can be seen.
func absent(t *testing.T, s blob.Store, key string) {
	t.Helper()
	if r, err := s.Get(t.Context(), key, 0, -1); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("get %s: %v, want ErrNotExist", key, err)
		if err == nil {
			_ = r.Close()
		}
	}
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("stat %s: %v, want ErrNotExist", key, err)
	}
	for _, found := range keys(t, s, "") {
		if found == key {
			t.Errorf("%s is listed", key)
		}
	}
}

func keys(t *testing.T, s blob.Store, prefix string) []string {
	t.Helper()
	var all []string
	err := s.List(t.Context(), prefix, func(info blob.Info) error {
		all = append(all, info.Key)
		return nil
	})
	if err != nil {
		t.Fatalf("list %q: %v", prefix, err)
	}
	return all
}

func putAndGet(t *testing.T, s blob.Store) {
	for i, content := range []string{"", "x", "hello\n", "\x00\xff binary"} {
		k := key(fmt.Sprintf("%02x", i))
		put(t, s, k, content)
		if got := get(t, s, k, 0, -1); got != content {
			t.Errorf("got %q, want %q", got, content)
		}
	}
	long := key("ab") + strings.Repeat("c", 96)
	put(t, s, long, "the longest key")
	if got := get(t, s, long, 0, -1); got != "the longest key" {
		t.Errorf("longest key: got %q", got)
	}
}

func ranges(t *testing.T, s blob.Store) {
	k := key("ab")
	put(t, s, k, "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, "0123456789"},
		{0, 10, "0123456789"},
		{0, 3, "012"},
		{4, 3, "456"},
		{4, -1, "456789"},
		{4, -7, "456789"},
		{8, 100, "89"},
		{3, 0, ""},
		{10, -1, ""},
		{10, 5, ""},
		{99, -1, ""},
		{99, 5, ""},
	} {
		if got := get(t, s, k, c.offset, c.length); got != c.want {
			t.Errorf("%d bytes from %d: got %q, want %q", c.length, c.offset, got, c.want)
		}
	}
	if r, err := s.Get(t.Context(), k, -1, 5); err == nil {
		_ = r.Close()
		t.Error("an offset of -1 was accepted")
	}
	r, err := s.Get(t.Context(), k, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	if n, err := io.Copy(&copied, r); err != nil || n != 5 || copied.String() != "23456" {
		t.Errorf("copied %d bytes %q, %v, want 23456", n, copied.String(), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func stat(t *testing.T, s blob.Store) {
	k := key("ab")
	put(t, s, k, "12345")
	got, err := s.Stat(t.Context(), k)
	if err != nil || got.Key != k || got.Size != 5 {
		t.Errorf("got %+v, %v, want key %s of 5 bytes", got, err, k)
	}
	if age := time.Since(got.Modified); age < -time.Minute || age > time.Minute {
		t.Errorf("put just now, but modified %v", got.Modified)
	}
	err = s.List(t.Context(), "", func(listed blob.Info) error {
		if listed.Key != got.Key || listed.Size != got.Size || !listed.Modified.Equal(got.Modified) {
			t.Errorf("list says %+v, stat %+v", listed, got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func missing(t *testing.T, s blob.Store) {
	absent(t, s, key("ab"))
	put(t, s, key("abc"), "a neighbour")
	absent(t, s, key("ab"))
}

func replace(t *testing.T, s blob.Store) {
	k := key("ab")
	old := strings.Repeat("old", 100_000)
	put(t, s, k, old)
	r, err := s.Get(t.Context(), k, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	head := make([]byte, 3)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	put(t, s, k, "new")
	if got := get(t, s, k, 0, -1); got != "new" {
		t.Errorf("got %q, want new", got)
	}
	rest, err := io.ReadAll(r)
	if got := string(head) + string(rest); err != nil || got != old {
		t.Errorf("a reader of the old blob got %d bytes, %v, want all %d of the old", len(got), err, len(old))
	}
	if got := keys(t, s, ""); len(got) != 1 {
		t.Errorf("listed are %v, want one", got)
	}
}

func remove(t *testing.T, s blob.Store) {
	put(t, s, key("ab"), "gone")
	put(t, s, key("ac"), "stays")
	for range 2 { // deleting again is no error
		if err := s.Delete(t.Context(), key("ab")); err != nil {
			t.Fatal(err)
		}
		absent(t, s, key("ab"))
	}
	if got := get(t, s, key("ac"), 0, -1); got != "stays" {
		t.Errorf("neighbour: got %q", got)
	}
	put(t, s, key("ab"), "back")
	if got := get(t, s, key("ab"), 0, -1); got != "back" {
		t.Errorf("put again: got %q", got)
	}
}

func list(t *testing.T, s blob.Store) {
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("an empty store lists %v", got)
	}
	all := []string{key("00"), key("0a1"), key("0a2"), key("0b"), key("a0"), key("ff")}
	for _, i := range []int{3, 0, 5, 2, 4, 1} {
		put(t, s, all[i], all[i][:4])
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"", all}, {"0", all[:4]}, {"0a", all[1:3]}, {"0a1", all[1:2]}, {"0a3", nil}, {"b", nil}, {"ee", nil}, {all[4], all[4:5]}, {all[4] + "0", nil},
	} {
		if diff := cmp.Diff(c.want, keys(t, s, c.prefix)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.prefix, diff)
		}
	}
	enough, calls := errors.New("enough"), 0
	err := s.List(t.Context(), "", func(blob.Info) error {
		if calls++; calls == 2 {
			return enough
		}
		return nil
	})
	if err != enough || calls != 2 {
		t.Errorf("got %v after %d calls, want %v after 2", err, calls, enough)
	}
	err = s.List(t.Context(), "", func(info blob.Info) error { return s.Delete(t.Context(), info.Key) })
	if left := keys(t, s, ""); err != nil || len(left) != 0 {
		t.Errorf("deleted all while listing: left %v, %v", left, err)
	}
}

func badKeys(t *testing.T, s blob.Store) {
	good := key("ab")
	for _, bad := range []string{"", "ab", good[1:], strings.ToUpper(good), good + "/", "../" + good, "ab/../" + good[5:], "/" + good[1:],
		good[:31] + ".", good[:31] + "\x00", good + "\n", "tmp-" + good, strings.Repeat("a", 129)} {
		if _, err := s.Put(t.Context(), bad, strings.NewReader("x")); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("put %q: %v, want ErrBadKey", bad, err)
		}
		if _, err := s.Get(t.Context(), bad, 0, -1); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("get %q: %v, want ErrBadKey", bad, err)
		}
		if _, err := s.Stat(t.Context(), bad); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("stat %q: %v, want ErrBadKey", bad, err)
		}
		if err := s.Delete(t.Context(), bad); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("delete %q: %v, want ErrBadKey", bad, err)
		}
	}
	for _, bad := range []string{"..", "A", "a/", "*", strings.Repeat("a", 129)} {
		if err := s.List(t.Context(), bad, func(blob.Info) error { return nil }); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("list %q: %v, want ErrBadKey", bad, err)
		}
	}
	if got := keys(t, s, ""); len(got) != 0 {
		t.Errorf("listed are %v, want nothing", got)
	}
}

// failAfter gives some bytes and then an error, as a body over its limit or a lost
// connection does.
func failAfter(n int, err error) io.Reader {
	return io.MultiReader(strings.NewReader(strings.Repeat("x", n)), iotest.ErrReader(err))
}

func failingReader(t *testing.T, s blob.Store) {
	limit := errors.New("413 Request Entity Too Large")
	for _, n := range []int{0, 1, 100_000} {
		k := key("ab")
		if size, err := s.Put(t.Context(), k, failAfter(n, limit)); err != limit || size != 0 {
			t.Errorf("after %d bytes: got size %d, %v, want 0, %v", n, size, err, limit)
		}
		absent(t, s, k)
	}
	if _, err := s.Put(t.Context(), key("ab"), failAfter(10, io.ErrUnexpectedEOF)); err != io.ErrUnexpectedEOF {
		t.Errorf("cut short: got %v, want %v", err, io.ErrUnexpectedEOF)
	}
	absent(t, s, key("ab"))
	put(t, s, key("ac"), "kept")
	if _, err := s.Put(t.Context(), key("ac"), failAfter(10, limit)); err != limit {
		t.Errorf("got %v, want %v", err, limit)
	}
	if got := get(t, s, key("ac"), 0, -1); got != "kept" {
		t.Errorf("an older blob became %q", got)
	}
}

func cancelled(t *testing.T, s blob.Store) {
	put(t, s, key("ac"), "there")
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(strings.NewReader("half"), readFunc(func([]byte) (int, error) {
		cancel()
		return 0, nil
	}), strings.NewReader("more"))
	if _, err := s.Put(ctx, key("ab"), body); !errors.Is(err, context.Canceled) {
		t.Errorf("put: got %v, want Canceled", err)
	}
	absent(t, s, key("ab"))
	if _, err := s.Get(ctx, key("ac"), 0, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("get: got %v, want Canceled", err)
	}
	if _, err := s.Stat(ctx, key("ac")); !errors.Is(err, context.Canceled) {
		t.Errorf("stat: got %v, want Canceled", err)
	}
	if err := s.Delete(ctx, key("ac")); !errors.Is(err, context.Canceled) {
		t.Errorf("delete: got %v, want Canceled", err)
	}
	if err := s.List(ctx, "", func(blob.Info) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("list: got %v, want Canceled", err)
	}
	if got := get(t, s, key("ac"), 0, -1); got != "there" {
		t.Errorf("afterwards: got %q", got)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func large(t *testing.T, s blob.Store) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	k := key("ab")
	size, err := s.Put(t.Context(), k, bytes.NewReader(content))
	if err != nil || size != int64(len(content)) {
		t.Fatalf("put: size %d, %v", size, err)
	}
	if got := get(t, s, k, 0, -1); got != string(content) {
		t.Errorf("got %d bytes that differ", len(got))
	}
	if got := get(t, s, k, 5<<20+3, 4); got != "3456" {
		t.Errorf("range: got %q, want 3456", got)
	}
}

// concurrent writes different blobs and one same blob at once: the same one must end
// as one of what was written, whole.
func concurrent(t *testing.T, s blob.Store) {
	const writers = 16
	same := key("ff")
	content := func(i int) string { return strings.Repeat(fmt.Sprintf("%02d", i), 20_000) }
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for _, k := range []string{same, key(fmt.Sprintf("%02x", i))} {
				if _, err := s.Put(t.Context(), k, strings.NewReader(content(i))); err != nil {
					t.Errorf("put %s: %v", k, err)
				}
			}
		})
	}
	group.Wait()
	for i := range writers {
		if got := get(t, s, key(fmt.Sprintf("%02x", i)), 0, -1); got != content(i) {
			t.Errorf("blob %d differs", i)
		}
	}
	got := get(t, s, same, 0, -1)
	if len(got) != len(content(0)) || got != strings.Repeat(got[:2], len(got)/2) {
		t.Errorf("the blob that all wrote is mixed")
	}
	if n := len(keys(t, s, "")); n != writers+1 {
		t.Errorf("%d blobs are listed, want %d", n, writers+1)
	}
}
