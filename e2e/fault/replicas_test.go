package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// worker runs `lanyard runner` against a server until the test ends.
func worker(t *testing.T, server *process.Server) {
	t.Helper()
	var made struct{ Token string }
	server.Must("POST", "/user/runners", map[string]any{"runner_type": "instance_type", "run_untagged": true}, &made)
	cmd := exec.Command(process.Binary(t), "runner", "--url", server.URL, "--concurrency", "2", "--work-dir", filepath.Join(t.TempDir(), "work"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANYARD_RUNNER_TOKEN=" + made.Token}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		_ = cmd.Wait() // how it ended is of no interest: its server may be gone
	})
}

// A tally has the pipelines that were acknowledged.
type tally struct {
	mu  sync.Mutex // protects ids
	ids []int64
}

// trigger asks servers in turn until stop is closed.
func (a *tally) trigger(stop <-chan struct{}, project int64, token string, servers ...*process.Server) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(40 * time.Millisecond):
		}
		var p struct{ ID int64 }
		status, err := servers[n%len(servers)].Call("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project),
			map[string]any{"token": token, "ref": "main", "variables": map[string]string{"K": "v"}}, &p)
		if err == nil && status == http.StatusCreated {
			a.mu.Lock()
			a.ids = append(a.ids, p.ID)
			a.mu.Unlock()
		}
	}
}

// TestKillOneOfTwoServers kills each of two servers under load. Runners wait at both.
// Every pipeline that either of them acknowledged ends once.
func TestKillOneOfTwoServers(t *testing.T) {
	database, data := postgres.New(t), filepath.Join(t.TempDir(), "data")
	a := process.StartOn(t, data, database)
	b := process.StartOn(t, data, database)
	project, token := a.Project("kill", configuration)
	worker(t, a)
	worker(t, b)
	var acknowledged tally
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() { acknowledged.trigger(stop, project, token, a, b) })
	}
	time.Sleep(time.Second)
	a.Kill()
	time.Sleep(time.Second)
	a = process.StartOn(t, data, database, "--listen", strings.TrimPrefix(a.URL, "http://")) // where its runner looks for it
	time.Sleep(500 * time.Millisecond)
	b.Kill()
	close(stop)
	callers.Wait()
	if len(acknowledged.ids) < 8 {
		t.Fatalf("only %d pipelines were acknowledged: the test proves nothing", len(acknowledged.ids))
	}
	t.Logf("%d pipelines acknowledged", len(acknowledged.ids))
	b = process.StartOn(t, data, database, "--listen", strings.TrimPrefix(b.URL, "http://"))
	for _, id := range acknowledged.ids {
		endsOnce(t, a, project, id)
	}
	checkIIDs(t, b, project)
}

// endsOnce waits for the end of a pipeline, whichever it is, with all its jobs.
func endsOnce(t *testing.T, server *process.Server, project, id int64) {
	t.Helper()
	var pipeline struct{ Status string }
	process.Eventually(t, fmt.Sprintf("end of pipeline %d", id), func() (bool, string) {
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d", project, id), nil, &pipeline)
		return pipeline.Status == "success" || pipeline.Status == "failed", pipeline.Status
	})
	var jobs []struct{ Name string }
	server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/jobs?per_page=100", project, id), nil, &jobs)
	if len(jobs) != 3 {
		t.Errorf("pipeline %d has jobs %v, want three", id, jobs)
	}
}

// TestPostgresGoesAway stops PostgreSQL under load and starts it again. Meanwhile
// requests get 503, and the servers go on by themselves.
func TestPostgresGoesAway(t *testing.T) {
	cluster, err := postgres.Start(postgres.Config{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	database, data := cluster.New(t, ""), filepath.Join(t.TempDir(), "data")
	a := process.StartOn(t, data, database)
	b := process.StartOn(t, data, database)
	project, token := a.Project("away", configuration)
	worker(t, b)
	var acknowledged tally
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() { acknowledged.trigger(stop, project, token, a, b) })
	}
	time.Sleep(time.Second)
	if err := cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/projects", fmt.Sprintf("/projects/%d/pipelines", project)} {
		if status, err := a.Call("GET", path, nil, nil); err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("GET %s without a database: got %d, error %v, want 503", path, status, err)
		}
	}
	if status, err := b.Call("POST", "/projects", map[string]any{"name": "x", "path": "x"}, nil); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a write without a database: got %d, error %v, want 503", status, err)
	}
	notReady(t, a)
	if err := cluster.Run(); err != nil {
		t.Fatal(err)
	}
	process.Eventually(t, "an answer after the database is back", func() (bool, string) {
		status, err := b.Call("GET", "/projects", nil, nil)
		return status == http.StatusOK, fmt.Sprint(status, err)
	})
	time.Sleep(500 * time.Millisecond)
	close(stop)
	callers.Wait()
	if len(acknowledged.ids) < 8 {
		t.Fatalf("only %d pipelines were acknowledged: the test proves nothing", len(acknowledged.ids))
	}
	for _, id := range acknowledged.ids {
		endsOnce(t, a, project, id)
	}
	checkIIDs(t, b, project)
}

// notReady holds that readiness names the database.
func notReady(t *testing.T, server *process.Server) {
	t.Helper()
	resp, err := http.Get(strings.TrimSuffix(server.URL, "/") + "/-/readiness")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var said struct{ Failing map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || resp.StatusCode != http.StatusServiceUnavailable || said.Failing["database"] == "" {
		t.Errorf("readiness without a database: %d %+v, error %v", resp.StatusCode, said, err)
	}
}
