package engine

import (
	"slices"
	"sync"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Reach says from which queues a runner may take jobs, as far as one poll of the
// runner knows. The hub asks it whom to wake, while it is locked, so the answer
// must not need the database: whether a runner works for a project is found out
// when the poll looks, and remembered here until it is woken.
//
// A project that nobody has looked at counts as within reach. Whoever is woken for
// one that turns out not to be must pass the wake-up on: see Narrowed.
type Reach struct {
	mu       sync.Mutex // protects all fields below
	runner   ci.Runner
	outside  map[ci.ProjectID]bool
	narrowed bool
}

// NewReach makes the Reach of a runner for one poll.
func NewReach(runner ci.Runner) *Reach { return &Reach{runner: runner} }

// Match reports whether the runner may take jobs from a queue.
func (r *Reach) Match(q ci.Queue) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runner.Paused || !r.runner.May(q.Tags, q.Protected) || r.outside[q.ProjectID] {
		return false
	}
	return r.runner.Type != ci.ProjectRunner || slices.Contains(r.runner.ProjectIDs, q.ProjectID)
}

// Reset begins anew with the runner as it is now, when a poll is woken: settings of
// the runner or of projects may have changed.
func (r *Reach) Reset(runner ci.Runner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runner, r.outside, r.narrowed = runner, nil, false
}

// Narrowed reports whether projects turned out to be out of reach since it was
// last asked. Then the last wake-up may have been meant for another runner, and
// the poll has to listen anew so that the hub passes it on.
func (r *Reach) Narrowed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	narrowed := r.narrowed
	r.narrowed = false
	return narrowed
}

// exclude remembers that the runner does not work for a project.
func (r *Reach) exclude(project ci.ProjectID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outside[project] {
		return
	}
	if r.outside == nil {
		r.outside = map[ci.ProjectID]bool{}
	}
	r.outside[project], r.narrowed = true, true
}
