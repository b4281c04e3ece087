package fault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// TestWhatTwoServersShow has a job's runner talk to one server and people to the other:
// they see its log grow there, and what they cancel ends.
func TestWhatTwoServersShow(t *testing.T) {
	database, data, dir := postgres.New(t), filepath.Join(t.TempDir(), "data"), t.TempDir()
	a, b := process.StartOn(t, data, database), process.StartOn(t, data, database)
	gate, pids := filepath.Join(dir, "gate"), filepath.Join(dir, "pid")
	project, token := a.Project("shown", fmt.Sprintf(`
long:
  variables: {GIT_STRATEGY: none}
  script:
    - echo "the first part"
    - while [ ! -e %s ]; do sleep 0.1; done
    - echo "the second part"
    - echo $$ > %s.new && mv %s.new %s
    - sleep 600
`, gate, pids, pids, pids))
	a.Must("PUT", fmt.Sprintf("/projects/%d", project), map[string]any{"visibility": "public"}, nil)
	worker(t, b)
	var pipeline struct{ ID int64 }
	a.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, &pipeline)
	var jobs []struct{ ID int64 }
	a.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/jobs", project, pipeline.ID), nil, &jobs)
	if len(jobs) != 1 {
		t.Fatalf("there are %d jobs, want 1", len(jobs))
	}
	job := fmt.Sprintf("/projects/%d/jobs/%d", project, jobs[0].ID)

	said := follow(t, fmt.Sprintf("%s/root/shown/-/jobs/%d/events", a.URL, jobs[0].ID))
	shows(t, said, "the first part")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shows(t, said, "the second part")
	pid := 0
	process.Eventually(t, "the id of the job's process", func() (bool, string) {
		text, err := os.ReadFile(pids)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil, fmt.Sprint(err)
	})

	a.Must("POST", job+"/cancel", nil, nil)
	var now struct{ Status string }
	process.Eventually(t, "end of the job", func() (bool, string) {
		b.Must("GET", job, nil, &now)
		return now.Status == "canceled", now.Status
	})
	process.Eventually(t, "end of the job's process", func() (bool, string) {
		err := syscall.Kill(pid, 0)
		return errors.Is(err, syscall.ESRCH), fmt.Sprint(err)
	})
	shows(t, said, "event: end")
}

// follow gives the lines of a stream of events until the test ends.
func follow(t *testing.T, url string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		t.Fatalf("the stream of events answered %d", resp.StatusCode)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		defer resp.Body.Close()
		for from := bufio.NewScanner(resp.Body); from.Scan(); {
			select {
			case lines <- from.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// shows waits for a line of a stream that holds text.
func shows(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatalf("the stream ended before it showed %q", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("the stream did not show %q in a minute", text)
		}
	}
}
