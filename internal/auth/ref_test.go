package auth

import (
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestRefs(t *testing.T) {
	protections := []ci.Protection{
		{Pattern: "main", PushLevel: ci.Maintainer, MergeLevel: ci.Developer},
		{Pattern: "release/*", PushLevel: ci.NoRole, MergeLevel: ci.Maintainer},
		{Pattern: "release/dev-*", PushLevel: ci.Developer, MergeLevel: ci.NoRole, ForcePush: true},
		{Pattern: "frozen", PushLevel: ci.NoRole, MergeLevel: ci.NoRole},
		{Pattern: "ops", PushLevel: ci.Admin, MergeLevel: ci.Admin},
		{Pattern: "v*", Tag: true, PushLevel: ci.Maintainer},
		{Pattern: "sealed-*", Tag: true, PushLevel: ci.NoRole},
	}
	as := func(r ci.Role) Actor { return Actor{User: user(7), Role: r} }
	admin := Actor{User: ci.User{ID: 8, Admin: true, State: ci.UserActive}}
	adminJob := Actor{User: admin.User, JobToken: true, InScope: true, Role: ci.Developer}
	deactivated := Actor{User: ci.User{ID: 7, State: ci.UserDeactivated}, Role: ci.Owner}
	blocked := Actor{User: ci.User{ID: 7, State: ci.UserBlocked}, Role: ci.Owner}
	for _, test := range []struct {
		name      string
		actor     Actor
		ref       string
		tag       bool
		run, push bool
	}{
		{"developer, free branch", as(ci.Developer), "topic", false, true, true},
		{"reporter, free branch", as(ci.Reporter), "topic", false, false, false},
		{"anonymous, free branch", Actor{}, "topic", false, false, false},
		{"developer may merge to main only", as(ci.Developer), "main", false, true, false},
		{"reporter, main", as(ci.Reporter), "main", false, false, false},
		{"maintainer, main", as(ci.Maintainer), "main", false, true, true},
		{"developer, release", as(ci.Developer), "release/1", false, false, false},
		{"maintainer, release, push for nobody", as(ci.Maintainer), "release/1", false, true, false},
		{"administrator, push for nobody", admin, "release/1", false, true, false},
		{"developer, one of two protections allows", as(ci.Developer), "release/dev-1", false, true, true},
		{"owner, frozen", as(ci.Owner), "frozen", false, false, false},
		{"administrator, frozen", admin, "frozen", false, false, false},
		{"owner, for administrators", as(ci.Owner), "ops", false, false, false},
		{"administrator, for administrators", admin, "ops", false, true, true},
		{"administrator by job token", adminJob, "ops", false, false, false},
		{"developer, free tag", as(ci.Developer), "nightly", true, true, true},
		{"reporter, free tag", as(ci.Reporter), "nightly", true, false, false},
		{"developer, protected tag", as(ci.Developer), "v1", true, false, false},
		{"maintainer, protected tag", as(ci.Maintainer), "v1", true, true, true},
		{"maintainer, tag for nobody", as(ci.Maintainer), "sealed-1", true, false, false},
		{"a branch is no tag", as(ci.Developer), "v1", false, true, true},
		{"deactivated", deactivated, "topic", false, false, false},
		{"blocked", blocked, "topic", false, false, false},
	} {
		if got := MayRunOnRef(test.actor, test.ref, test.tag, protections); got != test.run {
			t.Errorf("%s: run on %s: got %v, want %v", test.name, test.ref, got, test.run)
		}
		if got := MayPushRef(test.actor, test.ref, test.tag, protections); got != test.push {
			t.Errorf("%s: push to %s: got %v, want %v", test.name, test.ref, got, test.push)
		}
	}
	for _, test := range []struct {
		ref       string
		tag       bool
		protected bool
		force     bool
	}{
		{"topic", false, false, true},
		{"main", false, true, false},
		{"release/dev-1", false, true, true},
		{"v1", true, true, false},
		{"v1", false, false, true},
		{"nightly", true, false, true},
	} {
		if got := Protected(test.ref, test.tag, protections); got != test.protected {
			t.Errorf("%s is protected: got %v, want %v", test.ref, got, test.protected)
		}
		if got := MayForcePush(test.ref, test.tag, protections); got != test.force {
			t.Errorf("force push to %s: got %v, want %v", test.ref, got, test.force)
		}
	}
}

func TestObjects(t *testing.T) {
	p := project(ci.Private, true)
	maintainer := Actor{User: user(1), Role: ci.Maintainer}
	developer := Actor{User: user(2), Role: ci.Developer}
	admin := Actor{User: ci.User{ID: 3, Admin: true, Confirmed: true, State: ci.UserActive}}
	guest := Actor{User: user(4), Role: ci.Guest}
	protections := []ci.Protection{{Pattern: "main", PushLevel: ci.Maintainer, MergeLevel: ci.Maintainer}}
	trigger := func(owner ci.UserID) ci.Trigger { return ci.Trigger{OwnerID: owner} }
	run := func(user ci.UserID, ref string) ci.Pipeline { return ci.Pipeline{UserID: user, Ref: ref} }
	erase := func(a Actor, user ci.UserID, ref string) bool {
		return MayErase(a, p, ci.Job{UserID: user}, run(user, ref), protections)
	}
	for _, test := range []struct {
		name      string
		got, want bool
	}{
		{"owner of a trigger updates it", MayUpdateTrigger(maintainer, p, trigger(1)), true},
		{"another maintainer does not", MayUpdateTrigger(maintainer, p, trigger(2)), false},
		{"an owner who is developer now does not", MayUpdateTrigger(developer, p, trigger(2)), false},
		{"an administrator does not", MayUpdateTrigger(admin, p, trigger(1)), false},
		{"owner of a trigger sees the token", MaySeeToken(maintainer, p, trigger(1)), true},
		{"an administrator sees a part", MaySeeToken(admin, p, trigger(1)), false},
		{"nobody owns a trigger without owner", MaySeeToken(Actor{}, p, trigger(0)), false},
		{"maintainer reads variables", MayReadVariables(maintainer, p, run(2, "main"), protections), true},
		{"developer reads the own ones", MayReadVariables(developer, p, run(2, "topic"), protections), true},
		{"not on a protected ref", MayReadVariables(developer, p, run(2, "main"), protections), false},
		{"nor those of others", MayReadVariables(developer, p, run(1, "topic"), protections), false},
		{"maintainer erases", erase(maintainer, 2, "main"), true},
		{"developer erases the own", erase(developer, 2, "topic"), true},
		{"not on a protected ref", erase(developer, 2, "main"), false},
		{"nor that of others", erase(developer, 1, "topic"), false},
		{"guest reads a log", MayReadTrace(guest, p, false), true},
		{"but no debug log", MayReadTrace(guest, p, true), false},
		{"developer reads a debug log", MayReadTrace(developer, p, true), true},
		{"guest downloads", MayReadArtifacts(guest, p, ""), true},
		{"guest downloads for all", MayReadArtifacts(guest, p, "all"), true},
		{"guest, for developers", MayReadArtifacts(guest, p, "developer"), false},
		{"developer, for developers", MayReadArtifacts(developer, p, "developer"), true},
		{"developer, for maintainers", MayReadArtifacts(developer, p, "maintainer"), false},
		{"maintainer, for maintainers", MayReadArtifacts(maintainer, p, "maintainer"), true},
		{"administrator, for nobody", MayReadArtifacts(admin, p, "none"), false},
		{"an unknown access is nobody's", MayReadArtifacts(admin, p, "typo"), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestScoped(t *testing.T) {
	for _, test := range []struct {
		scopes []string
		use    Use
		method string
		want   bool
	}{
		{nil, UseAPI, "DELETE", true},
		{[]string{}, UseAPI, "GET", false},
		{[]string{"api"}, UseAPI, "POST", true},
		{[]string{"read_api"}, UseAPI, "GET", true},
		{[]string{"read_api"}, UseAPI, "HEAD", true},
		{[]string{"read_api"}, UseAPI, "POST", false},
		{[]string{"read_user"}, UseAPI, "GET", false},
		{[]string{"read_user"}, UseUser, "GET", true},
		{[]string{"create_runner"}, UseCreateRunner, "POST", true},
		{[]string{"create_runner"}, UseAPI, "GET", false},
		{[]string{"read_api"}, UseCreateRunner, "POST", false},
		{[]string{"read_repository"}, UsePull, "POST", true}, // git fetches by POST
		{[]string{"write_repository"}, UsePull, "GET", true},
		{[]string{"read_repository"}, UsePush, "POST", false},
		{[]string{"write_repository"}, UsePush, "POST", true},
		{[]string{"read_api"}, UsePull, "GET", false},
		{[]string{"api"}, UsePush, "POST", true},
	} {
		if got := Scoped(test.scopes, test.use, test.method); got != test.want {
			t.Errorf("%v, use %d, %s: got %v, want %v", test.scopes, test.use, test.method, got, test.want)
		}
	}
}
