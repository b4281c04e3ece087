package runner

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// newRepo makes root/demo.git with three commits on main and gives their hashes, oldest first.
func (s *fakeServer) newRepo() []string {
	s.t.Helper()
	dir := s.t.TempDir()
	s.repos = filepath.Join(dir, "bare")
	work := filepath.Join(dir, "work")
	s.gitIn(dir, "init", "-q", "-b", "main", work)
	var commits []string
	for _, n := range []string{"1", "2", "3"} {
		if err := os.WriteFile(filepath.Join(work, "file"), []byte("version "+n+"\n"), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.gitIn(work, "add", "file")
		s.gitIn(work, "commit", "-q", "-m", n)
		commits = append(commits, s.gitIn(work, "rev-parse", "HEAD"))
	}
	s.gitIn(work, "tag", "v1")
	s.gitIn(dir, "clone", "-q", "--bare", work, filepath.Join(s.repos, "root/demo.git"))
	return commits
}

func (s *fakeServer) gitIn(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *fakeServer) gitPayload(sha string, script ...string) *payload {
	job := newPayload(script...)
	job.Variables = slices.DeleteFunc(job.Variables, func(v variable) bool { return v.Key == "GIT_STRATEGY" })
	job.AllowGitFetch = true
	job.with(variable{Key: "CI_JOB_TOKEN", Value: "jobtok-101", Masked: true})
	job.GitInfo = gitInfo{
		RepoURL: strings.Replace(s.http.URL, "http://", "http://gitlab-ci-token:jobtok-101@", 1) + "/root/demo.git",
		Ref:     "main", SHA: sha, ObjectFormat: "sha1", Depth: 20,
		// The first is what this project's server sends: a commit by its hash.
		Refspecs: []string{"+" + sha + ":refs/pipelines/11", "+refs/heads/main:refs/remotes/origin/main"},
	}
	return job
}

func TestGetSources(t *testing.T) {
	s := newFakeServer(t)
	commits := s.newRepo()
	job := s.gitPayload(commits[1], "cat file; git rev-parse HEAD; git remote -v; git rev-parse refs/pipelines/11",
		"cat .git/config; git fetch -q origin main && echo fetched by the script")
	job.Hooks = []hook{{Name: "pre_get_sources_script", Script: []string{"echo before"}}, {Name: "post_get_sources_script", Script: []string{"cat file"}}}
	final, log := s.runOne(job)
	if final.State != "success" {
		t.Errorf("got %+v, want success\n%s", final, log)
	}
	wantContains(t, log, "\x1b[32;1m$ echo before\x1b[0;m\nbefore\n", "Fetching changes with git depth set to 20...", "Created fresh repository.",
		"Checking out "+commits[1][:8]+" as detached HEAD (ref is main)...", "version 2\n", "\n"+commits[1]+"\n",
		"origin\t"+s.http.URL+"/root/demo.git (fetch)", "fetched by the script\n")
	wantMissing(t, log, "gitlab-ci-token:", "jobtok-101", "Authorization")
}

func TestGetSourcesAsRecorded(t *testing.T) {
	s := newFakeServer(t)
	commits := s.newRepo()
	var job map[string]any
	if err := json.Unmarshal(readFile(t, "testdata/payload.json"), &job); err != nil {
		t.Fatal(err)
	}
	git := job["git_info"].(map[string]any)
	git["sha"] = commits[2]
	git["repo_url"] = strings.Replace(git["repo_url"].(string), "127.0.0.1:8929", s.http.Listener.Addr().String(), 1)
	s.gitIn(filepath.Join(s.repos, "root/demo.git"), "update-ref", "refs/pipelines/11", commits[2])
	s.stored[100] = zipOf(t, "from-dep.txt", "content from dependency\n")
	body, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.queue = append(s.queue, body)
	s.mu.Unlock()
	stop := s.testRunner()
	final := s.waitFinal(101)
	stop()
	log := s.logOf(101)
	if final.State != "success" {
		t.Errorf("got %+v, want success\n%s", final, log)
	}
	wantContains(t, log, "hook ran\n", "hello from job 101\n", "secret is [MASKED]\n", "file content here\n",
		"raw=$CI_JOB_ID-not-expanded expanded=id-101\n", "content from dependency\n", "after CI_JOB_STATUS=success\n", "Created cache")
	var uploads []string
	for _, u := range s.uploads {
		uploads = append(uploads, u.filename)
	}
	if want := []string{"my-artifacts.zip", "junit.xml.gz"}; !slices.Equal(uploads, want) {
		t.Errorf("got uploads %q, want %q", uploads, want)
	}
}

func TestGitStrategies(t *testing.T) {
	s := newFakeServer(t)
	commits := s.newRepo()
	dir := filepath.Join(t.TempDir(), "runner")
	id := int64(200)
	run := func(sha string, change func(*payload), script ...string) string {
		t.Helper()
		id++
		job := s.gitPayload(sha, script...)
		job.ID = id
		change(job)
		s.enqueue(job)
		stop := s.startIn(dir, Config{})
		final := s.waitFinal(id)
		stop()
		log := s.logOf(id)
		if final.State != "success" {
			t.Errorf("got %+v, want success\n%s", final, log)
		}
		return log
	}
	strategy := func(name string) func(*payload) {
		return func(p *payload) { p.with(variable{Key: "GIT_STRATEGY", Value: name}) }
	}
	hostile := "git config core.hooksPath /tmp; mkdir -p .git/hooks; echo 'echo HOOKED >&2' > .git/hooks/post-checkout; chmod 755 .git/hooks/post-checkout; " +
		"git config core.fsmonitor 'echo FSMONITOR >&2; false'; echo dirt > file; echo x > untracked; touch .git/index.lock"
	run(commits[0], func(*payload) {}, hostile)
	log := run(commits[1], strategy("fetch"), "cat file; ls -A | tr '\\n' ' '")
	wantContains(t, log, "version 2\n.git file ")
	wantMissing(t, log, "Created fresh repository", "HOOKED", "FSMONITOR")

	log = run(commits[0], func(p *payload) {
		p.with(variable{Key: "GIT_CLEAN_FLAGS", Value: "none"}, variable{Key: "GIT_CHECKOUT", Value: "false"})
	}, "cat file; touch kept")
	wantContains(t, log, "Skipping Git checkout", "version 2\n")
	log = run(commits[0], strategy("none"), "cat file kept")
	wantContains(t, log, "Skipping Git repository setup", "version 2\n")
	log = run(commits[2], func(p *payload) { p.GitInfo.Depth = 0 }, "git log --oneline | wc -l; ls -A")
	wantContains(t, log, "Fetching changes...", "\n3\n", ".git\nfile\n")
	log = run(commits[2], func(p *payload) { p.AllowGitFetch = false; p.GitInfo.Depth = 1 }, "git log --oneline | wc -l")
	wantContains(t, log, "Created fresh repository", "\n1\n")
	log = run(commits[2], func(p *payload) { p.AllowGitFetch = true }, "rm -r .git/objects; echo garbage > .git/HEAD; mkdir ro; touch ro/f; chmod 555 ro")
	wantMissing(t, log, "without the old checkout")
	log = run(commits[1], strategy("fetch"), "cat file; ls")
	wantContains(t, log, "trying again without the old checkout", "version 2\nfile\n")
	log = run(commits[2], strategy("empty"), "ls -A | wc -l")
	wantContains(t, log, "creating an empty build directory", "\n0\n")
}

func TestGitFailureIsTheScripts(t *testing.T) {
	s := newFakeServer(t)
	s.newRepo()
	final, log := s.runOne(s.gitPayload(strings.Repeat("0", 39)+"1", "echo never"))
	if final.State != "failed" || final.FailureReason != "script_failure" || final.ExitCode == 0 {
		t.Errorf("got %+v, want script_failure", final)
	}
	wantMissing(t, log, "never\n")
}

func TestGitWaitsForServer(t *testing.T) {
	s := newFakeServer(t)
	commits := s.newRepo()
	var refused atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused.Add(1) <= 2 {
			w.WriteHeader(503)
			return
		}
		s.serve(w, r)
	}))
	t.Cleanup(front.Close)
	job := s.gitPayload(commits[0], "cat file")
	job.GitInfo.RepoURL = strings.Replace(job.GitInfo.RepoURL, s.http.Listener.Addr().String(), front.Listener.Addr().String(), 1)
	final, log := s.runOne(job)
	if final.State != "success" || refused.Load() < 3 {
		t.Errorf("got %+v after %d requests, want success after a retry\n%s", final, refused.Load(), log)
	}
}

func TestSubmodules(t *testing.T) {
	s := newFakeServer(t)
	s.newRepo()
	work := filepath.Join(t.TempDir(), "work")
	s.gitIn(s.repos, "clone", "-q", filepath.Join(s.repos, "root/demo.git"), work)
	s.gitIn(work, "-c", "protocol.file.allow=always", "submodule", "add", filepath.Join(s.repos, "root/demo.git"), "sub")
	s.gitIn(work, "config", "-f", ".gitmodules", "submodule.sub.url", "../demo.git") // private too, on the same host
	s.gitIn(work, "commit", "-qam", "with submodule")
	sha := s.gitIn(work, "rev-parse", "HEAD")
	s.gitIn(work, "push", "-q", "origin", "HEAD:main")
	dir := filepath.Join(t.TempDir(), "runner")
	for id := int64(301); id < 303; id++ { // the second time reuses the checkout
		job := s.gitPayload(sha, "cat sub/file").with(variable{Key: "GIT_SUBMODULE_STRATEGY", Value: "recursive"})
		job.ID = id
		s.enqueue(job)
		stop := s.startIn(dir, Config{})
		final := s.waitFinal(id)
		stop()
		if final.State != "success" {
			t.Errorf("got %+v, want success", final)
		}
		wantContains(t, s.logOf(id), "Updating/initializing submodules recursively...", "version 3\n")
	}
}

func TestSplitCredentials(t *testing.T) {
	source, header, err := splitCredentials("https://gitlab-ci-token:t%40k@h:1/g/p.git")
	if err != nil || source != "https://h:1/g/p.git" || header != "Authorization: Basic Z2l0bGFiLWNpLXRva2VuOnRAaw==" {
		t.Errorf("got %q, %q, %v", source, header, err)
	}
	if _, _, err := splitCredentials("http://u:secret@h:port/"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error that does not show the URL", err)
	}
}
