package ci

import "time"

// A Trigger is a pipeline trigger token of a project. The token's body is kept
// sealed, since its owner may read it again; it is looked up by a keyed digest.
type Trigger struct {
	ID          TriggerID
	ProjectID   ProjectID
	OwnerID     UserID
	Description *string // nil shows as null
	Digest      []byte
	Sealed      []byte
	Short       string // the four characters that everybody may see
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	LastUsed    time.Time // of the newest pipeline that it made; filled on reading
}

// Expired reports whether the token no longer counts at now.
func (t Trigger) Expired(now time.Time) bool {
	return !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now)
}

// MaxTriggers is how many trigger tokens a project may have
// (contract/trigger-api.md 1.5, case 15).
const MaxTriggers = 25000
