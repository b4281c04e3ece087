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
	seen, known := e.managers.get(key)
	if known && now.Sub(seen.ContactedAt) < touchEvery && seen.Version == m.Version {
		return seen, nil
	}
	m.CreatedAt, m.ContactedAt = now, now
	saved, _, err := e.store.ContactRunner(ctx, m, now)
	if err != nil {
		return ci.RunnerManager{}, fmt.Errorf("note contact of runner %d: %w", runner.ID, err)
	}
	if runner.BuiltIn && !known { // not only when its row is new: the last attempt may have failed half-way
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

// endOthers fails the jobs that other machines of a runner held.
func (e *Engine) endOthers(ctx context.Context, runner ci.RunnerID, but int64) error {
	held, err := e.view.HeldByRunner(ctx, runner)
	if err != nil {
		return fmt.Errorf("list jobs of runner %d: %w", runner, err)
	}
	var problems []error
	for _, job := range held {
		if job.ManagerID == but {
			continue
		}
		if err := e.DropJob(ctx, job.ID, ci.RunnerSystemFailure); unlessOver(err) != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// UnregisterRunner removes a runner, by its own wish or by somebody else's. Jobs
// that it holds fail: nobody is there any more who is to finish them.
func (e *Engine) UnregisterRunner(ctx context.Context, runner ci.Runner) error {
	ctx = context.WithoutCancel(ctx)
	if err := e.store.DeleteRunner(ctx, runner.ID); err != nil && !ci.IsNotFound(err) {
		return fmt.Errorf("remove runner %d: %w", runner.ID, err)
	}
	e.hub.WakeAll() // polls of its machines end
	const nobody = 0
	return e.endOthers(ctx, runner.ID, nobody)
}

// UnregisterManager removes a machine of a runner; the runner stays. Errors:
// ci.KindNotFound for one that is not there.
func (e *Engine) UnregisterManager(ctx context.Context, runner ci.Runner, systemID string) error {
	err := e.store.DeleteManager(ctx, runner.ID, systemID)
	if ci.IsNotFound(err) {
		return ci.NotFound("")
	}
	if err != nil {
		return fmt.Errorf("remove machine of runner %d: %w", runner.ID, err)
	}
	e.managers.put(managerKey{runner.ID, systemID}, ci.RunnerManager{})
	return nil
}

// NewRunnerToken gives a runner a new token, which is readable only now; the old
// one ends.
func (e *Engine) NewRunnerToken(ctx context.Context, runner ci.Runner) (string, error) {
	e.runners.Lock()
	defer e.runners.Unlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	runner, err = e.view.Runner(ctx, runner.ID)
	if err != nil {
		return "", err
	}
	token := auth.NewRunnerToken(e.rand)
	runner.Digest, runner.Short = e.keys.Digest(auth.RunnerTokens, token), auth.Short(token)
	if err := e.store.UpdateRunner(ctx, runner); err != nil {
		return "", fmt.Errorf("replace token of runner %d: %w", runner.ID, err)
	}
	return token, nil
}

// InstanceUUID names this server, the same for all replicas and at each start. It
// is derived from the keys and tells nothing about them.
func (e *Engine) InstanceUUID() string {
	id := e.keys.Sign("instance uuid", nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made by a rule of one's own
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
