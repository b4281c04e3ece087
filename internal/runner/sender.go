package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxChunk is the most that one PATCH carries.
const maxChunk = 1 << 20

// maxResyncs is how often in one go the server may send us to another offset before we wait and try later.
const maxResyncs = 4

// outcome is how a job ended, in the words of PUT /jobs/:id.
type outcome struct {
	state    string // success or failed
	reason   string // failed only
	exitCode int    // of the script, when it was the script that failed
}

// errGone: the job is not this runner's any more (canceled, finished, deleted, token refused). Nothing is reported.
var errGone = errors.New("canceled")

// sender keeps the server up to date about one job: new bytes of its log, a sign of life in silence, its end.
// What the server says back about the job goes to the two callbacks.
type sender struct {
	client *client
	id     int64
	token  string
	trace  *trace
	debug  bool
	timing timing
	live   bool
	log    *slog.Logger

	onCanceling func() // the server asks for a graceful end; may be called often
	onGone      func() // the job is lost; called once at least

	quit chan struct{}
	done sync.WaitGroup

	// Used by the sending goroutine alone, and by finish once that has ended.
	sent     int64
	deaf     bool // the server has no place for the log (404)
	interval time.Duration
	lastSent time.Time
	now      func() time.Time
}

// start begins to send; finish or abandon ends it. ctx bounds the requests.
func (s *sender) start(ctx context.Context) {
	s.quit = make(chan struct{})
	s.interval = s.timing.interval
	s.lastSent = s.now()
	s.done.Go(func() { s.loop(ctx) })
}

func (s *sender) stop() {
	close(s.quit)
	s.done.Wait()
}

func (s *sender) loop(ctx context.Context) {
	failures := 0
	timer := time.NewTimer(s.touchAfter())
	defer timer.Stop()
	for {
		dirty := s.trace.dirty
		if failures > 0 {
			dirty = nil // the timer says when to try again
		}
		var err error
		select {
		case <-ctx.Done():
			return
		case <-s.quit:
			return
		case <-dirty:
			if !s.gather() {
				return
			}
			err = s.push(ctx)
		case <-timer.C:
			if err = s.push(ctx); err == nil && s.now().Sub(s.lastSent) >= s.touchAfter() {
				err = s.touch(ctx)
			}
		}
		switch {
		case errors.Is(err, errGone):
			s.onGone()
			return
		case err != nil:
			failures++
			s.log.Warn("log not sent, will try again", "job", s.id, "err", err)
			timer.Reset(min(s.timing.retryFirst<<min(failures, 8), s.timing.retryMax))
		default:
			failures = 0
			timer.Reset(s.touchAfter())
		}
	}
}

// gather waits a moment for more bytes, so that a chatty job does not cause a request a line. Next to the server
// that is a fraction of a second, for pages that follow the log; otherwise the interval that the server wishes.
func (s *sender) gather() bool {
	every := s.interval
	if s.live {
		every = s.timing.liveFlush
	}
	wait := max(s.timing.gather, every-s.now().Sub(s.lastSent))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-s.quit:
		return false
	case <-timer.C:
		return true
	}
}

// touchAfter is the silence after which a sign of life is due. It is also how soon a silent job notices that it was
// canceled, so next to the server it follows the interval, which is short while somebody looks at the log.
func (s *sender) touchAfter() time.Duration {
	if s.live {
		return min(max(s.interval, s.timing.interval), s.timing.touch)
	}
	return s.timing.touch
}

// push sends what the server lacks.
func (s *sender) push(ctx context.Context) error {
	for resyncs := 0; !s.deaf; {
		chunk, err := s.trace.from(s.sent, maxChunk)
		if err != nil || len(chunk) == 0 {
			return err
		}
		reply, err := s.client.patchTrace(ctx, s.id, s.token, s.sent, chunk, s.debug)
		if err != nil {
			return err
		}
		if err := s.note(reply); err != nil {
			return err
		}
		what := fmt.Sprintf("append to log of job %d", s.id)
		switch reply.code {
		case http.StatusAccepted, http.StatusOK, http.StatusNoContent:
			s.sent += int64(len(chunk))
			s.lastSent = s.now()
		case http.StatusNotFound:
			s.deaf = true
		case http.StatusRequestedRangeNotSatisfiable:
			length, ok := storedLength(reply.header.Get("Range"))
			if resyncs++; !ok || resyncs > maxResyncs {
				return &statusError{what: what, code: reply.code, message: "no common offset"}
			}
			s.sent = length
		default:
			return reply.failure(what)
		}
	}
	return nil
}

// storedLength reads "0-1078": the number after the dash is how much the server has.
func storedLength(header string) (int64, bool) {
	_, length, found := strings.Cut(header, "-")
	n, err := strconv.ParseInt(length, 10, 64)
	return n, found && err == nil && n >= 0
}

// touch tells that the job is alive.
func (s *sender) touch(ctx context.Context) error {
	sum := s.trace.summary()
	reply, err := s.client.update(ctx, s.id, jobUpdate{Token: s.token, State: "running", Checksum: sum.Checksum, Output: sum})
	if err != nil {
		return err
	}
	if err := s.note(reply); err != nil {
		return err
	}
	switch {
	case reply.code == http.StatusNotFound:
		return errGone
	case reply.code >= 300:
		return reply.failure(fmt.Sprintf("update job %d", s.id))
	}
	s.lastSent = s.now()
	return nil
}

// note obeys what every answer may carry: the job's status before the code, then the wish for an interval.
func (s *sender) note(r *reply) error {
	switch {
	case r.jobStatus == "canceled", r.jobStatus == "failed", r.code == http.StatusForbidden:
		return errGone
	case r.jobStatus == "canceling":
		s.onCanceling()
	}
	if seconds, err := strconv.Atoi(r.header.Get("X-GitLab-Trace-Update-Interval")); err == nil && seconds > 0 {
		s.interval = min(time.Duration(seconds)*time.Second, 15*time.Minute)
	}
	return nil
}

// finish sends the rest of the log and how the job ended, again and again while the server is away, up to an hour.
// errGone means that the server did not want to know.
func (s *sender) finish(ctx context.Context, o outcome) error {
	s.stop()
	s.trace.end()
	sum := s.trace.summary()
	u := jobUpdate{
		Token: s.token, State: o.state, FailureReason: o.reason, ExitCode: o.exitCode, Checksum: sum.Checksum, Output: sum,
	}
	return s.timing.report.retry(ctx, func() error {
		err := s.push(ctx)
		if errors.Is(err, errGone) || transient(err) {
			return err
		}
		if err != nil { // a log that the server will not have must not keep the job from ending
			s.log.Error("end of log not sent", "job", s.id, "err", err)
		}
		return s.settle(ctx, u)
	})
}

// settle repeats the final update until the server has taken it for good.
func (s *sender) settle(ctx context.Context, u jobUpdate) error {
	what := fmt.Sprintf("update job %d", s.id)
	for {
		reply, err := s.client.update(ctx, s.id, u)
		if err != nil {
			return err
		}
		switch reply.code {
		case http.StatusOK:
			return nil
		case http.StatusAccepted:
			s.interval = s.timing.interval
			if err := s.note(reply); err != nil {
				return err
			}
			if !sleep(ctx, s.interval) {
				return fmt.Errorf("%s: %w", what, context.Cause(ctx))
			}
		case http.StatusPreconditionFailed:
			s.sent, s.deaf = 0, false
			if err := s.push(ctx); err != nil {
				return err
			}
		case http.StatusForbidden, http.StatusNotFound:
			return errGone
		default:
			return reply.failure(what)
		}
	}
}

// abandon ends the sending of a job that is not ours any more.
func (s *sender) abandon() { s.stop() }
