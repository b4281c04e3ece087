package web

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// Cookies: the session of a browser, and what ties a sign-in form to one.
const (
	sessionCookie = "lanyard_session"
	formCookie    = "lanyard_form"
)

// cookieName is the name of a cookie here. With the prefix __Host- a browser takes
// it from this very host only, over https and for all paths; where the server has
// no https or a path of its own, that is not to be had (docs/decisions, secrets).
// Cookies do not know ports, so a port is part of the name: two servers on one
// machine do not sign each other's visitors out.
func (web *Web) cookieName(name string) string {
	external := web.urls.External
	if external.Scheme == "https" && web.urls.Prefix() == "" {
		return "__Host-" + name
	}
	if port := external.Port(); port != "" {
		name += "_" + port
	}
	return name
}

// setCookie gives the browser a cookie until a time.
func (v *visit) setCookie(name, value string, expires time.Time) {
	path := v.web.urls.Prefix()
	if path == "" {
		path = "/"
	}
	http.SetCookie(v.w, &http.Cookie{
		Name: v.web.cookieName(name), Value: value, Path: path, Expires: expires, MaxAge: int(expires.Sub(v.web.now()).Seconds()),
		Secure: v.web.urls.External.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// dropCookie takes a cookie away.
func (v *visit) dropCookie(name string) {
	v.setCookie(name, "", v.web.now().Add(-time.Hour))
}

// cookie reads a cookie, "" when the browser has none.
func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(v.web.cookieName(name))
	if err != nil { // http.ErrNoCookie, the only one there is
		return ""
	}
	return c.Value
}

// findSession finds out who is signed in. A session that is over is nobody's.
func (v *visit) findSession() error {
	v.secret = v.cookie(sessionCookie)
	if v.secret == "" {
		return nil
	}
	caller, err := v.web.engine.Session(v.ctx(), v.secret)
	if ci.IsNotFound(err) {
		v.secret = ""
		return nil
	}
	if err != nil {
		return err
	}
	v.caller = caller
	wire.Annotate(v.ctx(), slog.Int64("user", int64(caller.User.ID)))
	return nil
}

// formField is the name of the field with the form token.
const formField = "form_token"

// checkForm refuses a form that does not come from a page of this server in the
// same browser: cookies that are SameSite are the first wall, the header Origin is
// the second, a token in the form the third. A browser whose session is over is
// asked to sign in.
func (v *visit) checkForm() error {
	if origin := v.r.Header.Get("Origin"); origin != "" && !v.ownOrigin(origin) {
		return ci.Forbidden("This form was sent by another site")
	}
	switch v.r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return ci.Forbidden("This form was sent by another site")
	}
	if err := v.r.ParseForm(); err != nil {
		return ci.BadRequest("The form cannot be read")
	}
	if v.caller.Anonymous() {
		v.secret = v.cookie(formCookie)
	}
	if v.web.engine.CheckFormToken(v.secret, v.r.PostForm.Get(formField)) {
		return nil
	}
	if v.caller.Anonymous() && v.r.URL.Path != signInPath {
		return v.askToSignIn()
	}
	return ci.Forbidden("This form is too old. Go back, reload the page and send it again")
}

// signedIn makes the browser carry a new session instead of what it carried.
func (v *visit) signedIn(token string, s ci.Session) error {
	if old := v.cookie(sessionCookie); old != "" {
		if err := v.web.engine.SignOut(v.ctx(), old); err != nil {
			return err
		}
	}
	v.setCookie(sessionCookie, token, s.ExpiresAt)
	v.dropCookie(formCookie)
	return nil
}

// signInToken is what the sign-in form carries. The browser gets a secret to tie it
// to.
func (v *visit) signInToken() string {
	secret := v.cookie(formCookie)
	if secret == "" {
		secret = v.web.engine.NewFormSecret()
	}
	v.setCookie(formCookie, secret, v.web.now().Add(formLife))
	return v.web.engine.FormToken(secret)
}

// formLife is how long a sign-in form can be sent.
const formLife = 24 * time.Hour
