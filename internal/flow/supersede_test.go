package flow

import "testing"

// workflow:auto_cancel:on_new_commit (contract/ci-yaml.md 8.6).
func TestSupersede(t *testing.T) {
	tell(t, []story{
		{"conservative, nothing has begun", []string{"b1", "b2 delayed=60", "bm manual", "t1"}, []string{
			"start => b1=pending b2=scheduled bm=manual",
			"supersede => b1=canceled b2=canceled bm=manual t1=canceled pipeline=manual",
		}},
		{"conservative, an interruptible job runs", []string{"b1 int", "t1"}, []string{
			"start => b1=pending",
			"take b1 => b1=running",
			"supersede => b1=canceled t1=canceled pipeline=canceled",
		}},
		{"conservative, winding down", []string{"b1 int", "t1"}, []string{
			"start => b1=pending",
			"claim b1 => b1=running",
			"supersede => b1=canceling t1=canceled pipeline=canceling",
			"pass b1 => b1=canceled pipeline=canceled",
		}},
		{"conservative, another job runs", []string{"b1 int", "b2", "t1"}, []string{
			"start => b1=pending",
			"take b2 => b2=running",
			"supersede => b1=pending b2=running t1=created pipeline=running",
		}},
		{"conservative, another job has run", []string{"b1", "t1 int"}, []string{
			"start => b1=pending",
			"pass b1 => b1=success t1=pending",
			"supersede => b1=success t1=pending pipeline=running",
		}},
		{"conservative, another job has failed and is tried again", []string{"b1 retry=1"}, []string{
			"start => b1=pending",
			"fail b1 => b1=pending",
			"supersede => b1=pending",
		}},
		{"conservative, another job was canceled before", []string{"b1", "b2 int"}, []string{
			"start => b1=pending",
			"cancel b1 => b1=canceled",
			"supersede => b2=canceled pipeline=canceled",
		}},
		{"interruptible", []string{"b1 new=interruptible", "b2 int new=interruptible", "t1 new=interruptible", "d1 int new=interruptible"}, []string{
			"start => b1=pending b2=pending",
			"take b1 => b1=running",
			"supersede => b1=running b2=canceled t1=created d1=canceled pipeline=running",
			"pass b1 => b1=success t1=skipped pipeline=canceled",
		}},
		{"interruptible, manual jobs stay", []string{"b1 manual int new=interruptible"}, []string{
			"start => b1=manual",
			"supersede => b1=manual",
		}},
		{"none", []string{"b1 int new=none"}, []string{
			"start => b1=pending",
			"supersede => b1=pending pipeline=pending",
		}},
		{"a pipeline that has ended", []string{"b1 int"}, []string{
			"start => b1=pending",
			"pass b1 => pipeline=success",
			"supersede => b1=success pipeline=success",
		}},
	})
}
