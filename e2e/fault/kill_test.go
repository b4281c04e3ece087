// Package fault holds what a server must survive: kill -9 at any moment.
package fault

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// configuration has jobs that take a moment, so that a kill meets them running,
// and `retry` for those that a killed runner leaves behind.
const configuration = `stages: [build, test]
variables: {GIT_STRATEGY: none}
build: {stage: build, script: ["sleep 0.05"], retry: 2}
one: {stage: test, script: ["true"], retry: 2}
two: {stage: test, script: ["true"], retry: 2}
`

// TestKillLosesNothing kills the server with SIGKILL several times while callers
// trigger pipelines and the built-in runner works on them. Every pipeline that was
// acknowledged is there afterwards with all its jobs, once, and ends.
func TestKillLosesNothing(t *testing.T) {
	data := t.TempDir()
	args := []string{"--runner", "2", "--runner-trusted"}
	server := process.Start(t, data, args...)
	project, token := server.Project("kill", configuration)
	var acknowledged []int64
	for range 4 {
		acknowledged = append(acknowledged, triggerUntilKilled(t, server, project, token)...)
		server = process.Start(t, data, args...)
	}
	if len(acknowledged) < 8 {
		t.Fatalf("only %d pipelines were acknowledged: the test proves nothing", len(acknowledged))
	}
	t.Logf("%d pipelines acknowledged over 4 kills", len(acknowledged))
	server.Must("PUT", fmt.Sprintf("/projects/%d", project), map[string]any{"description": "still writable"}, nil)
	for _, id := range acknowledged {
		checkPipeline(t, server, project, id)
	}
	checkIIDs(t, server, project)
}

// triggerUntilKilled lets callers trigger side by side, kills the server after a
// random moment and gives the pipelines whose 201 arrived.
func triggerUntilKilled(t *testing.T, server *process.Server, project int64, token string) []int64 {
	t.Helper()
	var mu sync.Mutex
	var ids []int64
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var p struct{ ID int64 }
				status, err := server.Call("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project),
					map[string]any{"token": token, "ref": "main", "variables": map[string]string{"K": "v"}}, &p)
				if err == nil && status == http.StatusCreated {
					mu.Lock()
					ids = append(ids, p.ID)
					mu.Unlock()
				}
				time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
			}
		})
	}
	time.Sleep(time.Duration(300+rand.IntN(500)) * time.Millisecond)
	server.Kill()
	close(stop)
	callers.Wait()
	return ids
}

// checkPipeline waits for the end of a pipeline and looks at its jobs.
func checkPipeline(t *testing.T, server *process.Server, project, id int64) {
	t.Helper()
	var pipeline struct{ Status string }
	process.Eventually(t, fmt.Sprintf("end of pipeline %d", id), func() (bool, string) {
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d", project, id), nil, &pipeline)
		return pipeline.Status == "success" || pipeline.Status == "failed", pipeline.Status
	})
	var jobs []struct{ Name, Status string }
	server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/jobs?per_page=100", project, id), nil, &jobs)
	var names []string
	for _, job := range jobs {
		names = append(names, job.Name)
	}
	slices.Sort(names)
	if want := []string{"build", "one", "two"}; !slices.Equal(names, want) {
		t.Errorf("pipeline %d has jobs %v, want %v", id, names, want)
	}
	if pipeline.Status != "success" {
		t.Errorf("pipeline %d ended as %s: %v", id, pipeline.Status, jobs)
	}
	var variables []struct{ Key, Value string }
	server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/variables", project, id), nil, &variables)
	if len(variables) != 2 || variables[0].Key != "K" {
		t.Errorf("pipeline %d has variables %v, want K and TRIGGER_PAYLOAD", id, variables)
	}
}

// checkIIDs looks for a pipeline that exists twice.
func checkIIDs(t *testing.T, server *process.Server, project int64) {
	t.Helper()
	seen := map[int64]bool{}
	for page := 1; ; page++ {
		var list []struct{ ID, IID int64 }
		query := url.Values{"per_page": {"100"}, "page": {fmt.Sprint(page)}}
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines?%s", project, query.Encode()), nil, &list)
		for _, p := range list {
			if seen[p.IID] {
				t.Errorf("iid %d is there twice", p.IID)
			}
			seen[p.IID] = true
		}
		if len(list) < 100 {
			return
		}
	}
}

// TestConcurrentTriggers has 64 callers trigger at once: no iid is given twice.
func TestConcurrentTriggers(t *testing.T) {
	server := process.Start(t, t.TempDir())
	project, token := server.Project("iid", "job: {script: echo}\n")
	var mu sync.Mutex
	var iids []int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for range 4 {
				var p struct{ IID int64 }
				status, err := server.Call("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project),
					map[string]any{"token": token, "ref": "main"}, &p)
				if err != nil || status != http.StatusCreated {
					t.Errorf("trigger answered %d, error %v", status, err)
					return
				}
				mu.Lock()
				iids = append(iids, p.IID)
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	slices.Sort(iids)
	if unique := slices.Compact(slices.Clone(iids)); len(unique) != 256 {
		t.Errorf("got %d different iids of 256: %v", len(unique), iids)
	}
}

// TestEnvironmentHoldsNoSecret looks where a job of the same account could look:
// its own environment and the /proc entry of the server.
func TestEnvironmentHoldsNoSecret(t *testing.T) {
	server := process.Start(t, t.TempDir(), "--runner", "1", "--runner-trusted")
	project, token := server.Project("env", `show:
  script:
    - env
    - cat /proc/$PPID/environ || true
    - tr '\0' '\n' < /proc/`+fmt.Sprint(server.PID())+`/environ || true
    - tr '\0' ' ' < /proc/`+fmt.Sprint(server.PID())+`/cmdline || true
    - echo looked
`)
	var pipeline struct{ ID int64 }
	server.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, &pipeline)
	var jobs []struct {
		ID     int64
		Status string
	}
	process.Eventually(t, "end of the job", func() (bool, string) {
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/jobs", project, pipeline.ID), nil, &jobs)
		return len(jobs) == 1 && (jobs[0].Status == "success" || jobs[0].Status == "failed"), fmt.Sprint(jobs)
	})
	log := readLog(t, server, project, jobs[0].ID)
	if !strings.Contains(log, "looked") || !strings.Contains(log, "CI_JOB_ID=") {
		t.Fatalf("the job did not look: %s", log)
	}
	for _, secret := range []string{process.RootToken, "LANYARD_ROOT_TOKEN", token, "glrt-"} {
		if strings.Contains(log, secret) {
			t.Errorf("the job saw %q", secret)
		}
	}
	if strings.Contains(server.Log(), process.RootToken) || strings.Contains(server.Log(), token) {
		t.Error("the server logged a token")
	}
}

func readLog(t *testing.T, server *process.Server, project, job int64) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("%s/api/v4/projects/%d/jobs/%d/trace", server.URL, project, job), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", process.RootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := fmt.Fprint(&b, resp.Status, "\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}
