// Package objects runs servers whose artifacts and logs are in an object store.
package objects

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
	"github.com/lanyard-ci/lanyard/internal/blob/s3/s3test"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

func TestMain(m *testing.M) { process.Main(m) }

const configuration = `
build:
  variables: {GIT_STRATEGY: none}
  script:
    - echo "built $((6*7))"
    - mkdir out && head -c 9000000 /dev/urandom > out/big && echo content > out/a.txt
  artifacts: {paths: [out], reports: {junit: none.xml}}
use:
  needs: [build]
  variables: {GIT_STRATEGY: none}
  script:
    - cat out/a.txt && test $(wc -c < out/big) = 9000000
`

// TestJobsWithObjectStore runs jobs that pass an artifact on, reads what they left,
// and deletes it: the bucket is empty then.
func TestJobsWithObjectStore(t *testing.T) {
	store := s3test.Start(t)
	data := filepath.Join(t.TempDir(), "data")
	server := process.Start(t, data, append(flags(t, store), "--runner", "1", "--runner-trusted")...)
	project, token := server.Project("objects", configuration)
	var pipeline struct{ ID int64 }
	server.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, &pipeline)
	path := fmt.Sprintf("/projects/%d/pipelines/%d", project, pipeline.ID)
	process.Eventually(t, "success of the pipeline", func() (bool, string) {
		var now struct{ Status string }
		server.Must("GET", path, nil, &now)
		if now.Status == "failed" {
			t.Fatalf("the pipeline failed\n%s", server.Log())
		}
		return now.Status == "success", now.Status
	})
	if !direct(store.Requests()) {
		t.Errorf("the runner did not download from the object store: %q", store.Requests())
	}
	if log := server.Log(); strings.Contains(log, "X-Amz") || strings.Contains(log, s3test.SecretKey) || strings.Contains(log, s3test.AccessKey) {
		t.Errorf("the log has a signed URL or a key:\n%s", log)
	}
	var jobs []struct {
		ID   int64
		Name string
	}
	server.Must("GET", path+"/jobs", nil, &jobs)
	for _, job := range jobs {
		log := fetch(t, server, fmt.Sprintf("/projects/%d/jobs/%d/trace", project, job.ID))
		if job.Name == "build" && !strings.Contains(log, "built 42") || strings.Contains(log, "X-Amz") {
			t.Errorf("log of %s:\n%s", job.Name, log)
		}
		if job.Name == "build" {
			if got := fetch(t, server, fmt.Sprintf("/projects/%d/jobs/%d/artifacts/out/a.txt", project, job.ID)); got != "content\n" {
				t.Errorf("file of the artifact: got %q", got)
			}
		}
	}
	if files, err := filepath.Glob(filepath.Join(data, "blobs", "*", "*")); err != nil || len(files) > 0 {
		t.Errorf("in the data directory are %v, %v", files, err)
	}
	// An artifact of two parts and the logs of two jobs.
	process.Eventually(t, "logs in the bucket", func() (bool, string) {
		objects := store.Objects(t)
		return len(objects) >= 3, fmt.Sprint(objects)
	})
	server.Must("DELETE", path, nil, nil)
	emptied(t, store)
}

// emptied waits until what was deleted is gone from the bucket.
func emptied(t *testing.T, store *s3test.Server) {
	t.Helper()
	var left []string
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(time.Second) {
		if left = store.Objects(t); len(left) == 0 {
			return
		}
	}
	t.Errorf("in the bucket are still %v", left)
}

// TestTwoServersOnOneBucket reads on one server what a job left with the other.
func TestTwoServersOnOneBucket(t *testing.T) {
	store := s3test.Start(t)
	data, database := filepath.Join(t.TempDir(), "data"), postgres.New(t)
	first := process.StartOn(t, data, database, append(flags(t, store), "--runner", "1", "--runner-trusted")...)
	second := process.StartOn(t, data, database, flags(t, store)...)
	project, token := first.Project("shared", "build: {variables: {GIT_STRATEGY: none}, script: [echo content > a.txt], artifacts: {paths: [a.txt]}}\n")
	first.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, nil)
	var jobs []struct {
		ID     int64
		Status string
	}
	process.Eventually(t, "success of the job", func() (bool, string) {
		second.Must("GET", fmt.Sprintf("/projects/%d/jobs", project), nil, &jobs)
		return len(jobs) == 1 && jobs[0].Status == "success", fmt.Sprint(jobs)
	})
	if got := fetch(t, second, fmt.Sprintf("/projects/%d/jobs/%d/artifacts/a.txt", project, jobs[0].ID)); got != "content\n" {
		t.Errorf("got %q", got)
	}
}

// flags name the store and files with its keys.
func flags(t *testing.T, store *s3test.Server) []string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return []string{
		"--blob-url=" + store.BlobURL("ci"),
		"--blob-access-key-file=" + write("access", s3test.AccessKey), "--blob-secret-key-file=" + write("secret", s3test.SecretKey),
	}
}

// direct reports whether an archive was asked for by a signed URL.
func direct(requests []string) bool {
	for _, request := range requests {
		if strings.HasPrefix(request, "GET ") && strings.Contains(request, "X-Amz-Signature=") && strings.Contains(request, "response-content-type=application%2Fzip") {
			return true
		}
	}
	return false
}

// fetch reads an answer that is no JSON.
func fetch(t *testing.T, server *process.Server, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v4"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", process.RootToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s answered %d %s, %v", path, resp.StatusCode, body, err)
	}
	return string(body)
}
