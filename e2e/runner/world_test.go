//go:build runner_e2e

package runner

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// A world is a server with a recorder before it.
type world struct {
	t      *testing.T
	wire   *recorder
	server *process.Server
	data   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, wire: newRecorder(t), data: t.TempDir()}
	w.serve()
	return w
}

// serve starts a server on the world's data, in place of the one that there was.
// If it is the last one, it is to have no errors when the test ends.
func (w *world) serve() {
	w.t.Helper()
	server := process.Start(w.t, w.data, "--external-url", w.wire.URL, "--log-level", "warn")
	w.server = server
	w.wire.point(w.t, server.URL)
	w.t.Cleanup(func() {
		if w.server == server {
			w.close()
		}
	})
}

// close ends the server, which had nothing to complain of.
func (w *world) close() {
	if err := w.server.Stop(); err != nil {
		w.t.Errorf("stop the server: %v", err)
	}
	if strings.Contains(w.server.Log(), `"level":"ERROR"`) {
		w.t.Error("the server had errors")
	}
}

// A project of root's, with a trigger token.
type project struct {
	w     *world
	id    int64
	token string
}

func (w *world) project(name, configuration string) project {
	w.t.Helper()
	id, token := w.server.Project(name, configuration)
	return project{w, id, token}
}

// A job as the API shows it.
type job struct {
	ID            int64
	Name, Status  string
	FailureReason string   `json:"failure_reason"`
	Queued        float64  `json:"queued_duration"`
	Duration      float64  `json:"duration"`
	Coverage      *float64 `json:"coverage"`
	Artifacts     []struct {
		Type string `json:"file_type"`
		Size int64
	}
	Runner struct{ ID int64 }
	WebURL string `json:"web_url"`
}

// start starts a pipeline on a branch by the trigger token, with variables.
func (p project) start(variables map[string]string) int64 {
	p.w.t.Helper()
	return p.startOn("main", variables)
}

func (p project) startOn(ref string, variables map[string]string) int64 {
	p.w.t.Helper()
	var made struct{ ID int64 }
	body := map[string]any{"token": p.token, "ref": ref, "variables": variables}
	p.w.server.Must("POST", p.path("/trigger/pipeline"), body, &made)
	return made.ID
}

func (p project) path(format string, args ...any) string {
	return fmt.Sprintf("/projects/%d", p.id) + fmt.Sprintf(format, args...)
}

// jobs lists the jobs of a pipeline, those that were retried among them, oldest
// first.
func (p project) jobs(pipeline int64) []job {
	p.w.t.Helper()
	var list []job
	p.w.server.Must("GET", p.path("/pipelines/%d/jobs?per_page=100&include_retried=true", pipeline), nil, &list)
	slices.SortFunc(list, func(a, b job) int { return int(a.ID - b.ID) })
	return list
}

// job finds a job by its name.
func (p project) job(pipeline int64, name string) job {
	p.w.t.Helper()
	list := p.jobs(pipeline)
	i := slices.IndexFunc(list, func(j job) bool { return j.Name == name })
	if i < 0 {
		p.w.t.Fatalf("pipeline %d has no job %s", pipeline, name)
	}
	return list[i]
}

// await waits until a pipeline has one of some statuses, and gives that.
func (p project) await(pipeline int64, limit time.Duration, statuses ...string) string {
	p.w.t.Helper()
	var now struct{ Status string }
	for begun := time.Now(); time.Since(begun) < limit; time.Sleep(100 * time.Millisecond) {
		p.w.server.Must("GET", p.path("/pipelines/%d", pipeline), nil, &now)
		if slices.Contains(statuses, now.Status) {
			return now.Status
		}
	}
	p.w.t.Fatalf("pipeline %d is %s after %v, want %v: %+v", pipeline, now.Status, limit, statuses, p.jobs(pipeline))
	return ""
}

// ended are the statuses of a pipeline that needs nobody any more.
var ended = []string{"success", "failed", "canceled", "skipped"}

// finish waits until a pipeline has ended, and checks status and all its jobs.
func (p project) finish(pipeline int64, want string) []job {
	p.w.t.Helper()
	if got := p.await(pipeline, 5*time.Minute, ended...); got != want {
		p.w.t.Errorf("pipeline %d ended as %s, want %s: %+v", pipeline, got, want, p.jobs(pipeline))
	}
	list := p.jobs(pipeline)
	for _, j := range list {
		if j.Runner.ID != 0 {
			p.check(j)
		}
	}
	return list
}

// awaitJob waits until a job has one of some statuses.
func (p project) awaitJob(id int64, limit time.Duration, statuses ...string) job {
	p.w.t.Helper()
	var now job
	for begun := time.Now(); time.Since(begun) < limit; time.Sleep(20 * time.Millisecond) {
		p.w.server.Must("GET", p.path("/jobs/%d", id), nil, &now)
		if slices.Contains(statuses, now.Status) {
			return now
		}
	}
	p.w.t.Fatalf("job %d (%s) is %s after %v, want %v\n%s", id, now.Name, now.Status, limit, statuses, transcript(p.w.wire.ofJob(id)))
	return job{}
}

// log is what the server shows as the log of a job.
func (p project) log(id int64) string {
	p.w.t.Helper()
	return string(p.raw("/jobs/%d/trace", id))
}

// raw gets what is no JSON.
func (p project) raw(format string, args ...any) []byte {
	p.w.t.Helper()
	path := p.path(format, args...)
	req, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, p.w.server.URL+"/api/v4"+path, nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", process.RootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.w.t.Fatalf("GET %s answered %d, error %v: %s", path, resp.StatusCode, err, data)
	}
	return data
}

// awaitLog waits until a log has a text in it.
func (p project) awaitLog(id int64, text string) {
	p.w.t.Helper()
	process.Eventually(p.w.t, fmt.Sprintf("%q in the log of job %d", text, id), func() (bool, string) {
		log := p.log(id)
		return strings.Contains(log, text), log
	})
}

// check holds a job that has ended against the protocol: it was given to a runner
// once; each piece of its log begins where the one before it ended; the runner's
// last word was taken; and the log is the one that the runner says it sent.
func (p project) check(j job) {
	p.w.t.Helper()
	talk := p.w.wire.ofJob(j.ID)
	fail := func(format string, args ...any) {
		p.w.t.Helper()
		p.w.t.Errorf("job %d (%s): %s\n%s", j.ID, j.Name, fmt.Sprintf(format, args...), transcript(talk))
	}
	if len(talk) < 2 || talk[0].Job != j.ID {
		fail("was never given to a runner")
		return
	}
	length, taken := "0", 0
	for i, x := range talk {
		switch {
		case x.Job != 0:
			taken++
		case x.Method == http.MethodPatch:
			if x.Status != http.StatusAccepted || !strings.HasPrefix(x.Range, length+"-") || x.Answer.Get("X-GitLab-Trace-Update-Interval") != "3" {
				fail("exchange %d: want 202 for a piece from %s on", i, length)
			}
			length = strings.TrimPrefix(x.Answer.Get("Range"), "0-")
		case x.Method == http.MethodPut && x.Status != http.StatusOK, x.Method == http.MethodPost && x.Status != http.StatusCreated:
			fail("exchange %d was refused", i)
		}
		if x.Job == 0 && x.Method != http.MethodPost && x.Answer.Get("Job-Status") == "" {
			fail("exchange %d has no Job-Status", i)
		}
	}
	if taken != 1 {
		fail("was given to runners %d times", taken)
	}
	if p.w.wire.features()["two_phase_job_commit"] == true && talk[1].Body["state"] != "running" {
		fail("was not confirmed first")
	}
	p.checkEnd(j, talk[len(talk)-1], fail)
}

// checkEnd holds the last exchange about a job against the API.
func (p project) checkEnd(j job, last exchange, fail func(string, ...any)) {
	p.w.t.Helper()
	if last.Answer.Get("Job-Status") != j.Status {
		fail("is %s, the runner heard %s", j.Status, last.Answer.Get("Job-Status"))
	}
	output, _ := last.Body["output"].(map[string]any)
	log := p.raw("/jobs/%d/trace", j.ID)
	if sum := fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE(log)); output["checksum"] != sum || output["bytesize"] != float64(len(log)) {
		fail("has a log of %d bytes, %s; the runner says %v", len(log), sum, output)
	}
	for _, mark := range []string{"section_start:", "Running with gitlab-runner"} {
		if !bytes.Contains(log, []byte(mark)) {
			fail("has no %q in its log:\n%s", mark, log)
		}
	}
}

// alive reports whether a process whose number a job wrote to a file still runs.
func alive(t *testing.T, file string) bool {
	t.Helper()
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
