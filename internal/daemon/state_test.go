package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a crash left of an upload goes at the next start, once nobody can be
// writing it any more.
func TestStartSweepsHalfWrittenBlobs(t *testing.T) {
	c := config(t)
	dir := filepath.Join(c.blobs(), "ab")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(dir, "tmp-old"), filepath.Join(dir, "tmp-young")
	for path, age := range map[string]time.Duration{old: 2 * halfWritten, young: time.Minute} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	started(t, c)
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one: %v, want that it is gone", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one: %v", err)
	}
}
