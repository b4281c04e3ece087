package api

import (
	"net/http"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// accessTokenShape is GitLab's personal access token. Token is there only in the
// answer that made it.
type accessTokenShape struct {
	ID          ci.TokenID `json:"id"`
	Name        string     `json:"name"`
	Description *string    `json:"description"`
	Revoked     bool       `json:"revoked"`
	CreatedAt   stamp      `json:"created_at"`
	Scopes      []string   `json:"scopes"`
	UserID      ci.UserID  `json:"user_id"`
	LastUsedAt  stamp      `json:"last_used_at"`
	Active      bool       `json:"active"`
	ExpiresAt   *string    `json:"expires_at"`
	Token       string     `json:"token,omitempty"`
}

func (a *API) accessTokenShape(t ci.AccessToken) accessTokenShape {
	shape := accessTokenShape{
		ID: t.ID, Name: t.Name, Revoked: t.Revoked, CreatedAt: stamp(t.CreatedAt), Scopes: t.Scopes, UserID: t.UserID,
		Active: !t.Revoked && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(a.now())),
	}
	if !t.ExpiresAt.IsZero() {
		day := t.ExpiresAt.UTC().Format(time.DateOnly)
		shape.ExpiresAt = &day
	}
	return shape
}

// createUserToken makes a personal access token for any user, for administrators.
func (a *API) createUserToken(c *call) error {
	id := ci.UserID(c.params.Int("id", 0))
	return a.createToken(c, func() ci.UserID { return id })
}

// createOwnToken makes a personal access token for the caller.
func (a *API) createOwnToken(c *call) error {
	return a.createToken(c, func() ci.UserID { return c.caller.User.ID })
}

func (a *API) createToken(c *call, owner func() ci.UserID) error {
	c.params.Require("name", "scopes")
	n := engine.NewAccessToken{Name: c.params.String("name"), Scopes: c.params.Strings("scopes"), ExpiresAt: c.params.Time("expires_at")}
	if err := c.begin(); err != nil {
		return err
	}
	saved, token, err := a.engine.CreateAccessToken(c.ctx(), c.caller, owner(), n)
	if err != nil {
		return err
	}
	shape := a.accessTokenShape(saved)
	shape.Token = token
	return c.json(http.StatusCreated, shape)
}
