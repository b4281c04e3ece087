package git_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

func open(t *testing.T, c git.Config) *git.Server {
	t.Helper()
	c.Root, c.NoSync = t.TempDir(), true
	s, err := git.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestThirtyTwoReaders(t *testing.T) {
	s := open(t, git.Config{CatFiles: 3})
	files := map[string]string{}
	for i := range 50 {
		files["f"+strconv.Itoa(i)] = "content " + strconv.Itoa(i)
	}
	r := gittest.New(t, s, 7, files)
	sha := r.SHA("main")
	var group sync.WaitGroup
	for reader := range 32 {
		group.Go(func() {
			for i := range 20 {
				n := strconv.Itoa((reader + i) % 50)
				got, err := s.ReadFile(t.Context(), 7, sha, "f"+n)
				if err != nil || string(got) != "content "+n {
					t.Errorf("f%s: got %q, %v", n, got, err)
					return
				}
				if got, err := s.Resolve(t.Context(), 7, "main"); err != nil || got != sha {
					t.Errorf("main: got %s, %v, want %s", got, err, sha)
					return
				}
			}
		})
	}
	group.Wait()
	if total, _, waiting := s.CatFileCounts(7); total > 3 || total == 0 || waiting != 0 {
		t.Errorf("%d processes and %d waiters are left, want 1 to 3 and 0", total, waiting)
	}
}

func TestProcessesAreBoundedOverAllRepositories(t *testing.T) {
	s := open(t, git.Config{CatFiles: 2, MaxCatFiles: 3})
	const projects = 8
	for p := range int64(projects) {
		gittest.New(t, s, p+1, map[string]string{"f": strconv.FormatInt(p, 10)})
	}
	var group sync.WaitGroup
	for reader := range 24 {
		group.Go(func() {
			for i := range 10 {
				p := int64((reader+i)%projects) + 1
				c, err := s.Commit(t.Context(), p, "main")
				if err != nil {
					t.Errorf("project %d: %v", p, err)
					return
				}
				if total, ofProject, _ := s.CatFileCounts(p); total > 3 || ofProject > 2 {
					t.Errorf("%d processes live, %d of project %d", total, ofProject, p)
				}
				if got, err := s.ReadFile(t.Context(), p, c.SHA, "f"); err != nil || string(got) != strconv.FormatInt(p-1, 10) {
					t.Errorf("project %d: got %q, %v", p, got, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A repository that is asked all the time must not keep others from being read.
func TestBusyRepositoryMakesRoom(t *testing.T) {
	s := open(t, git.Config{CatFiles: 1, MaxCatFiles: 1})
	gittest.New(t, s, 1, map[string]string{"f": "1"})
	gittest.New(t, s, 2, map[string]string{"f": "2"})
	release, err := s.HoldCatFile(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	ask := func(project int64) {
		_, err := s.Resolve(t.Context(), project, "main")
		done <- err
	}
	go ask(2)
	waitForWaiters(t, s, 1)
	go ask(1)
	waitForWaiters(t, s, 2)
	release()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func waitForWaiters(t *testing.T, s *git.Server, want int) {
	t.Helper()
	for range 1000 {
		if _, _, waiting := s.CatFileCounts(0); waiting == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never saw %d waiters", want)
}

func TestKilledProcessIsReplaced(t *testing.T) {
	s := open(t, git.Config{CatFiles: 2})
	r := gittest.New(t, s, 7, map[string]string{"f": "1"})
	want := r.SHA("main")
	pids := s.CatFilePIDs(7)
	if len(pids) == 0 {
		t.Fatal("no process is kept")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if got, err := s.Resolve(t.Context(), 7, "main"); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	for _, pid := range s.CatFilePIDs(7) {
		if slices.Contains(pids, pid) {
			t.Errorf("process %d is still in the pool", pid)
		}
	}
}

// stopProcess freezes the only reading process, as a hanging disk would.
func stopProcess(t *testing.T, s *git.Server) int {
	t.Helper()
	pids := s.CatFilePIDs(7)
	if len(pids) != 1 {
		t.Fatalf("processes are %v, want one", pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return pids[0]
}

func TestNobodyWaitsForever(t *testing.T) {
	s := open(t, git.Config{CatFiles: 1})
	r := gittest.New(t, s, 7, map[string]string{"f": "1"})
	want := r.SHA("main")
	stopProcess(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Resolve(ctx, 7, "main"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen process: got %v, want DeadlineExceeded", err)
	}
	if got, err := s.Resolve(t.Context(), 7, "main"); err != nil || got != want {
		t.Errorf("afterwards: got %s, %v, want %s", got, err, want)
	}

	release, err := s.HoldCatFile(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Resolve(ctx, 7, "main"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no process free: got %v, want DeadlineExceeded", err)
	}
	if _, _, waiting := s.CatFileCounts(7); waiting != 0 {
		t.Errorf("%d waiters are left", waiting)
	}
	release()
	if got, err := s.Resolve(t.Context(), 7, "main"); err != nil || got != want {
		t.Errorf("at last: got %s, %v, want %s", got, err, want)
	}
}

func TestIdleProcessEnds(t *testing.T) {
	s := open(t, git.Config{CatFileIdle: 20 * time.Millisecond})
	r := gittest.New(t, s, 7, map[string]string{"f": "1"})
	r.SHA("main")
	for range 1000 {
		if total, _, _ := s.CatFileCounts(7); total == 0 {
			r.SHA("main") // and one is started again
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the process never ended")
}

func TestClose(t *testing.T) {
	s := open(t, git.Config{CatFiles: 1})
	gittest.New(t, s, 7, map[string]string{"f": "1"})
	release, err := s.HoldCatFile(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := s.Resolve(t.Context(), 7, "main")
		waiting <- err
	}()
	waitForWaiters(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, git.ErrClosed) {
		t.Errorf("waiter: got %v, want ErrClosed", err)
	}
	if _, err := s.Resolve(t.Context(), 7, "main"); !errors.Is(err, git.ErrClosed) {
		t.Errorf("newcomer: got %v, want ErrClosed", err)
	}
	release()
	if total, _, _ := s.CatFileCounts(7); total != 0 {
		t.Errorf("%d processes are left", total)
	}
}

// Git answers "missing" for a damaged object too. The caller must not be told that it
// was never there.
func TestDamagedObjectIsReported(t *testing.T) {
	s := open(t, git.Config{})
	r := gittest.New(t, s, 7, map[string]string{"f": "1"})
	sha := r.SHA("main")
	file := filepath.Join(s.Path(7), "objects", sha[:2], sha[2:])
	for _, content := range []string{"rubbish", ""} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, rev := range []string{sha, "main", "HEAD"} {
			_, err := s.Commit(t.Context(), 7, rev)
			if err == nil || !strings.Contains(err.Error(), "error: ") || errors.Is(err, git.ErrNotExist) {
				t.Errorf("%q, %s: got %v, want git's complaint", content, rev, err)
			}
			if _, err := s.ReadFile(t.Context(), 7, sha, "f"); err == nil || errors.Is(err, git.ErrNotExist) {
				t.Errorf("%q: got %v, want git's complaint", content, err)
			}
		}
	}
	if total, _, waiting := s.CatFileCounts(7); total != 0 || waiting != 0 {
		t.Errorf("%d processes and %d waiters are left, want none", total, waiting)
	}
}
