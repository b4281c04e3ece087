package web

import (
	"context"
	"sync/atomic"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/hub"
)

// A watcher makes one channel out of the wake-ups of several pipelines and logs. It
// ends with its context.
type watcher struct {
	ctx       context.Context
	hub       *hub.Hub
	wake      chan struct{} // room for one
	moved     atomic.Bool   // some pipeline did
	pipelines map[ci.PipelineID]bool
	projects  map[ci.ProjectID]bool
}

func newWatcher(ctx context.Context, h *hub.Hub) *watcher {
	return &watcher{ctx: ctx, hub: h, wake: make(chan struct{}, 1), pipelines: map[ci.PipelineID]bool{}, projects: map[ci.ProjectID]bool{}}
}

// pipeline watches a pipeline too. Whoever added one after a look is woken for
// another, so that nothing is missed in between.
func (w *watcher) pipeline(id ci.PipelineID) {
	if w.pipelines[id] {
		return
	}
	w.pipelines[id] = true
	changed, stop := w.hub.Watch(id)
	go w.pass(changed, stop, true)
	w.moved.Store(true)
	w.tell()
}

// project watches all pipelines of a project, new ones too, from before the look.
func (w *watcher) project(id ci.ProjectID) {
	if w.projects[id] {
		return
	}
	w.projects[id] = true
	changed, stop := w.hub.WatchProject(id)
	go w.pass(changed, stop, true)
}

// log watches the log of a job too.
func (w *watcher) log(id ci.JobID) {
	changed, stop := w.hub.WatchLog(id)
	go w.pass(changed, stop, false)
}

func (w *watcher) pass(from <-chan struct{}, stop func(), moves bool) {
	defer stop()
	for {
		select {
		case _, open := <-from:
			if !open {
				return
			}
			if moves {
				w.moved.Store(true)
			}
			w.tell()
		case <-w.ctx.Done():
			return
		}
	}
}

func (w *watcher) tell() {
	select {
	case w.wake <- struct{}{}:
	default: // it has not looked since the last one
	}
}
