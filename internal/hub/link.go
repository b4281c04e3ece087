package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Link carries wake-ups between the hubs of processes that share a database. What
// is sent may be lost, doubled or come late: no wake-up is truth.
type Link struct {
	// Send gives texts to every process that receives.
	Send func(ctx context.Context, texts []string) error
	// Receive calls listening when nothing is missed from then on, and got for each
	// text, until ctx ends or the connection is lost.
	Receive func(ctx context.Context, listening func(), got func(text string)) error
	Logger  *slog.Logger
}

// Bounds of a Link.
const (
	textBytes    = 7000                   // of one text; PostgreSQL takes less than 8,000
	manyWakes    = 20_000                 // from where on everything is woken instead
	retrySend    = 250 * time.Millisecond // after one that failed
	retryReceive = 200 * time.Millisecond // after the first connection that was lost, then more
	longestRetry = 2 * time.Second
	lastSend     = 2 * time.Second // for what is left when the process ends
)

// wakes are wake-ups on their way, the same ones only once. One text holds them as
// JSON.
type wakes struct {
	From      string          `json:"f"`           // nonce of the hub
	All       bool            `json:"a,omitempty"` // every waiter and every watch
	Waiters   bool            `json:"w,omitempty"` // every waiter
	Queues    map[string]int  `json:"q,omitempty"` // new jobs by key of the queue
	Pipelines []ci.PipelineID `json:"p,omitempty"`
	Projects  []ci.ProjectID  `json:"j,omitempty"`
	Logs      []ci.JobID      `json:"l,omitempty"`
}

// An outbox collects what is to be sent while the text before is on its way.
type outbox struct {
	more chan struct{} // has room for one: there is something in it

	mu        sync.Mutex // protects all fields below
	open      bool       // a Link takes it away
	all       bool
	waiters   bool
	queues    map[string]int
	pipelines map[ci.PipelineID]bool
	projects  map[ci.ProjectID]bool
	logs      map[ci.JobID]bool
}

// add puts something into the outbox, unless there is no Link.
func (o *outbox) add(put func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open {
		return
	}
	if o.queues == nil {
		o.empty()
	}
	put()
	if len(o.queues)+len(o.pipelines)+len(o.projects)+len(o.logs) > manyWakes {
		o.empty()
		o.all = true
	}
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// empty forgets what is in it. The caller holds mu.
func (o *outbox) empty() {
	o.all, o.waiters, o.queues = false, false, map[string]int{}
	o.pipelines, o.projects, o.logs = map[ci.PipelineID]bool{}, map[ci.ProjectID]bool{}, map[ci.JobID]bool{}
}

// take empties the outbox into texts of a bounded length.
func (o *outbox) take(from string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.queues == nil {
		return nil, nil
	}
	first := wakes{From: from, All: o.all, Waiters: o.waiters}
	var texts []string
	add := func(w wakes) error {
		data, err := json.Marshal(w)
		if err == nil {
			texts = append(texts, string(data))
		}
		return err
	}
	var problems []error
	size := 0
	for key, n := range o.queues {
		if len(key) > textBytes/2 { // many long tags: whoever waits may look
			first.Waiters = true
			continue
		}
		if size += 2*len(key) + 16; size > textBytes { // its quotes are escaped
			problems = append(problems, add(wakes{From: from, Queues: first.Queues}))
			first.Queues, size = nil, 2*len(key)+16
		}
		if first.Queues == nil {
			first.Queues = map[string]int{}
		}
		first.Queues[key] = n
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(o.pipelines)), textBytes/20) {
		problems = append(problems, add(wakes{From: from, Pipelines: part}))
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(o.projects)), textBytes/20) {
		problems = append(problems, add(wakes{From: from, Projects: part}))
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(o.logs)), textBytes/20) {
		problems = append(problems, add(wakes{From: from, Logs: part}))
	}
	if first.All || first.Waiters || len(first.Queues) > 0 {
		problems = append(problems, add(first))
	}
	o.empty()
	slices.Reverse(texts) // runners come before those who look
	return texts, errors.Join(problems...)
}

// Run passes wake-ups on between this hub and those of other processes until ctx
// ends; what is left then is sent. It returns when it has stopped. A connection
// that is lost is made again, and everybody is woken once it is there, since
// nobody knows what was missed.
func (h *Hub) Run(ctx context.Context, link Link) {
	h.out.mu.Lock()
	h.out.open = true
	h.out.mu.Unlock()
	var receiving sync.WaitGroup
	receiving.Go(func() { h.receive(ctx, link) })
	defer receiving.Wait()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSend)
			defer cancel()
			if err := h.send(last, link); err != nil {
				link.Logger.WarnContext(ctx, "the last wake-ups for other servers were not sent", "error", err)
			}
			return
		case <-h.out.more:
		}
		if err := h.send(ctx, link); err != nil && ctx.Err() == nil {
			link.Logger.WarnContext(ctx, "wake-ups for other servers were not sent; trying again", "error", err)
			h.out.add(func() { h.out.all = true })
			pause(ctx, retrySend)
		}
	}
}

// send sends what is in the outbox.
func (h *Hub) send(ctx context.Context, link Link) error {
	texts, err := h.out.take(h.nonce)
	if err == nil && len(texts) > 0 {
		err = link.Send(ctx, texts)
	}
	if err != nil {
		return fmt.Errorf("send wake-ups: %w", err)
	}
	return nil
}

// receive wakes whoever waits here for what happened in other processes.
func (h *Hub) receive(ctx context.Context, link Link) {
	retry := retryReceive
	for {
		err := link.Receive(ctx, func() {
			retry = retryReceive
			h.wakeEverybody()
		}, h.got)
		if ctx.Err() != nil {
			return
		}
		link.Logger.WarnContext(ctx, "wake-ups of other servers are not received; connecting again", "error", err)
		pause(ctx, retry)
		retry = min(2*retry, longestRetry)
	}
}

// got wakes those whom a text of another process is for. One that cannot be read
// comes from another version: everybody looks then.
func (h *Hub) got(text string) {
	var w wakes
	if err := json.Unmarshal([]byte(text), &w); err != nil || w.All {
		if err != nil || w.From != h.nonce {
			h.wakeEverybody()
		}
		return
	}
	if w.From == h.nonce {
		return
	}
	if w.Waiters {
		h.wakeWaiters()
	}
	for key, n := range w.Queues {
		queue, err := ci.ParseQueue(key)
		if err != nil {
			h.wakeWaiters()
			continue
		}
		h.WakeQueueHere(queue, n)
	}
	for _, id := range w.Pipelines {
		h.pipelines.wake(id)
	}
	for _, id := range w.Projects {
		h.projects.wake(id)
	}
	for _, id := range w.Logs {
		h.logs.wake(id)
	}
}

// wakeEverybody makes all who wait in this process look.
func (h *Hub) wakeEverybody() {
	h.wakeWaiters()
	h.pipelines.wakeAll()
	h.projects.wakeAll()
	h.logs.wakeAll()
}

// pause waits, less long when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
