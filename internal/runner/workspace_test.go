//go:build unix

package runner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestPlainPath(t *testing.T) {
	for rel, want := range map[string]bool{
		"root/demo": true, "a/b/c": true, "a.b/c-d_e": true,
		"": false, "/etc": false, "..": false, "a/../b": false, "a//b": false, "a/": false, "./a": false, ".git/x": false, "a/.b": false,
		ledgerFile: false, "a\\b": false,
	} {
		if got := plainPath(rel); got != want {
			t.Errorf("%q: got %v, want %v", rel, got, want)
		}
	}
}

// session runs jobs one after the other in one working directory.
type session struct {
	s   *fakeServer
	dir string
	id  int64
}

func newSession(t *testing.T) *session {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // for jobs of another account
		t.Fatal(err)
	}
	return &session{s: newFakeServer(t), dir: filepath.Join(dir, "runner"), id: 400}
}

func (r *session) run(project int64, path, script string, change ...func(*Runner)) string {
	r.s.t.Helper()
	r.id++
	job := newPayload(script).with(variable{Key: "CI_PROJECT_PATH", Value: path})
	job.ID, job.JobInfo.ProjectID = r.id, project
	r.s.enqueue(job)
	stop := r.s.startIn(r.dir, Config{}, change...)
	final := r.s.waitFinal(r.id)
	stop()
	if log := r.s.logOf(r.id); final.State == "success" {
		return log
	}
	r.s.t.Errorf("got %+v, want success\n%s", final, r.s.logOf(r.id))
	return ""
}

func TestWorkspaceFollowsProject(t *testing.T) {
	r := newSession(t)
	r.run(1, "g/p", "echo secret of one > file")
	wantContains(t, r.run(1, "g/p", "cat file"), "secret of one\n")
	wantContains(t, r.run(2, "g/p", "ls -A | wc -l"), "\n0\n") // the path is another project's now
	r.run(2, "g/p", "echo two > file")
	wantContains(t, r.run(3, "g/p/q", "ls -A .. | tr '\\n' ' '; cat ../file || echo not there"), "not there") // a group now
	wantContains(t, r.run(4, "g/p", "ls -A | wc -l"), "\n0\n")
	wantContains(t, r.run(5, "../../etc", "pwd"), "/0/project-5\n")
}

func TestWorkspaceIsRemovedHoweverLeft(t *testing.T) {
	r := newSession(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.run(1, "g/p", fmt.Sprintf("mkdir -p $HOME/mod/deep $HOME/none; touch $HOME/mod/deep/f; ln -s %s $HOME/l; ln -s %s $HOME/mod/d; chmod 000 $HOME/none; chmod 555 $HOME/mod/deep $HOME/mod $HOME",
		outside, filepath.Dir(outside)))
	wantContains(t, r.run(1, "g/p", "ls -A $HOME | wc -l; stat -c %a $HOME"), "\n0\n700\n")
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

// Jobs of another account can read neither another project's workspace nor the runner's own files, in the same slot
// or in another at the same moment, and nothing that they leave running meets the next job.
func TestProjectsAreApart(t *testing.T) {
	if os.Geteuid() != 0 {
		// Without root there is one account, and with one account this promise is not made: New must say so.
		if _, err := New(Config{URL: "http://x", Token: "t", WorkDir: t.TempDir(), User: "nobody"}); err == nil || !strings.Contains(err.Error(), "needs root") {
			t.Errorf("got %v, want a refusal without root", err)
		}
		return
	}
	r := newSession(t)
	log := r.run(1, "g/one", "umask 000; echo secret > file; chmod 777 . file; id -un; id -g; setsid sh -c 'echo pid $$ end; sleep 300' & sleep 0.2", runAsNobody)
	wantContains(t, log, "nobody\n65000\n", "executor as nobody...")
	if pid := between(log, "\npid ", " end"); pid == "" || alive(pid) {
		t.Errorf("process %q, which left its session, meets the next job", pid)
	}
	log = r.run(2, "g/two", "set +e; cat $CI_BUILDS_DIR/g/one/file; ls $CI_BUILDS_DIR; ls $CI_BUILDS_DIR/g; ls ../../../cache ../../../tmp; cat $CI_BUILDS_DIR/projects.json; "+
		"touch ../x; mv ../two ../three; ls -ld .; true", runAsNobody)
	if n := strings.Count(log, "Permission denied"); n < 7 {
		t.Errorf("got %d refusals, want each access but the last refused:\n%s", n, log)
	}
	wantMissing(t, log, "secret")
	log = r.run(1, "g/one", "cat file; cat /proc/$PPID/environ || true", runAsNobody)
	wantContains(t, log, "secret\n")
}

func TestSlotsAreApart(t *testing.T) {
	if os.Geteuid() != 0 {
		return // as in TestProjectsAreApart
	}
	r := newSession(t)
	for n, script := range []string{
		"echo secret > file; chmod 777 . file; export INNER=inner-secret; sh -c 'echo $$ > /tmp/lanyard-test-pid-" + strconv.Itoa(os.Getpid()) + "; until test -e " + r.dir + "/../done; do sleep 0.05; done'",
		"set +e; P=/tmp/lanyard-test-pid-" + strconv.Itoa(os.Getpid()) + "; until test -s $P; do sleep 0.05; done; cat $CI_BUILDS_DIR/../0/g/p1/file $CI_BUILDS_DIR/../1/g/p1/file; cat /proc/$(cat $P)/environ; ls /proc/$(cat $P)/cwd/; echo over",
	} {
		job := newPayload(script).with(variable{Key: "CI_PROJECT_PATH", Value: fmt.Sprintf("g/p%d", n+1)})
		job.ID, job.JobInfo.ProjectID = int64(n+1), int64(n+1)
		r.s.enqueue(job)
	}
	t.Cleanup(func() { _ = os.Remove("/tmp/lanyard-test-pid-" + strconv.Itoa(os.Getpid())) })
	r.s.startIn(r.dir, Config{Concurrency: 2}, runAsNobody)
	r.s.waitFinal(2)
	if err := os.WriteFile(filepath.Join(r.dir, "../done"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if final := r.s.waitFinal(1); final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	log := r.s.logOf(2)
	wantMissing(t, log, "secret")
	if n := strings.Count(log, "Permission denied"); n < 3 {
		t.Errorf("got %d refusals, want each access refused:\n%s", n, log)
	}
}

// What the runner does with a job's files, it does with the job's rights.
func TestRunnerLendsNoRights(t *testing.T) {
	if os.Geteuid() != 0 {
		return // as in TestProjectsAreApart
	}
	r := newSession(t)
	secret := filepath.Join(filepath.Dir(r.dir), "root-only")
	if err := os.WriteFile(secret, []byte("root's secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	job := newPayload("ln -s " + secret + " link; ln " + secret + " hard || cp /etc/hostname hard; echo mine > mine; umask 077; mkdir d; ls -la")
	job.Artifacts = []artifact{{Name: "a", Paths: []string{"link", "mine", "d"}}, {Name: "r", Paths: []string{secret}, Format: "raw", When: "always"}}
	job.Dependencies = []dependency{dependencyOn(100)}
	r.s.stored[100] = zipOf(t, "dep.txt", "x")
	r.s.enqueue(job)
	stop := r.s.startIn(r.dir, Config{}, runAsNobody)
	r.s.waitFinal(101)
	stop()
	wantContains(t, r.s.logOf(101), "nobody", "dep.txt", "not a path in the project directory")
	if len(r.s.uploads) != 1 {
		t.Fatalf("got %d uploads, want 1\n%s", len(r.s.uploads), r.s.logOf(101))
	}
	for name, content := range unzip(t, r.s.uploads[0].body) {
		if strings.Contains(content, "root's secret") {
			t.Errorf("%s holds a file that the job cannot read", name)
		}
	}
	fi, err := os.Stat(filepath.Join(r.dir, "0/root/demo"))
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v; want the workspace closed after the job", fi, err)
	}
}

// A runner that was killed leaves processes, whose shell has gone; the next start ends them, and only them.
func TestOrphansEndWithTheNextStart(t *testing.T) {
	r := newSession(t)
	slot := filepath.Join(r.dir, "0")
	if err := os.MkdirAll(slot, 0o700); err != nil {
		t.Fatal(err)
	}
	start := func(builds string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command("sleep", "100")
		cmd.Env = []string{"CI_BUILDS_DIR=" + builds}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	orphan, stranger := start(slot), start("/elsewhere")
	for _, c := range []struct {
		cmd  *exec.Cmd
		want bool
	}{{orphan, false}, {stranger, true}} {
		pid := strconv.Itoa(c.cmd.Process.Pid)
		if err := os.WriteFile(filepath.Join(slot, sessionFile), []byte(pid), 0o600); err != nil {
			t.Fatal(err)
		}
		r.run(1, "g/p", "true")
		if got := alive(pid); got != c.want {
			t.Errorf("process with %v: got alive %v, want %v", c.cmd.Env, got, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(slot, sessionFile)); err == nil {
		t.Error("the mark of an ended session is left")
	}
}
