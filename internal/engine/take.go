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
// job turned out to be one that must fail instead of run. It reads all that it
// needs in one statement and writes in another.
func (e *Engine) take(ctx context.Context, c RunnerContact, head store.QueueHead) (*Assignment, error) {
	nonce, digest := e.newJobToken(head.JobID)
	var found *store.Candidate
	load := func() (_ *ci.Snapshot, err error) {
		if found, err = e.view.Candidate(ctx, head.JobID); err != nil {
			return nil, err
		}
		return &found.Snapshot, nil
	}
	var a *Assignment
	_, err := e.changeLoaded(ctx, head.PipelineID, load, func(s *ci.Snapshot) (ci.Changes, error) {
		job := s.Job(head.JobID)
		if a = nil; job == nil || job.Status != ci.Pending {
			return ci.Changes{}, nil
		}
		prepared, reason, err := e.prepare(found, *job, c)
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
		a, prepared.Job = prepared, changed(changes, head.JobID)
		return changes, err
	})
	switch {
	case ci.IsNotFound(err):
		return nil, e.dropOrphan(ctx, head)
	case err != nil:
		return nil, fmt.Errorf("take job %d: %w", head.JobID, err)
	case a == nil:
		return nil, nil
	}
	e.contacts.put(a.Job.ID, time.Time{}) // nobody has heard of this holder yet
	// From here on the job is the runner's, whatever becomes of the request.
	after := context.WithoutCancel(ctx)
	a.Running = int(head.Running)
	a.Token = e.keys.JobToken(int64(a.Job.ID), a.Job.TokenNonce)
	if a.Variables, err = e.jobVariables(after, a, found); err != nil {
		return nil, errors.Join(err, e.DropJob(after, a.Job.ID, ci.SchedulerFailure))
	}
	return a, nil
}

// prepare decides whether a job that is offered may run; a reason says why it must
// fail instead (contract/runner-protocol.md 3, checks before assignment).
func (e *Engine) prepare(found *store.Candidate, job ci.Job, c RunnerContact) (*Assignment, ci.FailureReason, error) {
	a := &Assignment{
		Pipeline: found.Snapshot.Pipeline, Project: found.Project, RootNamespaceID: found.RootNamespaceID,
		User: found.User, Runner: c.Runner, RefGone: !found.RefKept,
	}
	if a.User.State == ci.UserBlocked {
		return nil, ci.UserBlockedFailure, nil
	}
	var err error
	if a.Spec, err = decodeSpec(job, found.Spec); err != nil {
		return nil, "", err
	}
	if !supports(c.Features, job, a.Spec) {
		return nil, ci.RunnerUnsupported, nil
	}
	if missing := e.dependencies(found, job, a); missing {
		return nil, ci.MissingDependencyFailure, nil
	}
	return a, "", nil
}

// dropOrphan fails a pending job whose user is gone. One that is gone itself, with
// its pipeline, is no job any more.
func (e *Engine) dropOrphan(ctx context.Context, head store.QueueHead) error {
	_, err := e.change(ctx, head.PipelineID, func(s *ci.Snapshot) (ci.Changes, error) {
		job := s.Job(head.JobID)
		if job == nil || job.Status != ci.Pending {
			return ci.Changes{}, nil
		}
		if _, err := e.view.User(ctx, job.UserID); !ci.IsNotFound(err) {
			return ci.Changes{}, err
		}
		return flow.Drop(s, head.JobID, ci.UserBlockedFailure, e.now())
	})
	if err != nil && !ci.IsNotFound(err) {
		return fmt.Errorf("drop job %d of no user: %w", head.JobID, err)
	}
	return nil
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
