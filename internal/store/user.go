package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// userColumns is what scanUser reads, of a table named u.
const userColumns = `u.id, u.username, u.name, u.email, u.public_email, u.state, u.admin, u.confirmed, u.password_hash, u.created_at`

// userFields gives the places for userColumns.
func userFields(u *ci.User) []any {
	return []any{&u.ID, &u.Username, &u.Name, &u.Email, &u.PublicEmail, &u.State, &u.Admin, &u.Confirmed, &u.PasswordHash, at(&u.CreatedAt)}
}

func scanUser(s scanner, u *ci.User) error { return s.Scan(userFields(u)...) }

// CreateUser adds an account with its own namespace, both with their ids, in one
// transaction. It returns *Taken for "username", "email" or "path".
func (db *DB) CreateUser(ctx context.Context, u ci.User, home ci.Namespace) (ci.User, ci.Namespace, error) {
	u.CreatedAt, home.CreatedAt = stored(u.CreatedAt), stored(home.CreatedAt)
	err := db.write(ctx, fmt.Sprintf("create user %q", u.Username), func(tx *Tx) error {
		err := tx.Row([]any{&u.ID}, `
			insert into users (username, name, email, public_email, state, admin, confirmed, password_hash, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id`,
			u.Username, u.Name, u.Email, u.PublicEmail, u.State, u.Admin, u.Confirmed, u.PasswordHash, micros(u.CreatedAt))
		if err != nil {
			return err
		}
		home.OwnerID = u.ID
		return insertNamespace(tx, &home)
	})
	return u, home, err
}

// UpdateUser writes everything of an account but its creation time.
func (db *DB) UpdateUser(ctx context.Context, u ci.User) error {
	return db.write(ctx, fmt.Sprintf("update user %d", u.ID), func(tx *Tx) error {
		return tx.must(`
			update users set username = $2, name = $3, email = $4, public_email = $5, state = $6, admin = $7,
				confirmed = $8, password_hash = $9 where id = $1`,
			u.ID, u.Username, u.Name, u.Email, u.PublicEmail, u.State, u.Admin, u.Confirmed, u.PasswordHash)
	})
}

// User reads one account.
func (v *View) User(ctx context.Context, id ci.UserID) (ci.User, error) {
	return one(ctx, v, "user", scanUser, `select `+userColumns+` from users u where u.id = $1`, id)
}

// UserByName reads the account with this user name, in any case.
func (v *View) UserByName(ctx context.Context, username string) (ci.User, error) {
	return one(ctx, v, "user", scanUser, `select `+userColumns+` from users u where lower(u.username) = $1`, folded(username))
}

// UserByEmail reads the account with this e-mail address, in any case.
func (v *View) UserByEmail(ctx context.Context, email string) (ci.User, error) {
	return one(ctx, v, "user", scanUser, `select `+userColumns+` from users u where lower(u.email) = $1`, folded(email))
}

// UsersByID reads several accounts at once. Those that are gone are not in the map.
func (v *View) UsersByID(ctx context.Context, ids []ci.UserID) (map[ci.UserID]ci.User, error) {
	users, err := list(ctx, v, "users", scanUser, `select `+userColumns+` from users u where u.id in {ints $1}`, integers(ids))
	if err != nil {
		return nil, err
	}
	byID := make(map[ci.UserID]ci.User, len(users))
	for _, u := range users {
		byID[u.ID] = u
	}
	return byID, nil
}

// A UserFilter narrows a list of accounts. Zero fields do not.
type UserFilter struct {
	Search   string // part of the user name or name, or the whole e-mail address, in any case
	Username string // exactly, in any case
	State    ci.UserState
	Limit    int
	Offset   int
}

// Users lists accounts, newest first as GitLab does, and says how many match.
func (v *View) Users(ctx context.Context, f UserFilter) ([]ci.User, int, error) {
	var q filter
	if f.Username != "" {
		q.and(`lower(u.username) = $`, folded(f.Username))
	}
	if f.State != "" {
		q.and(`u.state = $`, f.State)
	}
	if f.Search != "" {
		q.and(`(lower(u.username) like $ escape '\' or lower(u.name) like $ escape '\' or lower(u.email) = $)`,
			contains(f.Search), contains(f.Search), folded(f.Search))
	}
	return page(ctx, v, "users", scanUser, &q, userColumns, `users u`, `u.id desc`, f.Limit, f.Offset)
}

// CountUsers says how many accounts there are.
func (v *View) CountUsers(ctx context.Context) (int, error) {
	var n int
	err := v.row(ctx, []any{&n}, `select count(*) from users`)
	return n, wrap("count users", err)
}
