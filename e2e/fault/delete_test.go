package fault

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// TestDeletionEndsJobs deletes a pipeline and a project whose jobs the server's own
// runner works on: the processes of the jobs end, and the runner takes the next job.
func TestDeletionEndsJobs(t *testing.T) {
	server := process.Start(t, t.TempDir(), "--runner", "1", "--runner-trusted")
	for _, what := range []string{"pipeline", "project"} {
		file := filepath.Join(t.TempDir(), "pid")
		project, token := server.Project("sleepy-"+what, fmt.Sprintf(`
sleep:
  variables: {GIT_STRATEGY: none}
  script:
    - echo $$ > %[1]s.new && mv %[1]s.new %[1]s
    - sleep 600
`, file))
		var pipeline struct{ ID int64 }
		server.Must("POST", fmt.Sprintf("/projects/%d/trigger/pipeline", project), map[string]any{"token": token, "ref": "main"}, &pipeline)
		pid := 0
		process.Eventually(t, "begin of the job", func() (bool, string) {
			text, err := os.ReadFile(file)
			if err == nil {
				pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
			}
			return err == nil, fmt.Sprint(err)
		})
		path := fmt.Sprintf("/projects/%d", project)
		if what == "pipeline" {
			path += fmt.Sprintf("/pipelines/%d", pipeline.ID)
		}
		server.Must("DELETE", path, nil, nil)
		if status, err := server.Call("GET", path, nil, nil); status != http.StatusNotFound || err != nil {
			t.Errorf("the %s answers %d, error %v, want 404", what, status, err)
		}
		process.Eventually(t, "end of the job's process", func() (bool, string) {
			err := syscall.Kill(pid, 0)
			return err == syscall.ESRCH, fmt.Sprintf("process %d: %v", pid, err)
		})
	}
}
