package engine

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A NewUser is an account to be made.
type NewUser struct {
	Username string
	Name     string
	Email    string
	Password string // empty: the account cannot sign in by password
	Admin    bool
}

// minPassword is the least length of a password, in bytes.
const minPassword = 8

// CreateUser makes an account with its own namespace. GitLab's Users API, "Create
// a user". Errors: ci.KindForbidden for others than administrators, ci.KindInvalid
// for what is missing or malformed, ci.KindConflict for a taken name or address.
func (e *Engine) CreateUser(ctx context.Context, c Caller, n NewUser) (ci.User, error) {
	if err := e.adminOnly(c); err != nil {
		return ci.User{}, err
	}
	if err := checkNewUser(n); err != nil {
		return ci.User{}, err
	}
	hash := ""
	if n.Password != "" {
		var err error
		if hash, err = e.passwords.Hash(ctx, n.Password); err != nil {
			return ci.User{}, fmt.Errorf("hash password: %w", err)
		}
	}
	now := e.now()
	user, _, err := e.store.CreateUser(ctx, ci.User{
		Username: n.Username, Name: n.Name, Email: n.Email, State: ci.UserActive, Admin: n.Admin, Confirmed: true,
		PasswordHash: hash, CreatedAt: now,
	}, ci.Namespace{
		Kind: ci.UserNamespace, Name: n.Name, Path: n.Username, FullPath: n.Username, Visibility: ci.Private, CreatedAt: now,
	})
	var taken *store.Taken
	if errors.As(err, &taken) {
		if taken.Field == "email" {
			return ci.User{}, ci.Conflict("Email has already been taken")
		}
		return ci.User{}, ci.Conflict("Username has already been taken")
	}
	if err != nil {
		return ci.User{}, fmt.Errorf("create user: %w", err)
	}
	return user, nil
}

func checkNewUser(n NewUser) error {
	if err := checkTopPath(n.Username); err != nil {
		refusal := &ci.Error{}
		if errors.As(err, &refusal) {
			return ci.Invalid("username", strings.Join(refusal.Fields["path"], ", "))
		}
		return err
	}
	if address, err := mail.ParseAddress(n.Email); err != nil || address.Address != n.Email {
		return ci.Invalid("email", "is invalid")
	}
	switch {
	case n.Name == "":
		return ci.Invalid("name", "can't be blank")
	case n.Password != "" && len(n.Password) < minPassword:
		return ci.Invalid("password", fmt.Sprintf("is too short (minimum is %d characters)", minPassword))
	}
	return nil
}

// SetUserState blocks an account or lets it act again. Administrators only. It
// gives the account afterwards and whether anything changed.
func (e *Engine) SetUserState(ctx context.Context, c Caller, id ci.UserID, state ci.UserState) (ci.User, bool, error) {
	if err := e.adminOnly(c); err != nil {
		return ci.User{}, false, err
	}
	user, err := e.view.User(ctx, id)
	if ci.IsNotFound(err) {
		return ci.User{}, false, ci.NotFound("User")
	}
	if err != nil {
		return ci.User{}, false, err
	}
	if user.State == state {
		return user, false, nil
	}
	if user.ID == c.User.ID && state == ci.UserBlocked {
		return ci.User{}, false, ci.Forbidden("The API cannot block your own account")
	}
	user.State = state
	if err := e.store.UpdateUser(ctx, user); err != nil {
		return ci.User{}, false, fmt.Errorf("update user %d: %w", id, err)
	}
	return user, true, nil
}

// userOnly refuses nobody, and jobs: a job acts for its user on projects, and makes
// nothing that outlives it.
func userOnly(c Caller) error {
	switch {
	case c.Anonymous():
		return ci.Unauthorized()
	case c.Job != nil:
		return ci.Forbidden("")
	}
	return nil
}

// adminOnly refuses callers who may not run the instance.
func (e *Engine) adminOnly(c Caller) error {
	switch {
	case c.Anonymous():
		return ci.Unauthorized()
	case auth.Allow(auth.Actor{User: c.User, Scopes: c.Scopes, JobToken: c.Job != nil}, auth.AdminInstance, ci.Project{}) != auth.Allowed:
		return ci.Forbidden("")
	}
	return nil
}
