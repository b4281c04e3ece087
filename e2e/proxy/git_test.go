package proxy

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// git runs git in a folder as somebody who has this front's certificate.
func (f *front) git(dir string, args ...string) (output string, err error) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + f.t.TempDir(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_SSL_CAINFO=" + f.ca,
		"GIT_AUTHOR_NAME=Maya", "GIT_AUTHOR_EMAIL=maya@example.com", "GIT_COMMITTER_NAME=Maya", "GIT_COMMITTER_EMAIL=maya@example.com",
	}
	data, err := cmd.CombinedOutput()
	return string(data), err
}

// mustGit is git for what must succeed.
func (f *front) mustGit(dir string, args ...string) string {
	f.t.Helper()
	output, err := f.git(dir, args...)
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

// cloneURL is the address of team/app with root's token in it.
func (f *front) cloneURL() string {
	f.t.Helper()
	u, err := url.Parse(f.url + "/team/app.git")
	if err != nil {
		f.t.Fatal(err)
	}
	u.User = url.UserPassword("root", process.RootToken)
	return u.String()
}

// TestGit clones, pushes what is much larger than any buffer in between, and gets it
// back.
func TestGit(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		f.project(map[string]string{"README.md": "# app\n"})
		dir := t.TempDir()
		f.mustGit(dir, "clone", "-q", f.cloneURL(), "work")
		work := filepath.Join(dir, "work")
		large := make([]byte, 20<<20)
		rand.Read(large)
		if err := os.WriteFile(filepath.Join(work, "large.bin"), large, 0o600); err != nil {
			t.Fatal(err)
		}
		f.mustGit(work, "checkout", "-q", "-b", "feature/large")
		f.mustGit(work, "add", ".")
		f.mustGit(work, "commit", "-q", "-m", "large [skip ci]")
		f.mustGit(work, "push", "-q", "origin", "feature/large") // in chunks: it is larger than http.postBuffer
		head := strings.TrimSpace(f.mustGit(work, "rev-parse", "HEAD"))
		var branch struct{ Commit struct{ ID string } }
		f.must("GET", "/projects/team%2Fapp/repository/branches/feature%2Flarge", nil, &branch)
		if branch.Commit.ID != head {
			t.Errorf("pushed %s, the server has %s", head, branch.Commit.ID)
		}
		f.mustGit(dir, "-c", "protocol.version=0", "clone", "-q", "-b", "feature/large", f.cloneURL(), "again")
		got, err := os.ReadFile(filepath.Join(dir, "again", "large.bin"))
		if err != nil || !bytes.Equal(got, large) {
			t.Errorf("what came back differs: %d bytes, error %v", len(got), err)
		}
		wrong := strings.Replace(f.cloneURL(), process.RootToken, "glpat-wrong", 1)
		if output, err := f.git(dir, "clone", "-q", wrong, "none"); err == nil || !strings.Contains(output, "Authentication failed") {
			t.Errorf("a wrong token: %v\n%s", err, output)
		}
	})
}
