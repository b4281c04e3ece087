package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// take claims one job. It returns nil when somebody else was faster, or when the
// job turned out to be one that must fail instead of run.
func (e *Engine) take(ctx context.Context, c RunnerContact, head store.QueueHead) (*Assignment, error) {
	nonce, digest := e.newJobToken(head.JobID)
	var a *Assignment
	var taken ci.Job
	_, err := e.change(ctx, head.PipelineID, func(s *ci.Snapshot) (ci.Changes, error) {
		job := s.Job(head.JobID)
		if a, taken = nil, (ci.Job{}); job == nil || job.Status != ci.Pending {
			return ci.Changes{}, nil
		}
		prepared, reason, err := e.prepare(ctx, s, *job, c)
		if err != nil {
			return ci.Changes{}, err
		}
		if reason != "" {
			return flow.Drop(s, head.JobID, reason, e.now())
		}
		changes, err := flow.Take(s, head.JobID, flow.Claim{
			Runner: c.Runner.ID, Manager: c.Manager.ID, Graceful: c.Features["cancel_gracefully"],
			Timeout: c.Runner.MaximumTimeout, TokenNonce: nonce, TokenDigest: digest,
		}, e.now())
		a, taken = prepared, changed(changes, head.JobID)
		return changes, err
	})
	switch {
	case ci.IsNotFound(err): // the pipeline was deleted
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("take job %d: %w", head.JobID, err)
	case a == nil:
		return nil, nil
	}
	e.contacts.put(taken.ID, time.Time{}) // nobody has heard of this holder yet
	// From here on the job is the runner's, whatever becomes of the request.
	after := context.WithoutCancel(ctx)
	if err := e.complete(after, a, taken, head); err != nil {
		return nil, errors.Join(err, e.DropJob(after, taken.ID, ci.SchedulerFailure))
	}
	return a, nil
}

// prepare gathers what decides whether a job that is offered may run; a reason
// says why it must fail instead (contract/runner-protocol.md 3, checks before
// assignment).
func (e *Engine) prepare(ctx context.Context, s *ci.Snapshot, job ci.Job, c RunnerContact) (*Assignment, ci.FailureReason, error) {
	a := &Assignment{Pipeline: s.Pipeline, Runner: c.Runner}
	var err error
	a.User, err = e.view.User(ctx, job.UserID)
	if err != nil && !ci.IsNotFound(err) {
		return nil, "", fmt.Errorf("load user of job %d: %w", job.ID, err)
	}
	if err != nil || a.User.State == ci.UserBlocked {
		return nil, ci.UserBlockedFailure, nil
	}
	if a.Spec, err = e.Spec(ctx, job); err != nil {
		return nil, "", err
	}
	if !supports(c.Features, job, a.Spec) {
		return nil, ci.RunnerUnsupported, nil
	}
	err = e.dependencies(ctx, s, job, a)
	var missing *missingDependency
	if errors.As(err, &missing) {
		return nil, ci.MissingDependencyFailure, nil
	}
	return a, "", err
}

// supports reports whether a runner announced every feature that the job needs. A
// runner that announces nothing at all is taken at its word that it can do all.
func supports(features map[string]bool, job ci.Job, spec ci.Spec) bool {
	if len(features) == 0 {
		return true
	}
	needs := func(feature string, is bool) bool { return !is || features[feature] }
	reports := slices.ContainsFunc(spec.Artifacts, func(a ci.ArtifactSpec) bool { return a.Type != archive })
	exclude := slices.ContainsFunc(spec.Artifacts, func(a ci.ArtifactSpec) bool { return len(a.Exclude) > 0 })
	fallback := slices.ContainsFunc(spec.Cache, func(c ci.CacheSpec) bool { return len(c.FallbackKeys) > 0 })
	return needs("upload_multiple_artifacts", reports) && needs("artifacts_exclude", exclude) &&
		needs("fallback_cache_keys", fallback) &&
		needs("return_exit_code", len(job.Plan.ExitCodes) > 0 || len(job.Plan.RetryCodes) > 0) &&
		needs("multi_build_steps", spec.Release != nil) && needs("vault_secrets", len(spec.Secrets) > 0) &&
		needs("native_steps_integration", spec.Run != "") && needs("job_inputs", len(spec.Inputs) > 0)
}

// changed finds a job among what was changed.
func changed(c ci.Changes, id ci.JobID) ci.Job {
	for i := range c.Jobs {
		if c.Jobs[i].ID == id {
			return c.Jobs[i]
		}
	}
	return ci.Job{}
}

// Unassign puts a job back whose answer never reached the runner.
func (e *Engine) Unassign(ctx context.Context, id ci.JobID) error {
	_, err := e.changeJob(ctx, id, func(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
		return flow.Unassign(s, id, now)
	})
	return err
}

// DropJob fails a job for a reason of the server's own; `retry:` is honoured. Its
// log ends with what there is.
func (e *Engine) DropJob(ctx context.Context, id ci.JobID, reason ci.FailureReason) error {
	_, err := e.changeJob(ctx, id, func(s *ci.Snapshot, now time.Time) (ci.Changes, error) {
		return flow.Drop(s, id, reason, now)
	})
	return err
}

// changeJob is change for the pipeline of a job.
func (e *Engine) changeJob(ctx context.Context, id ci.JobID, decide func(*ci.Snapshot, time.Time) (ci.Changes, error)) (ci.Changes, error) {
	job, err := e.view.Job(ctx, id)
	if err != nil {
		return ci.Changes{}, err
	}
	return e.change(ctx, job.PipelineID, func(s *ci.Snapshot) (ci.Changes, error) { return decide(s, e.now()) })
}
