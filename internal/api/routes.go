package api

import (
	"errors"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
)

// who says who may call a route at all. What they may do there is a matter of
// their role, which the handler asks for.
type who int

const (
	anyone   who = 1 << iota // also nobody, for what is public
	signedIn                 // somebody
	admins                   // administrators
	byToken                  // the handler looks at a token of its own
	jobs                     // beside one of the above: the token of a running job counts too
	ownBody                  // beside one of the above: the handler reads the body itself
)

// A route is a line of the table.
type route struct {
	pattern string // method and path below /api/v4; wildcards become parameters under their names
	who     who
	use     auth.Use // which scopes of an access token suffice
	serve   func(*call) error
	bytes   int64 // the largest body; 0: 1 MiB
}

// check finds what the table must not leave out.
func (r route) check() error {
	method, path, ok := strings.Cut(r.pattern, " ")
	switch {
	case !ok || method == "" || !strings.HasPrefix(path, "/"):
		return errors.New("not a method and a path")
	case r.who&(anyone|signedIn|admins|byToken) == 0:
		return errors.New("does not say who may call it")
	case r.serve == nil:
		return errors.New("has no handler")
	}
	return nil
}

// table is every route, in the order of GitLab's documentation.
func (a *API) table() []route {
	const api = auth.UseAPI
	return []route{
		// Pipeline triggers.
		{"GET /projects/{id}/triggers", signedIn, api, a.listTriggers, 0},
		{"GET /projects/{id}/triggers/{trigger_id}", signedIn, api, a.getTrigger, 0},
		{"POST /projects/{id}/triggers", signedIn, api, a.createTrigger, 0},
		{"PUT /projects/{id}/triggers/{trigger_id}", signedIn, api, a.updateTrigger, 0},
		{"DELETE /projects/{id}/triggers/{trigger_id}", signedIn, api, a.deleteTrigger, 0},
		{"POST /projects/{id}/trigger/pipeline", byToken, api, a.trigger, 0},
		{"POST /projects/{id}/ref/{ref}/trigger/pipeline", byToken, api, a.trigger, 0},
		{"GET /projects/{id}/trigger/pipeline", anyone, api, a.triggerByGet, 0},
		{"GET /projects/{id}/ref/{ref}/trigger/pipeline", anyone, api, a.triggerByGet, 0},

		// Users and their tokens.
		{"GET /user", signedIn, auth.UseUser, a.currentUser, 0},
		{"GET /users", signedIn, auth.UseUser, a.listUsers, 0},
		{"GET /users/{id}", signedIn, auth.UseUser, a.getUser, 0},
		{"POST /users", admins, api, a.createUser, 0},
		{"POST /users/{id}/block", admins, api, a.blockUser, 0},
		{"POST /users/{id}/unblock", admins, api, a.unblockUser, 0},
		{"POST /users/{id}/personal_access_tokens", admins, api, a.createUserToken, 0},
		{"POST /user/personal_access_tokens", signedIn, api, a.createOwnToken, 0},

		// The server itself.
		{"GET /version", signedIn, api, a.version, 0},
		{"GET /metadata", signedIn, api, a.metadata, 0},
	}
}
