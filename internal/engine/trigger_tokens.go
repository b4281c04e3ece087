package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A ShownTrigger is a trigger token as one caller may see it: Token is the whole
// token for its owner, four characters for everybody else, administrators
// included (contract/trigger-api.md 1.3).
type ShownTrigger struct {
	ci.Trigger
	Token string
	Owner ci.User
}

// ListTriggers lists the trigger tokens of a project by rising id, for
// maintainers. limit and offset page it; total counts all.
func (e *Engine) ListTriggers(ctx context.Context, c Caller, project ci.Project, limit, offset int) (list []ShownTrigger, total int, err error) {
	actor, err := e.Authorize(ctx, c, project, auth.AdminBuild)
	if err != nil {
		return nil, 0, err
	}
	triggers, total, err := e.view.Triggers(ctx, project.ID, limit, offset)
	if err != nil {
		return nil, 0, fmt.Errorf("list trigger tokens of project %d: %w", project.ID, err)
	}
	ids := make([]ci.UserID, len(triggers))
	for i, t := range triggers {
		ids[i] = t.OwnerID
	}
	owners, err := e.view.UsersByID(ctx, ids)
	if err != nil {
		return nil, 0, fmt.Errorf("load owners of trigger tokens: %w", err)
	}
	list = make([]ShownTrigger, len(triggers))
	for i, t := range triggers {
		if list[i], err = e.show(actor, t, owners[t.OwnerID]); err != nil {
			return nil, 0, err
		}
	}
	return list, total, nil
}

// GetTrigger shows one trigger token of a project, for maintainers.
func (e *Engine) GetTrigger(ctx context.Context, c Caller, project ci.Project, id ci.TriggerID) (ShownTrigger, error) {
	actor, err := e.Authorize(ctx, c, project, auth.AdminBuild)
	if err != nil {
		return ShownTrigger{}, err
	}
	t, err := e.view.Trigger(ctx, project.ID, id)
	if err != nil {
		return ShownTrigger{}, err
	}
	return e.showLoaded(ctx, actor, t)
}

// maxDescription is the longest description of a trigger token, in characters.
const maxDescription = 2048

// maxTokenLife is the longest life that a token may be given.
const maxTokenLife = 365

// CreateTrigger makes a trigger token that runs as the caller. expiresAt may be
// zero (never) or lie in the past. Errors: ci.Forbidden for less than
// maintainers, ci.KindInvalid with GitLab's nested texts.
func (e *Engine) CreateTrigger(ctx context.Context, c Caller, project ci.Project, description string, expiresAt time.Time) (ShownTrigger, error) {
	actor, err := e.Authorize(ctx, c, project, auth.ManageTrigger)
	if err != nil {
		return ShownTrigger{}, err
	}
	now := e.now().UTC().Truncate(time.Microsecond)
	if utf8.RuneCountInString(description) > maxDescription {
		return ShownTrigger{}, modelError("description", fmt.Sprintf("is too long (maximum is %d characters)", maxDescription))
	}
	if last := now.Truncate(24*time.Hour).AddDate(0, 0, maxTokenLife); !expiresAt.IsZero() && !expiresAt.Before(last) {
		return ShownTrigger{}, modelError("expires_at", "must be before "+last.Format(time.DateOnly))
	}
	token := auth.NewTriggerToken(e.rand)
	digest := e.keys.Digest(auth.TriggerTokens, token)
	sealed, err := e.keys.Seal([]byte(token), digest)
	if err != nil {
		return ShownTrigger{}, fmt.Errorf("seal trigger token: %w", err)
	}
	t, err := e.store.CreateTrigger(ctx, ci.Trigger{
		ProjectID: project.ID, OwnerID: c.User.ID, Description: &description, Digest: digest, Sealed: sealed,
		Short: auth.Short(token), CreatedAt: now, UpdatedAt: now, ExpiresAt: expiresAt,
	}, ci.MaxTriggers)
	if errors.Is(err, store.ErrTooMany) {
		return ShownTrigger{}, modelError("base", fmt.Sprintf("Maximum number of pipeline triggers (%d) exceeded", ci.MaxTriggers))
	}
	if err != nil {
		return ShownTrigger{}, fmt.Errorf("create trigger token in project %d: %w", project.ID, err)
	}
	return e.show(actor, t, c.User)
}

// modelError words a validation error the way the trigger endpoints do: JSON
// inside the message (contract/trigger-api.md 1.5, case 14).
func modelError(field, text string) *ci.Error {
	inside, err := json.Marshal(map[string][]string{field: {text}})
	if err != nil { // cannot happen: strings always marshal
		panic(err)
	}
	return ci.BadRequest(string(inside))
}

// notOwner refuses to update somebody else's trigger token.
const notOwner = "The current user is not authorized to update the pipeline trigger token"

// UpdateTrigger sets the description of the caller's own trigger token; nil makes
// it null, as GitLab's service does with a parameter that is left out. Nothing
// else of a token can be changed.
func (e *Engine) UpdateTrigger(ctx context.Context, c Caller, project ci.Project, id ci.TriggerID, description *string) (ShownTrigger, error) {
	if _, err := e.Authorize(ctx, c, project, auth.ReadProject); err != nil {
		return ShownTrigger{}, err
	}
	t, err := e.view.Trigger(ctx, project.ID, id)
	if err != nil {
		return ShownTrigger{}, err
	}
	actor, err := e.Actor(ctx, c, project)
	if err != nil {
		return ShownTrigger{}, err
	}
	if t.OwnerID != c.User.ID || auth.Allow(actor, auth.AdminTrigger, project) != auth.Allowed {
		return ShownTrigger{}, ci.Forbidden(notOwner)
	}
	if description != nil && utf8.RuneCountInString(*description) > maxDescription {
		return ShownTrigger{}, ci.BadRequest("Attempted to update the pipeline trigger token but failed")
	}
	t.Description = description
	t.UpdatedAt = e.now().UTC().Truncate(time.Microsecond)
	if err := e.store.UpdateTrigger(ctx, t); err != nil {
		return ShownTrigger{}, fmt.Errorf("update trigger token %d: %w", id, err)
	}
	return e.showLoaded(ctx, actor, t)
}

// DeleteTrigger removes a trigger token, whoever owns it. unless is checked with
// the token's time of change before anything is removed; nil skips it.
func (e *Engine) DeleteTrigger(ctx context.Context, c Caller, project ci.Project, id ci.TriggerID, unless func(updatedAt time.Time) error) error {
	if _, err := e.Authorize(ctx, c, project, auth.ManageTrigger); err != nil {
		return err
	}
	t, err := e.view.Trigger(ctx, project.ID, id)
	if err != nil {
		return err
	}
	if unless != nil {
		if err := unless(t.UpdatedAt); err != nil {
			return err
		}
	}
	if err := e.store.DeleteTrigger(ctx, project.ID, id); err != nil {
		return fmt.Errorf("delete trigger token %d: %w", id, err)
	}
	return nil
}

func (e *Engine) showLoaded(ctx context.Context, actor auth.Actor, t ci.Trigger) (ShownTrigger, error) {
	owner, err := e.view.User(ctx, t.OwnerID)
	if err != nil {
		return ShownTrigger{}, fmt.Errorf("load owner of trigger token %d: %w", t.ID, err)
	}
	return e.show(actor, t, owner)
}

// show opens the token for its owner and shortens it for everybody else.
func (e *Engine) show(actor auth.Actor, t ci.Trigger, owner ci.User) (ShownTrigger, error) {
	shown := ShownTrigger{Trigger: t, Token: t.Short, Owner: owner}
	if t.OwnerID != actor.User.ID {
		return shown, nil
	}
	token, err := e.keys.Open(t.Sealed, t.Digest)
	if err != nil {
		return ShownTrigger{}, fmt.Errorf("open trigger token %d: %w", t.ID, err)
	}
	shown.Token = string(token)
	return shown, nil
}
