package daemon

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/store"
)

// config is that of a server on a free port of 127.0.0.1.
func config(t *testing.T) Config {
	t.Helper()
	return Config{Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), Path: os.Getenv("PATH")}
}

// started starts a server that is closed when the test ends.
func started(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if broken, err := Check(context.Background(), s.config, true); err != nil || len(broken) > 0 {
			t.Errorf("check of what the server left: %q, error %v", broken, err)
		}
	})
	return s
}

// running runs a server; stop ends it and gives what Run returned.
func running(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(cancel)
	return func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("the server did not end in 30 s")
		}
	}
}

// refused starts a server that must refuse to start, in words for whoever set it up.
func refused(t *testing.T, c Config, want string) {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err == nil {
		_ = s.close()
		t.Fatalf("it started, want a refusal with %q", want)
	}
	var usage *UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v (%T), want a usage error with %q", err, err, want)
	}
}

// get makes one request, on a connection of its own.
func get(t *testing.T, url, token string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if token != "" {
		req.Header.Set("PRIVATE-TOKEN", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestStartRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no data directory", func(c *Config) { c.Data = "" }, "data directory"},
		{"data directory is a file", func(c *Config) { c.Data = file }, "not a directory"},
		{"a runner as nobody in particular", func(c *Config) { c.Runners = 1 }, "--runner-user NAME"},
		{"less than no runner", func(c *Config) { c.Runners = -1 }, "0 or more"},
		{"an account that is not there", func(c *Config) { c.Runners, c.RunnerUser = 1, "no-such-account" }, "no-such-account"},
		{"the port is taken", func(c *Config) { c.Listen = busy.Addr().String() }, "address already in use"},
		{"no address", func(c *Config) { c.Listen = "127.0.0.1" }, "missing port"},
		{"all addresses without an administrator", func(c *Config) { c.Listen = "0.0.0.0:0" }, "before an administrator exists"},
		{"no address named, without an administrator", func(c *Config) { c.Listen = ":0" }, "before an administrator exists"},
		{"a root token that is too short", func(c *Config) { c.RootToken = "short" }, "too short"},
		{"an external URL of another kind", func(c *Config) { c.ExternalURL = "ftp://ci" }, "scheme must be http or https"},
		{"no git", func(c *Config) { c.Path = t.TempDir() }, "git"},
		{"a ready file that cannot be removed", func(c *Config) { c.ReadyFile = filepath.Join(file, "ready") }, "ready file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config(t)
			test.change(&c)
			refused(t, c, test.want)
		})
	}
}

// TestStartTakesNextPort holds for a port that nobody chose.
func TestStartTakesNextPort(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	c := config(t)
	c.Listen, c.NextPorts = busy.Addr().String(), 50
	s := started(t, c)
	got, want := s.listener.Addr().(*net.TCPAddr).Port, busy.Addr().(*net.TCPAddr).Port
	if got <= want || got > want+50 {
		t.Errorf("got port %d, want one after %d", got, want)
	}
	if !strings.HasSuffix(s.URL(), ":"+strings.Split(s.Listen(), ":")[1]) {
		t.Errorf("links start with %s, it listens on %s", s.URL(), s.Listen())
	}
}

func TestOneProcessPerDirectory(t *testing.T) {
	c := config(t)
	s := started(t, c)
	refused(t, c, "in use by another process")
	if broken, err := Check(t.Context(), c, true); err != nil || len(broken) > 0 {
		t.Errorf("check of a directory in use: %q, error %v", broken, err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	started(t, c)
}

// TestKeyFileMustMatch holds for a wrong key file and for one that is lost; neither
// is replaced.
func TestKeyFileMustMatch(t *testing.T) {
	c := config(t)
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	other := config(t)
	s, err = Start(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	wrong := c
	wrong.KeyFile = filepath.Join(other.Data, "keys.yml")
	refused(t, wrong, "is not the one this database was made with")

	own := filepath.Join(c.Data, "keys.yml")
	if err := os.Rename(own, own+".lost"); err != nil {
		t.Fatal(err)
	}
	refused(t, c, "is missing")
	if _, err := os.Stat(own); err == nil {
		t.Error("a new key file was made in place of the lost one")
	}
	if _, err := Check(t.Context(), c, false); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("check without a key file: %v", err)
	}
	moved := c
	moved.KeyFile = own + ".lost"
	started(t, moved)
}

func TestStartRefusesNewerDatabase(t *testing.T) {
	c := config(t)
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", c.database())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (9999, true)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), c)
	var newer *store.NewerError
	if !errors.As(err, &newer) || newer.Found != 9999 {
		t.Errorf("got %v, want a *store.NewerError of schema 9999", err)
	}
}

// TestFirstAdministrator holds that a token for root is enough, and
// that it is root's.
func TestFirstAdministrator(t *testing.T) {
	c := config(t)
	c.RootToken = "glpat-0123456789abcdefghij"
	s := started(t, c)
	stop := running(t, s)
	resp := get(t, s.LocalURL()+"/api/v4/user", c.RootToken)
	var user struct {
		Username string
		Admin    bool `json:"is_admin"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&user); err != nil || user.Username != "root" || !user.Admin {
		t.Errorf("got %+v, error %v, want root, an administrator", user, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestDataIsPrivate looks at the mode of a data directory and of everything in it:
// the directory may have been made by somebody else, with a mode of their own.
func TestDataIsPrivate(t *testing.T) {
	c := config(t)
	s := started(t, c)
	if _, err := s.Demo(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(c.Data)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 6 {
		t.Fatalf("only %d entries in the data directory", len(entries))
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
	}
	if info, err := os.Stat(c.Data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory has mode %v, error %v", info.Mode(), err)
	}
}

// TestReadyFile holds that the file is this process's, and whole when it is there.
func TestReadyFile(t *testing.T) {
	c := config(t)
	c.ReadyFile = filepath.Join(t.TempDir(), "ready")
	if err := os.WriteFile(c.ReadyFile, []byte(`{"url":"http://127.0.0.1:1","pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := started(t, c)
	if _, err := os.Stat(c.ReadyFile); err == nil {
		t.Error("the ready file of an earlier process is still there after the start")
	}
	stop := running(t, s)
	var ready struct {
		URL string
		PID int
	}
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		data, err := os.ReadFile(c.ReadyFile)
		if err == nil {
			if err := json.Unmarshal(data, &ready); err != nil {
				t.Fatalf("not whole: %v in %q", err, data)
			}
			break
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal("no ready file")
		}
	}
	if ready.URL != s.LocalURL() || ready.PID != os.Getpid() {
		t.Errorf("got %+v, want %s and %d", ready, s.LocalURL(), os.Getpid())
	}
	if resp := get(t, ready.URL+"/-/readiness", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("ready and answers %d", resp.StatusCode)
	}
	if entries, _ := os.ReadDir(filepath.Dir(c.ReadyFile)); len(entries) != 1 {
		t.Errorf("beside the ready file: %v", entries)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestReadyFileFails holds that nobody waits for ever for a file that cannot be
// written.
func TestReadyFileFails(t *testing.T) {
	c := config(t)
	c.ReadyFile = filepath.Join(t.TempDir(), "no", "such", "folder", "ready")
	s := started(t, c)
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "write ready file") {
		t.Errorf("got %v, want the failure to write the ready file", err)
	}
}
