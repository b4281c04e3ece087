//go:build runner_e2e

package runner

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// TestManyJobs lets a runner with four places work off 64 jobs: each is run once.
func TestManyJobs(t *testing.T) {
	w := newWorld(t)
	s := w.register(4, nil)
	p := w.project("many", "variables: {GIT_STRATEGY: none}\nmany: {parallel: 64, script: ['echo \"node $CI_NODE_INDEX of $CI_NODE_TOTAL\"']}\n")
	pipeline := p.start(nil)
	begun := time.Now()
	s.start()
	jobs := p.finish(pipeline, "success")
	t.Logf("64 jobs in %v", time.Since(begun))
	if len(jobs) != 64 {
		t.Errorf("%d jobs, want 64", len(jobs))
	}
	for i, j := range jobs {
		if log := p.log(j.ID); !strings.Contains(log, fmt.Sprintf("\nnode %d of 64\n", i+1)) {
			t.Errorf("log of %s:\n%s", j.Name, log)
		}
	}
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, x := range w.wire.where(func(x exchange) bool { return x.Job != 0 }) {
		changes = append(changes, change{x.Ended, 1})
	}
	for _, x := range w.wire.where(func(x exchange) bool { return x.Method == http.MethodPut && x.Body["state"] == "success" }) {
		changes = append(changes, change{x.Begun, -1})
	}
	if len(changes) != 128 {
		t.Errorf("%d jobs given and ended, want 128", len(changes))
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].at.Before(changes[j].at) })
	now, most := 0, 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	if most > 4 {
		t.Errorf("%d jobs at once, want 4", most)
	}
	if found := s.complaints(); len(found) > 0 {
		t.Errorf("the runner complains:\n%s", strings.Join(found, "\n"))
	}
}

// TestTags holds which runner takes which job: tags, protected refs, jobs without
// tags, and none while it is paused.
func TestTags(t *testing.T) {
	w := newWorld(t)
	p := w.project("tags", "tagged: {tags: [linux, shell], script: [echo tagged]}\nplain: {script: [echo plain], rules: [if: $PLAIN]}\n")
	w.server.Must("POST", p.path("/repository/branches?branch=feature&ref=main"), nil, nil)
	w.server.Must("POST", p.path("/protected_branches"), map[string]any{"name": "main"}, nil)
	careful := w.register(2, map[string]any{
		"tag_list": []string{"linux", "shell", "fast"}, "run_untagged": false, "access_level": "ref_protected",
	})
	careful.start()
	feature := p.startOn("feature", nil)
	main := p.start(map[string]string{"PLAIN": "1"})
	p.check(p.awaitJob(p.job(main, "tagged").ID, time.Minute, "success"))
	for pipeline, name := range map[int64]string{feature: "tagged", main: "plain"} {
		if j := p.job(pipeline, name); j.Status != "pending" {
			t.Errorf("%s of pipeline %d is %s, want pending", name, pipeline, j.Status)
		}
	}
	open := w.register(2, map[string]any{"tag_list": []string{"linux", "shell"}, "paused": true})
	open.start()
	time.Sleep(3 * time.Second) // it asks, and gets nothing
	if j := p.job(main, "plain"); j.Status != "pending" {
		t.Errorf("a paused runner took job %+v", j)
	}
	w.server.Must("PUT", fmt.Sprintf("/runners/%d", open.ID), map[string]any{"paused": false}, nil)
	resumed := time.Now()
	p.awaitJob(p.job(main, "plain").ID, time.Minute, "running", "success")
	t.Logf("a runner that was paused took a job %v after it was not any more", time.Since(resumed))
	p.finish(main, "success")
	for _, j := range p.finish(feature, "success") {
		if j.Runner.ID != open.ID {
			t.Errorf("job %s of a branch that is not protected was run by runner %d, want %d", j.Name, j.Runner.ID, open.ID)
		}
	}
	for _, s := range []*stock{careful, open} {
		if found := s.complaints(); len(found) > 0 {
			t.Errorf("runner %d complains:\n%s", s.ID, strings.Join(found, "\n"))
		}
	}
}

// TestLatency measures how fast a job reaches a runner that waits for one: the
// server holds its request open and answers when a pipeline starts.
func TestLatency(t *testing.T) {
	w := newWorld(t)
	s := w.register(1, nil)
	s.start()
	p := w.project("latency", "variables: {GIT_STRATEGY: none}\njob: {script: [\"true\"]}\n")
	var taken []time.Duration
	for range 5 {
		polls := len(w.wire.where(func(x exchange) bool { return x.Path == "/jobs/request" }))
		time.Sleep(2 * time.Second) // by now it asks again
		begun := time.Now()
		pipeline := p.start(nil)
		p.finish(pipeline, "success")
		given := w.wire.where(func(x exchange) bool { return x.Path == "/jobs/request" })[polls:]
		i := slices.IndexFunc(given, func(x exchange) bool { return x.Job != 0 })
		taken = append(taken, given[i].Ended.Sub(begun))
	}
	t.Logf("from the trigger call to the job at the runner: %v", taken)
	if slowest := slices.Max(taken); slowest > time.Second {
		t.Errorf("a job took %v to a runner that waits", slowest)
	}
}
