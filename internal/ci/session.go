package ci

import "time"

// A Session is a browser in which a user is signed in. Only the digest of the
// token that the browser carries is kept.
type Session struct {
	Digest    []byte
	UserID    UserID
	CreatedAt time.Time
	ExpiresAt time.Time // never zero
}
