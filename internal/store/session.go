package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// CreateSession adds a session. Those that had expired when it was made go.
func (db *DB) CreateSession(ctx context.Context, s ci.Session) error {
	return db.write(ctx, fmt.Sprintf("create session of user %d", s.UserID), func(tx *Tx) error {
		return insertSession(tx, s)
	})
}

func insertSession(tx *Tx, s ci.Session) error {
	if err := tx.exec(`delete from sessions where expires_at <= $1`, micros(s.CreatedAt)); err != nil {
		return err
	}
	return tx.exec(`insert into sessions (digest, user_id, created_at, expires_at) values ($1, $2, $3, $4)`,
		s.Digest, s.UserID, micros(s.CreatedAt), micros(s.ExpiresAt))
}

// EndSession removes a session; one that is not there is no error.
func (db *DB) EndSession(ctx context.Context, digest []byte) error {
	return db.write(ctx, "end session", func(tx *Tx) error {
		return tx.exec(`delete from sessions where digest = $1`, digest)
	})
}

// CreateSignInLink adds a link that signs a user in once before expiresAt. Links
// that had expired by now go.
func (db *DB) CreateSignInLink(ctx context.Context, digest []byte, user ci.UserID, now, expiresAt time.Time) error {
	return db.write(ctx, fmt.Sprintf("create sign-in link for user %d", user), func(tx *Tx) error {
		if err := tx.exec(`delete from sign_in_links where expires_at <= $1`, micros(now)); err != nil {
			return err
		}
		return tx.exec(`insert into sign_in_links (digest, user_id, expires_at) values ($1, $2, $3)`, digest, user, micros(expiresAt))
	})
}

// UseSignInLink takes a link away and adds the session s for the user that it was
// made for, all or nothing. It returns ci.NoRecord() for a link that is unknown,
// used, or expired when the session was made.
func (db *DB) UseSignInLink(ctx context.Context, link []byte, s ci.Session) (ci.Session, error) {
	err := db.write(ctx, "use sign-in link", func(tx *Tx) error {
		err := tx.Row([]any{&s.UserID}, `delete from sign_in_links where digest = $1 and expires_at > $2 returning user_id`,
			link, micros(s.CreatedAt))
		if err != nil {
			return notFound(err)
		}
		return insertSession(tx, s)
	})
	return s, err
}

// Session reads a session with its user, expired or not, in one statement.
func (v *View) Session(ctx context.Context, digest []byte) (ci.Session, ci.User, error) {
	var user ci.User
	session, err := one(ctx, v, "session", func(row scanner, s *ci.Session) error {
		return row.Scan(append([]any{&s.Digest, &s.UserID, at(&s.CreatedAt), at(&s.ExpiresAt)}, userFields(&user)...)...)
	}, `select s.digest, s.user_id, s.created_at, s.expires_at, `+userColumns+`
		from sessions s join users u on u.id = s.user_id where s.digest = $1`, digest)
	return session, user, err
}

// AnyPassword reports whether anybody could sign in by a password.
func (v *View) AnyPassword(ctx context.Context) (bool, error) {
	found, err := list(ctx, v, "passwords", scanInto[ci.UserID], `select id from users where password_hash <> '' limit 1`)
	return len(found) > 0, err
}
