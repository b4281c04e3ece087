package disk_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/blob/blobtest"
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
)

func open(t testing.TB) (*disk.Store, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "blobs")
	s, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s, _ := open(t)
		return s
	})
}

const someKey = "abcdef0123456789abcdef0123456789"

// files lists all files below root.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLayout(t *testing.T) {
	s, root := open(t)
	if _, err := s.Put(t.Context(), someKey, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if got := files(t, root); len(got) != 1 || got[0] != "ab/"+someKey {
		t.Errorf("files are %v, want ab/%s", got, someKey)
	}
	for name, want := range map[string]fs.FileMode{".": 0o700, "ab": 0o700, "ab/" + someKey: 0o600} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
	again, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := again.Stat(t.Context(), someKey); err != nil || info.Size != 1 {
		t.Errorf("after opening again: %+v, %v", info, err)
	}
}

// A Put that fails, be it for its reader or for a full disk, leaves no file behind.
func TestFailedPutLeavesNothing(t *testing.T) {
	s, root := open(t)
	if _, err := s.Put(t.Context(), someKey, iotest.TimeoutReader(bytes.NewReader(make([]byte, 100_000)))); err != iotest.ErrTimeout {
		t.Errorf("got %v, want %v", err, iotest.ErrTimeout)
	}
	if got := files(t, root); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
	// The name is taken by a folder, so that everything works but the rename.
	if err := os.MkdirAll(filepath.Join(root, "ab", someKey, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), someKey, strings.NewReader("x")); err == nil {
		t.Error("put over a folder went well")
	}
	if got := files(t, root); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

func TestSweep(t *testing.T) {
	s, root := open(t)
	if _, err := s.Put(t.Context(), someKey, strings.NewReader("kept")); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{"tmp-old": 2 * time.Hour, "tmp-young": time.Minute, "notes.txt": 2 * time.Hour} {
		file := filepath.Join(root, "ab", name)
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	old := now.Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(root, "ab", someKey), old, old); err != nil {
		t.Fatal(err)
	}
	// What a crash leaves is no blob before the sweep either.
	var listed []string
	err := s.List(t.Context(), "", func(info blob.Info) error {
		listed = append(listed, info.Key)
		return nil
	})
	if err != nil || len(listed) != 1 || listed[0] != someKey {
		t.Errorf("listed are %v, %v, want %s", listed, err, someKey)
	}
	if n, err := s.Sweep(t.Context(), time.Hour, now); err != nil || n != 1 {
		t.Errorf("removed %d, %v, want 1", n, err)
	}
	want := "ab/" + someKey + " ab/notes.txt ab/tmp-young"
	if got := strings.Join(files(t, root), " "); got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

func TestErrorsNameTheBlob(t *testing.T) {
	s, _ := open(t)
	_, err := s.Stat(t.Context(), someKey)
	if want := "stat blob " + someKey + ": no such blob"; !errors.Is(err, blob.ErrNotExist) || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func BenchmarkPut(b *testing.B) {
	s, _ := open(b)
	content := make([]byte, 64<<10)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := s.Put(b.Context(), blob.NewKey(rand.Reader), bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s, _ := open(b)
	content := make([]byte, 64<<10)
	if _, err := s.Put(b.Context(), someKey, bytes.NewReader(content)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		r, err := s.Get(b.Context(), someKey, 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Read(content); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
