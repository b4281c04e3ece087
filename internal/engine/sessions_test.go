package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/engine/enginetest"
)

func TestSignIn(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	ctx := t.Context()
	ana := enginetest.Must(w.Engine.CreateUser(ctx, w.Root, engine.NewUser{
		Username: "ana", Name: "Ana", Email: "ana@example.com", Password: "correct horse",
	}))(t)
	w.User("nopassword")
	for _, test := range []struct{ name, login, password, want string }{
		{"right", "ana", "correct horse", ""},
		{"name in another case", " ANA ", "correct horse", ""},
		{"e-mail address", "Ana@example.com", "correct horse", ""},
		{"wrong password", "ana", "correct horse ", "unauthorized: Invalid login or password."},
		{"no password", "ana", "", "unauthorized: Invalid login or password."},
		{"unknown user", "bob", "correct horse", "unauthorized: Invalid login or password."},
		{"user without a password", "nopassword", "", "unauthorized: Invalid login or password."},
		{"too long", "ana", "correct horse" + strings.Repeat("x", 2000), "unauthorized: Invalid login or password."},
		{"long name", strings.Repeat("a", 2000), "correct horse", "unauthorized: Invalid login or password."},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, s, err := w.Engine.SignIn(ctx, test.login, test.password)
			enginetest.Equal(t, "refusal", enginetest.Text(err), test.want)
			if err != nil {
				return
			}
			enginetest.Equal(t, "user", s.UserID, ana.ID)
			caller := enginetest.Must(w.Engine.Session(ctx, token))(t)
			enginetest.Equal(t, "caller", caller.User.Username, "ana")
		})
	}
	if strings.Contains(w.Log(), "correct horse") {
		t.Error("a password was logged")
	}
}

func TestSessionEnds(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	ctx := t.Context()
	user := enginetest.Must(w.Engine.CreateUser(ctx, w.Root, engine.NewUser{Username: "ana", Name: "Ana", Email: "ana@example.com", Password: "password"}))(t)
	signIn := func() string {
		t.Helper()
		token, _, err := w.Engine.SignIn(ctx, "ana", "password")
		enginetest.Check(t, err)
		return token
	}
	over := func(what, token string, want bool) {
		t.Helper()
		_, err := w.Engine.Session(ctx, token)
		enginetest.Equal(t, what, ci.IsNotFound(err), want)
	}
	first, second := signIn(), signIn()
	enginetest.Check(t, w.Engine.SignOut(ctx, first))
	over("signed out", first, true)
	over("another browser", second, false)
	over("no token", "", true)

	w.Clock.Advance(14*24*time.Hour - time.Microsecond)
	over("just before the end", second, false)
	w.Clock.Advance(time.Microsecond)
	over("expired", second, true)

	third := signIn()
	user = w.Change(user, func(u *ci.User) { u.State = ci.UserBlocked })
	over("blocked", third, true)
	_, _, err := w.Engine.SignIn(ctx, "ana", "password")
	enginetest.Equal(t, "blocked", enginetest.Text(err), "forbidden: 403 Forbidden - Your account has been blocked.")
	_, _, err = w.Engine.SignIn(ctx, "ana", "wrong")
	enginetest.Equal(t, "blocked, wrong password", ci.KindOf(err), ci.KindUnauthorized)

	w.Change(user, func(u *ci.User) { u.State = ci.UserDeactivated })
	over("deactivated", third, true)
	fourth := signIn()
	over("active again", fourth, false)
}

func TestSignInLink(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	ctx := t.Context()
	link := func() string {
		t.Helper()
		path := enginetest.Must(w.Engine.NewSignInLink(ctx))(t)
		token, ok := strings.CutPrefix(path, "/-/first/")
		if !ok || len(token) != 40 {
			t.Fatalf("got path %q", path)
		}
		return token
	}
	first := link()
	token, _, err := w.Engine.UseSignInLink(ctx, first)
	enginetest.Check(t, err)
	enginetest.Equal(t, "caller", enginetest.Must(w.Engine.Session(ctx, token))(t).User.Username, "root")
	for what, token := range map[string]string{"used": first, "unknown": "nothing", "session token": token, "long": strings.Repeat("x", 2000)} {
		_, _, err := w.Engine.UseSignInLink(ctx, token)
		enginetest.Equal(t, what, ci.IsNotFound(err), true)
	}
	old := link()
	w.Clock.Advance(15 * time.Minute)
	_, _, err = w.Engine.UseSignInLink(ctx, old)
	enginetest.Equal(t, "too old", ci.IsNotFound(err), true)

	w.Change(w.Root.User, func(u *ci.User) { u.State = ci.UserBlocked })
	_, _, err = w.Engine.UseSignInLink(ctx, link())
	enginetest.Equal(t, "blocked", ci.KindOf(err), ci.KindForbidden)
}

func TestFormToken(t *testing.T) {
	w := enginetest.New(t, enginetest.Config{})
	secret := w.Engine.NewFormSecret()
	token := w.Engine.FormToken(secret)
	for _, test := range []struct {
		name, secret, token string
		want                bool
	}{
		{"right", secret, token, true},
		{"of another browser", w.Engine.NewFormSecret(), token, false},
		{"cut", secret, token[:20], false},
		{"none", secret, "", false},
		{"not base64", secret, "%%%", false},
		{"no secret", "", w.Engine.FormToken(""), false},
	} {
		enginetest.Equal(t, test.name, w.Engine.CheckFormToken(test.secret, test.token), test.want)
	}
}
