package flow

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestTick(t *testing.T) {
	tell(t, []story{
		{"due", []string{"b1 delayed=60", "b2 delayed=7200", "t1"}, []string{
			"start => b1=scheduled b2=scheduled pipeline=scheduled",
			"wait 59s => b1=scheduled",
			"wait 1s => b1=pending b2=scheduled pipeline=running",
			"pass b1 => pipeline=scheduled t1=created",
			"wait 2h => b2=pending",
		}},
		{"the time counts from the turn", []string{"b1", "t1 delayed=60"}, []string{
			"start => t1=created",
			"wait 10m => t1=created",
			"pass b1 => t1=scheduled",
			"wait 59s => t1=scheduled",
			"wait 1s => t1=pending",
		}},
		{"just not stale", []string{"b1 delayed=60"}, []string{
			"start => b1=scheduled",
			"wait 61m => b1=pending",
		}},
		{"stale", []string{"b1 delayed=60", "t1"}, []string{
			"start => b1=scheduled",
			"wait 62m => b1=failed t1=skipped pipeline=failed",
		}},
		{"stale, and retried at once", []string{"b1 delayed=60 retry=1 reason=stale_schedule"}, []string{
			"start => b1=scheduled",
			"wait 62m => b1=pending",
		}},
		{"no runner", []string{"b1"}, []string{
			"start => b1=pending",
			"wait 24h => b1=pending",
			"wait 1s => b1=failed pipeline=failed",
		}},
		{"beyond the timeout that the runner was given", []string{"b1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"wait 25m => b1=running",
			"wait 1s => b1=failed pipeline=failed",
		}},
		{"winding down for ever", []string{"b1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"cancel b1 => b1=canceling",
			"wait 30m => b1=canceled pipeline=canceled",
		}},
	})
	for reason, steps := range map[ci.FailureReason][]string{
		ci.StaleSchedule:       {"wait 62m"},
		ci.StuckOrTimeout:      {"wait 60s", "wait 25h"},
		ci.JobExecutionTimeout: {"wait 60s", "take b1", "wait 2h"},
	} {
		w := begin(t, "b1 delayed=60")
		for _, step := range steps {
			w.do(step)
		}
		if got := w.job("b1").FailureReason; got != reason {
			t.Errorf("after %v: failure reason %s, want %s", steps, got, reason)
		}
	}
}

func TestTickWithNothingDue(t *testing.T) {
	w := begin(t, "b1", "b2 delayed=60")
	if c, err := Tick(w.s, epoch.Add(time.Second)); err != nil || !c.Empty() {
		t.Errorf("changes %+v, error %v; want neither", c, err)
	}
}
