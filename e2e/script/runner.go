package script

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A runner is a scripted one: it speaks the runner API and does what the script
// says instead of running anything.
type runner struct {
	token string
	job   struct {
		ID        int64
		Token     string
		Variables []struct {
			Key, Value string
			File       bool
		}
	}
	log    []byte // of the job, as sent
	gentle bool
}

// runnerVerb does one thing that a runner does.
func (s *session) runnerVerb(ts *testscript.TestScript, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: runner new|take|none|log|upload|finish|variable …")
	}
	verbs := map[string]func(*testscript.TestScript, []string){
		"new": s.newRunner, "take": s.takeJob, "none": s.takeNothing, "log": s.appendLog, "upload": s.upload,
		"finish": s.finishJob, "variable": s.checkVariable,
	}
	verb := verbs[args[0]]
	if verb == nil {
		ts.Fatalf("a runner cannot %q", args[0])
	}
	verb(ts, args[1:])
}

// newRunner registers a runner of the instance that takes untagged jobs, unless
// the arguments say otherwise.
func (s *session) newRunner(ts *testscript.TestScript, args []string) {
	settings := map[string]any{"runner_type": "instance_type", "run_untagged": true}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		settings[key] = value
	}
	var made struct{ Token string }
	s.call(ts, "POST", "/user/runners", settings, &made)
	s.runner = runner{token: made.Token}
	ts.Setenv("RUNNER_TOKEN", made.Token)
}

// features is what the scripted runner says about itself.
var features = map[string]any{
	"variables": true, "artifacts": true, "artifacts_exclude": true, "trace_reset": true, "trace_checksum": true, "trace_size": true,
	"cancelable": true, "multi_build_steps": true, "return_exit_code": true, "upload_multiple_artifacts": true, "upload_raw_artifacts": true,
	"refspecs": true, "masking": true, "proxy": false, "raw_variables": true, "cache": true,
}

// How long the scripted runner lets the server hold its request for a job: a job
// that is there comes at once, and a script that expects none need not wait.
const (
	patient   = time.Minute
	impatient = 300 * time.Millisecond
)

// ask asks for a job and tells whether there is one.
func (s *session) ask(ts *testscript.TestScript, patience time.Duration) bool {
	if s.runner.token == "" {
		s.newRunner(ts, nil)
	}
	features := maps.Clone(features)
	features["cancel_gracefully"] = s.runner.gentle
	data, err := json.Marshal(map[string]any{
		"token": s.runner.token, "system_id": "s_script",
		"info": map[string]any{
			"name": "script", "version": "18.5.0", "revision": "00000000", "platform": "linux", "architecture": "amd64",
			"executor": "shell", "shell": "bash", "features": features,
		},
	})
	ts.Check(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req := s.runnerRequest(ts, "POST", "/jobs/request", bytes.NewReader(data)).WithContext(ctx)
	req.Header.Set("Content-Type", "application/json")
	status, body := s.do(ts, req)
	switch status {
	case 0:
		return false
	case http.StatusNoContent:
		return false
	case http.StatusCreated:
		s.runner.job.Variables, s.runner.log = nil, nil
		ts.Check(json.Unmarshal(body, &s.runner.job))
		ts.Setenv("JOB", strconv.FormatInt(s.runner.job.ID, 10))
		ts.Setenv("JOB_TOKEN", s.runner.job.Token)
		return true
	}
	ts.Fatalf("asking for a job answered %d: %s", status, body)
	return false
}

// takeJob takes a job; a gentle runner is one that winds canceled jobs down.
func (s *session) takeJob(ts *testscript.TestScript, args []string) {
	s.runner.gentle = len(args) == 1 && args[0] == "gentle"
	if !s.ask(ts, patient) {
		ts.Fatalf("there is no job for the runner")
	}
}

func (s *session) takeNothing(ts *testscript.TestScript, _ []string) {
	if s.ask(ts, impatient) {
		ts.Fatalf("there is a job for the runner: %d", s.runner.job.ID)
	}
}

// appendLog sends more of the log; \n is a line end.
func (s *session) appendLog(ts *testscript.TestScript, args []string) {
	data := []byte(strings.ReplaceAll(strings.Join(args, " "), `\n`, "\n"))
	start := len(s.runner.log)
	req := s.runnerRequest(ts, "PATCH", fmt.Sprintf("/jobs/%d/trace", s.runner.job.ID), bytes.NewReader(data))
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", start, start+len(data)-1))
	req.Header.Set("JOB-TOKEN", s.runner.job.Token)
	if status, body := s.do(ts, req); status != http.StatusAccepted {
		ts.Fatalf("appending to the log answered %d: %s", status, body)
	}
	s.runner.log = append(s.runner.log, data...)
}

// upload sends a file of the script as an artifact.
func (s *session) upload(ts *testscript.TestScript, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: runner upload FILE [KEY=VALUE…]")
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		ts.Check(w.WriteField(key, value))
	}
	part, err := w.CreateFormFile("file", filepath.Base(args[0]))
	ts.Check(err)
	_, err = io.WriteString(part, ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(w.Close())
	req := s.runnerRequest(ts, "POST", fmt.Sprintf("/jobs/%d/artifacts", s.runner.job.ID), &buf)
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("JOB-TOKEN", s.runner.job.Token)
	if status, body := s.do(ts, req); status != http.StatusCreated {
		ts.Fatalf("uploading %s answered %d: %s", args[0], status, body)
	}
}

// finishJob reports how the job ended.
func (s *session) finishJob(ts *testscript.TestScript, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: runner finish success|failed [REASON]")
	}
	report := map[string]any{
		"token": s.runner.job.Token, "state": args[0],
		"checksum": fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE(s.runner.log)),
		"output":   map[string]any{"checksum": fmt.Sprintf("crc32:%08x", crc32.ChecksumIEEE(s.runner.log)), "bytesize": len(s.runner.log)},
	}
	if args[0] == "failed" {
		report["failure_reason"], report["exit_code"] = "script_failure", 1
		if len(args) > 1 {
			report["failure_reason"] = args[1]
		}
	}
	status, body := s.runnerCall(ts, "PUT", fmt.Sprintf("/jobs/%d", s.runner.job.ID), s.runner.job.Token, report)
	if status != http.StatusOK {
		ts.Fatalf("finishing the job answered %d: %s", status, body)
	}
}

// checkVariable compares what the job gets to see; the last value of a key counts.
func (s *session) checkVariable(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: runner variable KEY WANT")
	}
	var got any
	for _, v := range s.runner.job.Variables {
		if v.Key == args[0] {
			got = v.Value
		}
	}
	if args[1] == ":absent" {
		if got != nil {
			ts.Fatalf("the job sees %s=%v", args[0], got)
		}
		return
	}
	if got == nil {
		ts.Fatalf("the job does not see %s", args[0])
	}
	want := args[1]
	if !strings.HasPrefix(want, "~") && !strings.HasPrefix(want, ":") && keep.FindString(want) == "" {
		want = "=" + strings.TrimPrefix(want, "=")
	}
	if problem := compare(ts, args[0], got, want); problem != "" {
		ts.Fatalf("the job sees: %s", problem)
	}
}

func (s *session) runnerCall(ts *testscript.TestScript, method, path, token string, body any) (int, []byte) {
	data, err := json.Marshal(body)
	ts.Check(err)
	req := s.runnerRequest(ts, method, path, bytes.NewReader(data))
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("JOB-TOKEN", token)
	}
	return s.do(ts, req)
}

func (s *session) runnerRequest(ts *testscript.TestScript, method, path string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+"/api/v4"+path, body)
	ts.Check(err)
	return req
}

// do sends a request; its status is 0 when the answer did not come in time.
func (s *session) do(ts *testscript.TestScript, req *http.Request) (int, []byte) {
	resp, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, nil
	}
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Logf("runner: %s %s [%d] %s", req.Method, req.URL.Path, resp.StatusCode, body)
	return resp.StatusCode, body
}
