package runner

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer speaks the server's side of the protocol as the recorded conversations show it, keeps every request, and
// lets a test say something else for one of them.
type fakeServer struct {
	t    *testing.T
	http *httptest.Server

	mu      sync.Mutex // protects all fields below
	queue   [][]byte
	calls   []call
	log     map[int64][]byte
	final   map[int64]jobUpdate
	uploads []received
	stored  map[int64][]byte // archives to download, by job
	status  string           // Job-Status of jobs that run
	token   string           // accepted job token

	// script is asked first; when it returns true it has answered.
	script func(c call, w http.ResponseWriter) bool
	repos  string // root of bare repositories

	runner string // system id of the runner that runs now
}

// call is one request as it came.
type call struct {
	at     time.Time
	method string
	path   string // below /api/v4, with query
	header http.Header
	body   []byte
}

// is matches "PATCH /jobs/101/trace" by prefix.
func (c call) is(prefix string) bool { return strings.HasPrefix(c.method+" "+c.path, prefix) }

type received struct {
	query    string
	filename string
	body     []byte
	chunked  bool
}

func newFakeServer(t *testing.T) *fakeServer {
	s := &fakeServer{
		t: t, log: map[int64][]byte{}, final: map[int64]jobUpdate{}, stored: map[int64][]byte{}, status: "running", token: "jobtok-101",
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.http.Close)
	return s
}

func (s *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the runner went away
	}
	if !strings.HasPrefix(r.URL.Path, "/api/v4/") {
		s.git(w, r, body)
		return
	}
	c := call{
		at: time.Now(), method: r.Method, path: strings.TrimPrefix(r.URL.RequestURI(), "/api/v4"), header: r.Header.Clone(), body: body,
	}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	script := s.script
	s.mu.Unlock()
	if script != nil && script(c, w) {
		return
	}
	switch {
	case c.is("POST /runners/verify"):
		var v verifyRequest
		if err := json.Unmarshal(body, &v); err != nil {
			s.t.Errorf("verify %s: %v", body, err)
		}
		s.mu.Lock()
		s.runner = v.SystemID
		s.mu.Unlock()
		answerJSON(w, 200, `{"id":7,"token":"glrt-0123456789abcdefghij","token_expires_at":null}`)
	case c.is("POST /jobs/request"):
		s.request(w, r, body)
	default:
		s.job(w, r, c)
	}
}

func answerJSON(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

func (s *fakeServer) request(w http.ResponseWriter, r *http.Request, body []byte) {
	var asking jobRequest
	if err := json.Unmarshal(body, &asking); err != nil {
		s.t.Errorf("job request %s: %v", body, err)
	}
	for range 20 { // a short long poll
		s.mu.Lock()
		if len(s.queue) > 0 && asking.SystemID == s.runner {
			job := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			answerJSON(w, 201, string(job))
			return
		}
		s.mu.Unlock()
		if r.Context().Err() != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.Header().Set("X-GitLab-Last-Update", "queue-v2")
	w.WriteHeader(204)
}

func (s *fakeServer) job(w http.ResponseWriter, r *http.Request, c call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Job-Token") != s.token {
		answerJSON(w, 403, `{"message":"403 Forbidden"}`)
		return
	}
	id, _ := strconv.ParseInt(strings.Split(r.URL.Path, "/")[4], 10, 64)
	w.Header().Set("Job-Status", s.status)
	switch {
	case r.Method == "PUT":
		var u jobUpdate
		if err := json.Unmarshal(c.body, &u); err != nil {
			s.t.Errorf("PUT body %s: %v", c.body, err)
		}
		if u.State != "running" {
			s.final[id] = u
			w.Header().Set("Job-Status", u.State)
		}
		answerJSON(w, 200, "200")
	case r.Method == "PATCH":
		s.appendLog(w, id, c)
	case r.Method == "POST":
		s.upload(w, r, c)
	case r.Method == "GET" && s.stored[id] != nil:
		w.Header().Set("Content-Type", "application/zip")
		_, _ = w.Write(s.stored[id])
	default:
		answerJSON(w, 404, `{"message":"404 Not found"}`)
	}
}

func (s *fakeServer) appendLog(w http.ResponseWriter, id int64, c call) {
	var from, to int
	if _, err := fmt.Sscanf(c.header.Get("Content-Range"), "%d-%d", &from, &to); err != nil || to-from+1 != len(c.body) {
		s.t.Errorf("Content-Range %q for %d bytes", c.header.Get("Content-Range"), len(c.body))
	}
	code := 416
	if from == len(s.log[id]) {
		s.log[id] = append(s.log[id], c.body...)
		code = 202
	}
	w.Header().Set("Range", fmt.Sprintf("0-%d", len(s.log[id])))
	w.Header().Set("X-GitLab-Trace-Update-Interval", "3")
	w.WriteHeader(code)
}

func (s *fakeServer) upload(w http.ResponseWriter, r *http.Request, c call) {
	_, boundary, _ := strings.Cut(c.header.Get("Content-Type"), "boundary=")
	part, err := multipart.NewReader(bytes.NewReader(c.body), boundary).NextPart()
	if err != nil || part.FormName() != "file" {
		s.t.Errorf("upload without part file: %v", err)
		return
	}
	body, err := io.ReadAll(part)
	if err != nil {
		s.t.Errorf("upload: %v", err)
	}
	s.uploads = append(s.uploads, received{r.URL.RawQuery, part.FileName(), body, slices.Contains(r.TransferEncoding, "chunked")})
	answerJSON(w, 201, `{"message":"201 Created"}`)
}

// git serves repositories to those who know the job token, by git's own stateless programs.
func (s *fakeServer) git(w http.ResponseWriter, r *http.Request, body []byte) {
	repo, service, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	if user, password, _ := r.BasicAuth(); user != "gitlab-ci-token" || password != s.token {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		w.WriteHeader(401)
		return
	}
	args := []string{"-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack", "--stateless-rpc"}
	if service == "info/refs" {
		args = append(args, "--advertise-refs")
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = io.WriteString(w, "001e# service=git-upload-pack\n0000")
	} else {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			s.t.Errorf("git body: %v", err)
			return
		}
		body, _ = io.ReadAll(unzipped)
	}
	cmd := exec.Command("git", append(args, filepath.Join(s.repos, repo+".git"))...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_PROTOCOL=", "HOME=" + s.repos, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}
	cmd.Stdin, cmd.Stdout = bytes.NewReader(body), w
	_ = cmd.Run() // a client that goes away is no matter here
}

func (s *fakeServer) enqueue(jobs ...*payload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, job := range jobs {
		body, err := json.Marshal(job)
		if err != nil {
			s.t.Fatal(err)
		}
		s.queue = append(s.queue, body)
	}
}

func (s *fakeServer) respond(script func(c call, w http.ResponseWriter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

func (s *fakeServer) setStatus(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *fakeServer) logOf(id int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.log[id])
}

func (s *fakeServer) finalOf(id int64) (jobUpdate, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.final[id]
	return u, ok
}

// called gives the requests that begin like prefix ("PUT /jobs/101").
func (s *fakeServer) called(prefix string) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c call) bool { return !c.is(prefix) })
}

// waitFor polls a condition that the runner brings about, and shows the log when it does not.
func (s *fakeServer) waitFor(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.log)) {
		s.t.Logf("log of job %d:\n%s", id, s.log[id])
	}
	s.t.Fatalf("timed out waiting for %s", what)
}

func (s *fakeServer) waitLog(id int64, text string) {
	s.t.Helper()
	s.waitFor(fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(s.logOf(id), text) })
}

func (s *fakeServer) waitFinal(id int64) jobUpdate {
	s.t.Helper()
	s.waitFor("the final update", func() bool { _, ok := s.finalOf(id); return ok })
	u, _ := s.finalOf(id)
	return u
}

// testRunner starts a runner with short waits; stop ends its context and waits for Run.
func (s *fakeServer) testRunner(change ...func(*Runner)) (stop func()) {
	s.t.Helper()
	// MkdirTemp's folder is closed to other accounts, which some tests run jobs as.
	dir := s.t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		s.t.Fatal(err)
	}
	return s.startIn(filepath.Join(dir, "runner"), Config{}, change...)
}

func (s *fakeServer) startIn(dir string, c Config, change ...func(*Runner)) (stop func()) {
	s.t.Helper()
	c.URL, c.Token, c.WorkDir = s.http.URL, "glrt-0123456789abcdefghij", dir
	c.Name, c.Version, c.PollInterval = "demo", "1.2.3", 10*time.Millisecond
	c.Lang, c.Term, c.Path = "C.UTF-8", "dumb", os.Getenv("PATH")
	c.Logger = slog.New(slog.NewTextHandler(&testWriter{t: s.t}, nil))
	r, err := New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	r.timing.killGrace, r.timing.hurryGrace, r.timing.linger = 2*time.Second, time.Second, 300*time.Millisecond
	r.timing.report.first, r.timing.stream.first = 10*time.Millisecond, 10*time.Millisecond
	r.timing.poll.first, r.timing.retryFirst = 10*time.Millisecond, 10*time.Millisecond
	for _, f := range change {
		f(r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					s.t.Errorf("Run: %v", err)
				}
			case <-time.After(time.Minute):
				s.t.Error("Run does not return")
			}
			// A request that nobody waits for any more must not be given the next job.
			s.mu.Lock()
			s.runner = ""
			s.mu.Unlock()
		})
	}
	s.t.Cleanup(stop)
	return stop
}

// dialer connects every host name to one address.
func dialer(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// testWriter sends the runner's own log to the test's. All of it is written before Run returns.
type testWriter struct{ t *testing.T }

// Write logs a line.
func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// newPayload is the verified minimum of a job, as in the recorded edge cases, with a project.
func newPayload(script ...string) *payload {
	return &payload{
		ID: 101, Token: "jobtok-101",
		JobInfo:   jobInfo{Name: "build", Stage: "build", ProjectID: 1},
		Variables: []variable{{Key: "GIT_STRATEGY", Value: "none"}, {Key: "CI_PROJECT_PATH", Value: "root/demo"}},
		Steps:     []step{{Name: "script", Script: script, When: "on_success"}},
		Features:  features{TraceSections: true, FailureReasons: []string{"unknown_failure", "job_canceled"}},
	}
}

func (p *payload) with(v ...variable) *payload {
	p.Variables = append(p.Variables, v...)
	return p
}

func (p *payload) afterScript(script ...string) *payload {
	p.Steps = append(p.Steps, step{Name: "after_script", Script: script, When: "always", AllowFailure: true})
	return p
}

// runOne runs a job to its end and returns how it was reported and its log.
func (s *fakeServer) runOne(p *payload, change ...func(*Runner)) (jobUpdate, string) {
	s.t.Helper()
	s.enqueue(p)
	stop := s.testRunner(change...)
	final := s.waitFinal(p.ID)
	stop()
	return final, s.logOf(p.ID)
}

func wantContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

func wantMissing(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q should not be in:\n%s", part, text)
		}
	}
}

// zipOf makes an archive of name, content pairs; a name with a trailing "@" is a link to its content.
func zipOf(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		name, isLink := strings.CutSuffix(pairs[i], "@")
		header := &zip.FileHeader{Name: name}
		header.SetMode(0o644)
		if isLink {
			header.SetMode(os.ModeSymlink | 0o777)
		}
		w, err := archive.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzip lists an archive: name → content.
func unzip(t *testing.T, body []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
		_ = r.Close()
	}
	return files
}
