package engine

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// sessionLife is how long a browser stays signed in.
const sessionLife = 14 * 24 * time.Hour

// maxSecret is the longest token or password that is looked at, in bytes.
const maxSecret = 1024

// badLogin answers every sign-in that is wrong, so that it does not tell which
// accounts there are.
const badLogin = "Invalid login or password."

// SignIn opens a session for whoever shows the user name or e-mail address and the
// password of an account. The token is what the browser is to carry; only its
// digest is kept. An account that an administrator deactivated becomes active
// again. Errors: ci.KindUnauthorized for a wrong name or password,
// ci.KindForbidden for a blocked account. Callers limit how often they ask.
func (e *Engine) SignIn(ctx context.Context, login, password string) (token string, s ci.Session, err error) {
	user, err := e.userByLogin(ctx, login)
	if err != nil && !ci.IsNotFound(err) {
		return "", ci.Session{}, fmt.Errorf("look up user: %w", err)
	}
	// Of an unknown user the hash is empty, which takes the same time.
	right, err := e.passwords.Verify(ctx, user.PasswordHash, password[:min(len(password), maxSecret)])
	if err != nil {
		return "", ci.Session{}, err
	}
	if !right || len(password) > maxSecret {
		return "", ci.Session{}, &ci.Error{Kind: ci.KindUnauthorized, Message: badLogin}
	}
	if user.State == ci.UserDeactivated {
		user.State = ci.UserActive
		if err := e.store.UpdateUser(ctx, user); err != nil {
			return "", ci.Session{}, fmt.Errorf("activate user %d: %w", user.ID, err)
		}
	}
	if err := e.mayAct(user); err != nil {
		return "", ci.Session{}, err
	}
	token, s = e.newSession(user.ID)
	if err := e.store.CreateSession(ctx, s); err != nil {
		return "", ci.Session{}, err
	}
	return token, s, nil
}

// userByLogin finds the account that a person means: by its e-mail address if
// there is an @ in it, else by its user name.
func (e *Engine) userByLogin(ctx context.Context, login string) (ci.User, error) {
	login = strings.TrimSpace(login)
	switch {
	case len(login) > maxSecret:
		return ci.User{}, ci.NotFound("User")
	case strings.Contains(login, "@"):
		return e.view.UserByEmail(ctx, login)
	}
	return e.view.UserByName(ctx, login)
}

func (e *Engine) newSession(user ci.UserID) (token string, s ci.Session) {
	token = auth.NewSessionToken(e.rand)
	now := e.now().UTC().Truncate(time.Microsecond)
	return token, ci.Session{
		Digest: e.keys.Digest(auth.SessionTokens, token), UserID: user, CreatedAt: now, ExpiresAt: now.Add(sessionLife),
	}
}

// Session gives who is signed in with a session token, in one statement. Errors:
// ci.KindNotFound for a session that is unknown, over or expired, and when its user
// may not act any more.
func (e *Engine) Session(ctx context.Context, token string) (Caller, error) {
	if token == "" || len(token) > maxSecret {
		return Caller{}, ci.NoRecord()
	}
	s, user, err := e.view.Session(ctx, e.keys.Digest(auth.SessionTokens, token))
	switch {
	case err != nil:
		return Caller{}, err
	case !s.ExpiresAt.After(e.now()), user.State != ci.UserActive:
		return Caller{}, ci.NoRecord()
	}
	return Caller{User: user}, nil
}

// SignOut ends a session; one that is over already is no error.
func (e *Engine) SignOut(ctx context.Context, token string) error {
	return e.store.EndSession(ctx, e.keys.Digest(auth.SessionTokens, token))
}

// formPurpose is what form tokens are signed for.
const formPurpose = "form"

// FormToken gives what the forms of a page carry so that no other site can send
// them: it is bound to the secret in the browser's cookie, that of a session or of
// somebody who is about to sign in, and lasts as long.
func (e *Engine) FormToken(secret string) string {
	return base64.RawURLEncoding.EncodeToString(e.keys.Sign(formPurpose, []byte(secret)))
}

// CheckFormToken reports whether a form came from a page of this server that was
// made for the same browser.
func (e *Engine) CheckFormToken(secret, token string) bool {
	signature, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && secret != "" && e.keys.Signed(formPurpose, []byte(secret), signature)
}

// NewFormSecret makes the secret of a browser in which nobody is signed in.
func (e *Engine) NewFormSecret() string { return auth.NewSessionToken(e.rand) }
