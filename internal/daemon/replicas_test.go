package daemon

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// onPostgres is a configuration with an empty database. Lost wake-ups are not made
// up for, so that a test shows that none is lost.
func onPostgres(t *testing.T) Config {
	t.Helper()
	c := config(t)
	c.DatabaseURL, c.sweepQueues = postgres.New(t), time.Hour
	return c
}

// twoServers starts two servers at the same moment on the same empty data.
func twoServers(t *testing.T, c Config) (a, b *Server) {
	t.Helper()
	var servers [2]*Server
	var problems [2]error
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i], problems[i] = Start(t.Context(), c) })
	}
	starting.Wait()
	if err := errors.Join(problems[:]...); err != nil {
		t.Fatal(err)
	}
	return servers[0], servers[1]
}

// waitFor asks until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// A poll is a runner's request for a job.
type poll struct {
	status int
	cursor string
	job    struct {
		ID    int64
		Token string
	}
	err error
}

func request(server *Server, token, cursor string) (p poll) {
	body, err := json.Marshal(map[string]any{"token": token, "last_update": cursor, "info": map[string]any{
		"executor": "shell", "shell": "bash", "features": map[string]any{
			"variables": true, "artifacts": true, "cache": true, "refspecs": true, "masking": true, "raw_variables": true,
			"upload_multiple_artifacts": true, "return_exit_code": true, "multi_build_steps": true, "artifacts_exclude": true,
		},
	}})
	if err != nil {
		return poll{err: err}
	}
	resp, err := http.Post(server.LocalURL()+"/api/v4/jobs/request", "application/json", bytes.NewReader(body))
	if err != nil {
		return poll{err: err}
	}
	defer resp.Body.Close()
	p.status, p.cursor = resp.StatusCode, resp.Header.Get("X-GitLab-Last-Update")
	data, err := io.ReadAll(resp.Body)
	if err == nil && p.status == http.StatusCreated {
		err = json.Unmarshal(data, &p.job)
	}
	p.err = err
	return p
}

// waitingAt has a runner wait for a job at a server.
func waitingAt(t *testing.T, server *Server, token string) <-chan poll {
	t.Helper()
	first := request(server, token, "")
	if first.err != nil || first.status != http.StatusNoContent || first.cursor == "" {
		t.Fatalf("the first request: %+v, want 204 and a cursor", first)
	}
	got := make(chan poll, 1)
	go func() { got <- request(server, token, first.cursor) }()
	waitFor(t, "a runner to wait", func() bool { return server.hub.Waiting() == 1 })
	return got
}

// arrives fails unless something comes soon: long before a runner would ask again.
func arrives[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(15 * time.Second):
		t.Fatalf("%s did not arrive", what)
		panic("unreachable")
	}
}

func TestServersOnOneDatabaseWorkAsOne(t *testing.T) {
	c := onPostgres(t)
	a, b := twoServers(t, c)
	stopA, stopB := running(t, a), running(t, b)
	demo, err := a.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.engine.BuiltInRunner(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	project, err := b.engine.FindProject(t.Context(), demo.Project)
	if err != nil {
		t.Fatal(err)
	}
	listed, stopList := b.hub.WatchProject(project.ID)
	defer stopList()

	waiting := waitingAt(t, b, token)
	started, err := a.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref})
	if err != nil {
		t.Fatal(err)
	}
	job := arrives(t, "the job at the other server's runner", waiting)
	if job.err != nil || job.status != http.StatusCreated {
		t.Fatalf("the runner at the other server got %+v, want a job", job)
	}
	arrives(t, "the new pipeline at a list on the other server", listed)

	moved, stopMoved := a.hub.Watch(started.Pipeline.ID)
	defer stopMoved()
	log, stopLog := b.hub.WatchLog(ci.JobID(job.job.ID))
	defer stopLog()
	if _, _, err := a.engine.AppendLog(t.Context(), ci.JobID(job.job.ID), job.job.Token, 0, strings.NewReader("hello\n")); err != nil {
		t.Fatal(err)
	}
	arrives(t, "what a job printed", log)
	if _, err := b.engine.UpdateJob(t.Context(), ci.JobID(job.job.ID), job.job.Token, engine.JobUpdate{State: "success"}); err != nil {
		t.Fatal(err)
	}
	arrives(t, "the end of a job", moved)

	for _, state := range []string{"beside servers", "without servers"} {
		if broken, err := Check(t.Context(), c, true); err != nil || len(broken) > 0 {
			t.Errorf("check %s: %q, error %v", state, broken, err)
		}
		if stopA != nil {
			if err := errors.Join(stopA(), stopB()); err != nil {
				t.Fatal(err)
			}
			stopA = nil
		}
	}
}

// TestLostConnectionWakesAll cuts the connections that wake-ups come by, and does
// what they would have told while there are none.
func TestLostConnectionWakesAll(t *testing.T) {
	c := onPostgres(t)
	a, b := twoServers(t, c)
	stopA, stopB := running(t, a), running(t, b)
	token, err := b.engine.BuiltInRunner(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	demo, err := a.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := waitingAt(t, b, token)
	watched, stop := b.hub.WatchLog(1)
	defer stop()
	admin, err := pgx.Connect(t.Context(), c.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	waitFor(t, "two connections to listen", func() bool {
		var n int
		err := admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and query = 'listen lanyard'`).Scan(&n)
		return err == nil && n == 2
	})
	if _, err := admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and query = 'listen lanyard'`); err != nil {
		t.Fatal(err)
	}
	if _, err := a.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref}); err != nil {
		t.Fatal(err)
	}
	if got := arrives(t, "the job", waiting); got.err != nil || got.status != http.StatusCreated {
		t.Errorf("got %+v, want a job", got)
	}
	arrives(t, "a wake-up for whoever looks", watched)
	if err := errors.Join(stopA(), stopB()); err != nil {
		t.Fatal(err)
	}
}

// TestQueuesAreSwept holds that a runner gets its job when nobody told that it is
// there.
func TestQueuesAreSwept(t *testing.T) {
	c := onPostgres(t)
	c.sweepQueues = 100 * time.Millisecond
	a, err := Start(t.Context(), c) // it does not run, so it tells nobody
	if err != nil {
		t.Fatal(err)
	}
	b := started(t, c)
	stop := running(t, b)
	token, err := b.engine.BuiltInRunner(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	demo, err := a.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := waitingAt(t, b, token)
	if _, err := a.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref}); err != nil {
		t.Fatal(err)
	}
	if got := arrives(t, "the job", waiting); got.err != nil || got.status != http.StatusCreated {
		t.Errorf("got %+v, want a job", got)
	}
	if err := errors.Join(a.close(), stop()); err != nil {
		t.Fatal(err)
	}
}

func TestReplicasShareOneKeyFile(t *testing.T) {
	c := onPostgres(t)
	a, b := twoServers(t, c)
	if a.engine.InstanceUUID() != b.engine.InstanceUUID() {
		t.Error("two servers that started at once have different keys")
	}
	other := c
	other.KeyFile = filepath.Join(t.TempDir(), "other.yml")
	if _, _, err := auth.LoadKeys(other.KeyFile, rand.Reader); err != nil {
		t.Fatal(err)
	}
	refused(t, other, "is not the one this database was made with")
	other.KeyFile = filepath.Join(t.TempDir(), "none.yml")
	refused(t, other, "is missing")
	lite := c
	lite.DatabaseURL = ""
	refused(t, lite, "in use by another process")
	if err := errors.Join(a.close(), b.close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.Data, "keys.yml")); err != nil {
		t.Fatal(err)
	}
	refused(t, c, "is missing")
}

func TestPostgresRefuses(t *testing.T) {
	c := onPostgres(t)
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), c.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `insert into goose_db_version (version_id, is_applied) values (9999, true)`); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), c)
	if newer, ok := errors.AsType[*store.NewerError](err); !ok || newer.Found != 9999 {
		t.Errorf("got %v, want a *store.NewerError of schema 9999", err)
	}
	if err := os.WriteFile(c.database(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, c, "belongs to the SQLite database in it")
	bad := config(t)
	bad.DatabaseURL = "postgres://ana:hunter2@:x/ci"
	refused(t, bad, "--database-url is not postgres://")
	empty := onPostgres(t)
	if err := os.Mkdir(empty.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(t.Context(), empty, false); err == nil || !strings.Contains(err.Error(), "no server of this version has used the database yet") {
		t.Errorf("check of an empty database: %v", err)
	}
}

// TestEachBuiltInRunnerHasItsPlace holds that the runners of two servers are two,
// and that the next process in a place is the same one.
func TestEachBuiltInRunnerHasItsPlace(t *testing.T) {
	c := onPostgres(t)
	c.Runners, c.RunnerTrusted = 1, true
	names := func() string {
		a, b := started(t, c), started(t, c)
		if a.state.place.Name() == b.state.place.Name() {
			t.Error("two servers have the same place for their runners")
		}
		defer func() {
			if err := errors.Join(a.close(), b.close()); err != nil {
				t.Error(err)
			}
		}()
		return fmt.Sprint(a.state.place.Name(), " ", b.state.place.Name())
	}
	if first, second := names(), names(); first != second {
		t.Errorf("the places were %s, and after a restart %s", first, second)
	}
}
