// Package hub tells those who wait that something changed: runners that a queue
// got work, pages that a pipeline or a log moved on.
//
// Four nouns: a Hub is one per process, a Waiter is a runner's long poll, a
// watch is a channel of somebody who looks at one pipeline or log, a Link joins the
// hubs of several processes. A wake-up says where to look, never what is true:
// whoever is woken reads the database, and nothing goes wrong if a wake-up was for
// nothing.
//
// The package refuses to know what a job is, to keep anything that matters after
// a restart, and to block whoever wakes.
package hub

import (
	"container/list"
	"strconv"
	"sync"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Hub passes wake-ups on within one process, and by a Link to others. Its methods
// may be called from any goroutine and never wait for a receiver.
type Hub struct {
	nonce string
	done  chan struct{} // closed by Close

	mu      sync.Mutex // protects all fields below
	count   uint64     // of wake-ups of queues
	waiters list.List  // of *Waiter, the one that has been there longest first

	pipelines topic[ci.PipelineID]
	projects  topic[ci.ProjectID]
	logs      topic[ci.JobID]

	out outbox // for other processes
}

// New makes a Hub. The nonce tells this process from every other one that may
// have made a cursor: some random text without spaces.
func New(nonce string) *Hub {
	return &Hub{nonce: nonce, done: make(chan struct{}), out: outbox{more: make(chan struct{}, 1)}}
}

// Close ends every wait at once, for a server that drains: waiters return and the
// channels of watches are closed. Later waits and watches end at once too.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.done:
		return
	default:
	}
	close(h.done)
	h.pipelines.close()
	h.projects.close()
	h.logs.close()
}

// Done is closed when the Hub is.
func (h *Hub) Done() <-chan struct{} { return h.done }

// cursor names the present count. The caller holds mu.
func (h *Hub) cursor() string { return h.nonce + "-" + strconv.FormatUint(h.count, 10) }

// Watch gives a channel that receives after each WakePipeline of the same
// id. Wake-ups that come before the receiver is back are one. The channel is
// closed by Hub.Close; stop, which may be called more than once, ends the watch.
func (h *Hub) Watch(id ci.PipelineID) (changed <-chan struct{}, stop func()) {
	return h.pipelines.watch(id)
}

// WatchProject is Watch for all pipelines of a project, new ones too.
func (h *Hub) WatchProject(id ci.ProjectID) (changed <-chan struct{}, stop func()) {
	return h.projects.watch(id)
}

// WakePipeline tells who watches a pipeline, or those of its project, to look
// again.
func (h *Hub) WakePipeline(project ci.ProjectID, id ci.PipelineID) {
	h.pipelines.wake(id)
	h.projects.wake(project)
	h.out.add(func() { h.out.pipelines[id], h.out.projects[project] = true, true })
}

// WatchLog is Watch for the log of a job.
func (h *Hub) WatchLog(id ci.JobID) (changed <-chan struct{}, stop func()) { return h.logs.watch(id) }

// WakeLog tells who watches the log of a job to look again.
func (h *Hub) WakeLog(id ci.JobID) {
	h.logs.wake(id)
	h.out.add(func() { h.out.logs[id] = true })
}
