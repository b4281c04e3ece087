package daemon

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/engine"
)

func TestCheck(t *testing.T) {
	c := config(t)
	if _, err := Check(t.Context(), c, true); err == nil || !strings.Contains(err.Error(), "no database in") {
		t.Errorf("check of nothing: %v", err)
	}
	s := started(t, c)
	demo, err := s.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref}); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if broken, err := Check(t.Context(), c, true); err != nil || len(broken) > 0 {
		t.Errorf("check of a sound directory: %q, error %v", broken, err)
	}

	found, err := filepath.Glob(filepath.Join(c.repositories(), "*", "2.git"))
	if err != nil || len(found) != 1 {
		t.Fatalf("repositories of project 2: %v, error %v", found, err)
	}
	elsewhere := filepath.Join(t.TempDir(), "gone")
	move(t, found[0], elsewhere)
	broken, err := Check(t.Context(), c, true)
	if want := []string{"project 2 has no repository"}; err != nil || !slices.Equal(broken, want) {
		t.Errorf("got %q, error %v, want %q", broken, err, want)
	}
	move(t, elsewhere, found[0])
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// Beside a running server, what is found on disk counts only when it stays.
func TestCheckBesideServer(t *testing.T) {
	c := config(t)
	s := started(t, c)
	blob := func() (path, key string) {
		key = strings.Repeat("0123456789abcdef", 2)
		path = filepath.Join(c.blobs(), key[:2], key)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path, key
	}
	path, key := blob()
	begun := time.Now()
	time.AfterFunc(lookAgain/2, func() { os.Remove(path) })
	if broken, err := Check(t.Context(), c, false); err != nil || len(broken) > 0 || time.Since(begun) < lookAgain {
		t.Errorf("what was on its way after %v: %q, error %v", time.Since(begun), broken, err)
	}
	blob()
	want := []string{"blob " + key + " belongs to nothing"}
	if broken, err := Check(t.Context(), c, false); err != nil || !slices.Equal(broken, want) {
		t.Errorf("what stays: got %q, error %v, want %q", broken, err, want)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if broken, err := Check(t.Context(), c, false); err != nil || !slices.Equal(broken, want) {
		t.Errorf("with no server: got %q, error %v, want %q", broken, err, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A check leaves every byte as it is.
func TestCheckChangesNothing(t *testing.T) {
	c := config(t)
	s := started(t, c)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	before := files(t, c.Data)
	if _, err := Check(t.Context(), c, true); err != nil {
		t.Fatal(err)
	}
	if after := files(t, c.Data); !maps.Equal(before, after) {
		t.Errorf("got %v, want %v", after, before)
	}
}

// files gives the files of a folder with their contents.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	contents := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		contents[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}
