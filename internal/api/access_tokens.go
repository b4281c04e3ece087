package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/wire"
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

// findToken finds the token that the path of a call names: by its id, or as the one
// that was shown.
func (c *call) findToken() (ci.AccessToken, error) {
	id := ci.TokenID(0)
	self := c.r.PathValue("token_id") == ""
	if !self {
		id = ci.TokenID(c.params.Int("token_id", 0))
	}
	if err := c.begin(); err != nil {
		return ci.AccessToken{}, err
	}
	if self {
		id = c.caller.Token
	}
	return c.api.engine.FindAccessToken(c.ctx(), c.caller, id)
}

// getToken shows a personal access token, without the token itself.
func (a *API) getToken(c *call) error {
	token, err := c.findToken()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.accessTokenShape(token))
}

// revokeToken ends a personal access token.
func (a *API) revokeToken(c *call) error {
	token, err := c.findToken()
	if err != nil {
		return err
	}
	if err := a.engine.RevokeAccessToken(c.ctx(), c.caller, token.UserID, token.ID); err != nil {
		return err
	}
	return wire.NoContent(c.w)
}

// listTokens lists the caller's personal access tokens, or somebody else's for
// administrators, oldest first.
func (a *API) listTokens(c *call) error {
	page, owner := c.params.Page(), ci.UserID(c.params.Int("user_id", 0))
	state := c.params.Enum("state", "", "active", "inactive")
	search := strings.ToLower(c.params.String("search"))
	if err := c.begin(); err != nil {
		return err
	}
	switch {
	case owner == 0:
		owner = c.caller.User.ID
	case owner != c.caller.User.ID && !c.caller.User.Admin:
		return ci.Unauthorized()
	}
	tokens, err := a.view.AccessTokens(c.ctx(), owner)
	if err != nil {
		return err
	}
	shapes := []accessTokenShape{}
	for _, token := range tokens {
		shape := a.accessTokenShape(token)
		if strings.Contains(strings.ToLower(token.Name), search) && (state == "" || shape.Active == (state == "active")) {
			shapes = append(shapes, shape)
		}
	}
	return c.page(page, wire.Found{Total: int64(len(shapes))}, part(shapes, page))
}
