package ci

import "time"

// UserState says whether an account may act.
type UserState string

// The states of an account.
const (
	UserActive      UserState = "active"
	UserBlocked     UserState = "blocked"
	UserDeactivated UserState = "deactivated"
)

// A User is an account.
type User struct {
	ID           UserID
	Username     string
	Name         string
	Email        string
	PublicEmail  string
	State        UserState
	Admin        bool
	Confirmed    bool   // the e-mail address is confirmed
	PasswordHash string // argon2id, never leaves the engine; empty: cannot sign in by password
	CreatedAt    time.Time
}

// NamespaceKind is user or group.
type NamespaceKind string

// The kinds of namespaces.
const (
	UserNamespace  NamespaceKind = "user"
	GroupNamespace NamespaceKind = "group"
)

// A Namespace is where projects live: a user's own, or a group (which may be in
// another group).
type Namespace struct {
	ID          NamespaceID
	Kind        NamespaceKind
	Name        string
	Path        string
	FullPath    string // "group/sub"
	Description string
	ParentID    NamespaceID
	OwnerID     UserID // of a user namespace; of a group: who made it
	Visibility  Visibility
	CreatedAt   time.Time
}

// A Member ties a user to a project or a group.
type Member struct {
	UserID      UserID
	ProjectID   ProjectID   // one of the two is zero
	NamespaceID NamespaceID // a group
	Role        Role
	ExpiresAt   time.Time // zero: never; a date, counted in UTC
	CreatedAt   time.Time
}

// An AccessToken is a personal access token. Only its digest is kept.
type AccessToken struct {
	ID        TokenID
	UserID    UserID
	Name      string
	Scopes    []string // api, read_api, create_runner, read_user, …
	Digest    []byte
	ExpiresAt time.Time // zero: never
	Revoked   bool
	CreatedAt time.Time
}
