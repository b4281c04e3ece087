// Package engine holds the use cases, and it alone changes what is true:
// projects, pipelines, jobs, runners, tokens and users.
//
// Every use case reads as load, decide, save, publish. Loading goes through the
// read-only view, deciding is done by pure packages (flow for the state machine,
// auth for permissions, ciyaml for the configuration), saving is one transaction
// of the store with a compare-and-swap where others may be faster, publishing is
// a wake-up through the hub, which is never truth.
//
// The three nouns to know: an Engine has the use cases, a Caller is who asks, a
// PipelineRequest is what a pipeline is made from, whoever asked for it.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/store"
	"github.com/lanyard-ci/lanyard/internal/trace"
)

// Config is what an Engine works with. All fields but Logger and Limits are
// required.
type Config struct {
	Store  *store.DB
	Git    *git.Server
	Blobs  blob.Store
	Traces *trace.Traces
	Hub    *hub.Hub
	Keys   *auth.Keys
	Now    ci.Clock
	Rand   io.Reader // of cryptographic quality
	Logger *slog.Logger
	Limits Limits
	URLs   URLs
	Remote Remote // fetches what include:remote names; nil: nothing may be fetched
	Told   Told

	SweepQueues time.Duration // how often lost wake-ups are made up for; 0: none is lost, since there is one process
}

// Told is called after something has been saved, for metrics. Its functions may be
// nil, are called from many goroutines and must not wait.
type Told struct {
	PipelineCreated func(ci.Source)
	JobEnded        func(ci.Status) // once for each job that is over
}

// URLs builds what jobs are told about where the server is. All edges share the
// one implementation, which lives in a room that the engine must not know.
type URLs interface {
	Base() string                   // external URL without a trailing slash
	Project(fullPath string) string // page of a project
	Clone(fullPath string) string   // smart HTTP address, without credentials
	Pipeline(fullPath string, id int64) string
	Job(fullPath string, id int64) string
}

// Remote fetches the files that configurations include from elsewhere. It guards
// the network that the server is in. Errors: *ciyaml.RemoteError for what can be
// told, others are failures.
type Remote interface {
	Fetch(ctx context.Context, address string) ([]byte, error)
}

// Limits bound what callers may make the server hold. The zero value of a field
// means its default.
type Limits struct {
	JobsPerPipeline  int   // default 2,000
	VariableBytes    int   // of one value, default 65,536
	VariablesPerCall int   // default 200
	ArtifactBytes    int64 // of one upload, default 100 MiB
	CachedConfigs    int   // default 512; each 64 KiB of a large one count as one more
}

func (l Limits) withDefaults() Limits {
	l.JobsPerPipeline = orDefault(l.JobsPerPipeline, 2000)
	l.VariableBytes = orDefault(l.VariableBytes, 64<<10)
	l.VariablesPerCall = orDefault(l.VariablesPerCall, 200)
	l.ArtifactBytes = orDefault(l.ArtifactBytes, 100<<20)
	l.CachedConfigs = orDefault(l.CachedConfigs, 512)
	return l
}

func orDefault[T int | int64](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// An Engine has the use cases. Its methods may be called from any goroutine.
type Engine struct {
	store     *store.DB
	view      *store.View
	git       *git.Server
	blobs     blob.Store
	traces    *trace.Traces
	hub       *hub.Hub
	keys      *auth.Keys
	passwords *auth.Passwords
	now       ci.Clock
	rand      io.Reader
	log       *slog.Logger
	limits    Limits
	urls      URLs
	host      string // of the external URL, with its port if it names one
	remote    Remote
	told      Told

	sweepQueues time.Duration

	server   []ci.Variable // those that all jobs have in common
	configs  *recent[configKey, configVariants]
	parsed   ciyaml.FileCache // of files that were parsed before
	commits  *recent[commitKey, commitInfo]
	trees    *recent[commitKey, []string] // paths of all files
	managers *recent[managerKey, ci.RunnerManager]
	reached  *recent[reachKey, *reachingVariables]
	hidden   *recent[ci.JobID, []string]  // what the logs of running jobs must not show
	contacts *recent[ci.JobID, time.Time] // when the last contact of a running job was written down
	heard    *recent[int64, time.Time]    // when the last contact of a runner's machine by a job was written down
	asked    *recent[ci.JobID, bool]      // jobs whose log was to be sent again
	loading  singleflight.Group           // one load of a configuration at a time
	claims   claims
	reports  chan struct{} // has an element for each test report that is being read
	runners  sync.Mutex    // held while a runner is read, changed and written

	pipelines keyLocks[ci.PipelineID]
	projects  keyLocks[ci.ProjectID]
	moves     sync.RWMutex // held for writing while a group moves with all below it, for reading while a path is made
}

// manyRunners is for how many machines and held jobs the last contact is kept in
// memory; for more, contacts are written down more often than need be.
const manyRunners = 4096

// New checks the configuration and makes an Engine. It starts nothing: see Run.
func New(c Config) (*Engine, error) {
	if c.Store == nil || c.Git == nil || c.Blobs == nil || c.Traces == nil || c.Hub == nil || c.Keys == nil ||
		c.Now == nil || c.Rand == nil || c.URLs == nil {
		return nil, errors.New("make engine: a required part is missing")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	limits := c.Limits.withDefaults()
	return &Engine{
		store: c.Store, view: c.Store.View(), git: c.Git, blobs: c.Blobs, traces: c.Traces, hub: c.Hub, keys: c.Keys,
		now: c.Now, rand: c.Rand, log: c.Logger, limits: limits, urls: c.URLs, told: c.Told.withDefaults(), sweepQueues: c.SweepQueues,
		passwords: auth.NewPasswords(c.Rand),
		host:      serverHost(c.URLs), remote: c.Remote,
		server:   serverVariables(c.URLs),
		configs:  newRecent[configKey](limits.CachedConfigs, configVariants.weight),
		commits:  newRecent[commitKey](4*limits.CachedConfigs, commitInfo.weight),
		trees:    newRecent[commitKey](manyPaths, func(paths []string) int { return 1 + len(paths) }),
		managers: newRecent[managerKey, ci.RunnerManager](manyRunners, nil),
		reached:  newRecent[reachKey](reachedBytes, (*reachingVariables).weight),
		hidden:   newRecent[ci.JobID](reachedBytes, secretsWeight),
		contacts: newRecent[ci.JobID, time.Time](manyRunners, nil),
		heard:    newRecent[int64, time.Time](manyRunners, nil),
		asked:    newRecent[ci.JobID, bool](manyRunners, nil),
		reports:  make(chan struct{}, reportsAtOnce),
	}, nil
}

// parsedBytes is how much text of configuration files is kept parsed.
const parsedBytes = 4 << 20

// maxTries bounds how often a decision is made anew because somebody was faster.
const maxTries = 8

// change is the only way a pipeline moves: load, decide, save if nobody was
// faster, then tell. It returns the changes that were saved.
func (e *Engine) change(ctx context.Context, id ci.PipelineID, decide func(*ci.Snapshot) (ci.Changes, error)) (ci.Changes, error) {
	return e.changeLoaded(ctx, id, func() (*ci.Snapshot, error) { return e.view.Snapshot(ctx, id) }, decide)
}

// changeLoaded is change with a snapshot that comes from load.
func (e *Engine) changeLoaded(
	ctx context.Context, id ci.PipelineID, load func() (*ci.Snapshot, error), decide func(*ci.Snapshot) (ci.Changes, error),
) (ci.Changes, error) {
	changes, err := e.changeLocked(ctx, id, load, decide)
	e.passResources(ctx, changes.Pipeline.ProjectID, changes.Jobs, changes.New) // which may move other pipelines
	return changes, err
}

// changeLocked is changeLoaded without what follows for other pipelines.
func (e *Engine) changeLocked(
	ctx context.Context, id ci.PipelineID, load func() (*ci.Snapshot, error), decide func(*ci.Snapshot) (ci.Changes, error),
) (ci.Changes, error) {
	defer e.lock(id)() // in this process; other replicas meet in Apply
	for range maxTries {
		snapshot, err := load()
		if errors.Is(err, store.ErrMoved) {
			continue
		}
		if err != nil {
			return ci.Changes{}, err
		}
		changes, err := decide(snapshot)
		if err != nil {
			return ci.Changes{}, err
		}
		if changes.Empty() {
			return changes, nil
		}
		running := runningDelta(snapshot, changes)
		err = e.store.Apply(ctx, changes, running)
		if errors.Is(err, store.ErrInFlight) {
			err = e.settle(ctx, changes, running, err)
		}
		switch {
		case err == nil:
			e.tell(changes)
			e.countEnds(snapshot, changes)
			return changes, e.endLogs(context.WithoutCancel(ctx), snapshot, changes)
		case !errors.Is(err, store.ErrMoved):
			return ci.Changes{}, fmt.Errorf("apply changes to pipeline %d: %w", id, err)
		}
	}
	return ci.Changes{}, ci.Busy("pipeline %d keeps moving", id)
}

// endLogs ends the logs of jobs that have just ended without their runner saying
// so: canceled, lost, dropped. What a runner has ended is left alone.
func (e *Engine) endLogs(ctx context.Context, before *ci.Snapshot, changes ci.Changes) error {
	var problems []error
	for i := range changes.Jobs {
		job := &changes.Jobs[i]
		if old := before.Job(job.ID); !job.Status.Complete() || old == nil || !old.Status.Executing() {
			continue
		}
		info, err := e.traces.Stat(ctx, int64(job.ID))
		if err == nil && !info.Finished {
			_, err = e.traces.Finish(ctx, int64(job.ID), "", 0)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// tell wakes whoever waits for what has just been saved.
func (e *Engine) tell(changes ci.Changes) {
	e.wakeQueues(changes.Started)
	e.hub.WakePipeline(changes.Pipeline.ProjectID, changes.Pipeline.ID)
	for i := range changes.Jobs {
		if changes.Jobs[i].Status.Complete() {
			e.hub.WakeLog(changes.Jobs[i].ID)
		}
	}
}

// wakeQueues names each queue that the pending ones of jobs are in, once, with how
// many they are.
func (e *Engine) wakeQueues(jobs []ci.Job) {
	type work struct {
		queue ci.Queue
		jobs  int
	}
	var queues []work
	places := map[string]int{}
	for i := range jobs {
		if jobs[i].Status != ci.Pending {
			continue
		}
		queue := jobs[i].Queue()
		key := queue.Key()
		place, known := places[key]
		if !known {
			place = len(queues)
			places[key], queues = place, append(queues, work{queue: queue})
		}
		queues[place].jobs++
	}
	for _, w := range queues {
		e.hub.WakeQueue(w.queue, w.jobs)
	}
}

// runningDelta is by how much the number of jobs that runners hold changes.
func runningDelta(before *ci.Snapshot, changes ci.Changes) int {
	delta := 0
	for i := range changes.Jobs {
		after := &changes.Jobs[i]
		if old := before.Job(after.ID); old != nil && old.Status.Executing() {
			delta--
		}
		if after.Status.Executing() {
			delta++
		}
	}
	return delta
}

// lock keeps the changes of one pipeline in a row within this process.
func (e *Engine) lock(id ci.PipelineID) (unlock func()) { return e.pipelines.lock(id) }
