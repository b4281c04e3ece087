package auth

import (
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// who are the columns of the golden table, from left to right.
var who = []struct {
	name  string
	actor Actor
}{
	{"anonymous", Actor{}},
	{"stranger", Actor{User: user(7)}},
	{"guest", Actor{User: user(7), Role: ci.Guest}},
	{"planner", Actor{User: user(7), Role: ci.Planner}},
	{"reporter", Actor{User: user(7), Role: ci.Reporter}},
	{"developer", Actor{User: user(7), Role: ci.Developer}},
	{"maintainer", Actor{User: user(7), Role: ci.Maintainer}},
	{"owner", Actor{User: user(7), Role: ci.Owner}},
	{"admin", Actor{User: ci.User{ID: 8, Admin: true, Confirmed: true, State: ci.UserActive}}},
}

func user(id ci.UserID) ci.User { return ci.User{ID: id, State: ci.UserActive, Confirmed: true} }

func project(v ci.Visibility, publicJobs bool) ci.Project {
	p := ci.Project{ID: 1, Visibility: v, ProjectSettings: ci.DefaultProjectSettings()}
	p.PublicJobs = publicJobs
	return p
}

// shown are the projects of the golden table, from left to right.
var shown = []ci.Project{
	project(ci.Private, true), project(ci.Private, false), project(ci.Internal, true),
	project(ci.Internal, false), project(ci.Public, true), project(ci.Public, false),
}

// roleMatrix is contract/trigger-api.md 3.3 spelled out. Each group of letters is
// a project (private, internal, public; each with public jobs, then without),
// each letter a caller in the order of who: anonymous, stranger, guest, planner,
// reporter, developer, maintainer, owner, administrator.
// H: hidden, D: denied, A: allowed.
const roleMatrix = `
                          private   private   internal  internal  public    public
                          public    members   public    members   public    members
read_project              HHAAAAAAA HHAAAAAAA HAAAAAAAA HAAAAAAAA AAAAAAAAA AAAAAAAAA
read_project_member       HHAAAAAAA HHAAAAAAA HAAAAAAAA HAAAAAAAA AAAAAAAAA AAAAAAAAA
read_code                 HHDAAAAAA HHDAAAAAA HAAAAAAAA HAAAAAAAA AAAAAAAAA AAAAAAAAA
download_code             HHDAAAAAA HHDAAAAAA HAAAAAAAA HAAAAAAAA AAAAAAAAA AAAAAAAAA
read_pipeline             HHAAAAAAA HHDDAAAAA HAAAAAAAA HDDDAAAAA AAAAAAAAA DDDDAAAAA
read_build                HHAAAAAAA HHDDAAAAA HAAAAAAAA HDDDAAAAA AAAAAAAAA DDDDAAAAA
read_build_trace          HHAAAAAAA HHDDAAAAA HAAAAAAAA HDDDAAAAA AAAAAAAAA DDDDAAAAA
read_job_artifacts        HHAAAAAAA HHDDAAAAA HAAAAAAAA HDDDAAAAA AAAAAAAAA DDDDAAAAA
read_pipeline_schedule    HHAAAAAAA HHDDAAAAA HAAAAAAAA HDDDAAAAA AAAAAAAAA DDDDAAAAA
push_code                 HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
create_pipeline           HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
set_pipeline_variables    HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
update_pipeline           HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
cancel_pipeline           HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
read_build_debug_trace    HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
play_job                  HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
retry_job                 HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
cancel_build              HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
keep_job_artifacts        HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
create_pipeline_schedule  HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
read_resource_group       HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
update_resource_group     HHDDDAAAA HHDDDAAAA HDDDDAAAA HDDDDAAAA DDDDDAAAA DDDDDAAAA
admin_build               HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
manage_trigger            HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
admin_trigger             HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
admin_cicd_variables      HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
read_pipeline_variable    HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
force_cancel_build        HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
erase_build               HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
delete_job_artifact       HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
admin_pipeline_schedule   HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
admin_project             HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
admin_project_member      HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
read_runners              HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
admin_runners             HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
create_runners            HHDDDDAAA HHDDDDAAA HDDDDDAAA HDDDDDAAA DDDDDDAAA DDDDDDAAA
destroy_pipeline          HHDDDDDAA HHDDDDDAA HDDDDDDAA HDDDDDDAA DDDDDDDAA DDDDDDDAA
archive_project           HHDDDDDAA HHDDDDDAA HDDDDDDAA HDDDDDDAA DDDDDDDAA DDDDDDDAA
remove_project            HHDDDDDAA HHDDDDDAA HDDDDDDAA HDDDDDDAA DDDDDDDAA DDDDDDDAA
change_visibility_level   HHDDDDDAA HHDDDDDAA HDDDDDDAA HDDDDDDAA DDDDDDDAA DDDDDDDAA
change_namespace          HHDDDDDAA HHDDDDDAA HDDDDDDAA HDDDDDDAA DDDDDDDAA DDDDDDDAA
made_up_action            HHDDDDDDD HHDDDDDDD HDDDDDDDD HDDDDDDDD DDDDDDDDD DDDDDDDDD
`

func TestRoleMatrix(t *testing.T) {
	covered := map[Action]bool{}
	for _, line := range strings.Split(strings.TrimSpace(roleMatrix), "\n")[2:] {
		cells := strings.Fields(line)
		action := Action(cells[0])
		covered[action] = true
		for i, p := range shown {
			var got strings.Builder
			for _, w := range who {
				got.WriteByte(strings.ToUpper(Allow(w.actor, action, p).String())[0])
			}
			if want := cells[1+i]; got.String() != want {
				t.Errorf("%s in a %s project, public jobs %v: got %s, want %s", action, p.Visibility, p.PublicJobs, got.String(), want)
			}
		}
	}
	for action := range projectRules {
		if !covered[action] {
			t.Errorf("%s is not in the golden table", action)
		}
	}
}

// verdicts checks one actor's verdict for each of several actions.
func verdicts(t *testing.T, what string, a Actor, p ci.Project, want map[Action]Verdict) {
	t.Helper()
	for action, want := range want {
		if got := Allow(a, action, p); got != want {
			t.Errorf("%s: %s: got %s, want %s", what, action, got, want)
		}
	}
}

func TestConditionsOfProjects(t *testing.T) {
	maintainer := Actor{User: user(7), Role: ci.Maintainer}
	p := project(ci.Public, true)
	p.Archived = true
	verdicts(t, "archived", maintainer, p, map[Action]Verdict{
		ReadProject: Allowed, ReadPipeline: Allowed, ReadBuildTrace: Allowed, DownloadCode: Allowed, AdminProject: Allowed,
		CancelPipeline: Allowed, CancelBuild: Allowed,
		CreatePipeline: Denied, UpdatePipeline: Denied, AdminBuild: Denied, ManageTrigger: Denied, AdminTrigger: Denied,
		PushCode: Denied, RetryJob: Denied, PlayJob: Denied, EraseBuild: Denied,
	})
	p = project(ci.Public, true)
	p.BuildsAccess = ci.AccessDisabled
	verdicts(t, "CI/CD off", maintainer, p, map[Action]Verdict{
		ReadProject: Allowed, PushCode: Allowed, AdminProject: Allowed,
		CreatePipeline: Allowed, // the steps of creation refuse it with their own text
		AdminBuild:     Denied, ManageTrigger: Denied, ReadBuild: Denied, ReadJobArtifacts: Denied, RetryJob: Denied, AdminVariables: Denied,
	})
	p.BuildsAccess = ci.AccessPrivate
	verdicts(t, "CI/CD for members, a stranger", Actor{User: user(9)}, p, map[Action]Verdict{
		ReadProject: Allowed, ReadCode: Allowed, ReadPipeline: Denied, ReadBuild: Denied, ReadJobArtifacts: Denied,
	})
	verdicts(t, "CI/CD for members, a guest", Actor{User: user(9), Role: ci.Guest}, p, map[Action]Verdict{ReadPipeline: Allowed, ReadBuild: Allowed})
}

func TestConditionsOfUsers(t *testing.T) {
	p := project(ci.Private, true)
	a := Actor{User: user(7), Role: ci.Maintainer}
	a.User.Confirmed = false
	verdicts(t, "unconfirmed", a, p, map[Action]Verdict{
		ReadPipeline: Allowed, AdminBuild: Allowed, CreatePipeline: Denied, UpdatePipeline: Denied, CancelPipeline: Denied, CreatePipelineSchedule: Denied,
	})
	a = Actor{User: user(7), Role: ci.Owner}
	a.User.State = ci.UserBlocked
	verdicts(t, "blocked", a, p, map[Action]Verdict{ReadProject: Hidden, CreatePipeline: Hidden})
	verdicts(t, "blocked, public", a, project(ci.Public, true), map[Action]Verdict{ReadProject: Denied, CreatePipeline: Denied, ReadPipeline: Denied})
	a.User.State = ci.UserDeactivated
	verdicts(t, "deactivated", a, p, map[Action]Verdict{CreatePipeline: Allowed})
	a = Actor{User: ci.User{ID: 7, Admin: true, State: ci.UserBlocked}}
	verdicts(t, "blocked administrator", a, p, map[Action]Verdict{AdminInstance: Denied, ReadProject: Hidden})
	verdicts(t, "a role without a user", Actor{Role: ci.Owner}, project(ci.Public, true), map[Action]Verdict{AdminProject: Denied, PushCode: Denied})
}

func TestVariablesRole(t *testing.T) {
	for _, test := range []struct {
		setting ci.VariablesRole
		want    string // verdicts in the order of who
	}{
		{ci.VariablesDeveloper, "HHDDDAAAA"},
		{ci.VariablesMaintainer, "HHDDDDAAA"},
		{ci.VariablesOwner, "HHDDDDDAA"},
		{ci.VariablesNobody, "HHDDDDDDD"},
		{"typo", "HHDDDDDDD"},
	} {
		p := project(ci.Private, true)
		p.VariablesRole = test.setting
		var got strings.Builder
		for _, w := range who {
			got.WriteByte(strings.ToUpper(Allow(w.actor, SetPipelineVariables, p).String())[0])
		}
		if got.String() != test.want {
			t.Errorf("%s: got %s, want %s", test.setting, got.String(), test.want)
		}
	}
}

// The cases of contract/trigger-api.md 2.3.
func TestJobTokens(t *testing.T) {
	const own, other = 1, 2
	job := func(role ci.Role, from ci.ProjectID, inScope bool) Actor {
		return Actor{User: user(7), Role: role, JobToken: true, JobProject: from, InScope: inScope}
	}
	open := project(ci.Private, true)
	open.InboundTokenScope = false
	for _, test := range []struct {
		name   string
		actor  Actor
		target ci.Project
		want   map[Action]Verdict
	}{
		{"1 same project", job(ci.Developer, own, false), project(ci.Private, true), map[Action]Verdict{CreatePipeline: Allowed, ReadProject: Allowed}},
		{"2 private, not listed", job(ci.Owner, other, false), project(ci.Private, true), map[Action]Verdict{CreatePipeline: Hidden, ReadProject: Hidden}},
		{"3 private, listed", job(ci.Developer, other, true), project(ci.Private, true), map[Action]Verdict{CreatePipeline: Allowed, SetPipelineVariables: Allowed}},
		{"4 private, listed, reporter", job(ci.Reporter, other, true), project(ci.Private, true), map[Action]Verdict{CreatePipeline: Denied, ReadProject: Allowed}},
		{"5 private, listed, no role", job(ci.NoRole, other, true), project(ci.Private, true), map[Action]Verdict{CreatePipeline: Hidden, ReadProject: Hidden}},
		{"6 public, not listed", job(ci.Developer, other, false), project(ci.Public, true), map[Action]Verdict{CreatePipeline: Denied, ReadProject: Allowed, ReadBuild: Allowed}},
		{"6 internal, not listed", job(ci.Developer, other, false), project(ci.Internal, false), map[Action]Verdict{CreatePipeline: Denied, ReadProject: Allowed, ReadBuild: Denied}},
		{"7 no list kept", job(ci.Developer, other, false), open, map[Action]Verdict{CreatePipeline: Allowed}},
		{"never more than a job needs", job(ci.Owner, own, true), project(ci.Private, true), map[Action]Verdict{
			PushCode: Denied, AdminBuild: Denied, ManageTrigger: Denied, AdminProject: Denied, AdminVariables: Denied,
			ReadPipelineVariable: Denied, DestroyPipeline: Denied, CreateRunner: Denied, AdminInstance: Denied,
			DownloadCode: Allowed, ReadJobArtifacts: Allowed,
		}},
	} {
		verdicts(t, test.name, test.actor, test.target, test.want)
	}
	admin := job(ci.NoRole, other, true)
	admin.User.Admin = true
	verdicts(t, "an administrator's job", admin, project(ci.Private, true), map[Action]Verdict{CreatePipeline: Hidden, AdminInstance: Denied})
	if got := AllowGroup(admin, ReadGroup, ci.Namespace{Visibility: ci.Private}); got != Hidden {
		t.Errorf("a job token in a private group: got %s, want hidden", got)
	}
}

func TestAllowGroup(t *testing.T) {
	for _, test := range []struct {
		action  Action
		private string // verdicts in the order of who
		public  string
	}{
		{ReadGroup, "HHAAAAAAA", "AAAAAAAAA"},
		{ReadGroupMembers, "HHAAAAAAA", "AAAAAAAAA"},
		{CreateProjects, "HHDDDAAAA", "DDDDDAAAA"},
		{CreateSubgroup, "HHDDDDAAA", "DDDDDDAAA"},
		{AdminGroup, "HHDDDDDAA", "DDDDDDDAA"},
		{AdminGroupMembers, "HHDDDDDAA", "DDDDDDDAA"},
		{CreateRunner, "HHDDDDDAA", "DDDDDDDAA"},
		{CreatePipeline, "HHDDDDDDD", "DDDDDDDDD"},
	} {
		for visibility, want := range map[ci.Visibility]string{ci.Private: test.private, ci.Public: test.public} {
			var got strings.Builder
			for _, w := range who {
				got.WriteByte(strings.ToUpper(AllowGroup(w.actor, test.action, ci.Namespace{Visibility: visibility}).String())[0])
			}
			if got.String() != want {
				t.Errorf("%s in a %s group: got %s, want %s", test.action, visibility, got.String(), want)
			}
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	a, p := Actor{User: user(7), Role: ci.Developer}, project(ci.Private, true)
	b.ReportAllocs()
	for b.Loop() {
		if Allow(a, CreatePipeline, p) != Allowed {
			b.Fatal("denied")
		}
	}
}
