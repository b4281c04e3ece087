package engine_test

import (
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
	"github.com/lanyard-ci/lanyard/internal/store/storetest/postgres"
)

// What the statements hold that the tests cut.
const (
	creating = "insert into pipelines ("
	applying = "with changes as ("
	ending   = "commit"
)

// cuttable sets a scene whose database is behind a Relay.
func cuttable(t *testing.T, config string) (*scene, *postgres.Relay) {
	t.Helper()
	relay := postgres.NewRelay(t, postgres.New(t))
	s := newScene(t, enginetest.New(t, enginetest.Config{Database: relay.URL()}), "cut", config)
	w := s.Started(s.project, s.token, "main") // so that specifications are known
	enginetest.Must(s.Engine.CancelPipeline(t.Context(), s.Root, s.project, w.ID))(t)
	return s, relay
}

// late lets what is in flight arrive a while after it was lost.
func late(cut *postgres.Cut, after time.Duration) {
	go func() {
		<-cut.Lost()
		time.Sleep(after)
		cut.Release()
	}()
}

// A trigger whose commit was answered to nobody, or has not even arrived when it is
// looked up, gives the pipeline that is there.
func TestCutTrigger(t *testing.T) {
	for name, moment := range map[string]postgres.Moment{"unanswered": postgres.Unanswered, "in flight": postgres.InFlight} {
		t.Run(name, func(t *testing.T) {
			s, relay := cuttable(t, simple)
			cut := relay.Cut(moment, creating)
			late(cut, time.Second)
			got, err := s.Trigger(s.project, s.token, "main")
			enginetest.Check(t, err)
			enginetest.Check(t, cut.Wait())
			list := s.Pipelines(s.project)
			enginetest.Equal(t, "pipelines", len(list), 2)
			enginetest.Equal(t, "pipeline", got.Pipeline.ID, list[1].ID)
			enginetest.Equal(t, "jobs", s.Jobs(got.Pipeline.ID), "build pending")
		})
	}
}

// A trigger whose commit does not show up within 5 s is not acknowledged, and the same
// request under its idempotency key makes or finds the one pipeline.
func TestCutTriggerForGood(t *testing.T) {
	for name, moment := range map[string]postgres.Moment{"unsent": postgres.Unsent, "in flight": postgres.InFlight} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, relay := cuttable(t, simple)
			request := enginetest.Request(s.project, s.token, "main")
			request.IdempotencyKey, request.BodyDigest = "once", []byte{1}
			cut := relay.Cut(moment, creating)
			start := time.Now()
			_, err := s.Engine.Trigger(t.Context(), request)
			enginetest.Equal(t, "kind", ci.KindOf(err), ci.KindUnavailable)
			if took := time.Since(start); took < 4*time.Second || took > 30*time.Second {
				t.Errorf("gave up after %s, want 5s", took)
			}
			enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 1)
			cut.Release()
			enginetest.Check(t, cut.Wait())
			again := enginetest.Must(s.Engine.Trigger(t.Context(), request))(t)
			enginetest.Equal(t, "replayed", again.Replayed, moment == postgres.InFlight)
			enginetest.Equal(t, "pipelines", len(s.Pipelines(s.project)), 2)
		})
	}
}

const twoStages = "stages: [one, two]\na: {stage: one, script: x}\nb: {stage: two, script: x}\n"

// A claim whose outcome was unknown ends with the job at the runner that asked, and a
// final report with the next stage started, each once.
func TestCutClaimAndReport(t *testing.T) {
	for name, moment := range map[string]postgres.Moment{
		"unsent": postgres.Unsent, "unanswered": postgres.Unanswered, "in flight": postgres.InFlight,
	} {
		t.Run(name, func(t *testing.T) {
			s, relay := cuttable(t, twoStages)
			p, runner := s.Started(s.project, s.token, "main"), s.Runner()
			cut := relay.Cut(moment, applying)
			late(cut, 200*time.Millisecond)
			a := runner.Take()
			enginetest.Check(t, cut.Wait())
			enginetest.Equal(t, "after the claim", s.Jobs(p.ID), "a running, b created")
			_, err := s.Engine.JobForRunner(t.Context(), a.Job.ID, a.Token)
			enginetest.Equal(t, "token of the job", err, nil)

			plain := s.Hub.Listen(func(ci.Queue) bool { return true })
			defer plain.Stop()
			cut = relay.Cut(moment, applying)
			late(cut, 200*time.Millisecond)
			status, err := s.Engine.UpdateJob(t.Context(), a.Job.ID, a.Token, engine.JobUpdate{State: "success"})
			enginetest.Check(t, err)
			enginetest.Check(t, cut.Wait())
			enginetest.Equal(t, "answer to the report", status, ci.Success)
			enginetest.Equal(t, "after the report", s.Jobs(p.ID), "a success, b pending")
			enginetest.Equal(t, "told of the next stage", plain.Wait(t.Context()), true)
			runner.Run()
			enginetest.Equal(t, "status", s.Snapshot(p.ID).Pipeline.Status, ci.Success)
		})
	}
}

// A retry adds a row, in a transaction of several statements.
func TestCutRetry(t *testing.T) {
	for name, moment := range map[string]postgres.Moment{
		"unsent": postgres.Unsent, "unanswered": postgres.Unanswered, "in flight": postgres.InFlight,
	} {
		t.Run(name, func(t *testing.T) {
			s, relay := cuttable(t, simple)
			p, runner := s.Started(s.project, s.token, "main"), s.Runner()
			a := runner.Take()
			runner.Finish(a, false)
			cut := relay.Cut(moment, ending)
			late(cut, 200*time.Millisecond)
			job := enginetest.Must(s.Engine.RetryJob(t.Context(), s.Root, s.project, a.Job.ID))(t)
			enginetest.Check(t, cut.Wait())
			enginetest.Equal(t, "jobs", s.Jobs(p.ID), "build failed, build pending")
			enginetest.Equal(t, "job of the answer", job.ID, s.Snapshot(p.ID).Jobs[1].ID)
		})
	}
}

// A change that another one overtook while nobody knew its outcome is decided anew.
func TestCutChangeThatIsOvertaken(t *testing.T) {
	s, relay := cuttable(t, twoStages)
	p, runner := s.Started(s.project, s.token, "main"), s.Runner()
	other := s.NewEngine()
	cut := relay.Cut(postgres.Unsent, applying)
	ended := make(chan error, 1)
	go func() {
		<-cut.Lost()
		_, err := other.CancelPipeline(t.Context(), s.Root, s.project, p.ID)
		ended <- err
	}()
	a, err := runner.Engine.RequestJob(t.Context(), runner.Contact())
	enginetest.Check(t, err)
	enginetest.Check(t, <-ended)
	want := "a canceled, b canceled"
	if a != nil { // it was faster, and its runner winds the job down
		want = "a canceling, b canceled"
	}
	enginetest.Equal(t, "jobs", s.Jobs(p.ID), want)
}
