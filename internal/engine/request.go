package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A RunnerContact is a machine that asks for work.
type RunnerContact struct {
	Runner   ci.Runner
	Manager  ci.RunnerManager
	Features map[string]bool // what it can do, as it says itself
	Reach    *Reach          // learns which projects the runner does not work for; may be nil
}

// maxCandidates is how many jobs one request tries to take, and how many of a
// queue it looks at (decisions: queue, 18).
const maxCandidates = 45

// RequestJob gives the next job that this runner may take, or nil. Fair between
// projects: the one with the fewest running jobs first, then the oldest job.
// Losing a race for one job only means to try the next. A job that was taken while
// ctx ended is given back, and the error is that of ctx.
//
// Errors: ci.KindConflict when too many candidates were lost to others; the
// runner asks again (contract/runner-protocol.md 3).
func (e *Engine) RequestJob(ctx context.Context, c RunnerContact) (*Assignment, error) {
	if c.Runner.Paused {
		return nil, nil
	}
	heads, err := e.view.PendingQueues(ctx, groupOf(c.Runner))
	if err != nil {
		return nil, fmt.Errorf("read pending queues: %w", err)
	}
	slices.SortFunc(heads, func(a, b store.QueueHead) int {
		return cmp.Or(cmp.Compare(a.Running, b.Running), cmp.Compare(a.JobID, b.JobID))
	})
	search := &search{engine: e, contact: c, waiting: len(heads)}
	for _, head := range heads {
		within, err := withinReach(c, head)
		if err != nil {
			return nil, err
		}
		if !within {
			continue
		}
		if a, err := search.queue(ctx, head); a != nil || err != nil {
			return a, err
		}
	}
	return nil, nil
}

// groupOf is below which group a runner takes jobs, 0 when that does not decide.
func groupOf(runner ci.Runner) ci.NamespaceID {
	if runner.Type == ci.GroupRunner {
		return runner.NamespaceID
	}
	return 0
}

// withinReach reports whether the runner may take jobs from the queue of head.
func withinReach(c RunnerContact, head store.QueueHead) (bool, error) {
	queue, err := ci.ParseQueue(head.Key)
	if err != nil {
		return false, err
	}
	if !c.Runner.May(queue.Tags, queue.Protected) {
		return false, nil
	}
	serves, err := serves(c.Runner, queue.ProjectID, head)
	if err == nil && !serves && c.Reach != nil {
		c.Reach.exclude(queue.ProjectID)
	}
	return serves, err
}

// serves reports whether a runner works for a project: instance runners for all
// that want them, group runners for all below the group, project runners for
// theirs (contract/runner-protocol.md 10).
func serves(runner ci.Runner, id ci.ProjectID, head store.QueueHead) (bool, error) {
	if runner.Type == ci.ProjectRunner && !slices.Contains(runner.ProjectIDs, id) {
		return false, nil
	}
	settings, there, err := head.Settings()
	switch {
	case err != nil || !there || settings.BuildsAccess == ci.AccessDisabled:
		return false, err
	case runner.Type == ci.InstanceRunner:
		return settings.SharedRunners, nil
	case runner.Type == ci.GroupRunner:
		return head.Below, nil
	}
	return true, nil
}

// A search is one look through the queues.
type search struct {
	engine  *Engine
	contact RunnerContact
	waiting int // queues with work
	looked  int // jobs that it tried to take
}

// queue tries the jobs of a queue from its head on. Those that another request of
// this process is about to take are left to it, so that many runners that ask at
// once take as many jobs side by side instead of racing for the first one.
func (s *search) queue(ctx context.Context, head store.QueueHead) (*Assignment, error) {
	e, candidates := s.engine, []store.QueueHead{head}
	for len(candidates) > 0 {
		var last ci.JobID
		for _, candidate := range candidates {
			last = candidate.JobID
			release, free := e.claims.reserve(candidate.JobID)
			if !free {
				continue
			}
			candidate.Running = head.Running
			if s.looked++; s.looked > maxCandidates {
				release()
				return nil, ci.Busy("%d jobs were taken by others", maxCandidates)
			}
			a, err := s.take(ctx, candidate)
			release()
			if a != nil || err != nil {
				return a, err
			}
		}
		var err error
		if candidates, err = e.view.PendingJobs(ctx, head.Key, last, maxCandidates); err != nil {
			return nil, fmt.Errorf("read pending jobs: %w", err)
		}
	}
	return nil, nil
}

// take claims one job, and wakes another runner for it if it could not find out
// whether it did: one that left the job to this request may be waiting.
func (s *search) take(ctx context.Context, candidate store.QueueHead) (*Assignment, error) {
	e := s.engine
	a, err := e.take(ctx, s.contact, candidate)
	if err != nil {
		if queue, parseErr := ci.ParseQueue(candidate.Key); parseErr == nil {
			e.hub.WakeQueue(queue, 1)
		}
		return nil, err
	}
	if a == nil {
		return nil, nil
	}
	if cause := ctx.Err(); cause != nil { // the client went away while the job was being taken
		return nil, errors.Join(cause, e.Unassign(context.WithoutCancel(ctx), a.Job.ID))
	}
	a.QueueSize, a.QueueDepth = s.waiting, s.looked
	return a, nil
}

// claims are the jobs that requests of this process are about to take. The zero
// value is ready to use.
type claims struct {
	mu   sync.Mutex // protects jobs
	jobs map[ci.JobID]bool
}

// reserve reports whether nobody else is about to take a job; if so, it is the
// caller's until release.
func (c *claims) reserve(id ci.JobID) (release func(), free bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs[id] {
		return nil, false
	}
	if c.jobs == nil {
		c.jobs = map[ci.JobID]bool{}
	}
	c.jobs[id] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.jobs, id)
	}, true
}
