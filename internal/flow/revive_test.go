package flow

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestRevive(t *testing.T) {
	tell(t, []story{
		{"success, then running again", []string{"bm manual af", "t1 needs=bm", "d1"}, []string{
			"start => bm=manual t1=skipped d1=pending",
			"pass d1 => pipeline=success",
			"play bm => t1=created d1=success pipeline=running",
			"pass bm => t1=pending pipeline=running",
			"pass t1 => pipeline=success",
		}},
		{"transitively, the same stage included", []string{"tm manual af", "t1 needs=tm", "t2 needs=t1", "d1 needs=t2"}, []string{
			"start => t1=skipped t2=skipped d1=skipped pipeline=skipped",
			"play tm => t1=created t2=created d1=created pipeline=pending",
			"pass tm => t1=pending t2=created",
		}},
		{"through manual jobs that were skipped", []string{"bm manual af", "t1 needs=bm", "tm manual af needs=t1", "d1 needs=tm"}, []string{
			"start => tm=skipped d1=skipped",
			"play bm => tm=created d1=created",
			"pass bm => t1=pending",
			"pass t1 => tm=manual d1=skipped",
			"play tm => tm=pending d1=created",
			"pass tm => d1=pending",
		}},
		{"what does not depend on it stays skipped", []string{"bm manual af", "b1", "t1 needs=b1", "t2 needs=bm"}, []string{
			"start => t2=skipped",
			"fail b1 => t1=skipped",
			"play bm => t1=skipped t2=created",
		}},
		{"later stages, by a retry", []string{"b1", "b2 on_failure", "t1", "t2 on_failure", "d1 needs=t1", "d2"}, []string{
			"start => b1=pending b2=skipped",
			"fail b1 => t1=skipped t2=pending d1=skipped d2=created",
			"pass t2 => d2=skipped pipeline=failed",
			"retry b1 => b1=pending b2=skipped t1=created t2=success d1=created d2=created pipeline=running",
			"pass b1 => t1=pending d1=created d2=created",
			"pass t1 => d1=pending d2=pending",
			"pass d1 => pipeline=running",
			"pass d2 => pipeline=success",
		}},
		{"revived and skipped again", []string{"b1", "t1 on_failure", "bm manual af"}, []string{
			"start => t1=created",
			"pass b1 => t1=skipped pipeline=success",
			"play bm => t1=created test=skipped pipeline=running",
			"pass bm => t1=skipped pipeline=success",
		}},
	})
}

// A job that was skipped acts for whoever brought it back.
func TestRevivedJobsChangeHands(t *testing.T) {
	w := begin(t, "bm manual af", "t1 needs=bm", "d1")
	w.do("play bm")
	if got, want := w.job("t1").UserID, player; got != want {
		t.Errorf("user of t1 = %d, want %d", got, want)
	}
	if got, want := w.job("bm").UserID, player; got != want {
		t.Errorf("user of bm = %d, want %d", got, want)
	}
	if !w.job("bm").Played || w.job("t1").Played {
		t.Errorf("played: bm %t, t1 %t; want bm alone", w.job("bm").Played, w.job("t1").Played)
	}
	if got, want := w.job("d1").UserID, ci.UserID(1); got != want {
		t.Errorf("user of d1 = %d, want %d: it was never skipped", got, want)
	}
	w = begin(t, "b1", "t1")
	w.do("fail b1")
	w.do("retry")
	for _, name := range []string{"b1", "t1"} {
		if got, want := w.job(name).UserID, retrier; got != want {
			t.Errorf("user of %s = %d, want %d", name, got, want)
		}
	}
}
