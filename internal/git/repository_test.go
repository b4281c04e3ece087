package git_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

func TestCreate(t *testing.T) {
	root := t.TempDir()
	s, err := git.Open(git.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.Path(1207), filepath.Join(root, "07", "1207.git"); got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
	if there, err := s.Exists(t.Context(), 1207); err != nil || there {
		t.Errorf("before: exists %v, %v", there, err)
	}
	if err := s.Create(t.Context(), 1207, "trunk"); err != nil {
		t.Fatal(err)
	}
	if there, err := s.Exists(t.Context(), 1207); err != nil || !there {
		t.Errorf("after: exists %v, %v", there, err)
	}
	if err := s.Create(t.Context(), 1207, "trunk"); !errors.Is(err, git.ErrExist) {
		t.Errorf("second time: %v, want ErrExist", err)
	}
	for _, c := range []struct{ key, want string }{
		{"core.bare", "true"},
		{"uploadpack.allowanysha1inwant", "true"},
		{"receive.advertisepushoptions", "true"},
		{"http.receivepack", "true"},
		{"gc.auto", "0"},
		{"core.hookspath", "/dev/null"},
	} {
		out, err := s.Run(t.Context(), 1207, "config", "--local", "--get", c.key)
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s = %q, %v, want %q", c.key, got, err, c.want)
		}
	}
	head, err := os.ReadFile(filepath.Join(s.Path(1207), "HEAD"))
	if got, want := string(head), "ref: refs/heads/trunk\n"; err != nil || got != want {
		t.Errorf("HEAD is %q, %v, want %q", got, err, want)
	}
	if err := s.SetHead(t.Context(), 1207, "release/1"); err != nil {
		t.Fatal(err)
	}
	head, err = os.ReadFile(filepath.Join(s.Path(1207), "HEAD"))
	if got, want := string(head), "ref: refs/heads/release/1\n"; err != nil || got != want {
		t.Errorf("HEAD is %q, %v, want %q", got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(s.Path(1207)))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the repository are left %v, %v", entries, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	s := gittest.Open(t)
	for _, c := range []struct {
		project int64
		branch  string
	}{{0, "main"}, {-7, "main"}, {7, "--template=/tmp"}, {7, ""}, {7, "a..b"}, {7, "HEAD"}} {
		if err := s.Create(t.Context(), c.project, c.branch); err == nil {
			t.Errorf("project %d with branch %q was created", c.project, c.branch)
		}
	}
}

func TestRemove(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hello"})
	r.SHA("main") // leaves a reading process
	if err := s.Remove(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if there, err := s.Exists(t.Context(), 7); err != nil || there {
		t.Errorf("exists %v, %v", there, err)
	}
	if pids := s.CatFilePIDs(7); len(pids) != 0 {
		t.Errorf("processes %v are left", pids)
	}
	if err := s.Remove(t.Context(), 7); err != nil {
		t.Errorf("second time: %v", err)
	}
	trash := filepath.Join(filepath.Dir(filepath.Dir(s.Path(7))), "trash")
	if left, err := os.ReadDir(trash); err != nil || len(left) != 0 {
		t.Errorf("in the trash are left %v, %v", left, err)
	}
	if _, err := s.Resolve(t.Context(), 7, "main"); !errors.Is(err, git.ErrNoRepository) {
		t.Errorf("resolve: %v, want ErrNoRepository", err)
	}
	if _, err := s.Refs(t.Context(), 7); !errors.Is(err, git.ErrNoRepository) {
		t.Errorf("refs: %v, want ErrNoRepository", err)
	}
}

// Packing must leave no loose objects and lose none, not even those without a ref.
func TestPack(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "0"})
	lost := r.Commit("gone", "lost", map[string]string{"README": "lost"})
	if _, err := s.DeleteBranch(t.Context(), 7, "gone"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r.Commit("main", "more", map[string]string{"README": strings.Repeat("x", i+1)})
		if err := s.Pack(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), 7, "count-objects", "-v")
		if err != nil || !strings.HasPrefix(string(out), "count: 0\n") {
			t.Errorf("round %d: %v, %s", i, err, out)
		}
		if got, err := s.ReadFile(t.Context(), 7, lost, "README"); err != nil || string(got) != "lost" {
			t.Errorf("round %d: the lost commit reads %q, %v", i, got, err)
		}
	}
	run(t, s, "fsck", "--strict")
}

func TestOpenRefuses(t *testing.T) {
	old := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(old, []byte("#!/bin/sh\necho git version 2.30.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config git.Config
		want   string
	}{
		{"no folder", git.Config{}, "no folder given"},
		{"no program", git.Config{Root: t.TempDir(), Path: t.TempDir()}, `program "git" is in none of`},
		{"old program", git.Config{Root: t.TempDir(), Git: old}, "needed is 2.36 or newer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := git.Open(c.config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// Git itself must be unable to reach for any transport, hook or configuration of the machine.
func TestGitIsFenced(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hello"})
	mark := filepath.Join(t.TempDir(), "ran")
	for _, url := range []string{
		"ext::sh -c touch% " + mark,
		"file://" + s.Path(7),
		s.Path(7),
		"http://127.0.0.1:1/x.git",
		"ssh://127.0.0.1:1/x.git",
	} {
		_, err := s.Run(t.Context(), 7, "ls-remote", "--", url)
		if err == nil || !strings.Contains(err.Error(), "not allowed") {
			t.Errorf("ls-remote %s: %v, want it not allowed", url, err)
		}
	}
	hooks := filepath.Join(s.Path(7), "hooks")
	if err := os.MkdirAll(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	hook := []byte("#!/bin/sh\ntouch " + mark + "\n")
	if err := os.WriteFile(filepath.Join(hooks, "reference-transaction"), hook, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Branch("topic", "main")
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something ran: %v", err)
	}
}

func TestSweep(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hello"})
	root, dir := filepath.Dir(filepath.Dir(s.Path(7))), s.Path(7)
	leftovers := []string{
		filepath.Join(root, "trash", "9-123", "repository.git"),
		filepath.Join(root, "07", "107.new-55"),
		filepath.Join(dir, "packed-refs.lock"),
		filepath.Join(dir, "refs", "heads", "main.lock"),
		filepath.Join(dir, "objects", "tmp_objdir-incoming-abc"),
		filepath.Join(dir, "objects", "pack", "tmp_pack_abc"),
	}
	for _, name := range leftovers {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if n, err := s.Sweep(t.Context(), time.Hour, now); err != nil || n != 0 {
		t.Errorf("young leftovers: removed %d, %v", n, err)
	}
	if n, err := s.Sweep(t.Context(), time.Hour, now.Add(2*time.Hour)); err != nil || n != len(leftovers) {
		t.Errorf("old leftovers: removed %d, %v, want %d", n, err, len(leftovers))
	}
	for _, name := range leftovers {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	r.Commit("main", "works again", map[string]string{"README": "again"})
}
