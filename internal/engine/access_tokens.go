package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A NewAccessToken is a personal access token to be made.
type NewAccessToken struct {
	Name      string
	Scopes    []string
	ExpiresAt time.Time // zero: never; may lie in the past
}

// CreateAccessToken makes a personal access token for a user: administrators for
// everybody, others only for themselves. The token is readable only in this
// answer. GitLab's User tokens API, "Create a personal access token for a user".
func (e *Engine) CreateAccessToken(ctx context.Context, c Caller, id ci.UserID, n NewAccessToken) (ci.AccessToken, string, error) {
	if err := userOnly(c); err != nil {
		return ci.AccessToken{}, "", err
	}
	if c.User.ID != id {
		if err := e.adminOnly(c); err != nil {
			return ci.AccessToken{}, "", err
		}
	}
	user, err := e.view.User(ctx, id)
	if ci.IsNotFound(err) {
		return ci.AccessToken{}, "", ci.NotFound("User")
	}
	if err != nil {
		return ci.AccessToken{}, "", err
	}
	if n.Name == "" {
		return ci.AccessToken{}, "", ci.Invalid("name", "can't be blank")
	}
	if len(n.Scopes) == 0 {
		return ci.AccessToken{}, "", ci.Invalid("scopes", "can't be blank")
	}
	for _, scope := range n.Scopes {
		if !slices.Contains(auth.Scopes, scope) {
			return ci.AccessToken{}, "", ci.BadParam("scopes does not have a valid value")
		}
	}
	token := auth.NewAccessToken(e.rand)
	saved, err := e.store.CreateAccessToken(ctx, ci.AccessToken{
		UserID: user.ID, Name: n.Name, Scopes: n.Scopes, Digest: e.keys.Digest(auth.AccessTokens, token),
		ExpiresAt: n.ExpiresAt, CreatedAt: e.now(),
	})
	if err != nil {
		return ci.AccessToken{}, "", fmt.Errorf("create access token for user %d: %w", id, err)
	}
	return saved, token, nil
}

// FindAccessToken finds a personal access token by id: one of the caller's own, or
// anybody's for administrators. For others it is not there.
func (e *Engine) FindAccessToken(ctx context.Context, c Caller, id ci.TokenID) (ci.AccessToken, error) {
	if err := userOnly(c); err != nil {
		return ci.AccessToken{}, err
	}
	token, err := e.view.AccessToken(ctx, id)
	if err == nil && token.UserID != c.User.ID && e.adminOnly(c) != nil {
		return ci.AccessToken{}, ci.NoRecord()
	}
	return token, err
}

// RevokeAccessToken ends a personal access token of the caller, or anybody's for
// administrators.
func (e *Engine) RevokeAccessToken(ctx context.Context, c Caller, owner ci.UserID, id ci.TokenID) error {
	if err := userOnly(c); err != nil {
		return err
	}
	if c.User.ID != owner {
		if err := e.adminOnly(c); err != nil {
			return err
		}
	}
	if err := e.store.RevokeAccessToken(ctx, owner, id); err != nil {
		return fmt.Errorf("revoke access token %d: %w", id, err)
	}
	return nil
}
