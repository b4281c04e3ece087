package git_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

// receive lets git carry out what a client sent.
func receive(t *testing.T, s *git.Server, request string, fastForward bool) string {
	t.Helper()
	in := bufio.NewReader(strings.NewReader(request))
	head, err := git.ParseCommands(in, git.PushLimits{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.Receive(t.Context(), 7, "", git.Push{Head: head, Rest: in, FastForward: fastForward}, &out); err != nil {
		t.Errorf("receive: %v", err)
	}
	return out.String()
}

func emptyPack() string {
	pack := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	sum := sha1.Sum(pack)
	return string(append(pack, sum[:]...))
}

func TestReceiveFastForwardsOnly(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "1"})
	first := r.SHA("main")
	second := r.Commit("main", "second", map[string]string{"README": "2"})
	beside := r.Commit("other", "beside", map[string]string{"README": "3"})
	push := func(capabilities, new string, fastForward bool) string {
		return receive(t, s, packets("shallow "+first+"\n", second+" "+new+" refs/heads/main\x00"+capabilities,
			git.ZeroSHA+" "+first+" refs/heads/extra", "")+emptyPack(), fastForward)
	}
	for _, capabilities := range []string{" report-status", "report-status atomic", "report-status agent=git/2.39.5\n"} {
		got := push(capabilities, first, true)
		if !strings.Contains(got, "ng refs/heads/main non-fast-forward") || !strings.Contains(got, "ng refs/heads/extra") {
			t.Errorf("with %q: %q", capabilities, got)
		}
		if r.SHA("main") != second {
			t.Fatalf("with %q: main has moved", capabilities)
		}
	}
	third := r.Commit("main", "third", map[string]string{"README": "4"})
	r.Branch("behind", second)
	got := receive(t, s, packets(second+" "+third+" refs/heads/behind\x00report-status", "")+emptyPack(), true)
	if !strings.Contains(got, "ok refs/heads/behind") || r.SHA("behind") != third {
		t.Errorf("fast-forward: %q", got)
	}
	got = receive(t, s, packets(third+" "+beside+" refs/heads/main\x00report-status", "")+emptyPack(), false)
	if !strings.Contains(got, "ok refs/heads/main") || r.SHA("main") != beside {
		t.Errorf("rewritten where it may be: %q", got)
	}
}

func TestComplained(t *testing.T) {
	s := gittest.Open(t)
	gittest.New(t, s, 7, map[string]string{"README": "1"})
	err := s.Serve(t.Context(), 7, git.UploadPackService, "", nil, strings.NewReader("0032want "+shaA+"\n0000"), &bytes.Buffer{})
	if !git.Complained(fmt.Errorf("wrapped: %w", err)) {
		t.Errorf("a commit that is not there: %v", err)
	}
	for _, err := range []error{nil, errors.New("other"), git.ErrNoRepository} {
		if git.Complained(err) {
			t.Errorf("%v is taken for a complaint of git", err)
		}
	}
}

// A repository is packed when git itself would do it; then nothing is lost.
func TestUntidy(t *testing.T) {
	s := gittest.Open(t)
	gittest.New(t, s, 7, map[string]string{"README": "1"})
	untidy := func() bool {
		t.Helper()
		is, err := s.Untidy(7)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if untidy() {
		t.Error("a new repository is untidy")
	}
	loose := gittest.Loose(t, s.Path(7), 30)
	if !untidy() {
		t.Error("thousands of loose objects are tidy")
	}
	if err := s.Pack(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if untidy() {
		t.Error("a packed repository is untidy")
	}
	for _, sha := range loose {
		if _, err := os.Stat(filepath.Join(s.Path(7), "objects", sha[:2], sha[2:])); err == nil {
			t.Errorf("object %s is still loose", sha)
		}
		if _, err := s.Run(t.Context(), 7, "cat-file", "-e", sha); err != nil {
			t.Errorf("object %s is gone: %v", sha, err)
		}
	}
	if is, err := s.Untidy(8); is || err != nil {
		t.Errorf("a repository that is not there: %v, %v", is, err)
	}
}
