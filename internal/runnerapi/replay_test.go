package runnerapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A recorded exchange is a request that a stock runner sent, and the answer that
// it got.
type recorded struct {
	at     string // "+4.49s PATCH": names it in a conversation
	method string
	path   string
	length int // of the body; -1: chunked
	header map[string]string
	body   string

	status       int
	answerHeader map[string]string
}

// readConversation reads a file of testdata/wire.
func readConversation(t *testing.T, name string) []recorded {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "wire", name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	var list []recorded
	lines := bufio.NewReader(bytes.NewReader(data))
	var e *recorded
	answered, inBody := false, false
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		switch indented := strings.TrimPrefix(line, "    "); {
		case strings.HasPrefix(line, "=== "):
			list = append(list, recorded{header: map[string]string{}, answerHeader: map[string]string{}})
			e, answered, inBody = &list[len(list)-1], false, false
			var at string
			if _, err := fmt.Sscanf(line, "=== %s %s %s (content-length %d,", &at, &e.method, &e.path, &e.length); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			e.at = at + " " + e.method
		case strings.HasPrefix(line, "  --> "):
			answered, inBody = true, false
			if e.status, err = strconv.Atoi(strings.TrimPrefix(line, "  --> ")); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
		case line == "  body:":
			inBody = true
		case indented == line: // between two exchanges
		case inBody && !answered:
			e.body += indented + "\n"
		case !inBody:
			key, value, _ := strings.Cut(indented, ": ")
			if answered {
				e.answerHeader[key] = value
			} else {
				e.header[key] = value
			}
		}
		if err == io.EOF {
			return list
		}
	}
}

// bytes gives the body as it was sent. Of a binary one the beginning is written
// down, as a Go string: the rest of the file and the end of the form are made up,
// to the length that it had. The paths and addresses in logs were shortened after the recording, so a text is
// cut or filled up to the length that it had.
func (e *recorded) bytes(t *testing.T) []byte {
	t.Helper()
	text := strings.TrimSuffix(e.body, "\n")
	if text == "(empty)" {
		return nil
	}
	if size, quoted, ok := strings.Cut(text, " bytes, binary) "); ok {
		begin, err := strconv.Unquote(quoted)
		length, err2 := strconv.Atoi(strings.TrimPrefix(size, "("))
		_, media, err3 := mime.ParseMediaType(e.header["Content-Type"])
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatalf("%s: %v", e.at, err)
		}
		end := "\r\n--" + media["boundary"] + "--\r\n"
		if begin = strings.TrimSuffix(begin, end); len(begin)+len(end) > length {
			t.Fatalf("%s: more than %d bytes", e.at, length)
		}
		return fmt.Appendf(nil, "%-*s%s", length-len(end), begin, end)
	}
	if e.length < 0 || e.header["Content-Type"] == "application/json" {
		return []byte(text)
	}
	return fmt.Appendf(nil, "%-*s", e.length, text)[:e.length]
}

// An expectation is an answer that differs from the recorded one.
type expectation struct {
	status    int
	jobStatus string
	length    string // header Range
}

// A conversation is a file with what happens meanwhile and where this server
// answers in another way than the one that was recorded.
type conversation struct {
	file   string
	before map[string]func(*replay)
	want   map[string]expectation
	status ci.Status // of the job at the end
	reason ci.FailureReason
	limit  int64 // bytes of an artifact
}

// A replay is a conversation under way: what the recorded ids and tokens are here.
type replay struct {
	*world
	dep, job    ci.Job
	runnerToken string
	jobToken    string
	cursor      string
}

const conversationConfig = `
stages: [prepare, build]
dep: {stage: prepare, script: [x], artifacts: {paths: [from-dep.txt]}}
build:
  stage: build
  script: [make]
  after_script: [echo bye]
  artifacts: {name: my-artifacts, paths: [out/], expire_in: 1 week, reports: {junit: out/a.txt}}
`

var (
	gone   = expectation{status: 410}
	over   = expectation{403, "canceled", ""}
	cancel = func(r *replay) {
		if _, err := r.engine.CancelJob(r.t.Context(), r.root, r.project, r.job.ID, false); err != nil {
			r.t.Fatal(err)
		}
	}
	// The machine crashed and lost the end of the log.
	loseLog = func(r *replay) {
		ctx, id := r.t.Context(), int64(r.job.ID)
		text := r.log(r.job.ID)[:1078]
		if err := r.traces.Delete(ctx, []int64{id}); err != nil {
			r.t.Fatal(err)
		}
		if _, err := r.traces.Append(ctx, id, 0, []byte(text), nil); err != nil {
			r.t.Fatal(err)
		}
	}
)

var conversations = []conversation{
	{file: "18.5-success", status: ci.Success},
	{file: "18.5-fail", status: ci.Failed, reason: ci.ScriptFailure},
	{file: "18.5-timeout", status: ci.Failed, reason: ci.JobExecutionTimeout},
	{file: "18.5-silent", status: ci.Success},
	{
		file: "18.5-cancel", status: ci.Canceled,
		before: map[string]func(*replay){"+10.36s PATCH": cancel},
		want:   map[string]expectation{"+11.92s PUT": {200, "canceled", ""}}, // the recorded server said failed
	},
	{
		file: "18.5-cancel-hard", status: ci.Canceled,
		before: map[string]func(*replay){"+10.29s PATCH": func(r *replay) {
			if r.job = r.world.job(r.job.ID); r.job.Status == ci.Running { // two requests have this name
				cancel(r)
				if _, err := r.engine.CancelJob(r.t.Context(), r.root, r.project, r.job.ID, true); err != nil {
					r.t.Fatal(err)
				}
			}
		}},
	},
	{file: "18.5-range", status: ci.Success, before: map[string]func(*replay){"+7.36s PATCH": loseLog}},
	{
		file: "18.5-repeated-end", status: ci.Success,
		want: map[string]expectation{ // no 202: the log is stored when the report is answered
			"+5.56s PUT": {200, "success", ""}, "+7.56s PUT": {403, "success", ""},
		},
	},
	{file: "18.5-artifact-too-large", status: ci.Failed, reason: ci.ScriptFailure, limit: 200},
	{file: "15.4-success", status: ci.Success, want: map[string]expectation{"+1.37s POST": gone}},
	{
		file: "15.4-cancel", status: ci.Canceled,
		before: map[string]func(*replay){"+10.73s PATCH": cancel},
		want: map[string]expectation{ // this runner cannot wind a job down
			"+1.28s POST": gone, "+10.73s PATCH": over, "+10.81s PATCH": over, "+10.81s PUT": over,
		},
	},
}

// TestRecordedConversations says what stock runners said, in order, and compares
// what matters of the answers.
func TestRecordedConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.file, func(t *testing.T) {
			r := newReplay(t, c)
			for _, e := range readConversation(t, c.file) {
				if act := c.before[e.at]; act != nil {
					act(r)
				}
				want, differs := c.want[e.at]
				if !differs {
					want = expectation{e.status, e.answerHeader["Job-Status"], e.answerHeader["Range"]}
				}
				r.compare(e, r.say(e), want)
			}
			got := r.world.job(r.job.ID)
			if got.Status != c.status || got.FailureReason != c.reason {
				t.Errorf("job: got %s %q, want %s %q", got.Status, got.FailureReason, c.status, c.reason)
			}
			if got.RunnerID == 0 || got.Graceful != strings.HasPrefix(c.file, "18") {
				t.Errorf("job: got runner %d, graceful %v", got.RunnerID, got.Graceful)
			}
			r.check()
		})
	}
}

// newReplay makes a world in which the job of the conversation waits.
func newReplay(t *testing.T, c conversation) *replay {
	t.Helper()
	w := newWorld(t, conversationConfig, options{limits: engine.Limits{ArtifactBytes: c.limit}})
	r := &replay{world: w}
	_, r.runnerToken = w.runner(engine.RunnerSettings{})
	pipeline, _ := w.start()
	dep := w.take(r.runnerToken)
	expect(t, "archive of the earlier job", w.upload(dep, "archive", "zip", "artifacts.zip", []byte("PK")), 201, "")
	w.finish(dep, "success")
	jobs := w.jobs(pipeline.ID)
	r.dep, r.job = jobs["dep"], jobs["build"]
	return r
}

// say sends a recorded request with the ids and tokens of this world.
func (r *replay) say(e recorded) answer {
	r.t.Helper()
	ids := strings.NewReplacer("/jobs/101", fmt.Sprint("/jobs/", r.job.ID), "/jobs/100", fmt.Sprint("/jobs/", r.dep.ID))
	secrets := strings.NewReplacer("glrt-0123456789abcdefghij", r.runnerToken, "rt-0123456789abcdefghij", r.runnerToken,
		"jobtok-101", r.jobToken, "queue-v2", r.cursor)
	body := e.bytes(r.t.(*testing.T))
	if e.header["Content-Type"] == "application/json" {
		body = []byte(secrets.Replace(string(body)))
	}
	var header []string
	for name, value := range e.header {
		if name != "Content-Length" && name != "Accept-Encoding" {
			header = append(header, name+": "+secrets.Replace(value))
		}
	}
	var stream io.Reader = bytes.NewReader(body)
	if e.length < 0 {
		stream = io.MultiReader(stream) // of no known length
	}
	a, err := r.do(r.t.Context(), e.method, ids.Replace(e.path), stream, header...)
	if err != nil {
		r.t.Fatalf("%s: %v", e.at, err)
	}
	if id := a.header.Get("X-GitLab-Last-Update"); id != "" {
		r.cursor = id
	}
	if token, ok := a.field("token").(string); ok && strings.HasSuffix(e.path, "/jobs/request") {
		r.jobToken = token
	}
	return a
}

// compare checks the status and the headers that runners look at.
func (r *replay) compare(e recorded, got answer, want expectation) {
	r.t.Helper()
	if got.status != want.status {
		r.t.Errorf("%s: got %d %s, want %d", e.at, got.status, got.body, want.status)
	}
	if id := e.header["X-Request-Id"]; id != "" && got.header.Get("X-Request-Id") != id {
		r.t.Errorf("%s: got X-Request-Id %q, want %q", e.at, got.header.Get("X-Request-Id"), id)
	}
	switch {
	case e.method == "PUT", e.method == "PATCH":
		for name, value := range map[string]string{"Job-Status": want.jobStatus, "Range": want.length} {
			if have := got.header.Get(name); have != value {
				r.t.Errorf("%s: got %s %q, want %q", e.at, name, have, value)
			}
		}
		if e.method == "PATCH" && got.header.Get("X-GitLab-Trace-Update-Interval") != "3" {
			r.t.Errorf("%s: got interval %q, want 3", e.at, got.header.Get("X-GitLab-Trace-Update-Interval"))
		}
	case want.status == http.StatusNoContent:
		if got.header.Get("X-GitLab-Last-Update") == "" || len(got.body) > 0 {
			r.t.Errorf("%s: got cursor %q and body %q", e.at, got.header.Get("X-GitLab-Last-Update"), got.body)
		}
	case e.method == "GET":
		if media, _, err := mime.ParseMediaType(got.header.Get("Content-Disposition")); err != nil || media != "attachment" {
			r.t.Errorf("%s: got Content-Disposition %q", e.at, got.header.Get("Content-Disposition"))
		}
	case e.answerHeader["Content-Type"] == "application/json":
		if media := got.header.Get("Content-Type"); media != "application/json" {
			r.t.Errorf("%s: got Content-Type %q", e.at, media)
		}
	}
}
