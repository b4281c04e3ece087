package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// minRootToken is the least length of a root token that is given from outside.
const minRootToken = 20

// Bootstrap makes the first administrator, root, with a password and a personal
// access token of scope api, both optional, on a database that holds nobody.
// Later it does nothing (design/interface.md, "Flags and variables").
func (e *Engine) Bootstrap(ctx context.Context, password, token string) error {
	users, err := e.view.CountUsers(ctx)
	if err != nil {
		return fmt.Errorf("count users: %w", err)
	}
	if users > 0 || (password == "" && token == "") {
		return nil
	}
	if token != "" && len(token) < minRootToken {
		return ci.Invalid("token", fmt.Sprintf("is too short (minimum is %d characters)", minRootToken))
	}
	root, err := e.makeRoot(ctx, password)
	if err != nil {
		return err
	}
	if token == "" {
		return nil
	}
	err = e.saveAccessToken(ctx, root, "root token", token)
	if taken := (*store.Taken)(nil); errors.As(err, &taken) { // another server starts at the same moment
		return nil
	}
	return err
}

// makeRoot makes the administrator root. Somebody who was faster is no error.
func (e *Engine) makeRoot(ctx context.Context, password string) (ci.User, error) {
	hash := ""
	if password != "" {
		var err error
		if hash, err = e.passwords.Hash(ctx, password); err != nil {
			return ci.User{}, fmt.Errorf("hash password of root: %w", err)
		}
	}
	now := e.now()
	root, _, err := e.store.CreateUser(ctx, ci.User{
		Username: "root", Name: "Administrator", Email: "admin@example.com", State: ci.UserActive, Admin: true,
		Confirmed: true, PasswordHash: hash, CreatedAt: now,
	}, ci.Namespace{Kind: ci.UserNamespace, Name: "Administrator", Path: "root", FullPath: "root", Visibility: ci.Private, CreatedAt: now})
	var taken *store.Taken
	if errors.As(err, &taken) {
		return e.view.UserByName(ctx, "root")
	}
	if err != nil {
		return ci.User{}, fmt.Errorf("create user root: %w", err)
	}
	return root, nil
}

// Root gives the administrator root, making it without a password when the
// database holds nobody: for `lanyard up`, where whoever starts the server owns it.
func (e *Engine) Root(ctx context.Context) (ci.User, error) {
	root, err := e.view.UserByName(ctx, "root")
	if ci.IsNotFound(err) {
		return e.makeRoot(ctx, "")
	}
	return root, err
}

// NewRootToken makes a personal access token for a user on the server's own
// authority, for `lanyard up`. It is a secret that is readable only now.
func (e *Engine) NewRootToken(ctx context.Context, user ci.User, name string) (string, error) {
	token := auth.NewAccessToken(e.rand)
	return token, e.saveAccessToken(ctx, user, name, token)
}

func (e *Engine) saveAccessToken(ctx context.Context, user ci.User, name, token string) error {
	_, err := e.store.CreateAccessToken(ctx, ci.AccessToken{
		UserID: user.ID, Name: name, Scopes: []string{"api"}, Digest: e.keys.Digest(auth.AccessTokens, token), CreatedAt: e.now(),
	})
	if err != nil {
		return fmt.Errorf("create access token for user %d: %w", user.ID, err)
	}
	return nil
}

// HasAdministrator reports whether anybody could sign in as one.
func (e *Engine) HasAdministrator(ctx context.Context) (bool, error) {
	users, err := e.view.CountUsers(ctx)
	if err != nil {
		return false, fmt.Errorf("count users: %w", err)
	}
	return users > 0, nil
}

// builtInRunner is where the id of the built-in runner is kept.
const builtInRunner = "built_in_runner"

// BuiltInRunner gives a token for the runner inside this server, a new one at each
// start: the old one dies with the process that knew it. Each of several servers has
// a place of its own, from 1 on, that an earlier process may have had before it.
func (e *Engine) BuiltInRunner(ctx context.Context, place int) (token string, err error) {
	key, description := builtInRunner, "built-in"
	if place > 1 {
		key, description = fmt.Sprintf("%s %d", key, place), fmt.Sprintf("%s %d", description, place)
	}
	token = auth.NewRunnerToken(e.rand)
	runner := ci.Runner{
		Type: ci.InstanceRunner, Description: description, RunUntagged: true, BuiltIn: true, CreatedAt: e.now(),
	}
	var id int64
	stored, err := e.view.Meta(ctx, key)
	switch {
	case ci.IsNotFound(err):
	case err != nil:
		return "", fmt.Errorf("look up built-in runner: %w", err)
	default:
		if _, err := fmt.Sscan(stored, &id); err != nil {
			return "", fmt.Errorf("parse id of built-in runner: %w", err)
		}
	}
	if id != 0 {
		switch found, err := e.view.Runner(ctx, ci.RunnerID(id)); {
		case err == nil:
			runner = found
		case !ci.IsNotFound(err):
			return "", fmt.Errorf("load built-in runner: %w", err)
		}
	}
	runner.Digest, runner.Short = e.keys.Digest(auth.RunnerTokens, token), auth.Short(token)
	if runner.ID != 0 {
		return token, e.store.UpdateRunner(ctx, runner)
	}
	if runner, err = e.store.CreateRunner(ctx, runner); err != nil {
		return "", fmt.Errorf("create built-in runner: %w", err)
	}
	return token, e.store.SetMeta(ctx, key, fmt.Sprint(int64(runner.ID)))
}
