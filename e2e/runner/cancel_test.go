//go:build runner_e2e

package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// talkative prints until it is stopped. MARKS is a folder for what it leaves.
const talkative = `
talk:
  rules: [if: $MARKS]
  script:
    - echo $$ >"$MARKS/pid"
    - for i in $(seq 1 300); do echo "line $i"; sleep 0.2; done
  after_script:
    - echo "after script, job is $CI_JOB_STATUS"
    - touch "$MARKS/after"
  artifacts: {when: always, paths: [.gitlab-ci.yml]}
silent:
  rules: [if: $SILENT]
  script: [sleep 300]
`

// TestCancel cancels a job that runs. A runner that can is asked to stop and runs
// after_script; an older one is cut off.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	s := w.register(2, nil)
	s.start()
	p := w.project("cancel", talkative)
	marks := t.TempDir()
	pipeline := p.start(map[string]string{"MARKS": marks})
	j := p.job(pipeline, "talk")
	p.awaitLog(j.ID, "line 3")
	begun := time.Now()
	p.w.server.Must("POST", p.path("/jobs/%d/cancel", j.ID), nil, &j)
	graceful := w.wire.features()["cancel_gracefully"] == true
	if want := map[bool]string{true: "canceling", false: "canceled"}[graceful]; j.Status != want {
		t.Errorf("after the cancel the job is %s, want %s", j.Status, want)
	}
	process.Eventually(t, "end of the script", func() (bool, string) {
		return !alive(t, filepath.Join(marks, "pid")), "it still runs"
	})
	stopped := time.Since(begun)
	j = p.awaitJob(j.ID, time.Minute, "canceled")
	t.Logf("canceled: script gone after %v, job canceled after %v (graceful: %v)", stopped, time.Since(begun), graceful)
	if got := p.await(pipeline, time.Minute, ended...); got != "canceled" {
		t.Errorf("the pipeline is %s", got)
	}
	_, err := os.Stat(filepath.Join(marks, "after"))
	if ran := err == nil; ran != graceful {
		t.Errorf("after_script ran: %v, want %v", ran, graceful)
	}
	if graceful {
		checkGraceful(t, p, j)
	} else {
		checkHard(t, p, j)
	}
	cancelSilent(t, p, p.start(map[string]string{"SILENT": "1"}))
	if found := s.complaints(cancelComplaints...); len(found) > 0 {
		t.Errorf("the runner complains:\n%s", strings.Join(found, "\n"))
	}
}

// cancelComplaints begins what runners say about jobs that were canceled.
var cancelComplaints = []string{
	"script canceled externally",                                                                         // asked to stop
	"Appending trace to coordinator... job failed", "Error while executing file based variables removal", // cut off
}

// cancelSilent cancels a job that has nothing to say: its runner hears of it with
// the sign of life that it sends when it has been quiet for 30 s.
func cancelSilent(t *testing.T, p project, pipeline int64) {
	t.Helper()
	j := p.job(pipeline, "silent")
	p.awaitLog(j.ID, "$ sleep 300")
	begun := time.Now()
	p.w.server.Must("POST", p.path("/pipelines/%d/cancel", pipeline), nil, nil)
	process.Eventually(t, "that the runner hears of the cancel", func() (bool, string) {
		talk := p.w.wire.ofJob(j.ID)
		return strings.HasPrefix(talk[len(talk)-1].Answer.Get("Job-Status"), "cancel"), transcript(talk)
	})
	t.Logf("the runner of a silent job heard of the cancel after %v", time.Since(begun))
	p.awaitJob(j.ID, time.Minute, "canceled")
}

// checkGraceful holds how a job ended that was asked to stop.
func checkGraceful(t *testing.T, p project, j job) {
	t.Helper()
	p.check(j)
	log := p.log(j.ID)
	if !strings.Contains(log, "after script, job is canceled") {
		t.Errorf("after_script is not in the log:\n%s", log)
	}
	talk := p.w.wire.ofJob(j.ID)
	last := talk[len(talk)-1]
	if got := fmt.Sprint(last.Body["state"], " ", last.Body["failure_reason"]); got != "failed job_canceled" {
		t.Errorf("the runner ended the job with %s", got)
	}
	if len(j.Artifacts) != 2 {
		t.Errorf("artifacts of a canceled job: %+v", j.Artifacts)
	}
}

// checkHard holds that a job that was cut off was told so.
func checkHard(t *testing.T, p project, j job) {
	t.Helper()
	var cut exchange
	process.Eventually(t, "a refused report", func() (bool, string) {
		talk := p.w.wire.ofJob(j.ID)
		cut = talk[len(talk)-1]
		return cut.Method == "PUT" && cut.Status == 403, transcript(talk)
	})
	if cut.Answer.Get("Job-Status") != "canceled" {
		t.Errorf("the runner was told\n%s", cut)
	}
}
