package flow

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// drawJobs draws a pipeline of up to nine jobs in up to four stages, with an
// acyclic graph of needs, in any order.
func drawJobs(t *rapid.T) []ci.Job {
	list := make([]ci.Job, rapid.IntRange(1, 9).Draw(t, "jobs"))
	fast := rapid.IntRange(0, 9).Draw(t, "cancel on failure") == 0
	for i := range list {
		j := &list[i]
		stage := rapid.IntRange(0, 3).Draw(t, "stage")
		*j = ci.Job{
			PipelineID: 5, ProjectID: 9, Name: fmt.Sprint("job", i), Stage: fmt.Sprint("stage", stage), StageIndex: stage,
			Status: ci.Created, UserID: 1, Timeout: 3600, CreatedAt: epoch,
			AllowFailure: rapid.IntRange(0, 3).Draw(t, "allow_failure") == 0,
		}
		j.Plan = ci.JobPlan{
			When: rapid.SampledFrom([]ci.When{
				"", ci.WhenOnSuccess, ci.WhenOnFailure, ci.WhenAlways, ci.WhenManual, ci.WhenDelayed,
			}).Draw(t, "when"),
			StartIn: 60, DAG: rapid.Bool().Draw(t, "dag"), CancelOnFailure: fast,
			ExitCodes: rapid.SampledFrom([][]int{nil, nil, {137}}).Draw(t, "exit codes"),
			RetryMax:  rapid.IntRange(0, 2).Draw(t, "retry"),
			RetryWhen: rapid.SampledFrom([][]ci.FailureReason{nil, {"always"}, {ci.ScriptFailure}, {ci.StuckOrTimeout}}).Draw(t, "retry when"),
		}
		if j.Plan.DAG {
			for _, k := range list[:i] {
				if k.StageIndex <= stage && rapid.IntRange(0, 2).Draw(t, "need") == 0 {
					j.Plan.Needs = append(j.Plan.Needs, ci.Need{Job: k.Name})
				}
			}
		}
	}
	return rapid.Permutation(list).Draw(t, "order")
}

// drawEvent draws something that happens to the pipeline and lets the state machine
// decide on it.
func drawEvent(t *rapid.T, w *world) (ci.Changes, error) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 1, 30, 61, 4600, 25 * 3600}).Draw(t, "seconds")) * time.Second)
	row := rapid.SampledFrom(w.s.Jobs).Draw(t, "row")
	event := rapid.SampledFrom([]string{
		"take", "take", "claim", "succeed", "succeed", "fail", "fail", "drop", "play", "play", "cancel", "force", "retry",
		"retry all", "cancel all", "tick", "tick", "unassign",
	}).Draw(t, "event")
	switch event {
	case "take", "claim":
		return Take(w.s, row.ID, Claim{Runner: 3, Graceful: event == "claim"}, w.now)
	case "succeed":
		return Finish(w.s, row.ID, ci.Outcome{Success: true}, w.now)
	case "fail":
		return Finish(w.s, row.ID, drawFailure(t), w.now)
	case "drop":
		return Drop(w.s, row.ID, rapid.SampledFrom([]ci.FailureReason{
			ci.StuckOrTimeout, ci.SchedulerFailure, "nonsense",
		}).Draw(t, "reason"), w.now)
	case "play":
		return Play(w.s, row.ID, player, []byte("sealed"), w.now)
	case "cancel", "force":
		return Cancel(w.s, row.ID, event == "force", w.now)
	case "retry":
		return Retry(w.s, row.ID, retrier, w.now)
	case "retry all":
		return RetryPipeline(w.s, retrier, w.now)
	case "cancel all":
		return CancelPipeline(w.s, w.now)
	case "tick":
		return Tick(w.s, w.now)
	}
	return Unassign(w.s, row.ID, w.now)
}

func drawFailure(t *rapid.T) ci.Outcome {
	return ci.Outcome{Reason: ci.ScriptFailure, ExitCode: rapid.SampledFrom([]int{1, 137}).Draw(t, "exit code")}
}

// Whatever happens, and in whatever order: no job starts before what it waits for
// is done and agrees, none waits in vain, finished jobs never move, statuses are
// those of the jobs, changes are exact (world.apply) and every pipeline ends once
// nobody leaves its manual jobs alone.
func TestPipelinesKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := beginWith(t, drawJobs(t))
		checkPipeline(t, w, &ci.Snapshot{Pipeline: ci.Pipeline{Status: ci.Created}})
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			old, given := w.s.Clone(), w.s
			c, err := drawEvent(t, w)
			if !reflect.DeepEqual(given, old) {
				t.Fatalf("the snapshot that was given has changed")
			}
			if err != nil {
				if refusal := new(ci.Error); !errors.As(err, &refusal) || !c.Empty() {
					t.Fatalf("refused with %v and changes %v", err, c)
				}
				continue
			}
			w.apply(c, nil)
			checkPipeline(t, w, old)
			checkMoves(t, w, old)
		}
		end(t, w)
	})
}

// end brings the pipeline to its end: people decide on manual jobs, runners take and
// finish what is offered, time goes by.
func end(t *rapid.T, w *world) {
	for range 200 {
		w.now = w.now.Add(time.Minute)
		i := slices.IndexFunc(w.s.Jobs, func(j ci.Job) bool { return !j.Retried && !j.Status.Complete() && j.Status != ci.Created })
		if i < 0 {
			break
		}
		old := w.s.Clone()
		switch j := w.s.Jobs[i]; j.Status {
		case ci.Manual:
			if rapid.Bool().Draw(t, "play") {
				w.apply(Play(w.s, j.ID, player, nil, w.now))
			} else {
				w.apply(Cancel(w.s, j.ID, false, w.now))
			}
		case ci.Scheduled:
			w.now = j.ScheduledAt
			w.apply(Tick(w.s, w.now))
		case ci.Pending:
			w.apply(Take(w.s, j.ID, Claim{Runner: 3}, w.now))
		default:
			out := ci.Outcome{Success: true}
			if rapid.Bool().Draw(t, "fails") {
				out = drawFailure(t)
			}
			w.apply(Finish(w.s, j.ID, out, w.now))
		}
		checkPipeline(t, w, old)
		checkMoves(t, w, old)
	}
	for _, j := range w.s.Jobs {
		if !j.Status.Complete() {
			t.Fatalf("%s is stuck in %s", j.Name, j.Status)
		}
	}
	if p := w.s.Pipeline; !p.Status.Complete() {
		t.Fatalf("all jobs are done, the pipeline is %s", p.Status)
	}
}

// earlier gives the rows that a job waits for.
func earlier(s *ci.Snapshot, j ci.Job) []ci.Job {
	var list []ci.Job
	for _, k := range s.Jobs {
		needed := slices.ContainsFunc(j.Plan.Needs, func(n ci.Need) bool { return n.Job == k.Name })
		if !k.Retried && (j.Plan.DAG && needed || !j.Plan.DAG && k.StageIndex < j.StageIndex) {
			list = append(list, k)
		}
	}
	return list
}

// checkPipeline checks the state as such, and the stored statuses against those
// they came from.
func checkPipeline(t *rapid.T, w *world, old *ci.Snapshot) {
	retried, rows := map[string]int{}, map[string]int{}
	for _, j := range w.s.Jobs {
		if j.Retried {
			retried[j.Name]++
			continue
		}
		rows[j.Name]++
		if j.Attempt != retried[j.Name] {
			t.Fatalf("%s: attempt %d after %d retried rows", j.Name, j.Attempt, retried[j.Name])
		}
		checkTimes(t, j)
		list := earlier(w.s, j)
		prior := Composite(list)
		if j.Plan.DAG {
			prior = CompositeDAG(list)
		}
		if j.Status == ci.Created && (len(list) == 0 || prior.Complete()) {
			t.Fatalf("%s waits in vain", j.Name)
		}
	}
	for name, n := range rows {
		if n != 1 {
			t.Fatalf("%d rows count for %s", n, name)
		}
	}
	if got, want := w.s.Pipeline.Status, expected(old.Pipeline.Status, Composite(w.s.Jobs), true); got != want {
		t.Fatalf("pipeline is %s, want %s", got, want)
	}
	for i, stage := range w.s.Pipeline.Stages {
		from := ci.Created
		if len(old.Pipeline.Stages) > 0 {
			from = old.Pipeline.Stages[i].Status
		}
		jobs := slices.DeleteFunc(slices.Clone(w.s.Jobs), func(j ci.Job) bool { return j.StageIndex != stage.Index })
		if want := expected(from, Composite(jobs), false); stage.Status != want {
			t.Fatalf("stage %d is %s, want %s", stage.Index, stage.Status, want)
		}
	}
}

// expected is what a stage or pipeline shows: its composite, up to the documented
// stickiness.
func expected(from, composite ci.Status, pipeline bool) ci.Status {
	ran := strings.Contains(" running success failed canceling canceled ", " "+string(from)+" ")
	switch {
	case composite == ci.Created:
		return from
	case pipeline && composite == ci.Pending && ran:
		return ci.Running
	}
	return composite
}

func checkTimes(t *rapid.T, j ci.Job) {
	var missing bool
	switch j.Status {
	case ci.Pending:
		missing = j.QueuedAt.IsZero()
	case ci.Running, ci.Canceling:
		missing = j.QueuedAt.IsZero() || j.StartedAt.IsZero()
	case ci.Success, ci.Failed, ci.Canceled:
		missing = j.FinishedAt.IsZero()
	case ci.Scheduled:
		missing = j.ScheduledAt.IsZero()
	}
	if missing {
		t.Fatalf("%s is %s and a time is missing: %+v", j.Name, j.Status, j)
	}
}

// moves are those that one decision may bring a row.
var moves = map[ci.Status]string{
	ci.Created:   "pending manual scheduled skipped canceled failed",
	ci.Pending:   "running failed canceled",
	ci.Running:   "success failed canceled canceling pending",
	ci.Manual:    "pending failed canceled",
	ci.Scheduled: "pending failed canceled",
	ci.Canceling: "canceled",
	ci.Skipped:   "created pending manual scheduled",
}

// checkMoves checks what the decision did to each row.
func checkMoves(t *rapid.T, w *world, old *ci.Snapshot) {
	for i, now := range w.s.Jobs {
		was := ci.Job{Status: ci.Created}
		if i < len(old.Jobs) {
			was = old.Jobs[i]
			flipped := was
			flipped.Retried = now.Retried
			ended := was.Status.Complete() && was.Status != ci.Skipped
			if (ended || was.Retried) && !reflect.DeepEqual(flipped, now) || was.Retried && !now.Retried {
				t.Fatalf("%s had ended as %+v and is now %+v", was.Name, was, now)
			}
			if now.Status != was.Status && !slices.Contains(strings.Fields(moves[was.Status]), string(now.Status)) {
				t.Fatalf("%s went from %s to %s", now.Name, was.Status, now.Status)
			}
		}
		waited := was.Status == ci.Created || was.Status == ci.Skipped
		begins := now.Status == ci.Pending || now.Status == ci.Manual || now.Status == ci.Scheduled
		if waited && begins {
			checkTurn(t, now, earlier(w.s, now))
		}
	}
}

// checkTurn checks that a job which begins may do so, given the rows it waited for.
func checkTurn(t *rapid.T, j ci.Job, list []ci.Job) {
	var open, dead, bad, stopped bool // not done; does not run; failed; canceled
	for _, k := range list {
		counts := !k.AllowFailure
		dead = dead || k.Status == ci.Skipped || k.Status == ci.Manual && !counts
		open = open || !k.Status.Complete() && (k.Status != ci.Manual || counts)
		bad = bad || k.Status == ci.Failed && counts
		stopped = stopped || k.Status == ci.Canceled && counts
	}
	dead = dead && j.Plan.DAG
	var may bool
	switch j.Plan.When {
	case ci.WhenAlways:
		may = dead || !open && (bad || !stopped) // a need that does not run decides at once
	case ci.WhenOnFailure:
		may = !dead && !open && bad
	default:
		may = !dead && !open && !bad && !stopped
	}
	if !may {
		t.Fatalf("%s (%s, dag %t) became %s: open %t, dead %t, bad %t, stopped %t",
			j.Name, j.Plan.When, j.Plan.DAG, j.Status, open, dead, bad, stopped)
	}
}
