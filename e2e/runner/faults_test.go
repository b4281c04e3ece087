//go:build runner_e2e

package runner

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// counting prints forty numbers in eight seconds and keeps an artifact.
const counting = `
count:
  script:
    - for i in $(seq 1 40); do echo "number $i."; sleep 0.2; done
    - echo done >result.txt
  artifacts: {paths: [result.txt]}
`

// checkCount holds that a log has all numbers once, in order.
func checkCount(t *testing.T, log string) {
	t.Helper()
	next := 1
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "number ") {
			if want := fmt.Sprintf("number %d.\n", next); line != want {
				t.Errorf("log has %q, want %q", line, want)
			}
			next++
		}
	}
	if next != 41 {
		t.Errorf("log ends with number %d, want 40:\n%s", next-1, log)
	}
}

// TestServerRestart ends the server in the middle of a job, as a power cut does
// and as an upgrade does. The runner goes on as soon as there is a server again,
// and nothing of the log is missing.
func TestServerRestart(t *testing.T) {
	for name, end := range map[string]func(*world) error{
		"killed":  func(w *world) error { w.server.Kill(); return nil },
		"stopped": func(w *world) error { return w.server.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.register(1, nil)
			s.start()
			p := w.project("restart", counting)
			pipeline := p.start(nil)
			j := p.job(pipeline, "count")
			p.awaitLog(j.ID, "number 5.")
			if err := end(w); err != nil {
				t.Errorf("stop the server: %v", err)
			}
			time.Sleep(time.Second) // the runner finds nobody at least once
			w.serve()
			j = p.awaitJob(j.ID, time.Minute, "success", "failed")
			if j.Status != "success" || len(j.Artifacts) != 2 {
				t.Errorf("the job is %+v", j)
			}
			checkCount(t, p.log(j.ID))
			talk := w.wire.ofJob(j.ID)
			p.checkEnd(j, talk[len(talk)-1], func(format string, args ...any) {
				t.Errorf("%s\n%s", fmt.Sprintf(format, args...), transcript(talk))
			})
			again := p.start(nil) // and takes the next one
			p.awaitLog(p.job(again, "count").ID, "number 1.")
			p.w.server.Must("POST", p.path("/pipelines/%d/cancel", again), nil, nil)
			p.awaitJob(p.job(again, "count").ID, time.Minute, "canceled")
		})
	}
}

// TestLostAnswers loses answers on their way to the runner: the server has done
// what was asked, the runner asks again.
func TestLostAnswers(t *testing.T) {
	w := newWorld(t)
	s := w.register(1, nil)
	s.start()
	p := w.project("lost", counting)
	lost := map[string]bool{}
	w.wire.loseAnswers(func(x exchange) bool {
		kind := x.Method
		if x.Job != 0 || x.Path == "/jobs/request" || strings.HasPrefix(x.Path, "/runners") || !strings.HasPrefix(x.Path, "/jobs/") {
			return false
		}
		if x.Method == http.MethodPut {
			kind += fmt.Sprint(x.Body["state"])
		}
		first := !lost[kind]
		lost[kind] = true
		return first
	})
	pipeline := p.start(nil)
	j := p.job(pipeline, "count")
	j = p.awaitJob(j.ID, time.Minute, "success", "failed")
	if j.Status != "success" || len(j.Artifacts) != 2 {
		t.Errorf("the job is %+v", j)
	}
	checkCount(t, p.log(j.ID))
	again := p.start(nil) // the runner goes on
	p.finish(again, "success")
	t.Logf("lost %v\n%s", lost, transcript(w.wire.ofJob(j.ID)))
}

// TestRunnerKilled kills a runner with SIGKILL: its job stays with it, silent,
// until somebody cancels it or its time is up. The runner that is started next
// takes other jobs.
func TestRunnerKilled(t *testing.T) {
	w := newWorld(t)
	s := w.register(1, nil)
	s.start()
	p := w.project("killed", talkative)
	first := p.start(map[string]string{"MARKS": t.TempDir()})
	j := p.job(first, "talk")
	p.awaitLog(j.ID, "line 3")
	s.signal(syscall.SIGKILL)
	if err := s.wait(time.Minute); err == nil {
		t.Error("the runner survived SIGKILL")
	}
	s.start()
	second := p.start(map[string]string{"MARKS": t.TempDir()})
	p.awaitLog(p.job(second, "talk").ID, "line 1")
	if got := p.job(first, "talk").Status; got != "running" {
		t.Errorf("the job of the killed runner is %s", got)
	}
	w.server.Must("POST", p.path("/jobs/%d/cancel?force=true", j.ID), nil, &j)
	p.await(first, time.Minute, "canceled")
	w.server.Must("POST", p.path("/pipelines/%d/cancel", second), nil, nil)
	p.await(second, time.Minute, "canceled")
}

// TestRunnerStopped ends a runner by signals: SIGTERM gives up its jobs, SIGQUIT
// lets them end.
func TestRunnerStopped(t *testing.T) {
	for sig, want := range map[syscall.Signal]string{syscall.SIGTERM: "failed runner_system_failure", syscall.SIGQUIT: "success "} {
		t.Run(sig.String(), func(t *testing.T) {
			w := newWorld(t)
			s := w.register(1, nil)
			s.start()
			p := w.project("stopped", counting)
			pipeline := p.start(nil)
			j := p.job(pipeline, "count")
			p.awaitLog(j.ID, "number 5.")
			waiting := p.start(nil)
			s.signal(sig)
			if err := s.wait(time.Minute); err != nil {
				t.Errorf("the runner ended with %v", err)
			}
			j = p.awaitJob(j.ID, 10*time.Second, "success", "failed")
			if got := j.Status + " " + j.FailureReason; got != want {
				t.Errorf("the job is %s, want %s", got, want)
			}
			p.check(j)
			if next := p.job(waiting, "count"); next.Status != "pending" {
				t.Errorf("a runner that ends took another job: %+v", next)
			}
		})
	}
}
