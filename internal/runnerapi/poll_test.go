package runnerapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A poller asks for jobs as a runner does, until its context ends.
type poller struct {
	world  *world
	token  string
	system string
	cursor string
}

// ask sends one request. A status of 0 means that it was given up.
func (p *poller) ask(ctx context.Context) (answer, taken) {
	body := fmt.Sprintf(`{"token":%q,"system_id":%q,"last_update":%q}`, p.token, p.system, p.cursor)
	a, err := p.world.do(ctx, "POST", "/api/v4/jobs/request", strings.NewReader(body), "Content-Type: application/json")
	if err != nil {
		return answer{}, taken{}
	}
	p.cursor = a.header.Get("X-GitLab-Last-Update")
	id, _ := a.field("id").(float64)
	token, _ := a.field("token").(string)
	return a, taken{ci.JobID(id), token, a.body}
}

// waiting gives once the hub has a waiter that waits: it counts what a wake-up
// finds, since there is no other way to see one.
func (w *world) waiting(n int) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for w.open.Load() != int64(n) {
		if time.Now().After(deadline) {
			w.t.Fatalf("got %d requests that are held, want %d", w.open.Load(), n)
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // from the start of the request to the wait
}

func TestPollWithoutACursorIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: time.Hour})
	_, token := w.runner(engine.RunnerSettings{})
	p := poller{world: w, token: token}
	a, _ := p.ask(t.Context())
	expect(t, "empty queue", a, 204, "")
	if p.cursor == "" || len(a.body) > 0 || a.header.Get("Content-Type") != "" {
		t.Errorf("got cursor %q, body %q, type %q", p.cursor, a.body, a.header.Get("Content-Type"))
	}
	expect(t, "no token", w.send("POST", "/api/v4/jobs/request", map[string]any{}), 400, `{"error":"token is missing"}`)
	expect(t, "null token", w.send("POST", "/api/v4/jobs/request", map[string]any{"token": nil}), 403, `{"message":"403 Forbidden"}`)
}

func TestPollIsHeld(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: 300 * time.Millisecond})
	_, token := w.runner(engine.RunnerSettings{})
	p := poller{world: w, token: token}
	p.ask(t.Context())
	for _, cursor := range []string{p.cursor, "another-server"} {
		p.cursor = cursor
		start := time.Now()
		a, _ := p.ask(t.Context())
		expect(t, cursor, a, 204, "")
		if took := time.Since(start); took < 300*time.Millisecond || p.cursor == "" {
			t.Errorf("cursor %q: answered after %v with cursor %q", cursor, took, p.cursor)
		}
	}
}

func TestJobReachesAWaitingRunnerAtOnce(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: time.Hour})
	_, token := w.runner(engine.RunnerSettings{})
	p := poller{world: w, token: token}
	p.ask(t.Context())
	got := make(chan taken)
	go func() {
		_, job := p.ask(t.Context())
		got <- job
	}()
	w.waiting(1)
	_, jobs := w.start()
	select {
	case job := <-got:
		if job.id != jobs["build"].ID {
			t.Errorf("got job %d, want %d", job.id, jobs["build"].ID)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the runner still waits")
	}
}

func TestDrainingServerAnswersPolls(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: time.Hour})
	_, token := w.runner(engine.RunnerSettings{})
	p := poller{world: w, token: token, cursor: "x"}
	got := make(chan answer)
	go func() {
		a, _ := p.ask(t.Context())
		got <- a
	}()
	w.waiting(1)
	w.hub.Close()
	expect(t, "held poll", <-got, 204, "")
}

func TestPausedRunner(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: time.Hour})
	yes, no := true, false
	runner, token := w.runner(engine.RunnerSettings{Paused: &yes})
	_, jobs := w.start()
	p := poller{world: w, token: token}
	a, _ := p.ask(t.Context())
	expect(t, "paused", a, 204, "")
	if p.cursor == "" {
		t.Error("paused: got no cursor")
	}
	if seen, err := w.view.Runner(t.Context(), runner.ID); err != nil || seen.ContactedAt.IsZero() {
		t.Errorf("paused: got contact %v, %v", seen.ContactedAt, err)
	}
	got := make(chan taken)
	go func() {
		_, job := p.ask(t.Context())
		got <- job
	}()
	w.waiting(1)
	if _, err := w.engine.UpdateRunner(t.Context(), w.root, runner.ID, engine.RunnerSettings{Paused: &no}); err != nil {
		t.Fatal(err)
	}
	if job := <-got; job.id != jobs["build"].ID {
		t.Errorf("after the pause: got job %d, want %d", job.id, jobs["build"].ID)
	}
}

func TestRemovedRunnerStopsWaiting(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: time.Hour})
	runner, token := w.runner(engine.RunnerSettings{})
	p := poller{world: w, token: token, cursor: "x"}
	got := make(chan answer)
	go func() {
		a, _ := p.ask(t.Context())
		got <- a
	}()
	w.waiting(1)
	if err := w.engine.DeleteRunner(t.Context(), w.root, runner.ID); err != nil {
		t.Fatal(err)
	}
	expect(t, "held poll", <-got, 403, "")
}

func TestWhoMayTakeAJob(t *testing.T) {
	w := newWorld(t, "plain: {script: [a]}\nlinux: {script: [b], tags: [linux]}\nboth: {script: [c], tags: [x64, linux]}\n", options{})
	yes, no := true, false
	tags := func(list ...string) *[]string { return &list }
	for _, c := range []struct {
		name     string
		settings engine.RunnerSettings
		want     []string
	}{
		{"untagged", engine.RunnerSettings{}, []string{"plain"}},
		{"linux", engine.RunnerSettings{Tags: tags("linux")}, []string{"plain", "linux"}},
		{"linux only", engine.RunnerSettings{Tags: tags("linux"), RunUntagged: &no}, []string{"linux"}},
		{"everything", engine.RunnerSettings{Tags: tags("x64", "linux", "fast")}, []string{"plain", "linux", "both"}},
		{"protected refs only", engine.RunnerSettings{Tags: tags("x64", "linux"), RefProtected: &yes}, nil},
		{"paused", engine.RunnerSettings{Paused: &yes}, nil},
	} {
		pipeline, _ := w.start()
		_, token := w.runner(c.settings)
		var got []string
		p := poller{world: w, token: token}
		for a, _ := p.ask(t.Context()); a.status == http.StatusCreated; a, _ = p.ask(t.Context()) {
			name, _ := a.field("job_info", "name").(string)
			got = append(got, name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if err := w.engine.DeletePipeline(t.Context(), w.root, w.project, pipeline.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProjectAndGroupRunners(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: 20 * time.Second})
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	group, err := w.engine.CreateGroup(ctx, w.root, engine.NewGroup{Name: "g", Path: "g"})
	must(err)
	home := w.project
	w.project, err = w.engine.CreateProject(ctx, w.root, engine.NewProject{Path: "inside", NamespaceID: group.ID})
	must(err)
	w.commit(oneJob)
	inside := w.project
	_, ofGroup, err := w.engine.CreateRunner(ctx, w.root, engine.NewRunner{Type: ci.GroupRunner, NamespaceID: group.ID})
	must(err)
	_, ofHome, err := w.engine.CreateRunner(ctx, w.root, engine.NewRunner{Type: ci.ProjectRunner, ProjectID: home.ID})
	must(err)
	_, ofAll := w.runner(engine.RunnerSettings{})

	ask := func(token string) int {
		a, _ := (&poller{world: w, token: token}).ask(ctx)
		return a.status
	}
	w.start() // in the group's project
	if got := ask(ofHome); got != 204 {
		t.Errorf("runner of another project: got %d, want 204", got)
	}
	if got := ask(ofGroup); got != 201 {
		t.Errorf("runner of the group: got %d, want 201", got)
	}
	w.project = home
	w.start()
	if got := ask(ofGroup); got != 204 {
		t.Errorf("runner of a group: got %d, want 204", got)
	}
	if got := ask(ofHome); got != 201 {
		t.Errorf("runner of the project: got %d, want 201", got)
	}
	inside.SharedRunners = false
	must(w.db.UpdateProject(ctx, inside))
	w.project = inside
	w.start()
	if got := ask(ofAll); got != 204 {
		t.Errorf("instance runner where they are off: got %d, want 204", got)
	}
	waits := make(chan int)
	go func() {
		a, _ := (&poller{world: w, token: ofAll, cursor: "x"}).ask(ctx)
		waits <- a.status
	}()
	w.waiting(1)
	_, err = w.engine.UpdateProject(ctx, w.root, inside, engine.ProjectChange{
		Settings: func(s *ci.ProjectSettings) { s.SharedRunners = true },
	})
	must(err)
	if got := <-waits; got != 201 {
		t.Errorf("instance runner that waits when they are turned on: got %d, want 201", got)
	}
}

// A wake-up for a job that the woken runner does not work for has to reach one
// that does.
func TestWakeUpsAreNotLostOnTheWrongRunner(t *testing.T) {
	w := newWorld(t, oneJob, options{pollTime: time.Hour})
	ctx := t.Context()
	group, err := w.engine.CreateGroup(ctx, w.root, engine.NewGroup{Name: "g", Path: "g"})
	if err != nil {
		t.Fatal(err)
	}
	_, wrong, err := w.engine.CreateRunner(ctx, w.root, engine.NewRunner{Type: ci.GroupRunner, NamespaceID: group.ID})
	if err != nil {
		t.Fatal(err)
	}
	_, right := w.runner(engine.RunnerSettings{})
	asking, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() { stop(); running.Wait() }()
	for i := range 4 { // these wait longest, so that they are woken first
		running.Go(func() {
			(&poller{world: w, token: wrong, system: fmt.Sprint(i), cursor: "x"}).ask(asking)
		})
	}
	w.waiting(4)
	for round := range 3 {
		got := make(chan taken)
		go func() {
			_, job := (&poller{world: w, token: right, cursor: "x"}).ask(asking)
			got <- job
		}()
		w.waiting(5)
		_, jobs := w.start()
		select {
		case job := <-got:
			if job.id != jobs["build"].ID {
				t.Errorf("round %d: got job %d, want %d", round, job.id, jobs["build"].ID)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("round %d: the right runner was not woken", round)
		}
	}
}

// 64 machines poll while 200 jobs come in: each job is handed out exactly once.
func TestEveryJobOnce(t *testing.T) {
	const machines, jobs = 64, 200
	config := fmt.Sprintf("wide: {script: [make], parallel: %d}\n", jobs/2)
	w := newWorld(t, config, options{pollTime: time.Minute})
	_, token := w.runner(engine.RunnerSettings{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()

	var mu sync.Mutex
	times := map[ci.JobID]int{}
	done := make(chan struct{})
	var machinesDone sync.WaitGroup
	for i := range machines {
		machinesDone.Go(func() {
			p := poller{world: w, token: token, system: fmt.Sprint("s_", i), cursor: "x"}
			for ctx.Err() == nil {
				a, job := p.ask(ctx)
				if a.status != http.StatusCreated {
					if a.status != 0 && a.status != http.StatusNoContent {
						t.Errorf("request: got %d %s", a.status, a.body)
					}
					continue
				}
				mu.Lock()
				times[job.id]++
				if len(times) == jobs {
					close(done)
				}
				mu.Unlock()
				w.do(ctx, "PUT", fmt.Sprintf("/api/v4/jobs/%d", job.id),
					strings.NewReader(`{"state":"success","token":"`+job.token+`"}`), "Content-Type: application/json")
				p.cursor = "x"
			}
		})
	}
	w.waiting(machines)
	w.start() // half of the jobs in one pipeline
	w.commitAgain("one: {script: [make]}\n")
	for range jobs / 2 { // and half of them in as many
		w.start()
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		mu.Lock()
		t.Errorf("only %d of %d jobs were handed out", len(times), jobs)
		mu.Unlock()
	}
	time.Sleep(50 * time.Millisecond) // for what would come twice
	stop()
	machinesDone.Wait()
	for id, n := range times {
		if n != 1 {
			t.Errorf("job %d was handed out %d times", id, n)
		}
	}
	w.check()
}

// Clients that hang up at the worst moments must not take jobs with them.
func TestLostPollersLoseNoJob(t *testing.T) {
	const jobs = 60
	w := newWorld(t, fmt.Sprintf("wide: {script: [make], parallel: %d}\n", jobs), options{pollTime: time.Minute})
	_, token := w.runner(engine.RunnerSettings{})
	var fickle sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	known := map[ci.JobID]bool{} // to the fickle ones
	var mu sync.Mutex
	for i := range 16 {
		fickle.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				hasty, cancel := context.WithTimeout(ctx, time.Duration((i*7+n*3)%25)*time.Millisecond/2)
				_, job := (&poller{world: w, token: token, system: fmt.Sprint("s_", i), cursor: "x"}).ask(hasty)
				cancel()
				if job.id != 0 {
					mu.Lock()
					known[job.id] = true
					mu.Unlock()
				}
			}
		})
	}
	_, all := w.start()
	time.Sleep(300 * time.Millisecond)
	stop()
	fickle.Wait()
	w.waiting(0)
	for id := range known { // those who heard of their job report on it
		if err := w.db.TouchJob(t.Context(), id, w.now()); err != nil {
			t.Fatal(err)
		}
	}
	w.later(3 * time.Minute)
	w.background() // answers that were on their way are given back
	for name, job := range all {
		want := ci.Pending
		if known[job.ID] {
			want = ci.Running
		}
		if got := w.job(job.ID).Status; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if len(known) == 0 || len(known) == jobs {
		t.Logf("%d of %d jobs reached a client: this run says little", len(known), jobs)
	}
	w.check()
}

// An answer that cannot be written gives its job back at once.
func TestBrokenConnectionGivesTheJobBack(t *testing.T) {
	w := newWorld(t, oneJob, options{})
	_, token := w.runner(engine.RunnerSettings{})
	_, jobs := w.start()
	body := io.NopCloser(strings.NewReader(`{"token":"` + token + `"}`))
	req, err := http.NewRequestWithContext(t.Context(), "POST", "/api/v4/jobs/request", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	w.server.Config.Handler.ServeHTTP(&brokenWriter{header: http.Header{}}, req)
	got := w.job(jobs["build"].ID)
	if got.Status != ci.Pending || got.RunnerID != 0 {
		t.Errorf("got %s with runner %d, want it pending", got.Status, got.RunnerID)
	}
	if next := w.take(token); next.id != got.ID {
		t.Errorf("next request: got job %d, want %d", next.id, got.ID)
	}
	w.check()
}

// A brokenWriter is a connection whose other end is gone.
type brokenWriter struct{ header http.Header }

func (b *brokenWriter) Header() http.Header       { return b.header }
func (b *brokenWriter) WriteHeader(int)           {}
func (b *brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestUnansweredJobIsOfferedAgain(t *testing.T) {
	w := newWorld(t, "a: {script: [x]}\nb: {script: [x]}\nc: {script: [x]}\n", options{})
	_, token := w.runner(engine.RunnerSettings{})
	w.start()
	lost, alive := w.take(token), w.take(token)
	w.patch(alive, 0, "x")
	w.later(3 * time.Minute)
	fresh := w.take(token)
	w.background()
	for name, c := range map[string]struct {
		job  taken
		want ci.Status
	}{"never answered": {lost, ci.Pending}, "answered": {alive, ci.Running}, "just taken": {fresh, ci.Running}} {
		if got := w.job(c.job.id).Status; got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	again := w.take(token)
	if again.id != lost.id || again.token == lost.token {
		t.Errorf("got job %d, want %d with another token", again.id, lost.id)
	}
	expect(t, "who had it first", w.patch(lost, 0, "x"), 403, "")
	expect(t, "who has it now", w.patch(again, 0, "x"), 202, "")
	w.check()
}

// background lets the server's own work run for one round.
func (w *world) background() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := w.engine.Run(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func TestUnsupportedJobFails(t *testing.T) {
	w := newWorld(t, "a: {script: [x], artifacts: {paths: [o], reports: {junit: j.xml}}}\nb: {script: [x]}\n", options{})
	_, token := w.runner(engine.RunnerSettings{})
	_, jobs := w.start()
	a := w.send("POST", "/api/v4/jobs/request", map[string]any{
		"token": token, "info": map[string]any{"features": map[string]any{"upload_multiple_artifacts": false, "artifacts": true}},
	})
	if got := a.field("job_info", "name"); a.status != 201 || got != "b" {
		t.Errorf("got %d %v, want job b", a.status, got)
	}
	if got := w.job(jobs["a"].ID); got.Status != ci.Failed || got.FailureReason != ci.RunnerUnsupported {
		t.Errorf("job a: got %s %s", got.Status, got.FailureReason)
	}
	w.check()
}
