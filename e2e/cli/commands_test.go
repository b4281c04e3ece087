package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// TestRunner runs the built-in runner as its own process: one job with --once, and
// until it is told to end.
func TestRunner(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"))
	project, trigger := server.Project("job", "job: {script: [cat file.txt, lanyard version, echo begun]}\n")
	server.Must("POST", fmt.Sprintf("/projects/%d/repository/commits", project), map[string]any{
		"branch": "main", "commit_message": "file [skip ci]",
		"actions": []map[string]any{{"action": "create", "file_path": "file.txt", "content": "from the repository\n"}},
	}, nil)
	var made struct{ Token string }
	server.Must("POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": project}, &made)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(made.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	once := begin(t, []string{"LANYARD_RUNNER_TOKEN=" + made.Token}, "runner", "--url", server.URL, "--once", "--work-dir", filepath.Join(t.TempDir(), "work"))
	log := readLog(t, server, project, startJob(t, server, project, trigger))
	for _, want := range []string{"\nfrom the repository", "\nlanyard  "} {
		if !strings.Contains(log, want) {
			t.Errorf("the job did not say %q:\n%s", want, log)
		}
	}
	if code := once.end(); code != 0 {
		t.Errorf("runner --once ended with %d", code)
	}

	stays := begin(t, nil, "runner", "--url", server.URL, "--token-file", file, "--work-dir", filepath.Join(t.TempDir(), "work"))
	for range 2 {
		startJob(t, server, project, trigger)
	}
	stays.signal(syscall.SIGTERM)
	if code := stays.end(); code != 0 {
		t.Errorf("SIGTERM ended the runner with %d", code)
	}

	code, _, errOut := run(t, []string{"LANYARD_RUNNER_TOKEN=glrt-wrong-0123456789"}, "runner", "--url", server.URL, "--work-dir", filepath.Join(t.TempDir(), "work"))
	if code != 1 || !strings.Contains(errOut, "lanyard: ") || strings.Contains(errOut, "glrt-wrong") {
		t.Errorf("a wrong token: code %d, %q", code, errOut)
	}
}

// TestCheck verifies a sound directory, also while it is in use, and one with a
// repository less.
func TestCheck(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	server := process.Start(t, data)
	project, _ := server.Project("sound", "job: {script: 'true'}\n")
	if code, out, errOut := run(t, nil, "check", "--data", data, "--deep"); code != 0 || out != "all invariants hold\n" || errOut != "" {
		t.Errorf("in use: code %d, %q and %q", code, out, errOut)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := run(t, nil, "check", "--data", data); code != 0 || out != "all invariants hold\n" || errOut != "" {
		t.Errorf("sound: code %d, %q and %q", code, out, errOut)
	}
	found, err := filepath.Glob(filepath.Join(data, "repositories", "*", fmt.Sprintf("%d.git", project)))
	if err != nil || len(found) != 1 {
		t.Fatalf("repositories: %v, error %v", found, err)
	}
	elsewhere := filepath.Join(t.TempDir(), "gone")
	if err := os.Rename(found[0], elsewhere); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("project %d has no repository\n", project)
	if code, out, errOut := run(t, []string{"LANYARD_DATA=" + data}, "check"); code != 1 || out != want || errOut != "" {
		t.Errorf("broken: code %d, %q and %q, want 1 and %q", code, out, errOut, want)
	}
	if err := os.Rename(elsewhere, found[0]); err != nil {
		t.Fatal(err)
	}
}

// TestVersion holds what there is to know about a build.
func TestVersion(t *testing.T) {
	code, out, _ := run(t, nil, "version")
	want := regexp.MustCompile(`^lanyard  \S+\ncommit   \S+\ngo       go1\.\S+ \w+/\w+\ndatabase SQLite 3\.\S+ \(modernc\.org/sqlite v\S+\)\n$`)
	if code != 0 || !want.MatchString(out) {
		t.Errorf("got code %d and %q", code, out)
	}
}

// TestLint checks a file from where it lies, without any server.
func TestLint(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".gitlab-ci.yml")
	if err := os.WriteFile(file, []byte("job:\n  script: echo\n  stage: none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + ":3:10: job job: chosen stage none does not exist; available stages are .pre, build, test, deploy, .post\n"
	if code, out, errOut := run(t, nil, "lint", file); code != 1 || out != want || errOut != "" {
		t.Errorf("got code %d, %q and %q, want 1 and %q", code, out, errOut, want)
	}
}
