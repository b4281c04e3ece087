package auth

import "github.com/lanyard-ci/lanyard/internal/ci"

// The functions here decide about one branch or tag, by its short name. A ref
// that no protection covers is open to developers; where several cover it, one
// that allows is enough. The actor's role counts as it is given: ask Allow first,
// which knows about job tokens and archived projects.

// Protected reports whether a protection covers the branch or tag.
func Protected(name string, tag bool, protections []ci.Protection) bool {
	for _, p := range protections {
		if p.Tag == tag && p.Covers(name) {
			return true
		}
	}
	return false
}

// MayRunOnRef reports whether the actor may start pipelines on a ref, and retry,
// play or cancel what runs on it: who may push to the branch or merge into it, or
// create the tag (contract/trigger-api.md 4.4).
func MayRunOnRef(a Actor, name string, tag bool, protections []ci.Protection) bool {
	return MayPushRef(a, name, tag, protections) || !tag && MayMerge(a, name, protections)
}

// MayPushRef reports whether the actor may push to a branch or create a tag.
func MayPushRef(a Actor, name string, tag bool, protections []ci.Protection) bool {
	if !a.usesGit() || !tag && a.role() < ci.Developer {
		return false
	}
	return a.reaches(name, tag, protections, func(p ci.Protection) ci.Role { return p.PushLevel })
}

// MayMerge reports whether the actor may merge into a branch.
func MayMerge(a Actor, name string, protections []ci.Protection) bool {
	return a.usesGit() && a.reaches(name, false, protections, func(p ci.Protection) ci.Role { return p.MergeLevel })
}

// MayForcePush reports whether a ref may be rewritten by those who may push to
// it: an unprotected one, or a branch with a protection that says so. A protected
// tag stays as it was created.
func MayForcePush(name string, tag bool, protections []ci.Protection) bool {
	if !Protected(name, tag, protections) {
		return true
	}
	for _, p := range protections {
		if !tag && !p.Tag && p.ForcePush && p.Covers(name) {
			return true
		}
	}
	return false
}

// reaches compares the actor's role with the levels of the protections that cover
// a ref. The level NoRole is for nobody, not even administrators.
func (a Actor) reaches(name string, tag bool, protections []ci.Protection, level func(ci.Protection) ci.Role) bool {
	covered := false
	for _, p := range protections {
		if p.Tag != tag || !p.Covers(name) {
			continue
		}
		covered = true
		if least := level(p); least != ci.NoRole && a.role() >= least {
			return true
		}
	}
	return !covered && a.role() >= ci.Developer
}

// usesGit reports whether the user may touch repositories at all.
func (a Actor) usesGit() bool { return a.acts() && a.User.State != ci.UserDeactivated }
