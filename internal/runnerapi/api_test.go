package runnerapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

const oneJob = "build: {script: [make]}\n"

// expect compares status and body of an answer; a body of "" is not looked at.
func expect(t *testing.T, what string, got answer, status int, body string) {
	t.Helper()
	if got.status != status || body != "" && strings.TrimSpace(string(got.body)) != body {
		t.Errorf("%s: got %d %s, want %d %s", what, got.status, got.body, status, body)
	}
}

// expectHeader compares a header; "" means that it is not there.
func expectHeader(t *testing.T, what string, got answer, name, want string) {
	t.Helper()
	if got := got.header.Get(name); got != want {
		t.Errorf("%s: got %s %q, want %q", what, name, got, want)
	}
}

func TestNewRefusesToMissAPart(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("got no error")
	}
}

func TestVerify(t *testing.T) {
	w := newWorld(t, "", options{})
	runner, token := w.runner(engine.RunnerSettings{})
	body := fmt.Sprintf(`{"id":%d,"token":%q,"token_expires_at":null}`, runner.ID, token)
	expect(t, "JSON", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token, "system_id": "s_1", "unknown": map[string]any{"x": 1}}), 200, body)
	a := w.form("POST", "/api/v4/runners/verify", url.Values{"token": {token}, "system_id": {"s_1"}})
	expect(t, "form", a, 200, body)
	expectHeader(t, "form", a, "Content-Type", "application/json")
	expect(t, "no token", w.send("POST", "/api/v4/runners/verify", map[string]any{}), 400, `{"error":"token is missing"}`)
	expect(t, "unknown token", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": "glrt-x"}), 403, `{"message":"403 Forbidden"}`)
	w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token, "info": map[string]any{"version": "15.4.2"}})
	managers, err := w.view.Managers(t.Context(), runner.ID)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range managers {
		ids = append(ids, m.SystemID+" "+m.Version)
	}
	if want := []string{"<legacy> 15.4.2", "s_1 "}; !slices.Equal(ids, want) {
		t.Errorf("machines: got %q, want %q", ids, want)
	}
	if seen, err := w.view.Runner(t.Context(), runner.ID); err != nil || seen.ContactedAt.IsZero() {
		t.Errorf("contact of the runner: got %v, %v", seen.ContactedAt, err)
	}
}

// form sends a form.
func (w *world) form(method, path string, values url.Values) answer {
	w.t.Helper()
	a, err := w.do(w.t.Context(), method, path, strings.NewReader(values.Encode()), "Content-Type: application/x-www-form-urlencoded")
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func TestRegistrationTokensAreGone(t *testing.T) {
	w := newWorld(t, "", options{})
	a := w.send("POST", "/api/v4/runners", map[string]any{"token": "GR1348941abc", "description": "old"})
	if message, _ := a.field("message").(string); a.status != 410 || !strings.HasPrefix(message, "410 Gone - ") {
		t.Errorf("got %d %s, want 410", a.status, a.body)
	}
	expect(t, "without a token", w.send("POST", "/api/v4/runners", map[string]any{}), 400, `{"error":"token is missing"}`)
}

func TestRunnersLeave(t *testing.T) {
	w := newWorld(t, "", options{})
	_, token := w.runner(engine.RunnerSettings{})
	for _, system := range []string{"s_1", "s_2"} {
		w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token, "system_id": system})
	}
	managers := "/api/v4/runners/managers"
	expect(t, "no system id", w.send("DELETE", managers, map[string]any{"token": token}), 400, `{"error":"system_id is missing"}`)
	expect(t, "nothing", w.send("DELETE", managers, map[string]any{}), 400, `{"error":"token is missing, system_id is missing"}`)
	expect(t, "unknown token", w.send("DELETE", managers, map[string]any{"token": "x", "system_id": "s_1"}), 403, "")
	expect(t, "unknown machine", w.send("DELETE", managers, map[string]any{"token": token, "system_id": "s_3"}), 404, "")
	expect(t, "machine", w.send("DELETE", managers, map[string]any{"token": token, "system_id": "s_1"}), 204, "")
	expect(t, "machine again", w.send("DELETE", managers, map[string]any{"token": token, "system_id": "s_1"}), 404, "")
	expect(t, "the runner stays", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token, "system_id": "s_1"}), 200, "")

	expect(t, "runner without a token", w.send("DELETE", "/api/v4/runners", map[string]any{}), 400, `{"error":"token is missing"}`)
	expect(t, "runner", w.send("DELETE", "/api/v4/runners", map[string]any{"token": token}), 204, "")
	expect(t, "runner again", w.send("DELETE", "/api/v4/runners", map[string]any{"token": token}), 403, `{"message":"403 Forbidden"}`)
	expect(t, "its poll", w.send("POST", "/api/v4/jobs/request", map[string]any{"token": token}), 403, `{"message":"403 Forbidden"}`)
}

func TestResetToken(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, old := w.runner(engine.RunnerSettings{})
	a := w.send("POST", "/api/v4/runners/reset_authentication_token", map[string]any{"token": old})
	token, _ := a.field("token").(string)
	if a.status != 201 || !strings.HasPrefix(token, "glrt-") || token == old {
		t.Fatalf("got %d %s, want 201 with a new token", a.status, a.body)
	}
	if expires, has := a.field().(map[string]any)["token_expires_at"]; !has || expires != nil {
		t.Errorf("token_expires_at: got %v, want null", expires)
	}
	expect(t, "old token", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": old}), 403, "")
	expect(t, "new token", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token}), 200, "")
	expect(t, "unknown", w.send("POST", "/api/v4/runners/reset_authentication_token", map[string]any{"token": old}), 403, "")
}

func TestRoutersAreDeclined(t *testing.T) {
	w := newWorld(t, "", options{})
	expect(t, "discovery", w.send("GET", "/api/v4/runners/router/discovery", nil, "Runner-Token: x"), 501, `{"message":"501 Not Implemented"}`)
}

func TestUnknownTokensAreLimited(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	job := w.take(token)
	for i := range 30 {
		path, body := "/api/v4/runners/verify", map[string]any{"token": "glrt-guess"}
		if i%2 == 0 {
			path = "/api/v4/jobs/request"
		}
		expect(t, "guess", w.send("POST", path, body), 403, "")
	}
	a := w.send("PUT", fmt.Sprintf("/api/v4/jobs/%d", job.id), map[string]any{"token": "glcbt-guess", "state": "success"})
	expect(t, "one guess too many", a, 429, "")
	if a.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	expect(t, "right token", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token}), 200, "")
	expect(t, "right job token", w.finish(job, "success"), 200, "200")
	expect(t, "token of a job that is over", w.finish(job, "success"), 403, "")
}

func TestReports(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	job := w.take(token)
	path := fmt.Sprintf("/api/v4/jobs/%d", job.id)
	put := func(what string, body map[string]any, status int, jobStatus string, header ...string) {
		t.Helper()
		a := w.send("PUT", path, body, header...)
		expect(t, what, a, status, "")
		expectHeader(t, what, a, "Job-Status", jobStatus)
	}
	put("no token", map[string]any{"state": "running"}, 403, "")
	put("wrong token", map[string]any{"state": "running", "token": "x"}, 403, "")
	put("running, token in the body", map[string]any{"state": "running", "token": job.token, "output": map[string]any{}}, 200, "running")
	put("running, token in the header", map[string]any{"state": "running"}, 200, "running", "Job-Token: "+job.token)
	put("the parameter wins", map[string]any{"state": "running", "token": "x"}, 403, "", "Job-Token: "+job.token)
	put("heartbeat with a checksum", map[string]any{"state": "running", "token": job.token, "checksum": "crc32:00000000",
		"output": map[string]any{"checksum": "crc32:00000000", "bytesize": 0}}, 200, "running")
	put("pending", map[string]any{"state": "pending", "token": job.token}, 400, "running")
	put("unknown state", map[string]any{"state": "canceled", "token": job.token}, 400, "running")
	put("no state", map[string]any{"token": job.token}, 400, "running")
	put("nulls and unknown fields", map[string]any{"token": job.token, "state": "running", "failure_reason": nil, "exit_code": nil,
		"output": nil, "info": nil, "environment_key": "x"}, 200, "running")
	form := w.form("PUT", path, url.Values{"token": {job.token}, "state": {"failed"}, "failure_reason": {"script_failure"}, "exit_code": {"3"}})
	expect(t, "failed, as a form", form, 200, "200")
	expectHeader(t, "failed", form, "Job-Status", "failed")
	got := w.job(job.id)
	if got.Status != ci.Failed || got.FailureReason != ci.ScriptFailure || got.ExitCode != 3 {
		t.Errorf("job: got %s %s %d", got.Status, got.FailureReason, got.ExitCode)
	}
	a := w.send("PUT", path, map[string]any{"token": job.token, "state": "failed"})
	expect(t, "the same again", a, 403, `{"message":"403 Forbidden - Job is not running"}`)
	expectHeader(t, "the same again", a, "Job-Status", "failed")
	put("a heartbeat that comes late", map[string]any{"token": job.token, "state": "running"}, 403, "failed")
	expect(t, "job that never was", w.send("PUT", "/api/v4/jobs/99999", map[string]any{"token": job.token, "state": "running"}), 403, `{"message":"403 Forbidden"}`)
	expect(t, "no id", w.send("PUT", "/api/v4/jobs/one", map[string]any{"token": job.token, "state": "running"}), 400, `{"error":"id is invalid"}`)
	w.check()
}

func TestFailureReasons(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	for sent, want := range map[string]ci.FailureReason{
		"job_execution_timeout": ci.JobExecutionTimeout, "image_pull_failure": "image_pull_failure",
		"made_up": ci.UnknownFailure, "": ci.UnknownFailure,
	} {
		w.start()
		job := w.take(token)
		w.send("PUT", fmt.Sprintf("/api/v4/jobs/%d", job.id), map[string]any{"token": job.token, "state": "failed", "failure_reason": sent})
		if got := w.job(job.id).FailureReason; got != want {
			t.Errorf("%q: got %q, want %q", sent, got, want)
		}
	}
}

func TestLog(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	job := w.take(token)
	path := fmt.Sprintf("/api/v4/jobs/%d/trace?debug_trace=false", job.id)
	step := func(what string, a answer, status int, length string) {
		t.Helper()
		expect(t, what, a, status, "")
		expectHeader(t, what, a, "Range", length)
		expectHeader(t, what, a, "Job-Status", "running")
		expectHeader(t, what, a, "X-GitLab-Trace-Update-Interval", "3")
	}
	step("first piece", w.patch(job, 0, "hello\r\n"), 202, "0-7")
	step("the same again", w.patch(job, 0, "hello\r\n"), 416, "0-7")
	step("a gap", w.patch(job, 9, "later"), 416, "0-7")
	step("second piece", w.patch(job, 7, "w\xc3"), 202, "0-9") // half a letter
	step("nothing", w.patch(job, 9, ""), 202, "0-9")
	step("rest of the letter", w.patch(job, 9, "\xb6rld"), 202, "0-13")

	a := w.send("PATCH", path, nil, "Job-Token: "+job.token)
	expect(t, "no range", a, 400, `{"error":"400 Missing header Content-Range"}`)
	a = w.send("PATCH", path, nil, "Job-Token: "+job.token, "Content-Range: x-1")
	expect(t, "no number", a, 400, `{"error":"400 Invalid header Content-Range"}`)
	old, err := w.do(t.Context(), "PATCH", path+"&token="+job.token, strings.NewReader("!"), "Content-Range: 13-14/14")
	if err != nil {
		t.Fatal(err)
	}
	step("as very old runners write it", old, 202, "0-14")
	expect(t, "wrong token", w.patch(taken{id: job.id, token: "x"}, 14, "!"), 403, `{"message":"403 Forbidden"}`)
	step("the token itself", w.patch(job, 14, job.token+"."), 202, fmt.Sprintf("0-%d", 15+len(job.token)))
	w.finish(job, "success")
	if got, want := w.log(job.id), "hello\r\nwörld!"+strings.Repeat("x", len(job.token))+"."; got != want {
		t.Errorf("log: got %q, want %q", got, want)
	}
	a = w.patch(job, 15, "late")
	expect(t, "after the end", a, 403, `{"message":"403 Forbidden - Job is not running"}`)
	expectHeader(t, "after the end", a, "Job-Status", "success")
}

func TestLogOverTheLimitFailsTheJob(t *testing.T) {
	w := newWorld(t, oneJob, options{logBytes: 100})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	job := w.take(token)
	expect(t, "below", w.patch(job, 0, strings.Repeat("a", 90)), 202, "")
	a := w.patch(job, 90, strings.Repeat("b", 20))
	expect(t, "over", a, 403, "")
	expectHeader(t, "over", a, "Job-Status", "failed")
	if got := w.job(job.id); got.FailureReason != ci.TraceSizeExceeded {
		t.Errorf("reason: got %q", got.FailureReason)
	}
	if got := w.log(job.id); len(got) != 90 {
		t.Errorf("log: got %d bytes, want 90", len(got))
	}
	expect(t, "a piece that is too large", w.patch(w.takeNew(token), 0, strings.Repeat("c", 5<<20)), 413, "")
	w.check()
}

// takeNew starts a pipeline and takes its first job.
func (w *world) takeNew(token string) taken {
	w.t.Helper()
	w.start()
	return w.take(token)
}

func TestCancel(t *testing.T) {
	w := newWorld(t, "build: {script: [make], after_script: [bye]}\n", options{})
	_, token := w.runner(engine.RunnerSettings{})
	ask := func(features map[string]any) taken {
		t.Helper()
		w.start()
		a := w.send("POST", "/api/v4/jobs/request", map[string]any{"token": token, "info": map[string]any{"features": features}})
		id, _ := a.field("id").(float64)
		jobToken, _ := a.field("token").(string)
		return taken{ci.JobID(id), jobToken, a.body}
	}
	cancel := func(job taken) {
		t.Helper()
		if _, err := w.engine.CancelJob(t.Context(), w.root, w.project, job.id, false); err != nil {
			t.Fatal(err)
		}
	}

	gentle := ask(map[string]any{"cancel_gracefully": true})
	cancel(gentle)
	a := w.patch(gentle, 0, "stopping\n")
	expect(t, "log while canceling", a, 202, "")
	expectHeader(t, "log while canceling", a, "Job-Status", "canceling")
	a = w.upload(gentle, "archive", "zip", "a.zip", []byte("zip"))
	expect(t, "artifact while canceling", a, 201, "")
	expectHeader(t, "artifact while canceling", a, "Job-Status", "canceling")
	a = w.finish(gentle, "failed")
	expect(t, "end of a canceled job", a, 200, "200")
	expectHeader(t, "end of a canceled job", a, "Job-Status", "canceled")
	if got := w.log(gentle.id); got != "stopping\n" {
		t.Errorf("log: got %q", got)
	}

	hard := ask(map[string]any{"cancel_gracefully": false})
	w.patch(hard, 0, "running\n")
	cancel(hard)
	for what, a := range map[string]answer{
		"log":      w.patch(hard, 8, "more\n"),
		"report":   w.finish(hard, "success"),
		"artifact": w.upload(hard, "archive", "zip", "a.zip", []byte("zip")),
	} {
		expect(t, what+" after a hard cancel", a, 403, `{"message":"403 Forbidden - Job is not running"}`)
		expectHeader(t, what+" after a hard cancel", a, "Job-Status", "canceled")
	}
	info, err := w.traces.Stat(t.Context(), int64(hard.id))
	if err != nil || !info.Finished {
		t.Errorf("log of a canceled job: got %+v, %v, want it finished", info, err)
	}
	w.check()
}

func TestArtifacts(t *testing.T) {
	w := newWorld(t, "build: {script: [make], artifacts: {paths: [out], reports: {junit: a.xml}}}\n", options{limits: engine.Limits{ArtifactBytes: 1 << 20}})
	_, token := w.runner(engine.RunnerSettings{})
	job := w.takeNew(token)
	zip := bytes.Repeat([]byte("zip!"), 1000)
	a := w.upload(job, "archive", "zip", "out/my.zip", zip)
	expect(t, "archive", a, 201, "201")
	expectHeader(t, "archive", a, "Job-Status", "running")
	expect(t, "the same again", w.upload(job, "archive", "zip", "my.zip", zip), 201, "201")
	expect(t, "another of the type", w.upload(job, "archive", "zip", "my.zip", zip[1:]), 400, "")
	expect(t, "report", w.upload(job, "junit", "gzip", "junit.xml.gz", []byte{0x1f, 0x8b}), 201, "")
	expect(t, "too large", w.upload(job, "metrics", "gzip", "m.gz", make([]byte, 1<<20+1)), 413, "")
	expect(t, "of the very limit", w.upload(job, "metrics", "gzip", "m.gz", make([]byte, 1<<20)), 201, "")
	expect(t, "wrong token", w.upload(taken{id: job.id, token: "x"}, "archive", "zip", "a.zip", zip), 403, `{"message":"403 Forbidden"}`)

	path := fmt.Sprintf("/api/v4/jobs/%d/artifacts", job.id)
	body, mediaType := form("sast.json", []byte("{}"), "token="+job.token, "artifact_type=sast", "artifact_format=raw", "expire_in=never")
	a, err := w.do(t.Context(), "POST", path, body, "Content-Type: "+mediaType)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "described by fields", a, 201, "")
	expect(t, "no form", w.send("POST", path, map[string]any{"file": "x"}, "Job-Token: "+job.token), 400, `{"error":"file is missing"}`)
	a, err = w.do(t.Context(), "POST", path, strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf"),
		"Content-Type: multipart/form-data; boundary=x", "Job-Token: "+job.token)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "half a form", a, 400, "")
	body, mediaType = form("a.json", []byte("{}"))
	a, err = w.do(t.Context(), "POST", path+"?expire_in=soon&artifact_type=dast", body, "Content-Type: "+mediaType, "Job-Token: "+job.token)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "bad duration", a, 400, `{"message":"400 Bad request - expire_in is not a duration"}`)

	a = w.send("GET", path+"?direct_download=true", nil, "Job-Token: "+job.token)
	expect(t, "download", a, 200, "")
	if !bytes.Equal(a.body, zip) {
		t.Errorf("download: got %d bytes, want %d", len(a.body), len(zip))
	}
	expectHeader(t, "download", a, "Content-Type", "application/zip")
	expectHeader(t, "download", a, "Content-Disposition", `attachment; filename=my.zip`)
	expectHeader(t, "download", a, "Content-Length", fmt.Sprint(len(zip)))
	expect(t, "download with a wrong token", w.send("GET", path, nil, "Job-Token: x"), 403, `{"message":"403 Forbidden"}`)
	w.finish(job, "success")
	expect(t, "download after the end", w.send("GET", path, nil, "Job-Token: "+job.token), 403, "")

	artifacts, err := w.view.Artifacts(t.Context(), []ci.JobID{job.id})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, stored := range artifacts[job.id] {
		got = append(got, fmt.Sprintf("%s %s %s %d", stored.Type, stored.Format, stored.Name, stored.Size))
	}
	want := []string{"archive zip my.zip 4000", "junit gzip junit.xml.gz 2", "metrics gzip m.gz 1048576", "sast raw sast.json 2"}
	if !slices.Equal(got, want) {
		t.Errorf("stored: got %q, want %q", got, want)
	}
	other := w.takeNew(token)
	expect(t, "download by another job of the project", w.send("GET", path, nil, "Job-Token: "+other.token), 200, "")
	expect(t, "of a job without artifacts", w.send("GET", fmt.Sprintf("/api/v4/jobs/%d/artifacts", other.id), nil, "Job-Token: "+other.token), 404, `{"message":"404 Not Found"}`)
	w.later(8 * 24 * 60 * 60 * 1e9)
	expect(t, "expired", w.send("GET", path, nil, "Job-Token: "+other.token), 404, "")
}

// Artifacts of another project: as far as its job token scope and the access of the
// artifact go.
func TestArtifactsOfAnotherProject(t *testing.T) {
	w := newWorld(t, "build: {script: [make], artifacts: {paths: [out]}}\nhide: {script: [make], artifacts: {paths: [out], access: none}}\n", options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	open, closed := w.take(token), w.take(token)
	for _, job := range []taken{open, closed} {
		expect(t, "upload", w.upload(job, "archive", "zip", "a.zip", []byte("zip")), 201, "")
		w.finish(job, "success")
	}
	target := w.project
	var err error
	if w.project, err = w.engine.CreateProject(t.Context(), w.root, engine.NewProject{Path: "other"}); err != nil {
		t.Fatal(err)
	}
	w.commit(oneJob)
	job := w.takeNew(token)
	get := func(id ci.JobID) answer {
		return w.send("GET", fmt.Sprintf("/api/v4/jobs/%d/artifacts", id), nil, "Job-Token: "+job.token)
	}
	if a := get(open.id); a.status != 403 && a.status != 404 {
		t.Errorf("not in scope: got %d", a.status)
	}
	if err := w.engine.AllowJobTokenOf(t.Context(), w.root, target, w.project.ID); err != nil {
		t.Fatal(err)
	}
	expect(t, "in scope", get(open.id), 200, "zip")
	expect(t, "artifact for nobody", get(closed.id), 403, "")
}

// A built-in runner that starts anew ends what the one before it was running.
func TestBuiltInRunnerStartsAnew(t *testing.T) {
	w := newWorld(t, "build: {script: [make], retry: 1}\n", options{})
	token, err := w.engine.BuiltInRunner(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	pipeline, _ := w.start()
	old := w.take(token)
	expect(t, "same process", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token, "system_id": "s_test"}), 200, "")
	if got := w.job(old.id).Status; got != ci.Running {
		t.Errorf("same process: got %s", got)
	}
	expect(t, "next process", w.send("POST", "/api/v4/runners/verify", map[string]any{"token": token, "system_id": "s_next"}), 200, "")
	if got := w.job(old.id); got.Status != ci.Failed || got.FailureReason != ci.RunnerSystemFailure {
		t.Errorf("next process: got %s %s", got.Status, got.FailureReason)
	}
	if got := w.jobs(pipeline.ID)["build"]; got.ID == old.id || got.Status != ci.Pending {
		t.Errorf("retry: got job %d, %s", got.ID, got.Status)
	}
	a := w.finish(old, "success")
	expect(t, "report of the old one", a, 403, "")
	expectHeader(t, "report of the old one", a, "Job-Status", "failed")
	w.check()
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	job := w.takeNew(token)
	w.patch(job, 0, "x")
	w.upload(job, "archive", "zip", "a.zip", []byte("x"))
	w.send("GET", fmt.Sprintf("/api/v4/jobs/%d/artifacts?token=%s", job.id, job.token), nil)
	w.send("POST", "/api/v4/jobs/request?token=glrt-guessed", nil)
	w.finish(job, "success")
	for _, secret := range []string{token, job.token, "glrt-guessed"} {
		if strings.Contains(w.logged(), secret) {
			t.Errorf("the log of the server has %s", secret)
		}
	}
}

func TestPayloadIsWholeJSON(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	a, err := w.do(context.Background(), "POST", "/api/v4/jobs/request", strings.NewReader(`{"token":"`+token+`"}`), "Content-Type: application/json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(a.body) || a.status != http.StatusCreated {
		t.Errorf("got %d %s", a.status, a.body)
	}
	expectHeader(t, "job", a, "Content-Type", "application/json")
	expectHeader(t, "job", a, "X-GitLab-Last-Update", "")
}
