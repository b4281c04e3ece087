package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCache(t *testing.T) {
	s := newFakeServer(t)
	dir := filepath.Join(t.TempDir(), "runner")
	id := int64(100)
	run := func(script string, project int64, c cacheSpec) (jobUpdate, string) {
		t.Helper()
		id++
		job := newPayload(script).with(variable{Key: "BRANCH", Value: "main"}, variable{Key: "GIT_STRATEGY", Value: "empty"})
		job.ID, job.JobInfo.ProjectID, job.Cache = id, project, []cacheSpec{c}
		s.enqueue(job)
		stop := s.startIn(dir, Config{})
		final := s.waitFinal(id)
		stop()
		return final, s.logOf(id)
	}
	use := func(key string) cacheSpec {
		return cacheSpec{Key: key, Paths: []string{"vendor/"}, Policy: "pull-push"}
	}
	fill := "mkdir -p vendor; ls vendor; echo lib > vendor/lib"
	look := "cat vendor/lib 2>/dev/null || echo nothing cached"

	_, log := run(fill, 1, use("deps-$BRANCH"))
	wantContains(t, log, "Checking cache for deps-main...", "Cache file does not exist", "Creating cache deps-main...", "Created cache")
	_, log = run(look, 1, use("deps-main"))
	wantContains(t, log, "Successfully extracted cache", "\nlib\n")
	for name, c := range map[string]struct {
		project int64
		spec    cacheSpec
		want    string
	}{
		"another project": {2, use("deps-main"), "nothing cached"},
		"another key":     {1, use("deps-other"), "nothing cached"},
		"push only":       {1, cacheSpec{Key: "deps-main", Paths: []string{"none"}, Policy: "push"}, "nothing cached"},
		"fallback":        {1, cacheSpec{Key: "new", FallbackKeys: []string{"nope", "deps-$BRANCH"}, Paths: []string{"none"}, Policy: "pull"}, "\nlib\n"},
		"odd key":         {1, use("../../../x/\x00"), "nothing cached"},
	} {
		_, log := run(look, c.project, c.spec)
		if !strings.Contains(log, c.want) {
			t.Errorf("%s: %q is missing in\n%s", name, c.want, log)
		}
	}
	_, log = run("false", 1, use("deps-main"))
	wantMissing(t, log, "Creating cache")
	always := use("deps-fail")
	always.When = "on_failure"
	_, log = run(fill+"; false", 1, always)
	wantContains(t, log, "Saving cache for failed job", "Created cache")
	_, log = run("true", 1, cacheSpec{Key: "deps-main", Paths: []string{"vendor"}, Policy: "pull"})
	wantMissing(t, log, "Creating cache")
}

func TestBrokenCacheIsNoHarm(t *testing.T) {
	s := newFakeServer(t)
	dir := filepath.Join(t.TempDir(), "runner")
	r, err := New(Config{URL: s.http.URL, Token: "t", WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	file := r.cacheFile(1, "k")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("not a zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	job := newPayload("true")
	job.Cache = []cacheSpec{{Key: "k", Paths: []string{"x"}}}
	s.enqueue(job)
	stop := s.startIn(dir, Config{})
	final := s.waitFinal(101)
	stop()
	if final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	wantContains(t, s.logOf(101), "WARNING: Failed to extract cache: read archive")
}

func TestSweep(t *testing.T) {
	s := newFakeServer(t)
	dir := filepath.Join(t.TempDir(), "runner")
	job := newPayload("echo x > file", "exit 0").with(variable{Key: "KEY", Value: "secret", File: true})
	job.Cache = []cacheSpec{{Key: "k", Paths: []string{"file"}}}
	s.enqueue(job)
	stop := s.startIn(dir, Config{})
	s.waitFinal(101)
	stop()
	project := filepath.Join(dir, "0/root/demo")
	for _, left := range []string{project + ".tmp/KEY", filepath.Join(dir, tempFolder, "archive-1")} { // as after a crash
		if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	caches := func() int {
		names, _ := filepath.Glob(filepath.Join(dir, cacheFolder, "1", "*.zip"))
		return len(names)
	}
	restart := func(now time.Time) {
		t.Helper()
		before := len(s.called("POST /jobs/request"))
		stop := s.startIn(dir, Config{Now: func() time.Time { return now }})
		s.waitFor("a poll", func() bool { return len(s.called("POST /jobs/request")) > before })
		stop()
	}
	restart(time.Now())
	for _, gone := range []string{project + ".tmp", filepath.Join(dir, tempFolder, "archive-1")} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
	if got := string(readFile(t, filepath.Join(project, "file"))); got != "x\n" || caches() != 1 {
		t.Errorf("got %q and %d caches, want workspace and cache kept", got, caches())
	}
	restart(time.Now().Add(staleAfter + time.Hour))
	if _, err := os.Stat(project); err == nil || caches() != 0 {
		t.Errorf("workspace and %d caches are kept for two weeks and more", caches())
	}
}
