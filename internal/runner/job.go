package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Why a job ends before its script does. They are causes of the job's contexts.
var (
	errTimeout       = errors.New("timeout of the job")
	errScriptTimeout = errors.New("timeout of the script")
	errCanceling     = errors.New("canceled, gracefully")
	errShutdown      = errors.New("aborted: the runner is shutting down")
)

// Failure reasons that every server knows, and those it has to announce.
const (
	reasonScript   = "script_failure"
	reasonSystem   = "runner_system_failure"
	reasonTimeout  = "job_execution_timeout"
	reasonCanceled = "job_canceled"
	reasonUnknown  = "unknown_failure"
)

// defaultTimeout is a job's when the server names none.
const defaultTimeout = 2 * time.Hour

// systemError is a failure that is not the script's.
type systemError struct{ err error }

// Error is the cause's.
func (e *systemError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *systemError) Unwrap() error { return e.err }

func systemFailure(err error) error { return &systemError{err} }

// job is one job in one slot.
type job struct {
	runner  *Runner
	payload *payload
	slot    int
	ws      *workspace
	vars    *variables
	trace   *trace
	log     *joblog
	sender  *sender
	timeout time.Duration

	canceling bool // the script was ended because the server asked; used in the job's goroutine
}

// work runs a job to its end and reports it. ctx is the runner's.
func (r *Runner) work(ctx context.Context, p *payload, slot int) {
	log := r.log.With("job", p.ID, "project", p.JobInfo.ProjectFullPath)
	log.Info("job taken", "name", p.JobInfo.Name)
	whole, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	// Reports outlive the runner's context, by as long as ending the script and a last word may take.
	reports, silence := context.WithCancel(context.WithoutCancel(ctx))
	defer silence()
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(r.timing.hurryGrace+r.timing.lastWords, silence)
	})
	defer stop()

	j, err := r.newJob(p, slot)
	if err != nil {
		log.Error("job not started", "err", err)
		r.refuse(reports, &malformedJob{id: p.ID, token: p.Token})
		return
	}
	defer j.trace.close()
	timed, release := context.WithTimeoutCause(whole, j.timeout, errTimeout)
	defer release()
	graceful, cancel := context.WithCancelCause(timed)
	defer cancel(nil)
	if gone := j.accept(reports, cancel); gone {
		log.Info("job was canceled before it began")
		return
	}
	j.sender.onGone = func() { lose(errGone) }
	j.sender.onCanceling = func() { cancel(errCanceling) }
	j.sender.start(reports)

	err = j.execute(timed, graceful)
	if closed := j.ws.close(); closed != nil {
		log.Error("workspace not cleaned", "err", closed)
	}
	if context.Cause(whole) == errGone {
		j.sender.abandon()
		log.Info("job canceled")
		return
	}
	o := j.verdict(err)
	if err := j.sender.finish(reports, o); err != nil && !errors.Is(err, errGone) {
		log.Error("end of job not reported", "err", err)
		return
	}
	log.Info("job done", "state", o.state, "reason", o.reason, "exit_code", o.exitCode)
}

// newJob gathers what a job needs; nothing has been run yet.
func (r *Runner) newJob(p *payload, slot int) (*job, error) {
	as, err := lookupAccount(r.config.User, slot)
	if err != nil {
		return nil, err
	}
	authority, err := r.authority()
	if err != nil {
		return nil, err
	}
	j := &job{runner: r, payload: p, slot: slot, ws: r.layout(p, slot, as), timeout: defaultTimeout}
	if p.RunnerInfo.Timeout > 0 {
		j.timeout = time.Duration(p.RunnerInfo.Timeout) * time.Second
	}
	j.vars = newVariables(slices.Concat(j.ownVariables(), authority, p.Variables), j.ws.tmp)
	prefixes := p.Features.TokenMaskPrefixes
	if len(prefixes) == 0 {
		prefixes = defaultTokenPrefixes
	}
	temp := filepath.Join(r.config.WorkDir, tempFolder)
	j.trace, err = openTrace(temp, newMasker(append(p.secrets(j.vars), r.config.Token), prefixes), r.config.OutputLimit)
	if err != nil {
		return nil, err
	}
	j.log = &joblog{out: j.trace, sections: p.Features.TraceSections, now: r.config.Now}
	j.sender = &sender{
		client: r.client, id: p.ID, token: p.Token, trace: j.trace, debug: j.vars.is("CI_DEBUG_TRACE"),
		timing: r.timing, live: r.client.local(), log: r.log, now: r.config.Now,
	}
	return j, nil
}

// ownVariables are those that only the runner can know. The server's come after them and win.
func (j *job) ownVariables() []variable {
	slot := strconv.Itoa(j.slot)
	own := []variable{
		{Key: "CI_BUILDS_DIR", Value: j.ws.slot},
		{Key: "CI_PROJECT_DIR", Value: j.ws.project},
		{Key: "RUNNER_TEMP_PROJECT_DIR", Value: j.ws.tmp},
		{Key: "CI_CONCURRENT_ID", Value: slot},
		{Key: "CI_CONCURRENT_PROJECT_ID", Value: slot},
		{Key: "CI_SERVER", Value: "yes"},
		{Key: "CI_SHARED_ENVIRONMENT", Value: "true"},
		{Key: "CI_JOB_STATUS", Value: "running"},
		{Key: "CI_JOB_TIMEOUT", Value: strconv.Itoa(int(j.timeout / time.Second))},
		{Key: "CI_RUNNER_VERSION", Value: j.runner.config.Version},
		{Key: "CI_RUNNER_REVISION", Value: j.runner.config.Version},
		{Key: "CI_RUNNER_EXECUTABLE_ARCH", Value: goos + "/" + goarch},
	}
	for i := range own {
		own[i].Raw = true
	}
	return own
}

// accept tells the server that the job was taken, before anything is done for it, and reports whether it is lost already.
// A server that cannot be reached is no reason not to begin: the job is ours since the 201.
func (j *job) accept(ctx context.Context, cancel context.CancelCauseFunc) (gone bool) {
	j.sender.onCanceling = func() { cancel(errCanceling) }
	err := j.runner.timing.accept.retry(ctx, func() error {
		reply, err := j.runner.client.update(ctx, j.payload.ID, jobUpdate{Token: j.payload.Token, State: "running"})
		if err != nil {
			return err
		}
		if err := j.sender.note(reply); err != nil {
			return err
		}
		if reply.code == http.StatusNotFound {
			return errGone
		}
		if reply.code >= 300 {
			return reply.failure(fmt.Sprintf("update job %d", j.payload.ID))
		}
		return nil
	})
	if err != nil && !errors.Is(err, errGone) {
		j.runner.log.Warn("server not told that the job runs", "job", j.payload.ID, "err", err)
	}
	return errors.Is(err, errGone)
}

// verdict puts an error into the log's last line and into the words of the protocol.
func (j *job) verdict(err error) outcome {
	if err == nil {
		if err = j.trace.failure(); err != nil {
			err = systemFailure(err)
		}
	}
	failed, byScript := errors.AsType[*exitError](err)
	o := outcome{state: "failed"}
	switch {
	case err == nil:
		o.state = "success"
		j.log.step("Job succeeded")
		return o
	case j.canceling:
		o.reason = reasonCanceled
		j.log.fail("Job failed: canceled")
	case errors.Is(err, errTimeout), errors.Is(err, errScriptTimeout):
		o.reason = reasonTimeout
		j.log.fail("Job failed: execution took longer than %v", j.limitOf(err))
	case byScript:
		o.reason, o.exitCode = reasonScript, failed.code
		j.log.fail("Job failed: %v", failed)
	default:
		o.reason = reasonSystem
		j.log.fail("Job failed (system failure): %v", err)
	}
	known := []string{reasonScript, reasonSystem, reasonTimeout}
	if !slices.Contains(known, o.reason) && !slices.Contains(j.payload.Features.FailureReasons, o.reason) {
		o.reason = reasonUnknown
	}
	return o
}

func (j *job) limitOf(err error) time.Duration {
	if errors.Is(err, errScriptTimeout) {
		return j.limit("RUNNER_SCRIPT_TIMEOUT", j.timeout)
	}
	return j.timeout
}

// limit reads a duration among the variables ("5m", "90s"); what cannot be read is the default.
func (j *job) limit(key string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(j.vars.get(key)); err == nil && d > 0 {
		return d
	}
	return otherwise
}
