package store

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

const accessTokenColumns = `id, user_id, name, scopes, digest, expires_at, revoked, created_at`

func scanAccessToken(s scanner, t *ci.AccessToken) error {
	return s.Scan(&t.ID, &t.UserID, &t.Name, document{&t.Scopes}, &t.Digest, at(&t.ExpiresAt), &t.Revoked, at(&t.CreatedAt))
}

// CreateAccessToken adds a personal access token and returns it with its ID. It
// returns *Taken for "token".
func (db *DB) CreateAccessToken(ctx context.Context, t ci.AccessToken) (ci.AccessToken, error) {
	t.CreatedAt, t.ExpiresAt = stored(t.CreatedAt), stored(t.ExpiresAt)
	scopes := texts(t.Scopes)
	err := db.write(ctx, fmt.Sprintf("create access token of user %d", t.UserID), func(tx *Tx) error {
		return tx.Row([]any{&t.ID}, `
			insert into access_tokens (user_id, name, scopes, digest, expires_at, revoked, created_at)
			values ($1, $2, $3, $4, $5, $6, $7) returning id`,
			t.UserID, t.Name, scopes, t.Digest, micros(t.ExpiresAt), t.Revoked, micros(t.CreatedAt))
	})
	return t, err
}

// RevokeAccessToken ends a token of a user; its row stays.
func (db *DB) RevokeAccessToken(ctx context.Context, user ci.UserID, id ci.TokenID) error {
	return db.write(ctx, fmt.Sprintf("revoke access token %d", id), func(tx *Tx) error {
		return tx.must(`update access_tokens set revoked = true where user_id = $1 and id = $2`, user, id)
	})
}

// AccessTokenByDigest finds a token by its digest, revoked and expired ones too.
func (v *View) AccessTokenByDigest(ctx context.Context, digest []byte) (ci.AccessToken, error) {
	return one(ctx, v, "access token", scanAccessToken, `
		select `+accessTokenColumns+` from access_tokens where digest = $1`, digest)
}

// AccessToken reads one token, revoked and expired ones too.
func (v *View) AccessToken(ctx context.Context, id ci.TokenID) (ci.AccessToken, error) {
	return one(ctx, v, "access token", scanAccessToken, `
		select `+accessTokenColumns+` from access_tokens where id = $1`, id)
}

// AccessTokens lists the tokens of a user, oldest first.
func (v *View) AccessTokens(ctx context.Context, user ci.UserID) ([]ci.AccessToken, error) {
	return list(ctx, v, "access tokens", scanAccessToken, `
		select `+accessTokenColumns+` from access_tokens where user_id = $1 order by id`, user)
}
