package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// AuthenticateRunner finds the runner of a token. Errors: ci.Forbidden for an
// unknown one.
func (e *Engine) AuthenticateRunner(ctx context.Context, token string) (ci.Runner, error) {
	if token == "" {
		return ci.Runner{}, ci.Forbidden("")
	}
	runner, err := e.view.RunnerByDigest(ctx, e.keys.Digest(auth.RunnerTokens, token))
	if ci.IsNotFound(err) {
		return ci.Runner{}, ci.Forbidden("")
	}
	if err != nil {
		return ci.Runner{}, fmt.Errorf("look up runner token: %w", err)
	}
	return runner, nil
}

// legacySystem stands for the machine of a runner too old to say who it is.
const legacySystem = "<legacy>"

// ContactRunner notes that a machine of a runner was heard of and gives its row.
// A built-in runner that comes with a new system id ends at once what an earlier
// one was running, since that process is gone (decisions: queue, 19).
func (e *Engine) ContactRunner(ctx context.Context, runner ci.Runner, m ci.RunnerManager) (ci.RunnerManager, error) {
	m.RunnerID = runner.ID
	m.SystemID = orText(m.SystemID, legacySystem)
	now := e.now()
	key := managerKey{runner.ID, m.SystemID}
	if seen, ok := e.managers.get(key); ok && now.Sub(seen.ContactedAt) < touchEvery && seen.Version == m.Version {
		return seen, nil
	}
	m.CreatedAt, m.ContactedAt = now, now
	saved, isNew, err := e.store.ContactRunner(ctx, m, now)
	if err != nil {
		return ci.RunnerManager{}, fmt.Errorf("note contact of runner %d: %w", runner.ID, err)
	}
	if isNew && runner.BuiltIn {
		if err := e.endOthers(ctx, runner.ID, saved.ID); err != nil {
			return ci.RunnerManager{}, err
		}
	}
	e.managers.put(key, saved)
	return saved, nil
}

// A managerKey names a machine of a runner.
type managerKey struct {
	runner ci.RunnerID
	system string
}

// endOthers fails the jobs that other machines of a built-in runner held.
func (e *Engine) endOthers(ctx context.Context, runner ci.RunnerID, but int64) error {
	held, err := e.view.HeldByRunner(ctx, runner)
	if err != nil {
		return fmt.Errorf("list jobs of runner %d: %w", runner, err)
	}
	var problems []error
	for _, job := range held {
		if job.ManagerID != but {
			problems = append(problems, e.DropJob(ctx, job.ID, ci.RunnerSystemFailure))
		}
	}
	return errors.Join(problems...)
}
