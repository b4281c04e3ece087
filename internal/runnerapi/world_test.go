package runnerapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// A world is a server with everything that is real but its clock: a database, a
// repository, an engine, and the runner API before it on 127.0.0.1.
type world struct {
	t       testing.TB
	db      *store.DB
	view    *store.View
	hub     *hub.Hub
	traces  *trace.Traces
	engine  *engine.Engine
	root    engine.Caller
	project ci.Project
	server  *httptest.Server
	logged  func() string // what the server logged

	open       atomic.Int64           // requests that are being answered
	statements *enginetest.Statements // of the database
	mu         sync.Mutex
	ahead      time.Duration // of the server's clock; protected by mu
}

type options struct {
	pollTime time.Duration // 0: 50 ms
	limits   engine.Limits
	logBytes int64 // of one log
	direct   Direct
}

// newWorld makes a world with one project whose configuration is config; nothing
// has run there yet.
func newWorld(t testing.TB, config string, o options) *world {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, mux := t.Context(), http.NewServeMux()
	w := &world{t: t, server: httptest.NewUnstartedServer(nil)}
	base := enginetest.New(t, enginetest.Config{
		URL: "http://" + w.server.Listener.Addr().String(), Limits: o.limits, Trace: trace.Config{MaxBytes: o.logBytes}, Now: w.now,
	})
	w.db, w.view, w.hub, w.traces, w.engine = base.Store, base.View, base.Hub, base.Traces, base.Engine
	w.root, w.logged, w.statements = base.Root, base.Log, base.Statements
	if o.pollTime == 0 {
		o.pollTime = 50 * time.Millisecond
	}
	api, err := New(Config{
		Engine: w.engine, Blobs: base.Blobs, Direct: o.direct, Traces: w.traces, Hub: w.hub, URLs: base.URLs,
		Limiter: wire.NewLimiter(wire.LimiterConfig{}), Now: w.now, Logger: base.Logger, PollTime: o.pollTime,
	})
	check(err)
	api.Routes(mux)
	edge := wire.New(wire.Config{URLs: base.URLs, API: mux, Log: base.Logger})
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.open.Add(1)
		defer w.open.Add(-1)
		edge.ServeHTTP(rw, r)
	})
	w.server.Start()
	t.Cleanup(func() { w.hub.Close(); w.server.Close() })

	w.project, err = w.engine.CreateProject(ctx, w.root, engine.NewProject{Path: "demo"})
	check(err)
	if config != "" {
		w.commit(config)
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// later moves the server's clock.
func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// commit writes the configuration without starting anything.
func (w *world) commit(config string) { w.t.Helper(); w.write(git.ActionCreate, config) }

// commitAgain replaces the configuration.
func (w *world) commitAgain(config string) { w.t.Helper(); w.write(git.ActionUpdate, config) }

func (w *world) write(kind git.ActionKind, config string) {
	w.t.Helper()
	_, err := w.engine.CommitFiles(w.t.Context(), w.root, w.project, git.CommitRequest{
		Branch: "main", Message: "configure [skip ci]",
		Actions: []git.Action{{Kind: kind, Path: ".gitlab-ci.yml", Content: []byte(config)}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// start makes a pipeline and gives its jobs by name.
func (w *world) start(variables ...ci.Variable) (ci.Pipeline, map[string]ci.Job) {
	w.t.Helper()
	actor, err := w.engine.Actor(w.t.Context(), w.root, w.project)
	if err != nil {
		w.t.Fatal(err)
	}
	pipeline, err := w.engine.CreatePipeline(w.t.Context(), engine.PipelineRequest{
		Project: w.project, Actor: actor, Source: ci.SourceAPI, Ref: "main", Variables: variables,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return pipeline, w.jobs(pipeline.ID)
}

// jobs gives the rows of a pipeline that count, by name.
func (w *world) jobs(id ci.PipelineID) map[string]ci.Job {
	w.t.Helper()
	s, err := w.view.Snapshot(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	jobs := map[string]ci.Job{}
	for _, job := range s.Jobs {
		if !job.Retried {
			jobs[job.Name] = job
		}
	}
	return jobs
}

// job reads one row anew.
func (w *world) job(id ci.JobID) ci.Job {
	w.t.Helper()
	job, err := w.view.Job(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return job
}

// runner makes a runner for the whole server and gives its token.
func (w *world) runner(settings engine.RunnerSettings) (ci.Runner, string) {
	w.t.Helper()
	runner, token, err := w.engine.CreateRunner(w.t.Context(), w.root, engine.NewRunner{Type: ci.InstanceRunner, RunnerSettings: settings})
	if err != nil {
		w.t.Fatal(err)
	}
	return runner, token
}

// An answer is what the server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field reads a field of a JSON answer, nil when it is not there.
func (a answer) field(names ...string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// do sends a request; header lines are "Name: value".
func (w *world) do(ctx context.Context, method, path string, body io.Reader, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, body)
	if err != nil {
		return answer{}, err
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := w.server.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, data}, err
}

// send is do with JSON, for requests that are answered.
func (w *world) send(method, path string, body any, header ...string) answer {
	w.t.Helper()
	var data []byte
	if body != nil {
		data, _ = json.Marshal(body)
		header = append(header, "Content-Type: application/json")
	}
	a, err := w.do(w.t.Context(), method, path, bytes.NewReader(data), header...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// A taken job is one that a runner has.
type taken struct {
	id    ci.JobID
	token string
	body  []byte
}

// take asks for a job and fails if there is none.
func (w *world) take(runnerToken string) taken {
	w.t.Helper()
	a := w.send("POST", "/api/v4/jobs/request", map[string]any{"token": runnerToken, "system_id": "s_test"})
	if a.status != http.StatusCreated {
		w.t.Fatalf("take a job: got %d %s, want 201", a.status, a.body)
	}
	id, _ := a.field("id").(float64)
	token, _ := a.field("token").(string)
	return taken{ci.JobID(id), token, a.body}
}

// finish reports the end of a job.
func (w *world) finish(j taken, state string) answer {
	w.t.Helper()
	return w.send("PUT", fmt.Sprintf("/api/v4/jobs/%d", j.id), map[string]any{"token": j.token, "state": state})
}

// patch appends to a job's log.
func (w *world) patch(j taken, start int, text string) answer {
	w.t.Helper()
	a, err := w.do(w.t.Context(), "PATCH", fmt.Sprintf("/api/v4/jobs/%d/trace", j.id), strings.NewReader(text),
		"Job-Token: "+j.token, "Content-Type: text/plain", fmt.Sprintf("Content-Range: %d-%d", start, start+len(text)-1))
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// upload sends an artifact as gitlab-runner does: chunked, with the token in the
// header and the description in the query.
func (w *world) upload(j taken, kind, format, name string, content []byte) answer {
	w.t.Helper()
	body, mediaType := form(name, content)
	query := url.Values{"artifact_type": {kind}, "artifact_format": {format}, "expire_in": {"1 week"}}
	a, err := w.do(w.t.Context(), "POST", fmt.Sprintf("/api/v4/jobs/%d/artifacts?%s", j.id, query.Encode()), io.MultiReader(body),
		"Job-Token: "+j.token, "Content-Type: "+mediaType)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// form makes a multipart form with a file and, before it, fields.
func form(name string, content []byte, fields ...string) (io.Reader, string) {
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		_ = m.WriteField(key, value) // a buffer does not fail
	}
	part, _ := m.CreateFormFile("file", name)
	_, _ = part.Write(content)
	_ = m.Close()
	return &body, m.FormDataContentType()
}

// log reads the log of a job.
func (w *world) log(id ci.JobID) string {
	w.t.Helper()
	r, err := w.traces.Read(w.t.Context(), int64(id), 0, -1)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// check verifies the invariants of the database.
func (w *world) check() {
	w.t.Helper()
	broken, err := w.view.Check(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, words := range broken {
		w.t.Error(words)
	}
}

// during gives how many statements of the database f took.
func (w *world) during(f func()) int {
	before := w.statements.Count()
	f()
	return int(w.statements.Count() - before)
}
