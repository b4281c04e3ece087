package flow

import "testing"

func TestCancel(t *testing.T) {
	tell(t, []story{
		{"gracefully, and the runner reports success", []string{"b1", "t1 always"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"cancel b1 => b1=canceling t1=created build=canceling pipeline=running",
			"cancel b1 => b1=canceling",
			"pass b1 => b1=canceled t1=skipped pipeline=canceled",
		}},
		{"gracefully, alone", []string{"b1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"cancel => b1=canceling pipeline=canceling",
			"fail b1 => b1=canceled pipeline=canceled",
		}},
		{"gracefully, and the runner reports a failure that would be retried", []string{"b1 retry=2"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"cancel b1 => b1=canceling",
			"fail b1 => b1=canceled pipeline=canceled",
		}},
		{"forced while winding down", []string{"b1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"cancel b1 => b1=canceling",
			"force b1 => b1=canceled pipeline=canceled",
		}},
		{"forced at once", []string{"b1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"force b1 => b1=canceled",
		}},
		{"the server gives up on winding down", []string{"b1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"cancel b1 => b1=canceling",
			"drop b1 stuck_or_timeout_failure => b1=canceled",
		}},
		{"a runner that cannot wind down", []string{"b1"}, []string{
			"start => b1=pending",
			"take b1 => b1=running",
			"cancel b1 => b1=canceled",
		}},
		{"jobs that no runner has", []string{"b1", "bm manual", "b2 delayed=60", "t1"}, []string{
			"start => b1=pending bm=manual b2=scheduled t1=created",
			"cancel b2 => b2=canceled",
			"cancel bm => bm=canceled",
			"cancel t1 => t1=canceled b1=pending",
			"cancel b1 => b1=canceled pipeline=canceled",
		}},
		{"an allowed one counts as a warning", []string{"b1 af", "t1"}, []string{
			"start => b1=pending",
			"cancel b1 => b1=canceled t1=pending",
		}},
		{"the pipeline", []string{"b1", "b2", "b3", "b4 delayed=60", "t1", "t2 always"}, []string{
			"start => b1=pending b4=scheduled",
			"pass b1 => b1=success",
			"take b2 => b2=running",
			"claim b3 => b3=running",
			"cancel => b1=success b2=canceled b3=canceling b4=canceled t1=canceled t2=canceled pipeline=canceling",
			"pass b3 => b3=canceled pipeline=canceled",
		}},
		{"the pipeline, but for manual jobs", []string{"b1", "bm manual", "t1"}, []string{
			"start => b1=pending bm=manual",
			"cancel => b1=canceled bm=manual t1=canceled pipeline=manual",
			"cancel bm => bm=canceled pipeline=canceled",
		}},
		{"a pipeline that has ended", []string{"b1"}, []string{
			"start => b1=pending",
			"pass b1 => pipeline=success",
			"cancel => b1=success pipeline=success",
			"cancel b1 => b1=success",
			"force b1 => b1=success",
		}},
	})
}

// workflow:auto_cancel:on_job_failure: all.
func TestCancelOnFailure(t *testing.T) {
	tell(t, []story{
		{"the others are canceled, the pipeline failed", []string{"b1 fast", "b2 fast", "b3 fast", "t1 fast", "d1 always fast"}, []string{
			"start => b1=pending",
			"take b2 => b2=running",
			"fail b1 => b1=failed b2=canceled b3=canceled t1=canceled d1=canceled pipeline=failed",
		}},
		{"an allowed failure changes nothing", []string{"b1 af fast", "b2 fast", "t1 fast"}, []string{
			"start => b1=pending",
			"fail b1 => b2=pending t1=created pipeline=running",
		}},
		{"nor does one with an allowed exit code", []string{"b1 allow=137 fast", "b2 fast"}, []string{
			"start => b1=pending",
			"fail b1 137 => b2=pending pipeline=running",
		}},
		{"nor one that is retried", []string{"b1 retry=1 fast", "b2 fast"}, []string{
			"start => b1=pending",
			"fail b1 => b1=pending b2=pending pipeline=running",
			"fail b1 => b1=failed b2=canceled pipeline=failed",
		}},
	})
}
