package api

import (
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// triggerShape is GitLab's Trigger (contract/trigger-api.md 1.2).
type triggerShape struct {
	ID          ci.TriggerID `json:"id"`
	Token       string       `json:"token"`
	Description *string      `json:"description"`
	CreatedAt   stamp        `json:"created_at"`
	UpdatedAt   stamp        `json:"updated_at"`
	LastUsed    stamp        `json:"last_used"`
	ExpiresAt   stamp        `json:"expires_at"`
	Owner       *userBasic   `json:"owner"`
}

func (a *API) triggerShape(t engine.ShownTrigger) triggerShape {
	return triggerShape{
		ID: t.ID, Token: t.Token, Description: t.Description, CreatedAt: stamp(t.CreatedAt), UpdatedAt: stamp(t.UpdatedAt),
		LastUsed: stamp(t.LastUsed), ExpiresAt: stamp(t.ExpiresAt), Owner: a.userBasic(t.Owner),
	}
}

// listTriggers lists the trigger tokens of a project.
func (a *API) listTriggers(c *call) error {
	page := c.params.Page()
	project, err := c.project()
	if err != nil {
		return err
	}
	list, total, err := a.engine.ListTriggers(c.ctx(), c.caller, project, page.PerPage, page.Offset())
	if err != nil {
		return err
	}
	shapes := make([]triggerShape, len(list))
	for i, t := range list {
		shapes[i] = a.triggerShape(t)
	}
	return c.page(page, wire.Found{Total: int64(total)}, shapes)
}

// getTrigger shows one trigger token.
func (a *API) getTrigger(c *call) error {
	id := ci.TriggerID(c.params.Int("trigger_id", 0))
	project, err := c.project()
	if err != nil {
		return err
	}
	t, err := a.engine.GetTrigger(c.ctx(), c.caller, project, id)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.triggerShape(t))
}

// createTrigger makes a trigger token.
func (a *API) createTrigger(c *call) error {
	c.params.Require("description")
	description, expiresAt := c.params.String("description"), c.params.Time("expires_at")
	project, err := c.project()
	if err != nil {
		return err
	}
	t, err := a.engine.CreateTrigger(c.ctx(), c.caller, project, description, expiresAt)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, a.triggerShape(t))
}

// updateTrigger changes the description of a trigger token. Leaving it out makes
// it null.
func (a *API) updateTrigger(c *call) error {
	id := ci.TriggerID(c.params.Int("trigger_id", 0))
	description := c.params.String("description")
	project, err := c.project()
	if err != nil {
		return err
	}
	given := &description
	if sent := c.params.Get("description"); sent == nil || sent.Kind == wire.Null {
		given = nil
	}
	t, err := a.engine.UpdateTrigger(c.ctx(), c.caller, project, id, given)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.triggerShape(t))
}

// deleteTrigger removes a trigger token, unless it changed since the caller saw it.
func (a *API) deleteTrigger(c *call) error {
	id := ci.TriggerID(c.params.Int("trigger_id", 0))
	project, err := c.project()
	if err != nil {
		return err
	}

	if err := a.engine.DeleteTrigger(c.ctx(), c.caller, project, id, c.unlessModifiedSince); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}
