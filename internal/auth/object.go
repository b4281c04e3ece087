package auth

import "github.com/lanyard-ci/lanyard/internal/ci"

// The functions here decide about one trigger token, pipeline or job: where the
// table in table.go has an exception for who owns or started it
// (contract/trigger-api.md 3.3).

// MayUpdateTrigger reports whether the actor may change a trigger token: its owner
// with AdminTrigger, nobody else.
func MayUpdateTrigger(a Actor, p ci.Project, t ci.Trigger) bool {
	return a.is(t.OwnerID) && Allow(a, AdminTrigger, p) == Allowed
}

// MaySeeToken reports whether the actor is shown a trigger token in full: its owner
// while AdminBuild is theirs. Everybody else sees four characters, administrators
// too (contract/trigger-api.md 1.3).
func MaySeeToken(a Actor, p ci.Project, t ci.Trigger) bool {
	return a.is(t.OwnerID) && Allow(a, AdminBuild, p) == Allowed
}

// MayReadVariables reports whether the actor may read the variables of a pipeline:
// maintainers, and who started it and may still change it.
func MayReadVariables(a Actor, p ci.Project, pipeline ci.Pipeline, protections []ci.Protection) bool {
	return Allow(a, ReadPipelineVariable, p) == Allowed ||
		a.is(pipeline.UserID) && Allow(a, UpdatePipeline, p) == Allowed &&
			MayRunOnRef(a, pipeline.Ref, pipeline.Tag, protections)
}

// MayErase reports whether the actor may erase a job: maintainers, and the
// developer who started it when its ref is not protected.
func MayErase(a Actor, p ci.Project, job ci.Job, pipeline ci.Pipeline, protections []ci.Protection) bool {
	if Protected(pipeline.Ref, pipeline.Tag, protections) {
		return Allow(a, EraseBuild, p) == Allowed && MayRunOnRef(a, pipeline.Ref, pipeline.Tag, protections)
	}
	return Allow(a, EraseBuild, p) == Allowed || a.is(job.UserID) && Allow(a, RetryJob, p) == Allowed
}

// MayReadTrace reports whether the actor may read the log of a job; debug says
// that it was made with CI_DEBUG_TRACE, which prints every variable.
func MayReadTrace(a Actor, p ci.Project, debug bool) bool {
	if debug && Allow(a, ReadDebugTrace, p) != Allowed {
		return false
	}
	return Allow(a, ReadBuildTrace, p) == Allowed
}

// MayReadArtifacts reports whether the actor may download an artifact with this
// artifacts:access (all, developer, maintainer or none; empty means all).
func MayReadArtifacts(a Actor, p ci.Project, access string) bool {
	if Allow(a, ReadJobArtifacts, p) != Allowed {
		return false
	}
	switch access {
	case "", "all":
		return true
	case "developer":
		return a.within(p).role() >= ci.Developer
	case "maintainer":
		return a.within(p).role() >= ci.Maintainer
	}
	return false
}

// is reports whether the actor is this user.
func (a Actor) is(id ci.UserID) bool { return id != 0 && a.User.ID == id }
