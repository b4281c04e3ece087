package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A RunnerContact is a machine that asks for work.
type RunnerContact struct {
	Runner   ci.Runner
	Manager  ci.RunnerManager
	Features map[string]bool // what it can do, as it says itself
}

// maxCandidates is how many queue heads one request looks at
// (decisions: queue, 18).
const maxCandidates = 45

// RequestJob gives the next job that this runner may take, or nil. Fair between
// projects: the one with the fewest running jobs first, then the oldest job.
// Losing a race for one job only means to try the next.
func (e *Engine) RequestJob(ctx context.Context, c RunnerContact) (*Assignment, error) {
	if c.Runner.Paused {
		return nil, nil
	}
	heads, err := e.view.PendingQueues(ctx)
	if err != nil {
		return nil, fmt.Errorf("read pending queues: %w", err)
	}
	slices.SortFunc(heads, func(a, b store.QueueHead) int {
		return cmp.Or(cmp.Compare(a.Running, b.Running), cmp.Compare(a.JobID, b.JobID))
	})
	looked := 0
	for _, head := range heads {
		queue, err := ci.ParseQueue(head.Key)
		if err != nil {
			return nil, err
		}
		if !c.Runner.May(queue.Tags, queue.Protected) {
			continue
		}
		serves, err := e.serves(ctx, c.Runner, queue.ProjectID)
		if err != nil {
			return nil, err
		}
		if !serves {
			continue
		}
		if looked++; looked > maxCandidates {
			break
		}
		assignment, err := e.take(ctx, c, head)
		if err != nil {
			return nil, err
		}
		if assignment != nil {
			return assignment, nil
		}
	}
	return nil, nil
}

// Serves reports whether a runner works for a project: instance runners for all
// that want them, group runners for all below the group, project runners for
// theirs (contract/runner-protocol.md 10).
func (e *Engine) serves(ctx context.Context, runner ci.Runner, id ci.ProjectID) (bool, error) {
	if runner.Type == ci.ProjectRunner {
		return slices.Contains(runner.ProjectIDs, id), nil
	}
	project, err := e.view.Project(ctx, id)
	if ci.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("load project of a pending job: %w", err)
	}
	if project.BuildsAccess == ci.AccessDisabled {
		return false, nil
	}
	if runner.Type == ci.InstanceRunner {
		return project.SharedRunners, nil
	}
	ancestors, err := e.view.Ancestors(ctx, project.NamespaceID)
	if err != nil {
		return false, fmt.Errorf("read groups above project %d: %w", id, err)
	}
	return slices.Contains(ancestors, runner.NamespaceID), nil
}

// take claims one job. It returns nil when somebody else was faster, or when the
// job turned out to be one that must fail instead of run.
func (e *Engine) take(ctx context.Context, c RunnerContact, head store.QueueHead) (*Assignment, error) {
	nonce, digest := e.newJobToken(head.JobID)
	var after ci.Job
	var snapshot *ci.Snapshot
	_, err := e.change(ctx, head.PipelineID, func(s *ci.Snapshot) (ci.Changes, error) {
		snapshot = s
		if reason, err := e.unfit(ctx, s, head.JobID, c); err != nil {
			return ci.Changes{}, err
		} else if reason != "" {
			after = ci.Job{}
			return flow.Drop(s, head.JobID, reason, e.now())
		}
		changes, err := flow.Take(s, head.JobID, flow.Claim{
			Runner: c.Runner.ID, Manager: c.Manager.ID, Graceful: c.Features["cancel_gracefully"],
			Timeout: c.Runner.MaximumTimeout, TokenNonce: nonce, TokenDigest: digest,
		}, e.now())
		if err == nil {
			after = changed(changes, head.JobID)
		}
		return changes, err
	})
	switch {
	case ci.KindOf(err) == ci.KindConflict || ci.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("take job %d: %w", head.JobID, err)
	case after.ID == 0:
		return nil, nil
	}
	assignment, err := e.assignment(ctx, snapshot, after, c.Runner)
	if err != nil {
		return nil, errors.Join(err, e.DropJob(context.WithoutCancel(ctx), after.ID, ci.SchedulerFailure))
	}
	return assignment, nil
}

// unfit says why a job that is offered must fail instead of run; "" if it is fit
// (contract/runner-protocol.md 3, checks before assignment).
func (e *Engine) unfit(ctx context.Context, s *ci.Snapshot, id ci.JobID, c RunnerContact) (ci.FailureReason, error) {
	job := s.Job(id)
	if job == nil || job.Status != ci.Pending {
		return "", nil
	}
	user, err := e.view.User(ctx, job.UserID)
	if err != nil && !ci.IsNotFound(err) {
		return "", fmt.Errorf("load user of job %d: %w", id, err)
	}
	if err != nil || user.State == ci.UserBlocked {
		return ci.UserBlockedFailure, nil
	}
	spec, err := e.Spec(ctx, *job)
	if err != nil {
		return "", err
	}
	if !supports(c.Features, *job, spec) {
		return ci.RunnerUnsupported, nil
	}
	_, err = e.dependencies(ctx, s, *job)
	var missing *missingDependency
	if errors.As(err, &missing) {
		return ci.MissingDependencyFailure, nil
	}
	return "", err
}

// supports reports whether a runner announced every feature that the job needs. A
// runner that announces nothing at all is taken at its word that it can do all.
func supports(features map[string]bool, job ci.Job, spec ci.Spec) bool {
	if len(features) == 0 {
		return true
	}
	needs := func(feature string, is bool) bool { return !is || features[feature] }
	reports := slices.ContainsFunc(spec.Artifacts, func(a ci.ArtifactSpec) bool { return a.Type != "archive" })
	exclude := slices.ContainsFunc(spec.Artifacts, func(a ci.ArtifactSpec) bool { return len(a.Exclude) > 0 })
	fallback := slices.ContainsFunc(spec.Cache, func(c ci.CacheSpec) bool { return len(c.FallbackKeys) > 0 })
	return needs("upload_multiple_artifacts", reports) && needs("artifacts_exclude", exclude) &&
		needs("fallback_cache_keys", fallback) &&
		needs("return_exit_code", len(job.Plan.ExitCodes) > 0 || len(job.Plan.RetryCodes) > 0)
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

// DropJob fails a job for a reason of the server's own; `retry:` is honoured.
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
