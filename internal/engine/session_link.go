package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// linkLife is how long a sign-in link waits to be opened.
const linkLife = 15 * time.Minute

// signInPath is where the pages take sign-in links.
const signInPath = "/-/first/"

// NewSignInLink makes a link that signs its first visitor in as root, who is made
// if there is nobody yet, for `lanyard up`: whoever starts the server owns it. It
// gives a path below the external URL, which is a secret for 15 minutes.
func (e *Engine) NewSignInLink(ctx context.Context) (path string, err error) {
	root, err := e.Root(ctx)
	if err != nil {
		return "", fmt.Errorf("find root: %w", err)
	}
	token := auth.NewSessionToken(e.rand)
	now := e.now().UTC().Truncate(time.Microsecond)
	if err := e.store.CreateSignInLink(ctx, e.keys.Digest(auth.SignInLinks, token), root.ID, now, now.Add(linkLife)); err != nil {
		return "", err
	}
	return signInPath + token, nil
}

// UseSignInLink opens a session with the token of a sign-in link, which counts no
// more after that. Errors: ci.KindNotFound for one that is unknown, used or too
// old, ci.KindForbidden when its user may not act.
func (e *Engine) UseSignInLink(ctx context.Context, link string) (token string, s ci.Session, err error) {
	if len(link) > maxSecret {
		return "", ci.Session{}, ci.NoRecord()
	}
	token, s = e.newSession(0)
	s, err = e.store.UseSignInLink(ctx, e.keys.Digest(auth.SignInLinks, link), s)
	if err != nil {
		return "", ci.Session{}, err
	}
	user, err := e.view.User(ctx, s.UserID)
	if err != nil {
		return "", ci.Session{}, err
	}
	if err := e.mayAct(user); err != nil {
		return "", ci.Session{}, err
	}
	return token, s, nil
}
