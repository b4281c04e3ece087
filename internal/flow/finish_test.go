package flow

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestExitCodes(t *testing.T) {
	tell(t, []story{
		{"listed", []string{"b1 allow=2 allow=137", "t1", "t2 on_failure"}, []string{
			"start => b1=pending",
			"fail b1 137 => b1=failed t1=pending t2=skipped build=success",
		}},
		{"not listed", []string{"b1 allow=137", "t1", "t2 on_failure"}, []string{
			"start => b1=pending",
			"fail b1 1 => t1=skipped t2=pending build=failed",
		}},
		{"no code, though zero is listed", []string{"b1 allow=0", "t1"}, []string{
			"start => b1=pending",
			"fail b1 runner_system_failure => t1=skipped build=failed",
		}},
		{"another code after a retry", []string{"b1 allow=137", "t1"}, []string{
			"start => b1=pending",
			"fail b1 137 => t1=pending",
			"retry b1 => b1=pending",
			"fail b1 1 => b1=failed build=failed",
		}},
	})
}

func TestAutomaticRetry(t *testing.T) {
	for _, test := range []struct {
		name, job, failure string
		want               ci.Status // of the row that counts afterwards
	}{
		{"not configured", "b1", "1", ci.Failed},
		{"any failure", "b1 retry=1", "1", ci.Pending},
		{"unknown reasons too", "b1 retry=1", "nonsense", ci.Pending},
		{"reason listed", "b1 retry=1 reason=api_failure reason=script_failure", "1", ci.Pending},
		{"reason not listed", "b1 retry=1 reason=api_failure", "1", ci.Failed},
		{"always", "b1 retry=1 reason=always", "runner_system_failure", ci.Pending},
		{"unknown reasons count as unknown_failure", "b1 retry=1 reason=unknown_failure", "nonsense", ci.Pending},
		{"exit code listed", "b1 retry=1 code=137 code=2", "2", ci.Pending},
		{"exit code not listed", "b1 retry=1 code=137", "1", ci.Failed},
		{"no exit code", "b1 retry=1 code=0", "runner_system_failure", ci.Failed},
		{"reason or exit code: code", "b1 retry=1 reason=api_failure code=137", "137", ci.Pending},
		{"reason or exit code: reason", "b1 retry=1 reason=api_failure code=137", "api_failure", ci.Pending},
		{"reason or exit code: neither", "b1 retry=1 reason=api_failure code=137", "1", ci.Failed},
		{"allowed failures too", "b1 af retry=1", "1", ci.Pending},
		{"the scheduler's own failure", "b1", "scheduler_failure", ci.Pending},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := begin(t, test.job, "t1")
			w.do("fail b1 " + test.failure)
			if got := w.job("b1").Status; got != test.want {
				t.Errorf("b1 is %s, want %s", got, test.want)
			}
			if got, want := w.job("b1").Retried || !w.s.Jobs[0].Retried, test.want == ci.Failed; got != want {
				t.Errorf("first row still counts: %t, want %t", got, want)
			}
		})
	}
}

// Attempts are counted over all rows of the name, and the pipeline does not fail
// in between.
func TestAutomaticRetryEnds(t *testing.T) {
	tell(t, []story{
		{"twice", []string{"b1 retry=2", "t1"}, []string{
			"start => b1=pending",
			"fail b1 => b1=pending t1=created build=pending pipeline=running",
			"fail b1 => b1=pending t1=created pipeline=running",
			"fail b1 => b1=failed t1=skipped pipeline=failed",
			"retry b1 => b1=pending",
			"fail b1 => b1=failed pipeline=failed",
		}},
		{"scheduler failures, unasked", []string{"b1"}, []string{
			"start => b1=pending",
			"fail b1 scheduler_failure => b1=pending",
			"fail b1 scheduler_failure => b1=pending",
			"fail b1 scheduler_failure => b1=failed",
		}},
		{"scheduler failures, as configured", []string{"b1 retry=1"}, []string{
			"start => b1=pending",
			"fail b1 scheduler_failure => b1=pending",
			"fail b1 scheduler_failure => b1=failed",
		}},
		{"a manual job does not ask again", []string{"bm manual retry=1"}, []string{
			"start => bm=manual",
			"play bm => bm=pending",
			"fail bm => bm=pending pipeline=running",
		}},
		{"dropped by the server", []string{"b1 retry=1", "t1"}, []string{
			"start => b1=pending",
			"drop b1 stuck_or_timeout_failure => b1=pending",
			"drop b1 stuck_or_timeout_failure => b1=failed t1=skipped pipeline=failed",
		}},
		{"a success in the end", []string{"b1 retry=1", "t1"}, []string{
			"start => b1=pending",
			"fail b1 => b1=pending",
			"pass b1 => t1=pending",
		}},
	})
}
