package engine

import (
	"bufio"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
)

// A NotRunning error refuses a job token whose job no runner holds any more. The
// edge answers 403 with the status in the header Job-Status, so that the runner
// aborts (contract/runner-protocol.md 1).
type NotRunning struct{ Status ci.Status }

// Error gives the status.
func (n *NotRunning) Error() string { return "job is " + string(n.Status) }

// JobForRunner checks a job token against the job that a runner names. Errors:
// ci.Forbidden for an unknown pair, *NotRunning for a job that is over.
func (e *Engine) JobForRunner(ctx context.Context, id ci.JobID, token string) (ci.Job, error) {
	job, err := e.view.Job(ctx, id)
	if ci.IsNotFound(err) {
		return ci.Job{}, ci.Forbidden("")
	}
	if err != nil {
		return ci.Job{}, fmt.Errorf("load job %d: %w", id, err)
	}
	digest := e.keys.Digest(auth.JobTokens, token)
	if token == "" || subtle.ConstantTimeCompare(digest, job.TokenDigest) != 1 {
		return ci.Job{}, ci.Forbidden("")
	}
	if !job.Status.Executing() {
		return job, &NotRunning{job.Status}
	}
	return job, nil
}

// A JobUpdate is what a runner reports with PUT (contract/runner-protocol.md 5).
type JobUpdate struct {
	State    string
	Reason   string
	ExitCode int
	Checksum string // "crc32:…" of the whole log as the runner has it; empty: not sent
	Bytes    int64
}

// UpdateJob takes a runner's report. A final one returns when the log and the
// outcome are durable. It gives the job's status afterwards. Errors: those of
// JobForRunner, ci.KindInvalid for an unknown state, ci.KindPrecondition when the
// log lacks bytes that the runner has: it sends it again and reports again.
func (e *Engine) UpdateJob(ctx context.Context, id ci.JobID, token string, u JobUpdate) (ci.Status, error) {
	job, err := e.JobForRunner(ctx, id, token)
	if err != nil {
		return job.Status, err
	}
	switch u.State {
	case "running":
		return job.Status, e.touch(ctx, job)
	case "success", "failed":
	default:
		return job.Status, ci.BadRequest("unknown state")
	}
	again, err := e.sendAgain(ctx, id, u.Bytes)
	if err != nil {
		return job.Status, err
	}
	if again {
		return job.Status, &ci.Error{Kind: ci.KindPrecondition}
	}
	same, err := e.traces.Finish(ctx, int64(id), u.Checksum, u.Bytes)
	if err != nil {
		return job.Status, fmt.Errorf("finish log of job %d: %w", id, err)
	}
	if !same { // it has sent all that it will: there is nothing to be done but to tell
		e.log.WarnContext(ctx, "the log of a job differs from its runner's", "job_id", int64(id))
	}
	outcome := ci.Outcome{Success: u.State == "success", ExitCode: u.ExitCode}
	if !outcome.Success {
		outcome.Reason = knownReason(u.Reason)
	}
	if outcome.Coverage, err = e.coverage(ctx, job); err != nil {
		return job.Status, err
	}
	return e.FinishJob(ctx, job, outcome)
}

// sendAgain reports whether a runner is to send its log of so many bytes again, since
// what another process held back of it may be lost with that one
// (contract/runner-protocol.md 5). It is asked once for each job by each process, so
// that a runner that cannot is believed the second time.
func (e *Engine) sendAgain(ctx context.Context, id ci.JobID, bytes int64) (bool, error) {
	if bytes <= 0 || bytes > e.traces.MaxBytes() {
		return false, nil
	}
	if _, asked := e.asked.get(id); asked {
		return false, nil
	}
	info, err := e.traces.Stat(ctx, int64(id))
	if err != nil || info.Finished {
		return false, err
	}
	stored, err := e.traces.Stored(ctx, int64(id))
	if err != nil || stored >= bytes {
		return false, err
	}
	e.asked.put(id, true)
	return true, nil
}

// FinishJob records how a job ended and starts whatever was waiting for it.
func (e *Engine) FinishJob(ctx context.Context, job ci.Job, out ci.Outcome) (ci.Status, error) {
	changes, err := e.change(ctx, job.PipelineID, func(s *ci.Snapshot) (ci.Changes, error) {
		if now := s.Job(job.ID); now != nil && !now.Status.Executing() {
			return ci.Changes{}, &NotRunning{now.Status}
		}
		return flow.Finish(s, job.ID, out, e.now())
	})
	if err != nil {
		return job.Status, err
	}
	e.hub.WakeLog(job.ID)
	return changed(changes, job.ID).Status, nil
}

// knownReason keeps a failure reason that the server knows.
func knownReason(reason string) ci.FailureReason {
	if slices.Contains(ci.FailureReasons, ci.FailureReason(reason)) {
		return ci.FailureReason(reason)
	}
	return ci.UnknownFailure
}

// How often contacts are written down: of a job, and of the machine that runs it,
// which counts as online for hours.
const (
	touchEvery = 15 * time.Second
	heardEvery = 5 * time.Minute
)

// touch remembers that the runner of a job is alive: that keeps the job from being
// given up, and the runner online while it has no time to ask for more work.
func (e *Engine) touch(ctx context.Context, job ci.Job) error {
	now := e.now()
	if last, ok := e.contacts.get(job.ID); ok && now.Sub(last) < touchEvery {
		return nil
	}
	if err := e.store.TouchJob(ctx, job.ID, now); err != nil {
		return fmt.Errorf("note contact of job %d: %w", job.ID, err)
	}
	e.contacts.put(job.ID, now)
	if last, ok := e.heard.get(job.ManagerID); ok && now.Sub(last) < heardEvery {
		return nil
	}
	manager, err := e.view.Manager(ctx, job.ManagerID)
	if err == nil {
		_, _, err = e.store.ContactRunner(ctx, manager, now)
	}
	if err != nil && !ci.IsNotFound(err) { // a runner that is removed may finish its jobs
		return fmt.Errorf("note contact of runner %d: %w", job.RunnerID, err)
	}
	e.heard.put(job.ManagerID, now)
	return nil
}

// maxPatch bounds one piece of a log; runners send 1 MiB at most.
const maxPatch = 4 << 20

// AppendLog adds what body holds to a job's log, from offset start on, and gives
// the new length. body is not read before the token is found good.
//
// Errors: those of JobForRunner, *trace.Mismatch when start is not the stored
// length, ci.KindTooLarge for a piece over 4 MiB. A log over its limit fails the
// job and is *NotRunning from then on.
func (e *Engine) AppendLog(ctx context.Context, id ci.JobID, token string, start int64, body io.Reader) (int64, ci.Status, error) {
	job, err := e.JobForRunner(ctx, id, token)
	if err != nil {
		return 0, job.Status, err
	}
	data, err := io.ReadAll(&limitedReader{from: body, left: maxPatch})
	if err != nil {
		return 0, job.Status, fmt.Errorf("read log of job %d from its runner: %w", id, err)
	}
	secrets, err := e.logSecrets(ctx, job, token)
	if err != nil {
		return 0, job.Status, err
	}
	length, err := e.traces.Append(ctx, int64(id), start, data, secrets)
	if ci.KindOf(err) == ci.KindTooLarge {
		return e.dropTooLong(context.WithoutCancel(ctx), job, length)
	}
	if err != nil {
		return length, job.Status, err
	}
	if err := e.touch(ctx, job); err != nil {
		return length, job.Status, err
	}
	if len(data) > 0 {
		e.hub.WakeLog(id)
	}
	return length, job.Status, nil
}

// dropTooLong fails a job whose log is over the limit.
func (e *Engine) dropTooLong(ctx context.Context, job ci.Job, length int64) (int64, ci.Status, error) {
	err := e.DropJob(ctx, job.ID, ci.TraceSizeExceeded)
	if err != nil && ci.KindOf(err) != ci.KindConflict { // a conflict: it has ended meanwhile
		return length, job.Status, err
	}
	job, err = e.view.Job(ctx, job.ID)
	if err != nil {
		return length, job.Status, err
	}
	return length, job.Status, &NotRunning{job.Status}
}

var coverageNumber = regexp.MustCompile(`\d+(?:\.\d+)?`)

// coverage finds the coverage in the log of a job: in the last line that matches,
// the last match, and in it the first number (contract/ci-yaml.md 7.8).
func (e *Engine) coverage(ctx context.Context, job ci.Job) (*float64, error) {
	spec, err := e.Spec(ctx, job)
	if err != nil || spec.Coverage == "" {
		return nil, err
	}
	pattern, err := regexp.Compile(spec.Coverage)
	if err != nil {
		return nil, nil // refused when it was compiled; an older configuration may still hold one
	}
	log, err := e.traces.Read(ctx, int64(job.ID), 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read log of job %d for its coverage: %w", job.ID, err)
	}
	defer log.Close()
	found := ""
	lines := bufio.NewReaderSize(log, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if matches := pattern.FindAllString(line, -1); len(matches) > 0 {
			found = matches[len(matches)-1]
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read log of job %d for its coverage: %w", job.ID, err)
		}
	}
	number := strings.TrimLeft(coverageNumber.FindString(found), "0")
	if number == "" || number[0] == '.' {
		number = "0" + number
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || coverageNumber.FindString(found) == "" {
		return nil, nil // the pattern matched text without a number: no coverage
	}
	return &value, nil
}
