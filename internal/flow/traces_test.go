package flow

import "testing"

// The worked traces of contract/ci-yaml.md appendix B. Number 11, resource groups,
// is in TestCompositeTraps: this server never makes a job wait for one.
func TestTraces(t *testing.T) {
	four := []string{"b1", "t1", "t2 on_failure", "d1 always"}
	tell(t, []story{
		{"1 failed build", four, []string{
			"start => b1=pending t1=created t2=created d1=created build=pending test=created deploy=created pipeline=pending",
			"take b1 => b1=running build=running pipeline=running",
			"fail b1 => t1=skipped t2=pending d1=created build=failed test=pending pipeline=running",
			"pass t2 => t2=success d1=pending test=success deploy=pending pipeline=running",
			"pass d1 => d1=success deploy=success pipeline=failed",
		}},
		{"2 canceled build", four, []string{
			"start => b1=pending pipeline=pending",
			"take b1 => b1=running pipeline=running",
			"cancel b1 => b1=canceled t1=skipped t2=skipped d1=skipped build=canceled test=skipped deploy=skipped pipeline=canceled",
		}},
		{"3 allowed failure", []string{"b1 af", "t1"}, []string{
			"start => b1=pending t1=created pipeline=pending",
			"fail b1 => t1=pending build=success pipeline=running",
			"pass t1 => pipeline=success",
		}},
		{"4 optional manual", []string{"bm manual af", "t1"}, []string{
			"start => bm=manual t1=pending build=skipped test=pending pipeline=pending",
			"pass t1 => bm=manual pipeline=success",
			"play bm => bm=pending build=pending pipeline=running",
			"pass bm => build=success pipeline=success",
		}},
		{"5 blocking manual", []string{"bm manual", "t1"}, []string{
			"start => bm=manual t1=created build=manual test=created pipeline=manual",
			"play bm => bm=pending t1=created pipeline=pending",
			"take bm => pipeline=running",
			"fail bm => t1=skipped pipeline=failed",
		}},
		{"6 DAG on an optional manual", []string{"bm manual af", "t1 needs=bm", "d1 needs=t1"}, []string{
			"start => bm=manual t1=skipped d1=skipped build=skipped test=skipped deploy=skipped pipeline=skipped",
			"play bm => bm=pending t1=created d1=created build=pending test=skipped deploy=skipped pipeline=pending",
			"pass bm => t1=pending d1=created test=pending pipeline=running",
			"pass t1 => d1=pending",
			"pass d1 => pipeline=success",
		}},
		{"7 DAG does not wait for the stage", []string{"b1", "b2", "t1 needs=b1"}, []string{
			"start => b1=pending b2=pending t1=created",
			"take b2 => b2=running t1=created",
			"pass b1 => b2=running t1=pending build=running test=pending pipeline=running",
		}},
		{"8 stage job waits for DAG jobs of earlier stages", []string{"b1", "t1 needs=", "d1"}, []string{
			"start => b1=pending t1=pending d1=created",
			"pass b1 => t1=pending d1=created",
			"pass t1 => d1=pending",
		}},
		{"8 the other way round", []string{"b1", "t1 needs=", "d1"}, []string{
			"start => b1=pending t1=pending d1=created",
			"pass t1 => b1=pending d1=created",
			"pass b1 => d1=pending",
		}},
		{"9 needs in the same stage", []string{"t2 needs=t1", "t1"}, []string{
			"start => t1=pending t2=created test=pending",
			"pass t1 => t2=pending",
		}},
		{"9 skipped in the same pass", []string{"b1", "t2 needs=t1", "t1"}, []string{
			"start => b1=pending t1=created t2=created",
			"fail b1 => t1=skipped t2=skipped pipeline=failed",
		}},
		{"10 delayed", []string{"b1", "d1 delayed=600"}, []string{
			"start => b1=pending d1=created",
			"pass b1 => d1=scheduled deploy=scheduled pipeline=scheduled",
			"wait 599s => d1=scheduled pipeline=scheduled",
			"play d1 => d1=pending deploy=pending pipeline=running",
			"pass d1 => pipeline=success",
		}},
		{"12 retry after the pipeline failed", []string{"b1", "t1"}, []string{
			"start => b1=pending t1=created",
			"fail b1 => b1=failed t1=skipped pipeline=failed",
			"retry b1 => b1=pending t1=created build=pending test=skipped pipeline=running",
			"pass b1 => t1=pending pipeline=running",
			"pass t1 => pipeline=success",
		}},
	})
}

// The facts that contract/ci-yaml.md 8.3 derives, one by one.
func TestFacts(t *testing.T) {
	tell(t, []story{
		{"canceled before: everything later is skipped", []string{"b1", "b2", "t1 on_failure", "t2 always", "t3 needs=b1 always"}, []string{
			"start => b1=pending b2=pending",
			"cancel b1 => t1=created t2=created t3=skipped",
			"pass b2 => t1=skipped t2=skipped build=canceled test=skipped pipeline=canceled",
		}},
		{"canceled and failed: failed", []string{"b1", "b2", "t1 on_failure", "t2"}, []string{
			"start => b1=pending",
			"cancel b1 => b1=canceled",
			"fail b2 => t1=pending t2=skipped build=failed",
		}},
		{"on_failure without anything before", []string{"b1 on_failure", "b2 on_failure needs=", "b3"}, []string{
			"start => b1=skipped b2=skipped b3=pending",
		}},
		{"on_failure alone", []string{"b1 on_failure"}, []string{
			"start => b1=skipped build=skipped pipeline=skipped",
		}},
		{"optional manual does not block", []string{"bm manual af", "t1", "d1"}, []string{
			"start => bm=manual build=skipped t1=pending d1=created",
			"pass t1 => d1=pending",
			"pass d1 => pipeline=success bm=manual",
		}},
		{"blocking manual among others", []string{"b1", "bm manual", "t1"}, []string{
			"start => b1=pending bm=manual t1=created build=running pipeline=running",
			"pass b1 => t1=created build=manual pipeline=manual",
			"play bm => bm=pending build=running pipeline=running",
			"pass bm => t1=pending",
		}},
		{"blocking manual and a failure: manual until it is played", []string{"b1", "bm manual", "t1"}, []string{
			"start => b1=pending bm=manual",
			"fail b1 => build=manual pipeline=manual t1=created",
			"play bm => pipeline=running",
			"pass bm => t1=skipped pipeline=failed",
		}},
		{"DAG on an optional manual", []string{"bm manual af", "t1 needs=bm", "t2 needs=bm always", "t3 needs=bm on_failure"}, []string{
			"start => bm=manual t1=skipped t2=pending t3=skipped",
		}},
		{"DAG on a blocking manual", []string{"bm manual", "t1 needs=bm", "t2 needs=bm always", "t3 needs=bm on_failure"}, []string{
			"start => bm=manual t1=created t2=created t3=created pipeline=manual",
		}},
		{"DAG on a skipped need", []string{"b1", "t1 needs=b1", "d1 needs=t1", "d2 needs=t1 on_failure", "d3 needs=t1 always"}, []string{
			"start => b1=pending",
			"fail b1 => t1=skipped d1=skipped d2=skipped d3=pending",
		}},
		{"needs {failed, skipped}: rollback is skipped", []string{"b1", "t1 needs=b1", "d1 needs=b1,t1 on_failure"}, []string{
			"start => b1=pending t1=created d1=created",
			"fail b1 => t1=skipped d1=skipped pipeline=failed",
		}},
		{"needs {failed}: rollback runs", []string{"b1", "t1 needs=b1", "d1 needs=t1 on_failure"}, []string{
			"start => b1=pending",
			"pass b1 => t1=pending",
			"fail t1 => d1=pending",
			"pass d1 => pipeline=failed",
		}},
		{"a skipped need decides while another still runs", []string{"b1", "b2", "t1 needs=b1", "d1 needs=b2,t1 always"}, []string{
			"start => b1=pending b2=pending d1=created",
			"fail b1 => b2=pending t1=skipped d1=pending",
		}},
		{"allowed failure counts as success, by stage and by need", []string{"b1 af", "t1", "t2 on_failure", "t3 needs=b1", "t4 needs=b1 on_failure"}, []string{
			"start => b1=pending",
			"fail b1 => t1=pending t2=skipped t3=pending t4=skipped",
		}},
		{"others of the stage go on after a failure", []string{"b1", "b2", "t1"}, []string{
			"start => b1=pending b2=pending",
			"take b2 => b2=running",
			"fail b1 => b2=running t1=created build=running pipeline=running",
			"pass b2 => t1=skipped build=failed pipeline=failed",
		}},
		{"a skipped stage lets stage jobs run", []string{"b1 on_failure", "t1"}, []string{
			"start => b1=skipped t1=pending",
		}},
		{"optional need that is absent", []string{"b1", "t1 needs=gone", "t2 needs=gone,b1"}, []string{
			"start => t1=pending t2=created",
			"pass b1 => t2=pending",
		}},
		{"manual and delayed wait for their turn", []string{"b1", "tm manual af", "t1 delayed=60"}, []string{
			"start => tm=created t1=created",
			"pass b1 => tm=manual t1=scheduled pipeline=scheduled",
			"wait 60s => t1=pending pipeline=running",
			"pass t1 => pipeline=success",
		}},
		{"manual and delayed are skipped after a failure", []string{"b1", "tm manual af", "t1 delayed=60"}, []string{
			"start => tm=created t1=created",
			"fail b1 => tm=skipped t1=skipped pipeline=failed",
		}},
	})
}
