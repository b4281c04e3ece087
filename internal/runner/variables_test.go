package runner

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestVariables(t *testing.T) {
	v := newVariables([]variable{
		{Key: "A", Value: "old"},
		{Key: "A", Value: "1"},
		{Key: "B", Value: "$A-${A}-$NONE-$$A-$"},
		{Key: "C", Value: "$B"}, // one pass: B as it was written
		{Key: "RAW", Value: "^$A$", Raw: true},
		{Key: "FILE", Value: "content $A", File: true},
		{Key: "RAWFILE", Value: "content $A", File: true, Raw: true},
		{Key: "USES", Value: "<$FILE>"},
		{Key: "SECRET", Value: "x$A", Masked: true},
		{Key: "../../etc", Value: "no", File: true},
		{Key: "", Value: "no"},
	}, "/w/p.tmp")
	want := map[string]string{
		"A": "1", "B": "1-1--$A-$", "C": "$A-${A}-$NONE-$$A-$", "RAW": "^$A$", "FILE": "/w/p.tmp/FILE",
		"RAWFILE": "/w/p.tmp/RAWFILE", "USES": "</w/p.tmp/FILE>", "SECRET": "x1",
	}
	if !maps.Equal(v.values, want) {
		t.Errorf("got %q, want %q", v.values, want)
	}
	if want := map[string]string{"FILE": "content 1", "RAWFILE": "content $A"}; !maps.Equal(v.files, want) {
		t.Errorf("got files %q, want %q", v.files, want)
	}
	if want := []string{"x1"}; !slices.Equal(v.masked, want) {
		t.Errorf("got masked %q, want %q", v.masked, want)
	}
	if got, want := v.expand("k-$A-${NONE}"), "k-1-"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnvironLeavesOutWhatDoesNotFit(t *testing.T) {
	v := newVariables([]variable{
		{Key: "BIG", Value: strings.Repeat("x", 200<<10)}, {Key: "NUL", Value: "a\x00b"}, {Key: "HOME", Value: "/mine"},
	}, "/w")
	env, left := v.environ(map[string]string{"PATH": "/bin", "HOME": "/theirs"})
	if want := []string{"HOME=/mine", "PATH=/bin"}; !slices.Equal(env, want) {
		t.Errorf("got %q, want %q", env, want)
	}
	if want := []string{"BIG", "NUL"}; !slices.Equal(left, want) {
		t.Errorf("got left out %q, want %q", left, want)
	}
}

func TestFileVariables(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload("echo path $KEYFILE end", "cat $KEYFILE; stat -c 'mode %a' $KEYFILE", "echo ref $REF").with(
		variable{Key: "KEYFILE", Value: "line one\nline two\n", File: true}, variable{Key: "REF", Value: "$KEYFILE"}))
	if final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	path := between(log, "\npath ", " end")
	wantContains(t, log, "line one\nline two\nmode 600\n", "ref "+path)
	if !strings.HasSuffix(path, "/0/root/demo.tmp/KEYFILE") {
		t.Errorf("got path %q, want it beside the workspace", path)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file outlives the job")
	}
}

// A job sees the allow-list, its own variables and what the shell itself sets, and cannot get the rest from the runner's
// process either.
func TestEnvironmentDoesNotLeak(t *testing.T) {
	t.Setenv("SERVER_SECRET", "hunter2")
	t.Setenv("LD_LIBRARY_PATH", "/leak")
	s := newFakeServer(t)
	job := newPayload("env | sed 's/^/env:/'", "cat /proc/$PPID/environ | tr '\\0' '\\n' || true", "tr '\\0' '\\n' < /proc/self/environ").
		with(variable{Key: "MINE", Value: "yes"})
	final, log := s.runOne(job, runAsNobody)
	if final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	wantMissing(t, log, "hunter2", "/leak")
	wantContains(t, log, "env:MINE=yes\n", "env:LANG=C.UTF-8\n", "env:TERM=dumb\n", "env:HOME=")
	allowed := []string{"PATH", "HOME", "LANG", "TERM", "MINE", "GIT_STRATEGY", "RUNNER_TEMP_PROJECT_DIR", "PWD", "OLDPWD", "SHLVL", "_"}
	seen := 0
	for line := range strings.Lines(log) {
		line, found := strings.CutPrefix(line, "env:")
		if !found {
			continue
		}
		seen++
		key, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(key, "CI_") && !slices.Contains(allowed, key) {
			t.Errorf("the job sees %s", line)
		}
	}
	if seen < 10 {
		t.Errorf("got %d variables; the check saw nothing", seen)
	}
}

// runAsNobody has jobs run as another account where the test may do so; elsewhere they share the test's account, and
// the runner's process is protected by being undumpable.
func runAsNobody(r *Runner) {
	if os.Geteuid() != 0 {
		return
	}
	r.config.User = "nobody"
	if err := r.prepareWorkDir(); err != nil {
		panic(err)
	}
}
