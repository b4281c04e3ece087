//go:build runner_e2e

package runner

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// A stock is a gitlab-runner with a registration of its own.
type stock struct {
	Dir    string // configuration, builds, cache and log
	ID     int64
	t      *testing.T
	config string
	cmd    *exec.Cmd
	done   chan error
}

// program is the gitlab-runner to test.
func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("LANYARD_E2E_RUNNER")
	if path == "" {
		t.Fatal("LANYARD_E2E_RUNNER names no gitlab-runner")
	}
	return path
}

// register makes a runner of the instance with some settings and lets
// gitlab-runner register it, for concurrent jobs at once.
func (w *world) register(concurrent int, settings map[string]any) *stock {
	w.t.Helper()
	body := map[string]any{"runner_type": "instance_type", "description": "stock"}
	for key, value := range settings {
		body[key] = value
	}
	var made struct {
		ID    int64
		Token string
	}
	w.server.Must("POST", "/user/runners", body, &made)
	s := &stock{Dir: w.t.TempDir(), ID: made.ID, t: w.t}
	s.config = filepath.Join(s.Dir, "config.toml")
	path := filepath.Dir(process.Binary(w.t)) + ":/usr/local/bin:/usr/bin:/bin" // a login shell forgets ours
	s.run("register", "--non-interactive", "--config", s.config, "--url", w.wire.URL, "--token", made.Token,
		"--executor", "shell", "--shell", "bash", "--name", "stock", "--output-limit", "16384", "--env", "PATH="+path,
		"--builds-dir", filepath.Join(s.Dir, "builds"), "--cache-dir", filepath.Join(s.Dir, "cache"))
	config, err := os.ReadFile(s.config)
	if err != nil {
		w.t.Fatal(err)
	}
	text := strings.Replace(string(config), "concurrent = 1\n", fmt.Sprintf("concurrent = %d\n", concurrent), 1)
	text = strings.Replace(text, "check_interval = 0\n", "check_interval = 1\n", 1)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// environ is what the runner finds in its environment.
func (s *stock) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "LANG=C.UTF-8"}
}

// run calls gitlab-runner and gives what it printed.
func (s *stock) run(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program(s.t), args...)
	cmd.Env, cmd.Dir = s.environ(), s.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("gitlab-runner %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// start lets the runner take jobs. When the test ends it is killed.
func (s *stock) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd, s.done = exec.Command(program(s.t), "--log-format", "json", "run", "--config", s.config, "--working-directory", s.Dir), make(chan error, 1)
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.environ(), s.Dir, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, done := s.cmd, s.done
	go func() { done <- cmd.Wait() }()
	s.t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Errorf("kill the runner: %v", err)
		}
		done <- <-done
	})
}

// signal sends the running runner a signal.
func (s *stock) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal the runner: %v", err)
	}
}

// wait waits until the runner has ended, and gives how.
func (s *stock) wait(limit time.Duration) error {
	s.t.Helper()
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(limit):
		s.t.Fatalf("the runner did not end within %v\n%s", limit, s.log())
		return nil
	}
}

func (s *stock) logFile() string { return filepath.Join(s.Dir, "runner.log") }

func (s *stock) log() string {
	data, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// harmless begins what a runner warns of on every server, GitLab's own included.
var harmless = []string{
	"CONFIGURATION: Long polling issues detected.",
	"Job failed: ", "Failed to process runner", "Submitting job to coordinator... job failed", // jobs that fail on purpose
	"[runWait] received stop signal", "Starting graceful shutdown", "Starting forceful shutdown", // signals from us
}

// complaints are the runner's warnings and errors, but for harmless ones and those
// that begin with one of the expected texts.
func (s *stock) complaints(expected ...string) []string {
	file, err := os.Open(s.logFile())
	if err != nil {
		return []string{err.Error()}
	}
	defer file.Close()
	var found []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var entry struct{ Level, Msg, Status string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && (entry.Level == "info" || entry.Level == "debug") {
			continue
		}
		begins := func(text string) bool { return strings.HasPrefix(entry.Msg, text) }
		// A request for a job that the runner itself gave up, when it ended.
		canceled := begins("Checking for jobs... failed") && strings.Contains(entry.Status, "context canceled")
		if !canceled && !slices.ContainsFunc(harmless, begins) && !slices.ContainsFunc(expected, begins) {
			found = append(found, lines.Text())
		}
	}
	return found
}
