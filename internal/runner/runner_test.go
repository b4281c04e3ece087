package runner

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuccess(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload("echo hello $CI_JOB_NAME", "echo two\necho lines").
		with(variable{Key: "CI_JOB_NAME", Value: "build"}).afterScript("echo after $CI_JOB_STATUS"))
	if final.State != "success" || final.FailureReason != "" || final.ExitCode != 0 {
		t.Errorf("got %+v, want success", final)
	}
	sum := fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE([]byte(log)))
	if want := (output{Checksum: sum, Bytesize: int64(len(log))}); final.Output != want || final.Checksum != sum {
		t.Errorf("got output %+v and checksum %s, want %+v", final.Output, final.Checksum, want)
	}
	wantContains(t, log,
		"Running with lanyard-runner 1.2.3", "  on demo, system ID: r_",
		"\r\x1b[0K\x1b[0K\x1b[36;1mPreparing the \"shell\" executor\x1b[0;m\x1b[0;m\n",
		"\x1b[32;1m$ echo hello $CI_JOB_NAME\x1b[0;m\nhello build\n",
		"\x1b[32;1m$ echo two # collapsed multi-line command\x1b[0;m\ntwo\nlines\n",
		"\x1b[32;1mRunning after script...\x1b[0;m\n", "after success\n", "\x1b[32;1mJob succeeded\x1b[0;m\n")
	var order []string
	for part := range strings.SplitSeq(log, "section_start:") {
		if _, name, found := strings.Cut(part, ":"); found && len(order) < 20 {
			name, _, _ = strings.Cut(name, "\r")
			order = append(order, name)
		}
	}
	want := []string{"prepare_executor", "prepare_script", "get_sources", "step_script", "after_script", "cleanup_file_variables"}
	if !slices.Equal(order[1:], want) && !slices.Equal(order, want) {
		t.Errorf("got sections %v, want %v", order, want)
	}
}

// The requests are checked against what gitlab-runner 18.5 sent: no field that it does not send, and the same headers.
func TestRequestsLikeStockRunner(t *testing.T) {
	s := newFakeServer(t)
	s.runOne(newPayload("exit 42"))
	for _, c := range []struct {
		prefix, recorded string
		last             bool
		header           string
	}{
		{"POST /runners/verify", "verify.json", false, "Runner-Token"},
		{"POST /jobs/request", "jobs-request.json", false, "Runner-Token"},
		{"PUT /jobs/101", "accept.json", false, "Job-Token"},
		{"PUT /jobs/101", "failed.json", true, "Job-Token"},
	} {
		calls := s.called(c.prefix)
		if len(calls) == 0 {
			t.Errorf("no %s", c.prefix)
			continue
		}
		got := calls[0]
		if c.last {
			got = calls[len(calls)-1]
		}
		if got.header.Get(c.header) == "" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v, want %s and JSON", c.prefix, got.header, c.header)
		}
		ours, theirs := decode(t, got.body), decode(t, readFile(t, "testdata/"+c.recorded))
		if c.recorded == "verify.json" {
			delete(ours, "info") // later versions send it here too
		}
		delete(theirs["info_or_empty"], "config")
		compareKeys(t, c.recorded, ours, theirs)
	}
	if got := s.called("PATCH /jobs/101/trace?debug_trace=false"); len(got) == 0 || got[0].header.Get("Job-Token") == "" ||
		got[0].header.Get("Content-Type") != "text/plain" || !strings.HasPrefix(got[0].header.Get("Content-Range"), "0-") {
		t.Errorf("got PATCHes %v, want one from 0 with the job's token", got)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func decode(t *testing.T, body []byte) map[string]map[string]any {
	t.Helper()
	var flat map[string]any
	if err := json.Unmarshal(body, &flat); err != nil {
		t.Fatal(err)
	}
	split := map[string]map[string]any{"": {}}
	for key, value := range flat {
		if object, ok := value.(map[string]any); ok {
			split[key] = object
			continue
		}
		split[""][key] = value
	}
	if about := split["info"]; about != nil {
		if features, ok := about["features"].(map[string]any); ok {
			split["features"] = features
		}
	}
	return split
}

func compareKeys(t *testing.T, name string, ours, theirs map[string]map[string]any) {
	t.Helper()
	for part, fields := range theirs {
		for key := range ours[part] {
			if _, known := fields[key]; !known {
				t.Errorf("%s: %s.%s is sent, but not by a stock runner", name, part, key)
			}
		}
		if part == "features" || part == "info" {
			continue // fewer abilities are fine
		}
		if got, want := slices.Sorted(maps.Keys(ours[part])), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
			t.Errorf("%s: got fields %v of %q, want %v", name, got, part, want)
		}
	}
}

func TestFailure(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload("echo about to fail", "exit 42", "echo unreachable").afterScript("echo after $CI_JOB_STATUS", "false"))
	if final.State != "failed" || final.FailureReason != "script_failure" || final.ExitCode != 42 {
		t.Errorf("got %+v, want script_failure with 42", final)
	}
	wantContains(t, log, "after failed\n", "\x1b[31;1mERROR: Job failed: exit status 42\n\x1b[0;m\n",
		"WARNING: after_script failed, but job will continue unaffected: exit status 1")
	wantMissing(t, log, "unreachable")
}

func TestShellStopsAtFirstFailure(t *testing.T) {
	for _, c := range []struct {
		shell, script string
		code          int
	}{
		{"bash", "false | true\necho no", 1},
		{"bash", "nosuchcommand", 127},
		{"sh", "false\necho no", 1},
		{"sh", "kill -9 $$", 137},
		{"bash", "if true; then", 2},
	} {
		s := newFakeServer(t)
		final, log := s.runOne(newPayload(c.script), func(r *Runner) { r.shell = lookPath(c.shell, os.Getenv("PATH")) })
		if final.FailureReason != "script_failure" || final.ExitCode != c.code {
			t.Errorf("%s %q: got %+v, want exit code %d\n%s", c.shell, c.script, final, c.code, log)
		}
	}
}

func TestCommandsShareOneShell(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload("X=1; cd /", "if test $X = 1; then", "pwd", "fi", "read line || echo no input", ""))
	if final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	wantContains(t, log, "\n/\n", "no input\n")
}

func TestTimeout(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("echo start; sleep 100").afterScript("echo never")
	job.RunnerInfo.Timeout = 2
	final, log := s.runOne(job)
	if final.State != "failed" || final.FailureReason != "job_execution_timeout" || final.ExitCode != 0 {
		t.Errorf("got %+v, want job_execution_timeout", final)
	}
	wantContains(t, log, "start\n", "the timeout was exceeded", "ERROR: Job failed: execution took longer than 2s")
	wantMissing(t, log, "never", "cleanup_file_variables")
}

func TestScriptTimeoutLeavesTimeForAfterScript(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload("sleep 100").with(
		variable{Key: "RUNNER_SCRIPT_TIMEOUT", Value: "1s"}, variable{Key: "RUNNER_AFTER_SCRIPT_TIMEOUT", Value: "1s"},
	).afterScript("echo after $CI_JOB_STATUS; sleep 100"))
	if final.FailureReason != "job_execution_timeout" {
		t.Errorf("got %+v, want job_execution_timeout", final)
	}
	wantContains(t, log, "after failed\n", "after_script failed, but job will continue unaffected", "longer than 1s")
}

func TestCancelGracefully(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("trap 'echo got TERM; exit 0' TERM", "touch out.txt; echo ticking; while true; do sleep 0.05; echo tick; done").
		afterScript("echo after $CI_JOB_STATUS")
	job.Artifacts = []artifact{{Name: "x", Paths: []string{"out.txt"}, When: "always"}, {Name: "y", Paths: []string{"out.txt"}}}
	s.enqueue(job)
	s.testRunner()
	s.waitLog(101, "tick\n")
	s.setStatus("canceling")
	final := s.waitFinal(101)
	if final.State != "failed" || final.FailureReason != "job_canceled" || final.ExitCode != 0 {
		t.Errorf("got %+v, want job_canceled", final)
	}
	wantContains(t, s.logOf(101), "got TERM\n", "WARNING: script canceled externally (UI, API)", "after canceled\n",
		"upload_artifacts_on_failure", "ERROR: Job failed: canceled\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.uploads) != 1 || s.uploads[0].filename != "x.zip" {
		t.Errorf("got uploads %v, want x.zip alone", s.uploads)
	}
}

func TestCancelReasonUnknownToServer(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("echo ticking; sleep 100")
	job.Features.FailureReasons = []string{"unknown_failure"}
	s.enqueue(job)
	s.setStatus("canceling")
	s.testRunner()
	if final := s.waitFinal(101); final.FailureReason != "unknown_failure" {
		t.Errorf("got %+v, want unknown_failure", final)
	}
}

func TestCancelHard(t *testing.T) {
	for name, script := range map[string]func(call, http.ResponseWriter) bool{
		"forbidden": func(c call, w http.ResponseWriter) bool {
			w.Header().Set("Job-Status", "canceled")
			answerJSON(w, 403, `{"message":"403 Forbidden"}`)
			return true
		},
		"status alone": func(c call, w http.ResponseWriter) bool {
			w.Header().Set("Job-Status", "canceled")
			w.WriteHeader(202)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeServer(t)
			mark := filepath.Join(t.TempDir(), "after")
			s.enqueue(newPayload("trap '' TERM", "echo pid $$ end; while true; do sleep 0.05; echo tick; done").afterScript("touch " + mark))
			stop := s.testRunner()
			s.waitLog(101, " end\n")
			pid := between(s.logOf(101), "\npid ", " end")
			var after atomic.Int32
			s.respond(func(c call, w http.ResponseWriter) bool {
				if !c.is("PATCH") && !c.is("PUT") {
					return false
				}
				after.Add(1)
				return script(c, w)
			})
			s.waitFor("end of the process", func() bool { return !alive(pid) })
			stop()
			if final, reported := s.finalOf(101); reported {
				t.Errorf("reported %+v, want silence", final)
			}
			if n := after.Load(); n != 1 {
				t.Errorf("got %d requests from the refusal on, want 1", n)
			}
			if _, err := os.Stat(mark); err == nil {
				t.Error("after_script ran")
			}
		})
	}
}

func TestCanceledBeforeItBegan(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload("echo hi"))
	s.respond(func(c call, w http.ResponseWriter) bool {
		if c.is("PUT") {
			answerJSON(w, 403, `{}`)
			return true
		}
		return false
	})
	stop := s.testRunner()
	s.waitFor("the next poll", func() bool { return len(s.called("PUT")) == 1 && len(s.called("POST /jobs/request")) > 1 })
	stop()
	if got := s.called("P"); slices.ContainsFunc(got, func(c call) bool { return c.is("PATCH") }) {
		t.Error("the job ran")
	}
}

func TestShutdown(t *testing.T) {
	s := newFakeServer(t)
	s.enqueue(newPayload("(trap '' TERM; echo pid $BASHPID end; sleep 100) & echo started; wait").afterScript("echo never"))
	stop := s.testRunner()
	s.waitLog(101, " end\n")
	pid := between(s.logOf(101), "pid ", " end")
	stop()
	if alive(pid) {
		t.Errorf("process %s lives after Run", pid)
	}
	final, _ := s.finalOf(101)
	if final.State != "failed" || final.FailureReason != "runner_system_failure" {
		t.Errorf("got %+v, want runner_system_failure", final)
	}
	wantContains(t, s.logOf(101), "ERROR: Job failed (system failure): aborted: the runner is shutting down")
	wantMissing(t, s.logOf(101), "never")
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestNothingOutlivesItsStage(t *testing.T) {
	s := newFakeServer(t)
	final, log := s.runOne(newPayload(
		"sleep 100 & echo a $! end",
		"set -m; (trap '' TERM; while true; do sleep 1; done) & echo b $! end", // a group of its own, in the session
	))
	if final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	for _, name := range []string{"a", "b"} {
		pid := between(log, "\n"+name+" ", " end")
		if pid == "" || alive(pid) {
			t.Errorf("process %s (%s) lives after the job", name, pid)
		}
	}
}

func TestSeveralJobsAtOnce(t *testing.T) {
	s := newFakeServer(t)
	meet := t.TempDir()
	for id := int64(1); id <= 3; id++ {
		job := newPayload(fmt.Sprintf("touch %s/%d; until test $(ls %s | wc -l) = 3; do sleep 0.02; done; echo $CI_CONCURRENT_ID $PWD", meet, id, meet))
		job.ID = id
		s.enqueue(job)
	}
	s.testRunner(func(r *Runner) { r.config.Concurrency = 3 })
	for id := int64(1); id <= 3; id++ {
		if final := s.waitFinal(id); final.State != "success" {
			t.Errorf("job %d: got %+v, want success", id, final)
		}
	}
}

func TestOnce(t *testing.T) {
	s := newFakeServer(t)
	second := newPayload("echo second")
	second.ID = 102
	s.enqueue(newPayload("echo first"), second)
	r, err := New(Config{URL: s.http.URL + "/", Token: "glrt-x", WorkDir: t.TempDir(), Once: true, Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Errorf("Run: %v", err)
	}
	_, first := s.finalOf(101)
	if _, both := s.finalOf(102); !first || both {
		t.Errorf("got first job done %v, second %v; want the first alone", first, both)
	}
}

func TestRefusedToken(t *testing.T) {
	s := newFakeServer(t)
	s.respond(func(c call, w http.ResponseWriter) bool {
		answerJSON(w, 403, `{"message":"403 Forbidden"}`)
		return true
	})
	r, err := New(Config{URL: s.http.URL, Token: "glrt-secret", WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(t.Context())
	if err == nil || err.Error() != "verify runner: 403 Forbidden (403 Forbidden)" {
		t.Errorf("got %v, want the server's refusal", err)
	}
}

func TestPolling(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("true")
	var asked atomic.Int32
	s.respond(func(c call, w http.ResponseWriter) bool {
		if !c.is("POST /jobs/request") {
			return false
		}
		switch asked.Add(1) {
		case 2:
			w.WriteHeader(409)
			return true
		case 3:
			w.WriteHeader(503)
			return true
		case 4:
			body, _ := json.Marshal(job)
			answerJSON(w, 201, string(body))
			return true
		}
		return false
	})
	stop := s.testRunner()
	s.waitFinal(101)
	s.waitFor("two more polls", func() bool { return asked.Load() > 6 })
	stop()
	var got []string
	for _, c := range s.called("POST /jobs/request")[:6] {
		var r jobRequest
		if err := json.Unmarshal(c.body, &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.LastUpdate)
	}
	// The version is sent back until there was a job, which makes the queue worth a look again.
	if want := []string{"", "queue-v2", "queue-v2", "queue-v2", "", "queue-v2"}; !slices.Equal(got, want) {
		t.Errorf("got last_update %q, want %q", got, want)
	}
}

func TestUnreadablePayloadIsReported(t *testing.T) {
	s := newFakeServer(t)
	var once atomic.Bool
	s.respond(func(c call, w http.ResponseWriter) bool {
		if c.is("POST /jobs/request") && once.CompareAndSwap(false, true) {
			answerJSON(w, 201, `{"id":101,"token":"jobtok-101","variables":[{"key":"A","value":5}],"steps":[]}`)
			return true
		}
		return false
	})
	s.testRunner()
	if final := s.waitFinal(101); final.State != "failed" || final.FailureReason != "runner_system_failure" {
		t.Errorf("got %+v, want runner_system_failure", final)
	}
}

func TestNullsInPayload(t *testing.T) {
	s := newFakeServer(t)
	s.mu.Lock()
	s.queue = append(s.queue, []byte(`{"id":101,"token":"jobtok-101","job_info":null,"git_info":null,"runner_info":null,"variables":null,
		"steps":[{"name":"script","script":["echo minimal","pwd"]}],"artifacts":null,"cache":null,"dependencies":null,"features":null,"hooks":null,"image":null}`))
	s.mu.Unlock()
	s.testRunner()
	if final := s.waitFinal(101); final.State != "success" {
		t.Errorf("got %+v, want success\n%s", final, s.logOf(101))
	}
	wantMissing(t, s.logOf(101), "section_start")
	wantContains(t, s.logOf(101), "minimal\n", "/0/project-0\n")
}

func TestNewChecksConfig(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{URL: "http://x", WorkDir: dir}, "runner needs a token and a working directory"},
		{Config{URL: "ftp://x", Token: "t", WorkDir: dir}, "runner URL must be http://HOST or https://HOST"},
		{Config{URL: "http://x", Token: "t", WorkDir: dir, Path: "/nonexistent"}, "no bash and no sh in /nonexistent"},
		{Config{URL: "http://x", Token: "t", WorkDir: dir, User: "no-such-account"}, "no-such-account"},
	} {
		if _, err := New(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.config, err, c.want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for given, want := range map[string]string{
		"http://h:1": "http://h:1/api/v4", "http://h/": "http://h/api/v4", "https://h/ci": "https://h/ci/api/v4", "https://h/x/": "https://h/x/api/v4",
	} {
		c, err := newClient(Config{URL: given}, "bash")
		if err != nil || c.base != want {
			t.Errorf("%s: got %v, %v; want %s", given, c, err, want)
		}
	}
}
