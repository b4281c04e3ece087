package fault

import (
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
	_ "modernc.org/sqlite" // to count rows
)

// manyJobs runs at once what takes a runner, with a log and an artifact, when it is
// asked to; else there is nothing that a runner may take.
const manyJobs = `
stages: [build, test]
build:
  stage: build
  variables: {GIT_STRATEGY: none}
  rules: [{if: $RUN}]
  script: [echo "a log of $CI_JOB_ID", echo "$CI_JOB_ID" > made]
  artifacts: {paths: [made]}
later: {stage: build, tags: [nobody], script: [make]}
test: {stage: test, script: [make test], parallel: 2}
play: {stage: test, script: [make play], when: manual}
`

// made is how many pipelines TestDeletedLeavesNothing makes; one in every runEvery
// runs a job.
const (
	made     = 1000
	runEvery = 20
)

// TestDeletedLeavesNothing makes a thousand pipelines and deletes them: after the
// sweep the data directory has the files that it had before, and every table its
// rows. The files of the databases may be larger, since SQLite keeps the room for
// what comes next; nothing else may.
func TestDeletedLeavesNothing(t *testing.T) {
	data := t.TempDir()
	args := []string{"--runner", "2", "--runner-trusted"}
	server := process.Start(t, data, args...)
	project, token := server.Project("many", manyJobs)
	// The first one makes what stays: the machine of the runner, folders.
	deleteAll(t, server, project, makeMany(t, server, project, token, runEvery))
	waitSwept(t, data)
	server = restart(t, server, args)
	rows, files := tables(t, data), listing(t, data)
	ids := makeMany(t, server, project, token, made)
	full := tables(t, data)
	if full["pipelines"]-rows["pipelines"] != made || full["artifacts"] < made/runEvery || full["specs"] == rows["specs"] {
		t.Fatalf("the test proves nothing: rows %v, before %v", full, rows)
	}
	deleteAll(t, server, project, ids)
	if left := tables(t, data)["pipelines"]; left != rows["pipelines"] {
		t.Errorf("%d pipelines are left, want %d", left, rows["pipelines"])
	}
	waitSwept(t, data)
	restart(t, server, args)
	if after := tables(t, data); !maps.Equal(after, rows) {
		t.Errorf("rows:\n%v, want\n%v", after, rows)
	}
	if after := listing(t, data); !maps.Equal(after, files) {
		t.Errorf("files:\n%v, want\n%v", after, files)
	}
}

// restart ends a server well and starts it again: its databases are checkpointed,
// and what it knows is on disk.
func restart(t *testing.T, server *process.Server, args []string) *process.Server {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	return process.Start(t, server.Data, args...)
}

// makeMany triggers n pipelines and waits until those that run a job have run it.
func makeMany(t *testing.T, server *process.Server, project int64, token string, n int) []int64 {
	t.Helper()
	ids := make([]int64, n)
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for i := caller; i < n; i += 4 {
				variables := map[string]string{"N": fmt.Sprint(i)}
				if i%runEvery == 0 {
					variables["RUN"] = "1"
				}
				var p struct{ ID int64 }
				status, err := server.Call("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project),
					map[string]any{"token": token, "ref": "main", "variables": variables}, &p)
				if err != nil || status != http.StatusCreated {
					t.Errorf("trigger answered %d, error %v", status, err)
					return
				}
				ids[i] = p.ID
			}
		})
	}
	callers.Wait()
	process.Eventually(t, "end of the jobs that run", func() (bool, string) {
		ran := 0
		for page := 1; ; page++ {
			var jobs []struct{ ID int64 }
			server.Must("GET", fmt.Sprintf("/projects/%d/jobs?scope[]=success&per_page=100&page=%d", project, page), nil, &jobs)
			if ran += len(jobs); len(jobs) < 100 {
				break
			}
		}
		return ran == (n+runEvery-1)/runEvery, fmt.Sprintf("%d jobs", ran)
	})
	return ids
}

func deleteAll(t *testing.T, server *process.Server, project int64, ids []int64) {
	t.Helper()
	for _, id := range ids {
		server.Must("DELETE", fmt.Sprintf("/projects/%d/pipelines/%d", project, id), nil, nil)
	}
}

// waitSwept waits until the trash is empty, which the loop sees to once a minute.
func waitSwept(t *testing.T, data string) {
	t.Helper()
	last := ""
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(200 * time.Millisecond) {
		trash, logs := tables(t, data)["trash"], tables(t, data)["log_trash"]
		if trash == 0 && logs == 0 {
			return
		}
		last = fmt.Sprintf("%d rows of trash, %d of logs", trash, logs)
	}
	t.Fatalf("the trash was not emptied: %s", last)
}

// tables counts the rows of every table of both databases, which a server may be
// using. Those that time alone changes are left out.
func tables(t *testing.T, data string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, file := range []string{"lanyard.db", "logs.db"} {
		pool, err := sql.Open("sqlite", "file:"+filepath.Join(data, file)+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names(t, pool) {
			var n int
			if err := pool.QueryRowContext(t.Context(), "select count(*) from "+name).Scan(&n); err != nil {
				t.Fatal(err)
			}
			counts[name] = n
		}
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A start of the server's own runner is a machine of its own, and leases come and go.
	delete(counts, "runner_managers")
	delete(counts, "leases")
	return counts
}

// names lists the tables of a database.
func names(t *testing.T, pool *sql.DB) (names []string) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// listing gives the size of every file of a data directory, without those whose
// size says nothing (the databases, and what is beside them while they are open) and
// without the workspaces of the server's own runner, which the next job begins with.
// Folders are not told: an empty one is no trace of anything.
func listing(t *testing.T, data string) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err == nil && path == filepath.Join(data, "runner") {
			return fs.SkipDir
		}
		if err != nil || e.IsDir() {
			return err
		}
		if name := e.Name(); strings.Contains(name, ".db") || name == "lock" {
			return nil
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		sizes[strings.TrimPrefix(path, data)] = info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sizes
}
