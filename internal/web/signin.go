package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// signInPath is GitLab's.
const signInPath = "/users/sign_in"

// signInPage asks who is there.
type signInPage struct {
	shell
	Login    string // as it was sent
	ReturnTo string // where to go on; a path of this server
	Empty    bool   // nobody has an account yet
	NoKeys   bool   // nobody has a password yet
	Action   string
}

// askToSignIn sends a browser to the sign-in page, and back afterwards.
func (v *visit) askToSignIn() error {
	query := ""
	if v.reads() {
		path := v.r.URL.EscapedPath()
		if project := projectOf(v.ctx()); project != "" {
			path = escapePath(project) + path
		}
		if v.r.URL.RawQuery != "" {
			path += "?" + v.r.URL.RawQuery
		}
		query = url.Values{"return_to": {path}}.Encode()
	}
	return v.leave(http.StatusSeeOther, signInPath, query)
}

// signInForm shows the form.
func (v *visit) signInForm() error {
	to := returnTo(v.r.URL.Query().Get("return_to"))
	if !v.caller.Anonymous() {
		return v.redirect(http.StatusSeeOther, to, "")
	}
	return v.showSignIn(http.StatusOK, "", to, "")
}

func (v *visit) showSignIn(status int, login, to, problem string) error {
	page := signInPage{shell: v.shell("Sign in"), Login: login, ReturnTo: to, Action: v.web.urls.Path(signInPath)}
	page.Problem, page.SignIn, page.FormToken = problem, "", v.signInToken()
	has, err := v.web.engine.HasAdministrator(v.ctx())
	if err != nil {
		return err
	}
	page.Empty = !has
	if has {
		any, err := v.web.view.AnyPassword(v.ctx())
		if err != nil {
			return err
		}
		page.NoKeys = !any
	}
	return v.show(status, "signin", page)
}

// signIn opens a session for a user name and a password. What is wrong is counted
// against the address and the account before the password is looked at, and given
// back when it is right, so that many guesses at once are no way around.
func (v *visit) signIn() error {
	login, password := v.r.PostForm.Get("user[login]"), v.r.PostForm.Get("user[password]")
	to := returnTo(v.r.PostForm.Get("return_to"))
	address, account := v.limitKeys(login)
	if ok, after := v.web.addresses.Take(address); !ok {
		return v.tooMany(login, to, after)
	}
	if account != "" {
		if ok, after := v.web.accounts.Take(account); !ok {
			return v.tooMany(login, to, after)
		}
	}
	token, session, err := v.web.engine.SignIn(v.ctx(), login, password)
	switch ci.KindOf(err) {
	case ci.KindUnauthorized:
		return v.showSignIn(http.StatusUnprocessableEntity, login, to, "Invalid login or password.")
	case ci.KindForbidden:
		return v.showSignIn(http.StatusForbidden, login, to, strings.TrimPrefix(messageOf(err), "403 Forbidden - "))
	}
	if err != nil {
		return err
	}
	v.web.addresses.Give(address)
	if account != "" {
		v.web.accounts.Give(account)
	}
	if err := v.signedIn(token, session); err != nil {
		return err
	}
	return v.after(to)
}

// limitKeys names what wrong sign-ins are counted against. Who sits at the machine
// itself is not shut out of an account by what others guess.
func (v *visit) limitKeys(login string) (address, account string) {
	client := wire.ClientAddr(v.ctx())
	address = wire.LimitKey(client)
	if client.IsLoopback() || len(login) > 255 {
		return address, ""
	}
	return address, strings.ToLower(strings.TrimSpace(login))
}

// tooMany asks to wait.
func (v *visit) tooMany(login, to string, after time.Duration) error {
	seconds := int(after.Seconds()) + 1
	v.w.Header().Set("Retry-After", number(seconds))
	return v.showSignIn(http.StatusTooManyRequests, login, to,
		"Too many wrong sign-ins. Try again in "+number(seconds)+" seconds.")
}

// signOut ends the session of the browser.
func (v *visit) signOut() error {
	if !v.caller.Anonymous() {
		if err := v.web.engine.SignOut(v.ctx(), v.secret); err != nil {
			return err
		}
	}
	v.dropCookie(sessionCookie)
	return v.after(signInPath)
}

// returnTo is where to go on after signing in: a path of this server, the front
// page for anything else.
func returnTo(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsAny(path, "\\\r\n\t") || strings.HasPrefix(path, "/users/") {
		return "/"
	}
	return u.RequestURI()
}

// first signs in by a link. A program that only looks whether there is something
// must not use it up.
func (v *visit) first() error {
	if v.r.Method == http.MethodHead || v.r.Header.Get("Sec-Purpose") != "" || v.r.Header.Get("Purpose") == "prefetch" {
		v.w.Header().Set("Cache-Control", "no-store")
		v.w.WriteHeader(http.StatusOK)
		return nil
	}
	address, _ := v.limitKeys("")
	if ok, after := v.web.addresses.Take(address); !ok {
		return wire.TooMany(after)
	}
	token, session, err := v.web.engine.UseSignInLink(v.ctx(), v.r.PathValue("token"))
	if ci.IsNotFound(err) {
		return v.showSignIn(http.StatusNotFound, "", "/", "This sign-in link counts no more: it works once and for 15 minutes.")
	}
	if err != nil {
		return err
	}
	v.web.addresses.Give(address)
	if err := v.signedIn(token, session); err != nil {
		return err
	}
	return v.after("/")
}
