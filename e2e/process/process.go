// Package process builds the program and runs it as a stranger would, for tests
// from outside. A Server listens on 127.0.0.1 on a port of its own, keeps its data
// in a folder that the test gives, and is gone when the test ends. Then `lanyard
// check` has to be content with what it left.
package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// RootToken is the personal access token of root on servers of this package.
const RootToken = "glpat-e2e-0123456789abcdefghij"

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lanyard-e2e")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "lanyard")
	args := []string{"build", "-o", binary}
	if os.Getenv("LANYARD_E2E_RACE") != "" {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "github.com/lanyard-ci/lanyard/cmd/lanyard")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

// Main runs the tests of a package and removes the program that they built, and the
// PostgreSQL that they used.
func Main(m *testing.M) {
	code := postgres.M{M: m}.Run()
	if binary, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// Binary builds the program once for all tests of a package.
func Binary(t testing.TB) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// A Server is a running `lanyard serve`.
type Server struct {
	URL      string
	Data     string
	t        testing.TB
	database string   // URL; empty: SQLite
	args     []string // beside those that every server gets
	ready    string   // the ready file
	cmd      *exec.Cmd
	log      *lockedBuffer
	done     chan error
}

// Start runs `lanyard serve` on a data folder, with extra arguments, and waits
// until it accepts requests.
func Start(t testing.TB, data string, args ...string) *Server {
	t.Helper()
	return StartOn(t, data, "", args...)
}

// StartOn is Start on a PostgreSQL database, by its URL. Servers on the same one,
// with the same folder, work as one.
func StartOn(t testing.TB, data, database string, args ...string) *Server {
	t.Helper()
	s := start(t, data, database, args)
	s.checkAtEnd()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil && !killed(err) {
			t.Errorf("stop the server: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.Log())
		}
	})
	s.waitReady()
	return s
}

// start runs a server that nobody ends.
func start(t testing.TB, data, database string, own []string) *Server {
	t.Helper()
	ready, err := os.MkdirTemp("", "lanyard-ready") // TempDir fails in a cleanup
	if err != nil {
		t.Fatal(err)
	}
	ready = filepath.Join(ready, "ready")
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--ready-file", ready, "--log-format", "json"}, own...)
	s := &Server{Data: data, database: database, t: t, args: own, ready: ready, cmd: exec.Command(Binary(t), args...), log: &lockedBuffer{}, done: make(chan error, 1)}
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + data, "LANYARD_ROOT_TOKEN=" + RootToken}
	if database != "" {
		s.cmd.Env = append(s.cmd.Env, "LANYARD_DATABASE_URL="+database)
	}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	return s
}

func (s *Server) waitReady() {
	s.t.Helper()
	defer os.RemoveAll(filepath.Dir(s.ready))
	for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(5 * time.Millisecond) {
		var ready struct{ URL string }
		if data, err := os.ReadFile(s.ready); err == nil && json.Unmarshal(data, &ready) == nil {
			s.URL = ready.URL
			return
		}
		select {
		case err := <-s.done:
			s.done <- err
			s.t.Fatalf("the server ended: %v\n%s", err, s.Log())
		default:
		}
	}
	s.t.Fatalf("the server did not get ready\n%s", s.Log())
}

// Kill ends the server as a power cut would, with SIGKILL, and waits until it is
// gone. The second time it does nothing.
func (s *Server) Kill() {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("kill the server: %v", err)
	}
	s.done <- <-s.done
}

// Stop ends the server with SIGTERM and gives how it ended, again if it had ended
// before.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := <-s.done
	s.done <- err
	return err
}

// PID is the process id of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is what the server has logged so far.
func (s *Server) Log() string { return s.log.String() }

// Call makes one API request as root, with a JSON body if there is one, and
// decodes the answer into into, which may be nil. It returns the status.
func (s *Server) Call(method, path string, body, into any) (int, error) {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+"/api/v4"+path, reader)
	if err != nil {
		return 0, err
	}
	req.Header.Set("PRIVATE-TOKEN", RootToken)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err
	}
	if into != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(answer, into); err != nil {
			return resp.StatusCode, fmt.Errorf("%w in %s", err, answer)
		}
	}
	return resp.StatusCode, nil
}

// Must is Call that ends the test when the answer is not 2xx.
func (s *Server) Must(method, path string, body, into any) {
	s.t.Helper()
	status, err := s.Call(method, path, body, into)
	if err != nil || status >= 300 {
		s.t.Fatalf("%s %s answered %d, error %v", method, path, status, err)
	}
}

// Project makes a project of root's with a configuration and a trigger token.
func (s *Server) Project(name, configuration string) (id int64, token string) {
	s.t.Helper()
	var project struct{ ID int64 }
	s.Must("POST", "/projects", map[string]any{"name": name, "path": name}, &project)
	s.Must("POST", fmt.Sprintf("/projects/%d/repository/commits", project.ID), map[string]any{
		"branch": "main", "commit_message": "configuration [skip ci]",
		"actions": []map[string]any{{"action": "create", "file_path": ".gitlab-ci.yml", "content": configuration}},
	}, nil)
	var trigger struct{ Token string }
	s.Must("POST", fmt.Sprintf("/projects/%d/triggers", project.ID), map[string]any{"description": "e2e"}, &trigger)
	return project.ID, trigger.Token
}

// Eventually asks until ok says yes, and ends the test with the last state after
// a minute.
func Eventually(t testing.TB, what string, ok func() (done bool, state string)) {
	t.Helper()
	last := ""
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		done, state := ok()
		if done {
			return
		}
		last = state
	}
	t.Fatalf("%s did not happen in a minute; last state: %s", what, last)
}

// A lockedBuffer may be written and read at once.
type lockedBuffer struct {
	mu sync.Mutex // protects b
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
