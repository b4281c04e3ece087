package cli

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// endTime is what design/interface.md promises for the end after SIGTERM.
const endTime = 20 * time.Second

// TestSecretsLeaveTheProcess looks where another process of the same account could:
// at the environment and the command line that the system shows.
func TestSecretsLeaveTheProcess(t *testing.T) {
	const password = "correct horse battery staple"
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	env := []string{"LANYARD_ROOT_TOKEN=" + process.RootToken, "LANYARD_ROOT_PASSWORD=" + password, "LANYARD_LOG_LEVEL=debug"}
	server := begin(t, env, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--ready-file", ready)
	url := waitReady(t, server, ready)
	var made struct{ Token string }
	post(t, url+"/api/v4/user/runners", `{"runner_type":"instance_type"}`, &made)
	runnerToken := made.Token
	runner := begin(t, nil, "runner", "--url", url, "--token", runnerToken, "--work-dir", filepath.Join(dir, "work"))
	process.Eventually(t, "contact of the runner", func() (bool, string) {
		return strings.Contains(runner.err.String(), "runner ready"), runner.err.String()
	})
	for _, p := range []*program{server, runner} {
		for _, name := range []string{"environ", "cmdline"} {
			content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
			if err != nil {
				t.Fatal(err)
			}
			if name == "cmdline" && !bytes.Contains(content, []byte("\x00--url\x00")) && !bytes.Contains(content, []byte("\x00serve\x00")) {
				t.Errorf("unexpected command line %q", content)
			}
			for _, secret := range []string{process.RootToken, password, runnerToken, "LANYARD_ROOT", "LANYARD_RUNNER_TOKEN"} {
				if bytes.Contains(content, []byte(secret)) {
					t.Errorf("%s of process %d shows %q", name, p.cmd.Process.Pid, secret)
				}
			}
		}
		for _, secret := range []string{process.RootToken, password, runnerToken} {
			if strings.Contains(p.err.String()+p.out.String(), secret) {
				t.Errorf("it printed %q", secret)
			}
		}
	}
	if status, _ := call(t, http.MethodGet, url+"/api/v4/user", process.RootToken, ""); status != http.StatusOK {
		t.Errorf("root's token is answered with %d", status)
	}
}

// TestSecretsFromFiles holds for _FILE variables.
func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	token, ready := filepath.Join(dir, "token"), filepath.Join(dir, "ready")
	if err := os.WriteFile(token, []byte(process.RootToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := begin(t, []string{"LANYARD_ROOT_TOKEN_FILE=" + token}, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--ready-file", ready)
	url := waitReady(t, server, ready)
	if status, _ := call(t, http.MethodGet, url+"/api/v4/user", process.RootToken, ""); status != http.StatusOK {
		t.Errorf("root's token is answered with %d", status)
	}
}

// TestServeRefuses holds exit codes and words of what cannot work.
func TestServeRefuses(t *testing.T) {
	running := process.Start(t, filepath.Join(t.TempDir(), "data"))
	stopped := filepath.Join(t.TempDir(), "data")
	if err := process.Start(t, stopped).Stop(); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(t.TempDir(), "data")
	if err := process.Start(t, newer).Stop(); err != nil {
		t.Fatal(err)
	}
	addVersion(t, filepath.Join(newer, "lanyard.db"))
	config := filepath.Join(t.TempDir(), "lanyard.yml")
	if err := os.WriteFile(config, []byte("external-url: http://ci\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"others before an administrator", []string{"--listen", "0.0.0.0:0", "--data", filepath.Join(t.TempDir(), "data")}, 2,
			"lanyard: refusing to listen on 0.0.0.0:0 before an administrator exists.\n       Set LANYARD_ROOT_PASSWORD_FILE or LANYARD_ROOT_TOKEN_FILE, or start it on 127.0.0.1 first.\n"},
		{"a second process", []string{"--listen", "127.0.0.1:0", "--data", running.Data}, 2, "lanyard: the data directory is in use by another process, which holds " + running.Data + "/lock\n"},
		{"the port is taken", []string{"--listen", strings.TrimPrefix(running.URL, "http://"), "--data", stopped}, 2, "address already in use\n"},
		{"another key file", []string{"--listen", "127.0.0.1:0", "--data", stopped, "--key-file", filepath.Join(running.Data, "keys.yml")}, 2, "is not the one this database was made with"},
		{"a newer database", []string{"--listen", "127.0.0.1:0", "--data", newer}, 3, "lanyard: " + newer + " was written by a newer lanyard (database has schema 9999, this version knows up to "},
		{"an unknown key", []string{"--config", config}, 2, `unknown key "external-url": did you mean "external_url"?`},
		{"a runner as nobody in particular", []string{"--listen", "127.0.0.1:0", "--data", stopped, "--runner", "1"}, 2, "--runner needs --runner-user NAME"},
		{"an account that is not there", []string{"--listen", "127.0.0.1:0", "--data", stopped, "--runner", "1", "--runner-user", "no-such-account"}, 2, "lanyard: built-in runner: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, nil, append([]string{"serve", "--log-level", "error"}, test.args...)...)
			if code != test.code || !strings.Contains(errOut, test.want) || out != "" {
				t.Errorf("got code %d, %q and on standard output %q, want %d and %q", code, errOut, out, test.code, test.want)
			}
		})
	}
}

// addVersion makes a database one that a newer version wrote, until the test ends.
func addVersion(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (9999, true)`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec(`delete from goose_db_version where version_id = 9999`); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestEndDuringLongPoll ends a server that has a runner in a long poll, a
// connection that is kept alive and one that was never used.
func TestEndDuringLongPoll(t *testing.T) {
	server := process.Start(t, filepath.Join(t.TempDir(), "data"))
	var runner struct{ Token string }
	server.Must("POST", "/user/runners", map[string]any{"runner_type": "instance_type"}, &runner)
	request := func(last string) (int, string) {
		body, err := json.Marshal(map[string]any{"token": runner.Token, "last_update": last, "info": map[string]any{"name": "poll"}})
		if err != nil {
			t.Error(err)
		}
		status, header := call(t, http.MethodPost, server.URL+"/api/v4/jobs/request", "", string(body))
		return status, header.Get("X-GitLab-Last-Update")
	}
	_, last := request("")
	polled := make(chan int, 1)
	go func() {
		status, _ := request(last)
		polled <- status
	}()
	kept, unused := dial(t, server.URL), dial(t, server.URL)
	fmt.Fprint(kept, "GET /-/liveness HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(kept), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %v, error %v", resp, err)
	}
	select {
	case status := <-polled:
		t.Fatalf("the poll was answered at once, with %d", status)
	case <-time.After(500 * time.Millisecond):
	}
	begun := time.Now()
	if err := server.Stop(); err != nil {
		t.Errorf("it ended with %v, want 0", err)
	}
	if took := time.Since(begun); took > endTime/4 {
		t.Errorf("the end took %v", took)
	}
	if status := <-polled; status != http.StatusNoContent {
		t.Errorf("the poll was answered with %d", status)
	}
	if _, err := unused.Read(make([]byte, 1)); err == nil {
		t.Error("the unused connection is still open")
	}
}

// stubborn is a job that does not heed SIGTERM.
const stubborn = `stubborn:
  variables: {GIT_STRATEGY: none}
  script:
    - trap '' TERM
    - echo begun
    - sleep 60 & wait; sleep 60
`

// TestEndDuringJob ends a server whose own runner is busy: it is not ready any more
// meanwhile, ends in time, and the job is told to have failed.
func TestEndDuringJob(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	server := process.Start(t, data, "--runner", "1", "--runner-trusted")
	project, token := server.Project("stubborn", stubborn)
	job := startJob(t, server, project, token)
	begun := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- server.Stop() }()
	var body string
	process.Eventually(t, "readiness 503", func() (bool, string) {
		resp, err := http.Get(server.URL + "/-/readiness")
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		body = string(text)
		return err == nil && resp.StatusCode == http.StatusServiceUnavailable, resp.Status
	})
	if !strings.Contains(body, `"server":"is shutting down"`) {
		t.Errorf("not ready: %s", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v, want 0", err)
	}
	if took := time.Since(begun); took > endTime {
		t.Errorf("the end took %v", took)
	}
	server = process.Start(t, data)
	var after struct {
		Status string
		Reason string `json:"failure_reason"`
	}
	server.Must("GET", fmt.Sprintf("/projects/%d/jobs/%d", project, job), nil, &after)
	if after.Status != "failed" || after.Reason != "runner_system_failure" {
		t.Errorf("the job is %+v, want failed by runner_system_failure", after)
	}
}

// TestSecondSignal holds that whoever asks twice does not wait for the drain.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	p := begin(t, []string{"LANYARD_ROOT_TOKEN=" + process.RootToken}, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"),
		"--ready-file", ready, "--log-level", "info")
	url := waitReady(t, p, ready)
	conn := dial(t, url) // whose request never ends
	fmt.Fprintf(conn, "POST /api/v4/projects HTTP/1.1\r\nHost: x\r\nPRIVATE-TOKEN: %s\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", process.RootToken)
	time.Sleep(100 * time.Millisecond) // until the request has begun
	p.signal(syscall.SIGTERM)
	process.Eventually(t, "drain", func() (bool, string) { return strings.Contains(p.err.String(), "draining"), p.err.String() })
	select {
	case <-p.done:
		t.Fatal("it did not wait for the request")
	case <-time.After(300 * time.Millisecond):
	}
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != -1 {
		t.Errorf("got code %d, want death by the signal", code)
	}
}

// startJob triggers a pipeline and waits until its only job says "begun".
func startJob(t *testing.T, server *process.Server, project int64, token string) (job int64) {
	t.Helper()
	var pipeline struct{ ID int64 }
	server.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, &pipeline)
	process.Eventually(t, "beginning of the job", func() (bool, string) {
		var jobs []struct{ ID int64 }
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/jobs", project, pipeline.ID), nil, &jobs)
		if len(jobs) != 1 {
			return false, "no job"
		}
		job = jobs[0].ID
		log := readLog(t, server, project, job)
		return strings.Contains(log, "\nbegun"), log
	})
	return job
}

func readLog(t *testing.T, server *process.Server, project, job int64) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/api/v4/projects/%d/jobs/%d/trace", server.URL, project, job), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", process.RootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	log, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// waitReady waits for the ready file and gives the URL in it.
func waitReady(t *testing.T, p *program, file string) string {
	t.Helper()
	var ready struct{ URL string }
	process.Eventually(t, "ready file", func() (bool, string) {
		select {
		case <-p.done:
			t.Fatal("it ended")
		default:
		}
		content, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(content, &ready) == nil, fmt.Sprint(err)
	})
	return ready.URL
}

// call makes a request, with a JSON body if there is one. It may be used beside the
// test's own goroutine.
func call(t *testing.T, method, url, token, body string) (status int, header http.Header) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	if token != "" {
		req.Header.Set("PRIVATE-TOKEN", token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// post makes a request as root and decodes its answer.
func post(t *testing.T, url, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", process.RootToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("POST %s: %s, error %v", url, resp.Status, err)
	}
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
