package auth

import "github.com/lanyard-ci/lanyard/internal/ci"

// An Actor is a caller as one project or group sees them.
type Actor struct {
	User       ci.User      // zero: anonymous
	Role       ci.Role      // in the project or group, memberships of groups above counted
	Scopes     []string     // of the access token; nil: everything
	JobToken   bool         // acts with the token of a job, for whose user it stands
	JobProject ci.ProjectID // whose job it is
	InScope    bool         // the project lists JobProject in its job token scope, or keeps no list
}

// A Verdict is what Allow decides.
type Verdict int

// The verdicts. The zero value allows nothing and tells nothing.
const (
	Hidden  Verdict = iota // the actor may not even know that the project is there: 404
	Denied                 // may know of it, not do this: 403
	Allowed                // may do it
)

// String names the verdict.
func (v Verdict) String() string {
	switch v {
	case Allowed:
		return "allowed"
	case Denied:
		return "denied"
	case Hidden:
	}
	return "hidden"
}

// verdict is Allowed or Denied.
func verdict(allowed bool) Verdict {
	if allowed {
		return Allowed
	}
	return Denied
}

// Allow looks up whether the actor may do something in a project. It judges
// roles, visibility and the state of the user and the project; the scopes of a
// token are judged by Scoped, the rights to a protected ref by MayRunOnRef and
// its neighbours, since they depend on more than the project. For AdminInstance
// the project is the zero value.
func Allow(a Actor, action Action, p ci.Project) Verdict {
	if action == AdminInstance {
		return verdict(a.acts() && a.role() == ci.Admin)
	}
	a = a.within(p)
	if !a.sees(p.Visibility) {
		return Hidden
	}
	r, known := projectRules[action]
	if !known || !a.acts() && !a.anonymous() || !r.applies(a, p) {
		return Denied
	}
	if a.opened(r.open, p) {
		return Allowed
	}
	least := r.least
	if action == SetPipelineVariables {
		var anyone bool
		if least, anyone = variablesRole(p); !anyone {
			return Denied
		}
	}
	return verdict(a.role() >= least)
}

// AllowGroup is Allow for a group; a.Role is the role in it.
func AllowGroup(a Actor, action Action, n ci.Namespace) Verdict {
	if a.JobToken { // no call about groups takes job tokens
		a = Actor{}
	}
	if !a.sees(n.Visibility) {
		return Hidden
	}
	r, known := groupRules[action]
	if !known || !a.acts() && !a.anonymous() {
		return Denied
	}
	return verdict(r.open == forSeers || a.role() >= r.least)
}

// applies checks the conditions of a rule that have nothing to do with roles.
func (r rule) applies(a Actor, p ci.Project) bool {
	switch {
	case p.Archived && r.given&inArchive == 0,
		!a.User.Confirmed && r.given&confirmed != 0,
		a.JobToken && r.given&byJob == 0,
		r.feature == builds && p.BuildsAccess == ci.AccessDisabled,
		r.feature != always && p.BuildsAccess == ci.AccessPrivate && a.role() < ci.Guest:
		return false
	}
	return true
}

// opened reports whether the actor needs no role.
func (a Actor) opened(o opening, p ci.Project) bool {
	switch o {
	case forSeers:
		return true
	case forOthers:
		return p.Visibility != ci.Private
	case forJobs:
		return p.PublicJobs
	case closed:
	}
	return false
}

// within is the actor as p sees them: the token of a job whose project is not in
// scope has no more rights than a stranger (contract/trigger-api.md 2.3).
func (a Actor) within(p ci.Project) Actor {
	if a.JobToken && !a.InScope && a.JobProject != p.ID && p.InboundTokenScope {
		a.Role = ci.NoRole
	}
	return a
}

// role is the effective role: administrators are above owners, but not through a
// job token.
func (a Actor) role() ci.Role {
	switch {
	case a.anonymous():
		return ci.NoRole
	case a.User.Admin && !a.JobToken:
		return ci.Admin
	}
	return a.Role
}

// anonymous reports whether nobody is signed in.
func (a Actor) anonymous() bool { return a.User.ID == 0 }

// acts reports whether there is a user who is not blocked. One who is deactivated
// keeps the rights here and loses those to repositories (contract/trigger-api.md
// 1.7, case 24b); the API refuses both before it asks.
func (a Actor) acts() bool { return !a.anonymous() && a.User.State != ci.UserBlocked }

// sees reports whether the actor may know of something with this visibility.
func (a Actor) sees(v ci.Visibility) bool {
	switch {
	case v == ci.Public:
		return true
	case !a.acts():
		return false
	case v == ci.Internal:
		return true
	}
	return a.role() >= ci.Guest
}
