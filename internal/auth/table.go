package auth

import "github.com/lanyard-ci/lanyard/internal/ci"

// An Action is something to do with a project, a group or the server, named like
// GitLab's ability for it (contract/trigger-api.md 3.3).
type Action string

// The actions on a project.
const (
	ReadProject            Action = "read_project"
	ReadCode               Action = "read_code"
	DownloadCode           Action = "download_code" // clone, fetch
	PushCode               Action = "push_code"     // and make or delete branches and tags; see MayPushRef
	AdminProject           Action = "admin_project" // settings, protected refs, job token scope
	ArchiveProject         Action = "archive_project"
	RemoveProject          Action = "remove_project"
	ChangeVisibility       Action = "change_visibility_level"
	ChangeNamespace        Action = "change_namespace"
	ReadMembers            Action = "read_project_member"
	AdminMembers           Action = "admin_project_member"
	AdminBuild             Action = "admin_build"    // see trigger tokens
	ManageTrigger          Action = "manage_trigger" // create and delete them
	AdminTrigger           Action = "admin_trigger"  // change one: its owner only, see MayUpdateTrigger
	AdminVariables         Action = "admin_cicd_variables"
	CreatePipeline         Action = "create_pipeline" // and lint
	SetPipelineVariables   Action = "set_pipeline_variables"
	ReadPipeline           Action = "read_pipeline"
	ReadPipelineVariable   Action = "read_pipeline_variable" // of any pipeline; of one's own see MayReadVariables
	UpdatePipeline         Action = "update_pipeline"        // retry, rename
	CancelPipeline         Action = "cancel_pipeline"
	DestroyPipeline        Action = "destroy_pipeline"
	ReadBuild              Action = "read_build"
	ReadBuildTrace         Action = "read_build_trace"
	ReadDebugTrace         Action = "read_build_debug_trace" // a log with CI_DEBUG_TRACE on
	PlayJob                Action = "play_job"
	RetryJob               Action = "retry_job"
	CancelBuild            Action = "cancel_build"
	ForceCancelBuild       Action = "force_cancel_build"
	EraseBuild             Action = "erase_build"        // any job; one's own see MayErase
	ReadJobArtifacts       Action = "read_job_artifacts" // see also MayReadArtifacts
	KeepJobArtifacts       Action = "keep_job_artifacts"
	DeleteJobArtifact      Action = "delete_job_artifact"
	ReadPipelineSchedule   Action = "read_pipeline_schedule"
	CreatePipelineSchedule Action = "create_pipeline_schedule"
	AdminPipelineSchedule  Action = "admin_pipeline_schedule"
	ReadResourceGroup      Action = "read_resource_group"
	UpdateResourceGroup    Action = "update_resource_group"
	ReadRunners            Action = "read_runners"
	AdminRunners           Action = "admin_runners" // change, pause, remove
	CreateRunner           Action = "create_runners"
)

// The actions on a group; CreateRunner, AdminRunners and AdminVariables are there
// too.
const (
	ReadGroup         Action = "read_group"
	CreateProjects    Action = "create_projects"
	CreateSubgroup    Action = "create_subgroup"
	AdminGroup        Action = "admin_group" // settings, removal
	ReadGroupMembers  Action = "read_group_member"
	AdminGroupMembers Action = "admin_group_member"
)

// AdminInstance is everything that belongs to the whole server: users, instance
// runners, instance variables.
const AdminInstance Action = "admin_instance"

// opening says who may take an action without the role for it.
type opening int

const (
	closed    opening = iota
	forSeers          // everyone who sees the project or group
	forOthers         // everyone who sees a public or internal project; guests of a private one do not
	forJobs           // everyone who sees the project, while its jobs are public (public_jobs)
)

// feature says which part of a project an action belongs to.
type feature int

const (
	always    feature = iota
	pipelines         // gone for outsiders when CI/CD is for members only
	builds            // the same, and gone for all when CI/CD is off
)

// condition is a set of conditions that have nothing to do with roles.
type condition int

const (
	inArchive condition = 1 << iota // holds in archived projects too
	confirmed                       // needs a confirmed e-mail address
	byJob                           // may be done with a job token
)

// A rule is a line of the table.
type rule struct {
	least   ci.Role // of a member; for SetPipelineVariables a setting of the project
	open    opening
	feature feature
	given   condition
}

// projectRules is the table: what each action on a project takes. An action that
// is not listed is nobody's.
var projectRules = map[Action]rule{
	//                      least role     without it part of    given
	ReadProject:            {ci.Guest, forSeers, always, inArchive | byJob},
	ReadCode:               {ci.Planner, forOthers, always, inArchive | byJob},
	DownloadCode:           {ci.Planner, forOthers, always, inArchive | byJob},
	PushCode:               {ci.Developer, closed, always, 0},
	AdminProject:           {ci.Maintainer, closed, always, inArchive},
	ArchiveProject:         {ci.Owner, closed, always, inArchive},
	RemoveProject:          {ci.Owner, closed, always, inArchive},
	ChangeVisibility:       {ci.Owner, closed, always, inArchive},
	ChangeNamespace:        {ci.Owner, closed, always, inArchive},
	ReadMembers:            {ci.Guest, forSeers, always, inArchive},
	AdminMembers:           {ci.Maintainer, closed, always, inArchive},
	AdminBuild:             {ci.Maintainer, closed, builds, 0},
	ManageTrigger:          {ci.Maintainer, closed, builds, 0},
	AdminTrigger:           {ci.Maintainer, closed, builds, 0},
	AdminVariables:         {ci.Maintainer, closed, builds, inArchive},
	CreatePipeline:         {ci.Developer, closed, pipelines, confirmed | byJob},
	SetPipelineVariables:   {ci.Developer, closed, always, inArchive | byJob},
	ReadPipeline:           {ci.Reporter, forJobs, pipelines, inArchive | byJob},
	ReadPipelineVariable:   {ci.Maintainer, closed, pipelines, inArchive},
	UpdatePipeline:         {ci.Developer, closed, pipelines, confirmed | byJob},
	CancelPipeline:         {ci.Developer, closed, pipelines, inArchive | confirmed},
	DestroyPipeline:        {ci.Owner, closed, pipelines, 0},
	ReadBuild:              {ci.Reporter, forJobs, builds, inArchive | byJob},
	ReadBuildTrace:         {ci.Reporter, forJobs, builds, inArchive | byJob},
	ReadDebugTrace:         {ci.Developer, closed, builds, inArchive},
	PlayJob:                {ci.Developer, closed, builds, 0},
	RetryJob:               {ci.Developer, closed, builds, 0},
	CancelBuild:            {ci.Developer, closed, builds, inArchive},
	ForceCancelBuild:       {ci.Maintainer, closed, builds, inArchive},
	EraseBuild:             {ci.Maintainer, closed, builds, 0},
	ReadJobArtifacts:       {ci.Reporter, forJobs, builds, inArchive | byJob},
	KeepJobArtifacts:       {ci.Developer, closed, builds, 0},
	DeleteJobArtifact:      {ci.Maintainer, closed, builds, 0},
	ReadPipelineSchedule:   {ci.Reporter, forJobs, builds, inArchive},
	CreatePipelineSchedule: {ci.Developer, closed, builds, confirmed},
	AdminPipelineSchedule:  {ci.Maintainer, closed, builds, 0},
	ReadResourceGroup:      {ci.Developer, closed, builds, inArchive},
	UpdateResourceGroup:    {ci.Developer, closed, builds, 0},
	ReadRunners:            {ci.Maintainer, closed, always, inArchive},
	AdminRunners:           {ci.Maintainer, closed, always, inArchive},
	CreateRunner:           {ci.Maintainer, closed, always, inArchive},
}

// groupRules is the table for groups.
var groupRules = map[Action]rule{
	ReadGroup:         {least: ci.Guest, open: forSeers},
	ReadGroupMembers:  {least: ci.Guest, open: forSeers},
	CreateProjects:    {least: ci.Developer},
	CreateSubgroup:    {least: ci.Maintainer},
	AdminGroup:        {least: ci.Owner},
	AdminGroupMembers: {least: ci.Owner},
	ReadRunners:       {least: ci.Owner},
	AdminRunners:      {least: ci.Owner},
	CreateRunner:      {least: ci.Owner},
	AdminVariables:    {least: ci.Owner},
}

// variablesRole is the least role for SetPipelineVariables in a project
// (contract/trigger-api.md 4.6); false for nobody, which a setting that is not
// known means too.
func variablesRole(p ci.Project) (ci.Role, bool) {
	switch p.VariablesRole {
	case ci.VariablesDeveloper:
		return ci.Developer, true
	case ci.VariablesMaintainer:
		return ci.Maintainer, true
	case ci.VariablesOwner:
		return ci.Owner, true
	case ci.VariablesNobody:
	}
	return ci.NoRole, false
}
