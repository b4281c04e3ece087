package auth

import "slices"

// The scopes that a personal access token can have.
const (
	ScopeAPI             = "api"
	ScopeReadAPI         = "read_api"
	ScopeReadUser        = "read_user"
	ScopeCreateRunner    = "create_runner"
	ScopeReadRepository  = "read_repository"
	ScopeWriteRepository = "write_repository"
)

// Scopes lists every scope that a personal access token can have.
var Scopes = []string{ScopeAPI, ScopeReadAPI, ScopeReadUser, ScopeCreateRunner, ScopeReadRepository, ScopeWriteRepository}

// A Use says which part of the server a token is shown to.
type Use int

// The uses of a token.
const (
	UseAPI          Use = iota // any call of the API that is not listed below
	UseUser                    // GET /user and the like
	UseCreateRunner            // POST /user/runners
	UsePull                    // clone and fetch
	UsePush                    // push
)

// UseScopes lists the scopes that are registered for a use, in the order in which
// a refusal names them (contract/trigger-api.md 3.2, case 6).
func UseScopes(u Use) []string {
	switch u {
	case UseUser:
		return []string{ScopeAPI, ScopeReadAPI, ScopeReadUser}
	case UseCreateRunner:
		return []string{ScopeAPI, ScopeCreateRunner}
	case UsePull:
		return []string{ScopeAPI, ScopeReadRepository, ScopeWriteRepository}
	case UsePush:
		return []string{ScopeAPI, ScopeWriteRepository}
	case UseAPI:
	}
	return []string{ScopeAPI, ScopeReadAPI}
}

// Scoped reports whether the scopes of a token suffice for a request: one of those
// of the use, where read_api and read_user count for GET and HEAD alone. Nil
// stands for a caller without a token, who is bound by no scope.
func Scoped(scopes []string, u Use, method string) bool {
	if scopes == nil {
		return true
	}
	reads := method == "GET" || method == "HEAD"
	return slices.ContainsFunc(UseScopes(u), func(s string) bool {
		return slices.Contains(scopes, s) && (reads || s != ScopeReadAPI && s != ScopeReadUser)
	})
}
