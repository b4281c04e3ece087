package proxy

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// TestLongPoll holds that a request for a job that waits is answered through the
// proxy as soon as there is one, and that the job leads back to the front.
func TestLongPoll(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		f.project(map[string]string{".gitlab-ci.yml": "job:\n  script: \"true\"\n"})
		token := f.runnerToken()
		poll := func(seen string) answer {
			body, err := json.Marshal(map[string]any{"token": token, "last_update": seen, "info": map[string]any{"executor": "shell"}})
			if err != nil {
				t.Fatal(err)
			}
			return f.request(f.client, "POST", "/api/v4/jobs/request", bytes.NewReader(body), func(r *http.Request) {
				r.Header.Set("Content-Type", "application/json")
			})
		}
		first := poll("")
		if first.StatusCode != http.StatusNoContent {
			t.Fatalf("got %d %s", first.StatusCode, first.body)
		}
		var ready time.Time
		created := make(chan error, 1)
		time.AfterFunc(time.Second, func() {
			ready = time.Now()
			created <- f.start("main")
		})
		given := poll(first.Header.Get("X-GitLab-Last-Update"))
		if err := <-created; err != nil {
			t.Fatal(err)
		}
		if given.StatusCode != http.StatusCreated || time.Since(ready) > 10*time.Second {
			t.Fatalf("got %d after %v: %s", given.StatusCode, time.Since(ready), given.body)
		}
		var job struct {
			GitInfo struct {
				RepoURL string `json:"repo_url"`
			} `json:"git_info"`
			Variables []struct{ Key, Value string }
		}
		if err := json.Unmarshal([]byte(given.body), &job); err != nil {
			t.Fatal(err)
		}
		_, host, _ := strings.Cut(f.url, "://")
		if !strings.HasSuffix(job.GitInfo.RepoURL, "@"+host+"/team/app.git") {
			t.Errorf("the job clones from elsewhere than %s", host)
		}
		for _, v := range job.Variables {
			if v.Key == "CI_API_V4_URL" && v.Value != f.url+"/api/v4" {
				t.Errorf("CI_API_V4_URL is %s", v.Value)
			}
		}
	})
}

// start makes a pipeline on a branch. It may be called from any goroutine.
func (f *front) start(branch string) error {
	a := f.api("POST", "/projects/team%2Fapp/pipeline?ref="+branch, nil)
	if a.StatusCode != http.StatusCreated {
		return fmt.Errorf("create pipeline: %d %s", a.StatusCode, a.body)
	}
	return nil
}

// runner runs `lanyard runner` against the front until the test ends.
func (f *front) runner() {
	f.t.Helper()
	cmd := exec.Command(process.Binary(f.t), "runner", "--url", f.url, "--work-dir", f.t.TempDir(), "--log-format", "json")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.t.TempDir(), "LANYARD_RUNNER_TOKEN=" + f.runnerToken(), "LANYARD_TLS_CA_FILE=" + f.ca}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it ends its jobs
		_ = cmd.Wait()                          // by that signal
		if f.t.Failed() {
			f.t.Logf("log of the runner:\n%s", log.String())
		}
	})
}

// artifactBytes is how large the artifact of the test's job is.
const artifactBytes = 20 << 20

// slow writes a log piece by piece, with a silence that is longer than the sign of
// life of a stream, then makes an artifact, which another job gets.
const slow = `
stages: [one, two]
make:
  stage: one
  script:
    - for i in $(seq 1 8); do echo "tick $i"; sleep 0.5; done
    - sleep $SILENCE
    - head -c 20971520 /dev/urandom >big.bin
    - echo "made $(sha256sum <big.bin)"
  artifacts:
    paths: [big.bin]
use:
  stage: two
  script:
    - echo "got $(sha256sum <big.bin)"
    - lanyard version
    - if [ -n "$CA" ]; then grep "BEGIN CERTIFICATE" "$CI_SERVER_TLS_CA_FILE"; fi
variables:
  SILENCE: "%d"
  CA: "%s"
`

// TestRunner runs jobs with the runner as its own process behind the proxy, watches
// the log of one as a browser does, and looks at what it made.
func TestRunner(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		silence := 0
		if f.gzip || f.alone { // where something may keep what is small; elsewhere it is the same
			silence = 11
		}
		f.project(map[string]string{".gitlab-ci.yml": fmt.Sprintf(slow, silence, f.ca)})
		b := f.browser()
		b.signIn()
		f.runner()
		pipeline := f.trigger()
		jobs := f.jobs(pipeline)
		events := b.follow(fmt.Sprintf("/team/app/-/jobs/%d/events", jobs["make"]), silence > 0)
		// They are made within 3.5 s; the first may come with what the log had already.
		if spread := events.ticks[8].Sub(events.ticks[2]); spread < 1500*time.Millisecond {
			t.Errorf("the ticks came within %v: something kept them", spread)
		}
		if silence > 0 && events.pings == 0 {
			t.Error("there was no sign of life while the job was silent")
		}
		f.await(pipeline)
		f.artifact(b, jobs["make"], jobs["use"])
	})
}

// jobs gives the ids of a pipeline's jobs by name.
func (f *front) jobs(pipeline int64) map[string]int64 {
	f.t.Helper()
	var list []struct {
		ID   int64
		Name string
	}
	f.must("GET", fmt.Sprintf("/projects/team%%2Fapp/pipelines/%d/jobs", pipeline), nil, &list)
	jobs := map[string]int64{}
	for _, job := range list {
		jobs[job.Name] = job.ID
	}
	return jobs
}

// await waits for the good end of a pipeline.
func (f *front) await(pipeline int64) {
	f.t.Helper()
	var p struct{ Status string }
	for begun := time.Now(); p.Status != "success" && p.Status != "failed" && time.Since(begun) < 5*time.Minute; time.Sleep(200 * time.Millisecond) {
		f.must("GET", fmt.Sprintf("/projects/team%%2Fapp/pipelines/%d", pipeline), nil, &p)
	}
	if p.Status != "success" {
		for name, id := range f.jobs(pipeline) {
			f.t.Logf("log of %s:\n%s", name, f.api("GET", fmt.Sprintf("/projects/team%%2Fapp/jobs/%d/trace", id), nil).body)
		}
		f.t.Fatalf("the pipeline is %s", p.Status)
	}
}

// artifact holds that what one job made is what the other, the API and a page give.
func (f *front) artifact(b *browser, made, used int64) {
	f.t.Helper()
	trace := func(id int64) string {
		return f.api("GET", fmt.Sprintf("/projects/team%%2Fapp/jobs/%d/trace", id), nil).body
	}
	_, rest, found := strings.Cut(trace(made), "\nmade ")
	if !found {
		f.t.Fatalf("the log of the job has no sum:\n%s", trace(made))
	}
	sum := rest[:64]
	if !strings.Contains(trace(used), "\ngot "+sum) {
		f.t.Errorf("the other job did not get it:\n%s", trace(used))
	}
	for where, a := range map[string]answer{
		"API":  f.api("GET", fmt.Sprintf("/projects/team%%2Fapp/jobs/%d/artifacts", made), nil),
		"page": b.get(fmt.Sprintf("/team/app/-/jobs/%d/artifacts/download", made)),
	} {
		if got, err := sumInZip(a.body); err != nil || got != sum {
			f.t.Errorf("%s: got %d with sum %s, error %v, want %s", where, a.StatusCode, got, err, sum)
		}
	}
}

// sumInZip gives the SHA-256 of big.bin in an archive.
func sumInZip(archive string) (string, error) {
	files, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", err
	}
	file, err := files.Open("big.bin")
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err == nil && n != artifactBytes {
		err = fmt.Errorf("it has %d bytes", n)
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

// A stream is what came of a stream of events, and when.
type stream struct {
	ticks map[int]time.Time
	pings int
}

// follow reads a stream of events until the last tick and, if a silence comes then,
// until it has shown that it lives.
func (b *browser) follow(path string, silent bool) *stream {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		b.t.Fatalf("events: got %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	s := &stream{ticks: map[int]time.Time{}}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), ":ping") {
			s.pings++
		}
		for i := 1; i <= 8; i++ {
			if _, seen := s.ticks[i]; !seen && strings.Contains(lines.Text(), fmt.Sprintf(`"tick %d"`, i)) {
				s.ticks[i] = time.Now()
			}
		}
		if len(s.ticks) == 8 && (s.pings > 0 || !silent) {
			return s
		}
	}
	b.t.Fatalf("the stream ended with %d ticks and %d signs of life: %v", len(s.ticks), s.pings, lines.Err())
	return nil
}
