package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// RunnerSettings are what people set of a runner. A nil field means the default
// for a new runner, and no change for one that is there.
type RunnerSettings struct {
	Description    *string
	Note           *string
	Paused         *bool
	Locked         *bool
	RunUntagged    *bool // default true
	RefProtected   *bool
	Tags           *[]string
	MaximumTimeout *int64 // seconds; 0: none
}

// A NewRunner is a runner to be made, for the whole server, a group or a project.
type NewRunner struct {
	Type        ci.RunnerType
	NamespaceID ci.NamespaceID // of a group runner
	ProjectID   ci.ProjectID   // of a project runner
	RunnerSettings
}

// Limits of a runner's settings (contract/runner-protocol.md 2).
const (
	minRunnerTimeout = 600 // seconds
	maxRunnerNote    = 1024
)

// CreateRunner makes a runner and gives its token, which is readable only now.
// GitLab's Users API, "Create a runner". Errors: ci.KindForbidden for whoever may
// not, which includes a group or project that is not there; ci.KindInvalid for bad
// settings.
func (e *Engine) CreateRunner(ctx context.Context, c Caller, n NewRunner) (ci.Runner, string, error) {
	runner := ci.Runner{Type: n.Type, RunUntagged: true, CreatorID: c.User.ID, CreatedAt: e.now()}
	if err := e.mayCreateRunner(ctx, c, n); err != nil {
		return ci.Runner{}, "", err
	}
	switch n.Type {
	case ci.GroupRunner:
		runner.NamespaceID = n.NamespaceID
	case ci.ProjectRunner:
		runner.ProjectIDs = []ci.ProjectID{n.ProjectID}
	case ci.InstanceRunner:
	}
	if err := n.RunnerSettings.apply(&runner); err != nil {
		return ci.Runner{}, "", err
	}
	token := auth.NewRunnerToken(e.rand)
	runner.Digest, runner.Short = e.keys.Digest(auth.RunnerTokens, token), auth.Short(token)
	created, err := e.store.CreateRunner(ctx, runner)
	if err != nil {
		return ci.Runner{}, "", fmt.Errorf("create runner: %w", err)
	}
	return created, token, nil
}

// mayCreateRunner checks that the caller may make a runner of the kind. Whether
// something is not there or not the caller's looks the same.
func (e *Engine) mayCreateRunner(ctx context.Context, c Caller, n NewRunner) error {
	var err error
	switch n.Type {
	case ci.GroupRunner:
		var group ci.Namespace
		group, err = e.view.Namespace(ctx, n.NamespaceID)
		if err == nil && group.Kind != ci.GroupNamespace {
			err = ci.NotFound("Group")
		}
		if err == nil {
			err = e.AuthorizeGroup(ctx, c, group, auth.CreateRunner)
		}
	case ci.ProjectRunner:
		var project ci.Project
		if project, err = e.view.Project(ctx, n.ProjectID); err == nil {
			_, err = e.Authorize(ctx, c, project, auth.CreateRunner)
		}
	case ci.InstanceRunner:
		if !c.administrates() {
			err = ci.Forbidden("")
		}
	default:
		err = ci.BadParam("runner_type does not have a valid value")
	}
	if ci.IsNotFound(err) {
		return ci.Forbidden("")
	}
	return err
}

// administrates reports whether the caller acts as an administrator.
func (c Caller) administrates() bool {
	actor := auth.Actor{User: c.User, Scopes: c.Scopes, JobToken: c.Job != nil}
	return auth.Allow(actor, auth.AdminInstance, ci.Project{}) == auth.Allowed
}

// apply puts the settings into a runner. Errors: ci.KindInvalid in GitLab's words.
func (s RunnerSettings) apply(r *ci.Runner) error {
	setTo(&r.Description, s.Description)
	setTo(&r.Note, s.Note)
	setTo(&r.Paused, s.Paused)
	setTo(&r.Locked, s.Locked)
	setTo(&r.RunUntagged, s.RunUntagged)
	setTo(&r.RefProtected, s.RefProtected)
	setTo(&r.MaximumTimeout, s.MaximumTimeout)
	if s.Tags != nil {
		r.Tags = slices.Compact(slices.Sorted(slices.Values(*s.Tags)))
	}
	switch {
	case len(r.Tags) > ci.MaxJobTags:
		return ci.Invalid("tags_list", fmt.Sprintf("Too many tags specified. Please limit the number of tags to %d", ci.MaxJobTags))
	case !r.RunUntagged && len(r.Tags) == 0:
		return ci.Invalid("tags_list", "can not be empty when runner is not allowed to pick untagged jobs")
	case r.MaximumTimeout != 0 && r.MaximumTimeout < minRunnerTimeout:
		return ci.Invalid("maximum_timeout", "needs to be at least 10 minutes")
	case len([]rune(r.Note)) > maxRunnerNote:
		return ci.Invalid("maintenance_note", fmt.Sprintf("is too long (maximum is %d characters)", maxRunnerNote))
	}
	return nil
}

// FindRunner gives a runner that the caller may look at: those of the server to
// everybody who is signed in, others to those who look after them. Errors: "404
// Runner Not Found", "403 Forbidden - No access granted".
func (e *Engine) FindRunner(ctx context.Context, c Caller, id ci.RunnerID) (ci.Runner, error) {
	runner, err := e.findRunner(ctx, id)
	if err != nil || runner.Type == ci.InstanceRunner {
		return runner, err
	}
	return runner, e.mayRunner(ctx, c, runner, auth.ReadRunners)
}

func (e *Engine) findRunner(ctx context.Context, id ci.RunnerID) (ci.Runner, error) {
	runner, err := e.view.Runner(ctx, id)
	if ci.IsNotFound(err) {
		return ci.Runner{}, ci.NotFound("Runner")
	}
	return runner, err
}

// mayRunner checks an action on a runner: administrators may all, owners of its
// group, and maintainers of any project that it is assigned to.
func (e *Engine) mayRunner(ctx context.Context, c Caller, runner ci.Runner, action auth.Action) error {
	if c.administrates() {
		return nil
	}
	denied := ci.Forbidden("No access granted")
	if runner.Type == ci.GroupRunner {
		group, err := e.view.Namespace(ctx, runner.NamespaceID)
		if err == nil {
			err = e.AuthorizeGroup(ctx, c, group, action)
		}
		return orDenied(err, denied)
	}
	for _, id := range runner.ProjectIDs {
		project, err := e.view.Project(ctx, id)
		if err == nil {
			_, err = e.Authorize(ctx, c, project, action)
		}
		if err = orDenied(err, denied); !errors.Is(err, denied) {
			return err
		}
	}
	return denied
}

// orDenied words every refusal alike.
func orDenied(err error, denied *ci.Error) error {
	if kind := ci.KindOf(err); kind == ci.KindForbidden || kind == ci.KindNotFound {
		return denied
	}
	return err
}

// UpdateRunner changes the settings of a runner. GitLab's Runners API, "Update a
// runner's details".
func (e *Engine) UpdateRunner(ctx context.Context, c Caller, id ci.RunnerID, s RunnerSettings) (ci.Runner, error) {
	e.runners.Lock()
	defer e.runners.Unlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return ci.Runner{}, err
	}
	defer release()
	runner, err := e.runnerToChange(ctx, c, id)
	if err != nil {
		return ci.Runner{}, err
	}
	if err := s.apply(&runner); err != nil {
		return ci.Runner{}, err
	}
	return runner, e.saveRunner(ctx, runner)
}

// runnerToChange finds a runner that the caller may change.
func (e *Engine) runnerToChange(ctx context.Context, c Caller, id ci.RunnerID) (ci.Runner, error) {
	runner, err := e.findRunner(ctx, id)
	if err != nil {
		return ci.Runner{}, err
	}
	return runner, e.mayRunner(ctx, c, runner, auth.AdminRunners)
}

// saveRunner writes a runner and lets its machines look again: it may be allowed
// to take other jobs now.
func (e *Engine) saveRunner(ctx context.Context, runner ci.Runner) error {
	if err := e.store.UpdateRunner(ctx, runner); err != nil {
		return fmt.Errorf("update runner %d: %w", runner.ID, err)
	}
	e.hub.WakeAll()
	return nil
}

// DeleteRunner removes a runner. GitLab's Runners API, "Delete a runner". Errors:
// ci.KindForbidden also for one that serves several projects.
func (e *Engine) DeleteRunner(ctx context.Context, c Caller, id ci.RunnerID) error {
	runner, err := e.findRunner(ctx, id)
	if err != nil {
		return err
	}
	if !c.administrates() && len(runner.ProjectIDs) > 1 {
		return ci.Forbidden("Runner associated with more than one project")
	}
	if err := e.mayRunner(ctx, c, runner, auth.AdminRunners); err != nil {
		return err
	}
	return e.UnregisterRunner(ctx, runner)
}

// ResetRunnerToken gives a runner a new token, readable only now. GitLab's Runners
// API, "Reset runner's authentication token by using the runner ID".
func (e *Engine) ResetRunnerToken(ctx context.Context, c Caller, id ci.RunnerID) (string, error) {
	runner, err := e.runnerToChange(ctx, c, id)
	if err != nil {
		return "", err
	}
	return e.NewRunnerToken(ctx, runner)
}

// AssignRunner lets a project runner work for one more project, whose AdminRunners
// the caller has. GitLab's Runners API, "Assign a runner to project".
func (e *Engine) AssignRunner(ctx context.Context, c Caller, project ci.Project, id ci.RunnerID) (ci.Runner, error) {
	if _, err := e.Authorize(ctx, c, project, auth.AdminRunners); err != nil {
		return ci.Runner{}, err
	}
	e.runners.Lock()
	defer e.runners.Unlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return ci.Runner{}, err
	}
	defer release()
	runner, err := e.findRunner(ctx, id)
	switch {
	case err != nil:
		return ci.Runner{}, err
	case runner.Type == ci.GroupRunner:
		return ci.Runner{}, ci.Forbidden("Runner is a group runner")
	case runner.Type == ci.InstanceRunner:
		return ci.Runner{}, ci.Forbidden("Runner is an instance runner")
	case runner.Locked && !c.administrates():
		return ci.Runner{}, ci.Forbidden("Runner is locked")
	}
	if err := e.mayRunner(ctx, c, runner, auth.AdminRunners); err != nil {
		return ci.Runner{}, err
	}
	if slices.Contains(runner.ProjectIDs, project.ID) {
		return ci.Runner{}, ci.Invalid("runner_projects", "has already been taken")
	}
	runner.ProjectIDs = append(runner.ProjectIDs, project.ID)
	return runner, e.saveRunner(ctx, runner)
}

// UnassignRunner ends that a project runner works for a project, but not for the
// last one. GitLab's Runners API, "Unassign a runner from project".
func (e *Engine) UnassignRunner(ctx context.Context, c Caller, project ci.Project, id ci.RunnerID) error {
	if _, err := e.Authorize(ctx, c, project, auth.AdminRunners); err != nil {
		return err
	}
	e.runners.Lock()
	defer e.runners.Unlock()
	release, err := e.store.Alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	runner, err := e.findRunner(ctx, id)
	if err != nil {
		return err
	}
	i := slices.Index(runner.ProjectIDs, project.ID)
	switch {
	case i < 0:
		return ci.NotFound("Runner")
	case len(runner.ProjectIDs) == 1:
		return ci.Forbidden("Only one project associated with the runner. Please remove the runner instead")
	}
	runner.ProjectIDs = slices.Delete(runner.ProjectIDs, i, i+1)
	return e.saveRunner(ctx, runner)
}
