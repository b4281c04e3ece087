package flow

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// at gives the time some seconds after the start.
func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

// The life of a pipeline's times (contract/trigger-api.md 5.1).
func TestPipelineTimes(t *testing.T) {
	w := begin(t, "b1", "b2", "t1")
	check := func(step string, started, finished, updated time.Time, duration int64) {
		t.Helper()
		p := w.s.Pipeline
		if !p.StartedAt.Equal(started) || !p.FinishedAt.Equal(finished) || !p.UpdatedAt.Equal(updated) || p.Duration != duration {
			t.Errorf("%s: started %v, finished %v, updated %v, duration %d; want %v, %v, %v, %d", step,
				p.StartedAt, p.FinishedAt, p.UpdatedAt, p.Duration, started, finished, updated, duration)
		}
	}
	var never time.Time
	take := func(name string, second int) { w.now = at(second - 1); w.do("take " + name) }
	pass := func(name string, second int) { w.now = at(second - 1); w.do("pass " + name) }

	check("pending", never, never, at(0), -1)
	take("b1", 10)
	check("first job runs", at(10), never, at(10), -1)
	take("b2", 20)
	pass("b1", 30)
	check("still running", at(10), never, at(10), -1)
	pass("b2", 40)
	take("t1", 100)
	pass("t1", 105)
	check("success: 10-30, 20-40 and 100-105", at(10), at(105), at(105), 35)

	w.now = at(199)
	w.do("retry b1")
	check("running again: the end stays", at(10), at(105), at(200), 35)
	take("b1", 210)
	pass("b1", 213)
	check("success again: 20-40, 100-105, 210-213, not the retried row", at(10), at(213), at(213), 28)
}

func TestPipelineTimesWithoutRunning(t *testing.T) {
	w := begin(t, "b1", "t1")
	w.now = at(59)
	w.do("cancel")
	p := w.s.Pipeline
	if !p.StartedAt.IsZero() || !p.FinishedAt.Equal(at(60)) || p.Duration != -1 {
		t.Errorf("canceled before it ran: started %v, finished %v, duration %d", p.StartedAt, p.FinishedAt, p.Duration)
	}
	w = begin(t, "b1 on_failure")
	if p := w.s.Pipeline; p.Status != ci.Skipped || !p.FinishedAt.IsZero() || p.Duration != -1 {
		t.Errorf("skipped: finished %v, duration %d", p.FinishedAt, p.Duration)
	}
}

func TestPipelineTimesWhenBlocked(t *testing.T) {
	w := begin(t, "b1", "tm manual", "t2 manual", "d1")
	w.now = at(9)
	w.do("take b1")
	w.now = at(24)
	w.do("pass b1")
	p := w.s.Pipeline
	if p.Status != ci.Manual || !p.FinishedAt.IsZero() || p.Duration != 15 {
		t.Errorf("blocked: %s, finished %v, duration %d", p.Status, p.FinishedAt, p.Duration)
	}
	// A job that winds down while the pipeline is blocked counts up to now.
	w = begin(t, "b1", "b2 manual")
	w.now = at(9)
	w.do("claim b1")
	w.now = at(17)
	w.do("cancel b1")
	if p := w.s.Pipeline; p.Status != ci.Manual || p.Duration != 8 {
		t.Errorf("blocked while winding down: %s, duration %d", p.Status, p.Duration)
	}
	// Two blocking manual jobs at the start: GitLab sets no started_at when the
	// pipeline goes from manual to running.
	w = begin(t, "b1 manual", "b2 manual")
	w.do("play b1")
	if p := w.s.Pipeline; p.Status != ci.Running || !p.StartedAt.IsZero() {
		t.Errorf("from manual: %s, started %v", p.Status, p.StartedAt)
	}
	w = begin(t, "b1 manual")
	w.do("play b1")
	w.do("take b1")
	if p := w.s.Pipeline; p.Status != ci.Running || !p.StartedAt.Equal(w.now) {
		t.Errorf("from manual over pending: %s, started %v", p.Status, p.StartedAt)
	}
}

// An allowed failure and a manual job: the pipeline is pending once more, and keeps
// the time when it first ran.
func TestPipelineStartsOnce(t *testing.T) {
	w := begin(t, "b1 af", "b2 manual")
	w.want("start", "pipeline=running") // pending and manual together, by rule 7
	first := at(0)
	w.do("fail b1")
	w.want("fail b1", "pipeline=manual")
	w.do("play b2")
	w.want("play b2", "pipeline=pending")
	w.do("take b2")
	w.want("take b2", "pipeline=running")
	if got := w.s.Pipeline.StartedAt; !got.Equal(first) {
		t.Errorf("started %v, want %v", got, first)
	}
}

func TestJobTimes(t *testing.T) {
	w := begin(t, "b1", "t1 delayed=30")
	if got, want := w.job("b1").QueuedAt, at(0); !got.Equal(want) {
		t.Errorf("queued %v, want %v", got, want)
	}
	w.now = at(4)
	w.do("take b1")
	w.now = at(8)
	w.do("pass b1")
	if j := w.job("b1"); !j.QueuedAt.Equal(at(0)) || !j.StartedAt.Equal(at(5)) || !j.FinishedAt.Equal(at(9)) {
		t.Errorf("b1: queued %v, started %v, finished %v", j.QueuedAt, j.StartedAt, j.FinishedAt)
	}
	if j := w.job("t1"); !j.ScheduledAt.Equal(at(39)) || !j.QueuedAt.IsZero() {
		t.Errorf("t1: scheduled for %v, queued %v", j.ScheduledAt, j.QueuedAt)
	}
	w.do("wait 40s")
	if j := w.job("t1"); !j.QueuedAt.Equal(at(49)) {
		t.Errorf("t1: queued %v", j.QueuedAt)
	}
}
