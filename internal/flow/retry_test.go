package flow

import (
	"reflect"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestRetry(t *testing.T) {
	tell(t, []story{
		{"a manual job starts at once", []string{"bm manual", "t1"}, []string{
			"start => bm=manual",
			"play bm => bm=pending",
			"fail bm => t1=skipped pipeline=failed",
			"retry bm => bm=pending t1=created pipeline=running",
		}},
		{"the pipeline's manual jobs ask again", []string{"bm manual", "t1"}, []string{
			"start => bm=manual",
			"play bm => bm=pending",
			"fail bm => pipeline=failed",
			"retry => bm=manual t1=created build=manual pipeline=manual",
			"play bm => bm=pending pipeline=pending",
		}},
		{"a manual job of a later stage remembers that it starts at once", []string{"b1", "tm manual"}, []string{
			"start => tm=created",
			"pass b1 => tm=manual",
			"play tm => tm=pending",
			"fail tm => pipeline=failed",
			"retry b1 => b1=pending",
			"retry tm => tm=created",
			"pass b1 => tm=pending",
		}},
		{"a delayed job starts at once", []string{"b1 delayed=60"}, []string{
			"start => b1=scheduled",
			"wait 60s => b1=pending",
			"fail b1 => pipeline=failed",
			"retry b1 => b1=pending",
			"fail b1 => pipeline=failed",
			"retry => b1=scheduled pipeline=scheduled",
		}},
		{"a job that succeeded", []string{"b1", "t1"}, []string{
			"start => b1=pending",
			"pass b1 => t1=pending",
			"pass t1 => pipeline=success",
			"retry b1 => b1=pending t1=success pipeline=running",
			"pass b1 => pipeline=success",
		}},
		{"a job whose turn does not come any more", []string{"b1", "t1 on_failure"}, []string{
			"start => b1=pending",
			"fail b1 => t1=pending",
			"fail t1 => pipeline=failed",
			"retry b1 => b1=pending t1=failed",
			"pass b1 => pipeline=failed",
			"retry t1 => t1=skipped pipeline=success",
		}},
		{"the pipeline: failed and canceled, not success and manual", []string{"b1", "b2", "b3", "bm manual af", "t1"}, []string{
			"start => b1=pending",
			"pass b1 => b1=success",
			"fail b2 => b2=failed",
			"cancel b3 => b3=canceled t1=skipped pipeline=failed",
			"retry => b1=success b2=pending b3=pending bm=manual t1=created pipeline=running",
		}},
		{"the pipeline: canceled before anything ran", []string{"b1", "t1"}, []string{
			"start => b1=pending t1=created",
			"cancel => b1=canceled t1=canceled pipeline=canceled",
			"retry => b1=pending t1=created pipeline=running",
		}},
		{"a played job plays again as a new row", []string{"bm manual"}, []string{
			"start => bm=manual",
			"play bm => bm=pending",
			"pass bm => pipeline=success",
			"play bm => bm=pending pipeline=running",
		}},
	})
}

// Nothing to retry is no error, and changes nothing.
func TestRetryPipelineWithNothingToRetry(t *testing.T) {
	w := begin(t, "b1", "t1 on_failure")
	w.do("pass b1")
	c, err := RetryPipeline(w.s, retrier, w.now)
	if err != nil || !c.Empty() {
		t.Errorf("changes %+v, error %v; want neither", c, err)
	}
}

// The new row has what the configuration and the first row fixed, and nothing of
// what became of that.
func TestRetryMakesCleanRow(t *testing.T) {
	w := begin(t, "b1 manual allow=137 retry=1 reason=api_failure")
	w.apply(Play(w.s, w.job("b1").ID, player, []byte("sealed"), w.now))
	w.do("claim b1")
	coverage := 81.5
	w.now = w.now.Add(time.Minute)
	w.apply(Finish(w.s, w.job("b1").ID, ci.Outcome{Reason: ci.ScriptFailure, ExitCode: 137, Coverage: &coverage}, w.now))
	old := *w.job("b1")
	if !old.AllowFailure || old.ExitCode != 137 || old.FailureReason != ci.ScriptFailure || old.Timeout != 600 || *old.Coverage != coverage {
		t.Errorf("failed row = %+v", old)
	}
	if got, want := w.s.Pipeline.Status, ci.Success; got != want {
		t.Errorf("pipeline is %s, want %s: the exit code is allowed", got, want)
	}
	w.do("retry b1")
	if got, want := len(w.last.New), 1; got != want {
		t.Fatalf("%d new rows, want %d", got, want)
	}
	want := ci.Job{
		PipelineID: 5, ProjectID: 9, Name: "b1", Stage: "build", StageIndex: 1, Status: ci.Pending, Plan: old.Plan,
		Attempt: 1, Protected: true, UserID: retrier, Played: true, SealedVariables: []byte("sealed"),
		SpecDigest: []byte("digest"), Tags: []string{"linux"}, Timeout: 3600, CreatedAt: w.now, QueuedAt: w.now,
	}
	if got := w.last.New[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("new row\n got %+v\nwant %+v", got, want)
	}
}
