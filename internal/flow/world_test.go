package flow

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// failer is what testing.TB and rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A world plays engine and store: it keeps the snapshot, applies changes to it and
// checks on the way that they are exact.
type world struct {
	t    failer
	s    *ci.Snapshot
	now  time.Time
	last ci.Changes
}

// begin starts a pipeline of jobs, given as in parseJob.
func begin(t testing.TB, jobs ...string) *world {
	t.Helper()
	list := make([]ci.Job, len(jobs))
	for i, spec := range jobs {
		list[i] = parseJob(t, spec)
	}
	return beginWith(t, list)
}

func beginWith(t failer, jobs []ci.Job) *world {
	t.Helper()
	s := &ci.Snapshot{
		Pipeline: ci.Pipeline{ID: 5, Status: ci.Created, UserID: 1, CreatedAt: epoch, UpdatedAt: epoch, Version: 1}, Jobs: jobs,
	}
	before := s.Clone()
	w := &world{t: t, now: epoch, s: Start(s, epoch)}
	if !reflect.DeepEqual(s, before) {
		t.Errorf("Start changed the snapshot that it was given")
	}
	for i := range w.s.Jobs {
		w.s.Jobs[i].ID = ci.JobID(100 + i)
	}
	return w
}

// parseJob reads "NAME [when] [af] [key=value …]". The stage is that of the first
// letter of the name: build, test or deploy.
func parseJob(t testing.TB, spec string) ci.Job {
	t.Helper()
	fields := strings.Fields(spec)
	stage := strings.IndexByte("btd", fields[0][0])
	if stage < 0 {
		t.Fatalf("job %q: no stage begins with that letter", spec)
	}
	j := ci.Job{
		PipelineID: 5, ProjectID: 9, Name: fields[0], Stage: []string{"build", "test", "deploy"}[stage],
		StageIndex: []int{1, 2, 5}[stage], // with gaps, as stages without jobs leave them
		Status:     ci.Created, UserID: 1, Timeout: 3600, CreatedAt: epoch,
		SpecDigest: []byte("digest"), Tags: []string{"linux"}, Protected: true,
		Plan: ci.JobPlan{When: ci.WhenOnSuccess},
	}
	for _, field := range fields[1:] {
		key, value, _ := strings.Cut(field, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "on_success", "on_failure", "always", "manual":
			j.Plan.When = ci.When(key)
		case "delayed":
			j.Plan.When, j.Plan.StartIn = ci.WhenDelayed, int64(n)
		case "af":
			j.AllowFailure = true
		case "allow":
			j.Plan.ExitCodes = append(j.Plan.ExitCodes, n)
		case "retry":
			j.Plan.RetryMax = n
		case "reason":
			j.Plan.RetryWhen = append(j.Plan.RetryWhen, ci.FailureReason(value))
		case "code":
			j.Plan.RetryCodes = append(j.Plan.RetryCodes, n)
		case "fast":
			j.Plan.CancelOnFailure = true
		case "group":
			j.Plan.ResourceGroup = value
		case "int":
			j.Plan.Interruptible = true
		case "new":
			j.Plan.OnNewCommit = ci.OnNewCommit(value)
		case "needs":
			j.Plan.DAG = true
			for name := range strings.SplitSeq(value, ",") {
				if name != "" {
					j.Plan.Needs = append(j.Plan.Needs, ci.Need{Job: name, Artifacts: true})
				}
			}
		default:
			t.Fatalf("job %q: unknown word %q", spec, field)
		}
	}
	return j
}

// job finds the row that counts for a name.
func (w *world) job(name string) *ci.Job {
	w.t.Helper()
	for i := len(w.s.Jobs) - 1; i >= 0; i-- {
		if j := &w.s.Jobs[i]; j.Name == name && !j.Retried {
			return j
		}
	}
	w.t.Fatalf("no job %s", name)
	return nil
}

// apply checks the changes against the snapshot and carries them out. Rows in
// Changes.New get ids, as the store gives them.
func (w *world) apply(c ci.Changes, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("decide: %v", err)
	}
	after := w.s.Clone()
	var started []ci.Job
	for _, j := range c.Jobs {
		old := after.Job(j.ID)
		if old == nil {
			w.t.Fatalf("change of unknown job %d", j.ID)
		}
		if reflect.DeepEqual(*old, j) {
			w.t.Errorf("job %s is listed and does not differ", j.Name)
		}
		if j.Status == ci.Pending && old.Status != ci.Pending {
			started = append(started, j)
		}
		*old = j
	}
	for _, j := range c.New {
		if j.ID != 0 {
			w.t.Errorf("new job %s has the id %d", j.Name, j.ID)
		}
		if j.Status == ci.Pending {
			started = append(started, j)
		}
		j.ID = ci.JobID(100 + len(after.Jobs))
		after.Jobs = append(after.Jobs, j)
	}
	if !reflect.DeepEqual(c.Started, started) {
		w.t.Errorf("Started = %v, want %v", names(c.Started), names(started))
	}
	if moved := !reflect.DeepEqual(c.Pipeline, w.s.Pipeline); c.Moved != moved {
		w.t.Errorf("Moved = %t, want %t", c.Moved, moved)
	}
	if got, want := c.Pipeline.UpdatedAt.Equal(w.now), c.Pipeline.Status != w.s.Pipeline.Status; want && !got {
		w.t.Errorf("status moved to %s, but UpdatedAt is %v", c.Pipeline.Status, c.Pipeline.UpdatedAt)
	}
	after.Pipeline = c.Pipeline
	w.last, w.s = c, after
}

func names(jobs []ci.Job) []string {
	var list []string
	for _, j := range jobs {
		list = append(list, j.Name)
	}
	return list
}

// do carries out one step in words; see the cases.
func (w *world) do(step string) {
	w.t.Helper()
	before := w.s.Clone()
	given := w.s
	c, err := w.decide(step)
	if !reflect.DeepEqual(given, before) {
		w.t.Errorf("%s changed the snapshot that it was given", step)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", step, err)
	}
	w.apply(c, nil)
}

const player, retrier = ci.UserID(7), ci.UserID(8)

func (w *world) decide(step string) (ci.Changes, error) {
	w.t.Helper()
	fields := append(strings.Fields(step), "", "")
	verb, name, more := fields[0], fields[1], fields[2]
	if verb == "wait" {
		d, err := time.ParseDuration(name)
		if err != nil {
			w.t.Fatalf("step %q: %v", step, err)
		}
		w.now = w.now.Add(d)
		return Tick(w.s, w.now)
	}
	w.now = w.now.Add(time.Second)
	switch step {
	case "retry":
		return RetryPipeline(w.s, retrier, w.now)
	case "cancel":
		return CancelPipeline(w.s, w.now)
	case "supersede":
		return Supersede(w.s, w.now)
	}
	id := w.job(name).ID
	switch verb {
	case "take":
		return Take(w.s, id, Claim{Runner: 3, Manager: 4, Timeout: 7200, TokenNonce: []byte("n"), TokenDigest: []byte("d")}, w.now)
	case "claim":
		return Take(w.s, id, Claim{Runner: 3, Manager: 4, Timeout: 600, Graceful: true}, w.now)
	case "assign":
		return Assign(w.s, id, w.now)
	case "unassign":
		return Unassign(w.s, id, w.now)
	case "pass":
		w.run(name)
		return Finish(w.s, id, ci.Outcome{Success: true}, w.now)
	case "fail": // fail NAME [exit code | reason]
		w.run(name)
		code, err := strconv.Atoi(more)
		switch {
		case more == "":
			return Finish(w.s, id, ci.Outcome{Reason: ci.ScriptFailure, ExitCode: 1}, w.now)
		case err != nil:
			return Finish(w.s, id, ci.Outcome{Reason: ci.FailureReason(more)}, w.now)
		}
		return Finish(w.s, id, ci.Outcome{Reason: ci.ScriptFailure, ExitCode: code}, w.now)
	case "drop":
		return Drop(w.s, id, ci.FailureReason(more), w.now)
	case "play":
		return Play(w.s, id, player, nil, w.now)
	case "retry":
		return Retry(w.s, id, retrier, w.now)
	case "cancel":
		return Cancel(w.s, id, false, w.now)
	case "force":
		return Cancel(w.s, id, true, w.now)
	}
	w.t.Fatalf("unknown step %q", step)
	return ci.Changes{}, nil
}

// run has a runner take the job if that has not happened yet.
func (w *world) run(name string) {
	w.t.Helper()
	if w.job(name).Status == ci.Pending {
		w.do("take " + name)
	}
}

// want checks "name=status …" of jobs, of stages by their name, and of "pipeline".
func (w *world) want(step, wants string) {
	w.t.Helper()
	for pair := range strings.FieldsSeq(wants) {
		name, want, _ := strings.Cut(pair, "=")
		if got := w.status(name); got != ci.Status(want) {
			w.t.Errorf("after %q: %s is %s, want %s", step, name, got, want)
		}
	}
}

func (w *world) status(name string) ci.Status {
	w.t.Helper()
	if name == "pipeline" {
		return w.s.Pipeline.Status
	}
	stages := w.s.Pipeline.Stages
	if i := slices.IndexFunc(stages, func(s ci.Stage) bool { return s.Name == name }); i >= 0 {
		return stages[i].Status
	}
	return w.job(name).Status
}

// A story is a pipeline, and what must hold after each step: "step => wants". The
// first step is always "start".
type story struct {
	name  string
	jobs  []string
	steps []string
}

func tell(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			w := begin(t, s.jobs...)
			for i, line := range s.steps {
				step, wants, ok := strings.Cut(line, " => ")
				if !ok {
					t.Fatalf("step %q has no expectation", line)
				}
				if i > 0 {
					w.do(step)
				}
				w.want(fmt.Sprintf("%d %s", i, step), wants)
			}
		})
	}
}
