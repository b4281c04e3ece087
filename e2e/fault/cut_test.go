package fault

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// What the statements hold around which connections are lost.
const (
	creating = "insert into pipelines ("
	applying = "with changes as ("
)

// TestCutAfterCommit loses every connection to PostgreSQL when it has committed and its
// answer is not there yet: the trigger is answered with the one pipeline, the runner
// gets the job, and its report counts.
func TestCutAfterCommit(t *testing.T) {
	relay := postgres.NewRelay(t, postgres.New(t))
	server := process.StartOn(t, filepath.Join(t.TempDir(), "data"), relay.URL())
	project, token := server.Project("cut", "build:\n  script: make\n")
	pipelines := func(want int) []int64 {
		t.Helper()
		var list []struct{ ID int64 }
		server.Must("GET", fmt.Sprintf("/projects/%d/pipelines?source=trigger", project), nil, &list)
		if len(list) != want {
			t.Fatalf("there are %d pipelines, want %d", len(list), want)
		}
		ids := make([]int64, want)
		for i := range list {
			ids[i] = list[i].ID
		}
		return ids
	}
	trigger := func() (status int, id int64) {
		t.Helper()
		var made struct{ ID int64 }
		status, err := server.Call("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, &made)
		if err != nil {
			t.Fatal(err)
		}
		return status, made.ID
	}
	wait := func(cut *postgres.Cut) {
		t.Helper()
		cut.Release()
		if err := cut.Wait(); err != nil {
			t.Fatal(err)
		}
	}

	cut := relay.Cut(postgres.Unanswered, creating)
	status, id := trigger()
	wait(cut)
	if ids := pipelines(1); status != http.StatusCreated || ids[0] != id {
		t.Errorf("the answer is lost: got %d with pipeline %d, want 201 with %d", status, id, ids[0])
	}
	cut = relay.Cut(postgres.InFlight, creating)
	time.AfterFunc(time.Second, cut.Release)
	status, id = trigger()
	wait(cut)
	if ids := pipelines(2); status != http.StatusCreated || ids[0] != id {
		t.Errorf("the commit comes late: got %d with pipeline %d, want 201 with %d", status, id, ids[0])
	}
	cut = relay.Cut(postgres.Unsent, creating)
	status, _ = trigger()
	wait(cut)
	if status == http.StatusCreated {
		pipelines(3)
	} else if pipelines(2); status != http.StatusServiceUnavailable {
		t.Errorf("the commit was not sent: got %d, want 201 or 503", status)
	}

	var runner struct{ Token string }
	server.Must("POST", "/user/runners", map[string]any{"runner_type": "instance_type", "run_untagged": true}, &runner)
	first := pipelines(2)[1]
	var job struct {
		ID    int64
		Token string
	}
	cut = relay.Cut(postgres.Unanswered, applying)
	status, err := server.Call("POST", "/jobs/request", map[string]any{"token": runner.Token}, &job)
	wait(cut)
	if err != nil || status != http.StatusCreated || job.Token == "" {
		t.Fatalf("a claim: got %d, error %v, want the job", status, err)
	}
	cut = relay.Cut(postgres.Unanswered, applying)
	status, err = server.Call("PUT", fmt.Sprintf("/jobs/%d", job.ID), map[string]any{"token": job.Token, "state": "success"}, nil)
	wait(cut)
	if err != nil || status != http.StatusOK {
		t.Errorf("a final report: got %d, error %v, want 200", status, err)
	}
	var pipeline struct{ Status string }
	server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d", project, first), nil, &pipeline)
	if pipeline.Status != "success" {
		t.Errorf("the pipeline is %s, want success", pipeline.Status)
	}
}
