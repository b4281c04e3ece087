package flow

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestTakeAndUnassign(t *testing.T) {
	w := begin(t, "b1")
	offered := *w.job("b1")
	w.do("claim b1")
	want := offered
	want.Status, want.StartedAt = ci.Running, w.now
	want.RunnerID, want.ManagerID, want.Graceful, want.Timeout = 3, 4, true, 600
	if got := *w.job("b1"); !reflect.DeepEqual(got, want) {
		t.Errorf("claimed\n got %+v\nwant %+v", got, want)
	}
	w.do("unassign b1")
	if got := *w.job("b1"); !reflect.DeepEqual(got, offered) {
		t.Errorf("unassigned\n got %+v\nwant %+v", got, offered)
	}
	if got, want := w.s.Pipeline.Status, ci.Running; got != want {
		t.Errorf("pipeline is %s, want %s: it has begun", got, want)
	}
	w.do("take b1")
	if got := w.job("b1"); got.Timeout != 3600 || string(got.TokenNonce) != "n" || string(got.TokenDigest) != "d" {
		t.Errorf("taken with timeout %d, nonce %q, digest %q", got.Timeout, got.TokenNonce, got.TokenDigest)
	}
	w.do("unassign b1")
	w.do("claim b1")
	w.do("cancel b1")
	w.do("unassign b1")
	w.want("unassign", "b1=canceled pipeline=canceled")
}

func TestRefusals(t *testing.T) {
	now := epoch.Add(time.Hour)
	prepare := func(steps ...string) *world {
		w := begin(t, "b1", "bm manual af", "t1", "d1 on_failure")
		for _, step := range steps {
			w.do(step)
		}
		return w
	}
	retried := prepare("fail b1", "retry b1")
	for _, test := range []struct {
		name   string
		w      *world
		decide func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error)
		job    ci.JobID
		kind   ci.Kind
		text   string
	}{
		{"unknown job", prepare(), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Cancel(s, id, false, now)
		}, 99, ci.KindNotFound, "404 Not found"},
		{"take a created job", prepare(), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Take(s, id, Claim{}, now)
		}, 102, ci.KindConflict, "409 Conflict"},
		{"take a job twice", prepare("take b1"), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Take(s, id, Claim{}, now)
		}, 100, ci.KindConflict, "409 Conflict"},
		{"finish a pending job", prepare(), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Finish(s, id, ci.Outcome{Success: true}, now)
		}, 100, ci.KindForbidden, "403 Forbidden - Job is not running"},
		{"finish a canceled job", prepare("take b1", "cancel b1"), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Finish(s, id, ci.Outcome{}, now)
		}, 100, ci.KindForbidden, "403 Forbidden - Job is not running"},
		{"drop a finished job", prepare("pass b1"), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Drop(s, id, ci.StuckOrTimeout, now)
		}, 100, ci.KindConflict, "409 Conflict"},
		{"unassign a pending job", prepare(), func(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
			return Unassign(s, id, now)
		}, 100, ci.KindConflict, "409 Conflict"},
		{"play a job that starts by itself", prepare("fail b1"), play, 100, ci.KindInvalid, "400 Bad request - Unplayable Job"},
		{"play a pending manual job", prepare("play bm"), play, 101, ci.KindInvalid, "400 Bad request - Unplayable Job"},
		{"play a retried row", retried, play, 100, ci.KindInvalid, "400 Bad request - Unplayable Job"},
		{"retry a pending job", prepare(), retry, 100, ci.KindForbidden, "403 Forbidden - Job is not retryable"},
		{"retry a manual job", prepare(), retry, 101, ci.KindForbidden, "403 Forbidden - Job is not retryable"},
		{"retry a skipped job", prepare("pass b1", "pass t1"), retry, 103, ci.KindForbidden, "403 Forbidden - Job is not retryable"},
		{"retry a retried row", retried, retry, 100, ci.KindForbidden, "403 Forbidden - Job is not retryable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := test.decide(test.w.s, test.job)
			refusal := new(ci.Error)
			if !errors.As(err, &refusal) || refusal.Kind != test.kind || refusal.Message != test.text {
				t.Errorf("error %v, want %s: %s", err, test.kind, test.text)
			}
			if !c.Empty() || c.Started != nil {
				t.Errorf("changes %+v, want none", c)
			}
		})
	}
}

func play(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
	return Play(s, id, player, nil, epoch)
}

func retry(s *ci.Snapshot, id ci.JobID) (ci.Changes, error) {
	return Retry(s, id, retrier, epoch)
}
