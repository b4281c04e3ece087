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

		// Pipelines.
		{"GET /projects/{id}/pipelines", anyone | jobs, api, a.listPipelines, 0},
		{"GET /projects/{id}/pipelines/latest", anyone | jobs, api, a.latestPipeline, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}", anyone | jobs, api, a.getPipeline, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}/jobs", anyone | jobs, api, a.listPipelineJobs, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}/bridges", anyone | jobs, api, a.listBridges, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}/trigger_jobs", anyone | jobs, api, a.listBridges, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}/variables", anyone, api, a.pipelineVariables, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}/test_report", anyone, api, a.testReport, 0},
		{"GET /projects/{id}/pipelines/{pipeline_id}/test_report_summary", anyone, api, a.testReportSummary, 0},
		{"POST /projects/{id}/pipeline", signedIn, api, a.createPipeline, 0},
		{"POST /projects/{id}/pipelines/{pipeline_id}/retry", signedIn, api, a.retryPipeline, 0},
		{"POST /projects/{id}/pipelines/{pipeline_id}/cancel", signedIn, api, a.cancelPipeline, 0},
		{"PUT /projects/{id}/pipelines/{pipeline_id}/metadata", signedIn | jobs, api, a.renamePipeline, 0},
		{"DELETE /projects/{id}/pipelines/{pipeline_id}", signedIn, api, a.deletePipeline, 0},

		// CI lint.
		{"GET /projects/{id}/ci/lint", anyone, api, a.lintFile, 0},
		{"POST /projects/{id}/ci/lint", signedIn, api, a.lintContent, maxLintBody},

		// Jobs.
		{"GET /job", signedIn | jobs, api, a.getOwnJob, 0},
		{"GET /projects/{id}/jobs", signedIn, api, a.listJobs, 0},
		{"GET /projects/{id}/jobs/{job_id}", signedIn, api, a.getJob, 0},
		{"GET /projects/{id}/jobs/{job_id}/trace", signedIn, api, a.getTrace, 0},
		{"GET /projects/{id}/jobs/{job_id}/variables", signedIn, api, a.jobVariables, 0}, // ours
		{"POST /projects/{id}/jobs/{job_id}/cancel", signedIn, api, a.cancelJob, 0},
		{"POST /projects/{id}/jobs/{job_id}/retry", signedIn, api, a.retryJob, 0},
		{"POST /projects/{id}/jobs/{job_id}/erase", signedIn, api, a.eraseJob, 0},
		{"POST /projects/{id}/jobs/{job_id}/play", signedIn, api, a.playJob, 0},

		// Resource groups.
		{"GET /projects/{id}/resource_groups", signedIn, api, a.listResourceGroups, 0},
		{"GET /projects/{id}/resource_groups/{key}", signedIn, api, a.getResourceGroup, 0},
		{"GET /projects/{id}/resource_groups/{key}/upcoming_jobs", signedIn, api, a.listUpcomingJobs, 0},
		{"PUT /projects/{id}/resource_groups/{key}", signedIn, api, a.updateResourceGroup, 0},

		// Job artifacts. The mux cannot tell a job's artifacts from those of a ref by
		// itself: the handlers look at the last wildcard.
		{"GET /projects/{id}/jobs/{job_id}/artifacts", anyone | jobs, api, a.getArtifacts, 0},
		{"GET /projects/{id}/jobs/{job_id}/{part}/{artifact_path...}", anyone | jobs, api, a.getArtifactPart, 0},
		{"GET /projects/{id}/jobs/artifacts/{ref}/{artifact_path...}", anyone | jobs, api, a.getLatestArtifacts, 0},
		{"POST /projects/{id}/jobs/{job_id}/artifacts/keep", signedIn, api, a.keepArtifacts, 0},
		{"DELETE /projects/{id}/jobs/{job_id}/artifacts", signedIn, api, a.deleteArtifacts, 0},
		{"DELETE /projects/{id}/artifacts", signedIn, api, a.deleteProjectArtifacts, 0},

		// Runners, by people; what runners ask for themselves is another package's.
		{"GET /runners", signedIn, api, a.listRunners, 0},
		{"GET /runners/all", admins, api, a.listAllRunners, 0},
		{"GET /runners/{runner_id}", signedIn, api, a.getRunner, 0},
		{"PUT /runners/{runner_id}", signedIn, api, a.updateRunner, 0},
		{"DELETE /runners/{runner_id}", signedIn, api, a.deleteRunner, 0},
		{"GET /runners/{runner_id}/jobs", signedIn, api, a.listRunnerJobs, 0},
		{"GET /runners/{runner_id}/managers", signedIn, api, a.listManagers, 0},
		{"POST /runners/{runner_id}/reset_authentication_token", signedIn, api, a.resetRunnerToken, 0},
		{"POST /user/runners", signedIn, auth.UseCreateRunner, a.createRunner, 0},
		{"GET /projects/{id}/runners", signedIn, api, a.listProjectRunners, 0},
		{"POST /projects/{id}/runners", signedIn, api, a.assignRunner, 0},
		{"DELETE /projects/{id}/runners/{runner_id}", signedIn, api, a.unassignRunner, 0},
		{"GET /groups/{id}/runners", signedIn, api, a.listGroupRunners, 0},

		// Projects.
		{"GET /projects", anyone, api, a.listProjects, 0},
		{"GET /users/{user_id}/projects", anyone, api, a.listUserProjects, 0},
		{"GET /projects/{id}", anyone, api, a.getProject, 0},
		{"POST /projects", signedIn, api, a.createProject, 0},
		{"PUT /projects/{id}", signedIn, api, a.updateProject, 0},
		{"PUT /projects/{id}/transfer", signedIn, api, a.transferProject, 0},
		{"POST /projects/{id}/archive", signedIn, api, a.archiveProject, 0},
		{"POST /projects/{id}/unarchive", signedIn, api, a.unarchiveProject, 0},
		{"DELETE /projects/{id}", signedIn, api, a.deleteProject, 0},
		{"GET /projects/{id}/merge_requests", anyone, api, a.listMergeRequests, 0},

		// Groups and namespaces.
		{"GET /groups", anyone, api, a.listGroups, 0},
		{"GET /groups/{id}", anyone, api, a.getGroup, 0},
		{"GET /groups/{id}/projects", anyone, api, a.listGroupProjects, 0},
		{"GET /groups/{id}/subgroups", anyone, api, a.listSubgroups(false), 0},
		{"GET /groups/{id}/descendant_groups", anyone, api, a.listSubgroups(true), 0},
		{"POST /groups", signedIn, api, a.createGroup, 0},
		{"PUT /groups/{id}", signedIn, api, a.updateGroup, 0},
		{"DELETE /groups/{id}", signedIn, api, a.deleteGroup, 0},
		{"GET /namespaces", signedIn, api, a.listNamespaces, 0},
		{"GET /namespaces/{id}", signedIn, api, a.getNamespace, 0},
		{"GET /namespaces/{id}/exists", signedIn, api, a.namespaceExists, 0},

		// Members of projects and groups.
		{"GET /projects/{id}/members", signedIn, api, a.listMembers(ofProject, false), 0},
		{"GET /projects/{id}/members/all", signedIn, api, a.listMembers(ofProject, true), 0},
		{"GET /projects/{id}/members/{user_id}", signedIn, api, a.getMember(ofProject, false), 0},
		{"GET /projects/{id}/members/all/{user_id}", signedIn, api, a.getMember(ofProject, true), 0},
		{"POST /projects/{id}/members", signedIn, api, a.addMember(ofProject), 0},
		{"PUT /projects/{id}/members/{user_id}", signedIn, api, a.updateMember(ofProject), 0},
		{"DELETE /projects/{id}/members/{user_id}", signedIn, api, a.removeMember(ofProject), 0},
		{"GET /groups/{id}/members", signedIn, api, a.listMembers(ofGroup, false), 0},
		{"GET /groups/{id}/members/all", signedIn, api, a.listMembers(ofGroup, true), 0},
		{"GET /groups/{id}/members/{user_id}", signedIn, api, a.getMember(ofGroup, false), 0},
		{"GET /groups/{id}/members/all/{user_id}", signedIn, api, a.getMember(ofGroup, true), 0},
		{"POST /groups/{id}/members", signedIn, api, a.addMember(ofGroup), 0},
		{"PUT /groups/{id}/members/{user_id}", signedIn, api, a.updateMember(ofGroup), 0},
		{"DELETE /groups/{id}/members/{user_id}", signedIn, api, a.removeMember(ofGroup), 0},

		// Repositories.
		{"GET /projects/{id}/repository/branches", anyone, api, a.listBranches, 0},
		{"GET /projects/{id}/repository/branches/{branch}", anyone, api, a.getBranch, 0},
		{"POST /projects/{id}/repository/branches", signedIn, api, a.createBranch, 0},
		{"DELETE /projects/{id}/repository/branches/{branch}", signedIn, api, a.deleteBranch, 0},
		{"DELETE /projects/{id}/repository/merged_branches", signedIn, api, a.deleteMergedBranches, 0},
		{"GET /projects/{id}/repository/tags", anyone, api, a.listTags, 0},
		{"GET /projects/{id}/repository/tags/{tag_name}", anyone, api, a.getTag, 0},
		{"POST /projects/{id}/repository/tags", signedIn, api, a.createTag, 0},
		{"DELETE /projects/{id}/repository/tags/{tag_name}", signedIn, api, a.deleteTag, 0},
		{"GET /projects/{id}/repository/commits", anyone, api, a.listCommits, 0},
		{"GET /projects/{id}/repository/commits/{sha}", anyone, api, a.getCommit, 0},
		{"POST /projects/{id}/repository/commits", signedIn, api, a.createCommit, maxCommitBody},
		{"GET /projects/{id}/repository/files/{file_path}", anyone, api, a.getFile, 0},
		{"GET /projects/{id}/repository/files/{file_path}/raw", anyone, api, a.getRawFile, 0},
		{"POST /projects/{id}/repository/files/{file_path}", signedIn, api, a.createFile, maxCommitBody},
		{"PUT /projects/{id}/repository/files/{file_path}", signedIn, api, a.updateFile, maxCommitBody},
		{"DELETE /projects/{id}/repository/files/{file_path}", signedIn, api, a.deleteFile, 0},
		{"GET /projects/{id}/repository/tree", anyone, api, a.listTree, 0},

		// Protected branches and tags.
		{"GET /projects/{id}/protected_branches", signedIn, api, a.listProtections(false), 0},
		{"GET /projects/{id}/protected_branches/{name}", signedIn, api, a.getProtection(false), 0},
		{"POST /projects/{id}/protected_branches", signedIn, api, a.protectBranch, 0},
		{"PATCH /projects/{id}/protected_branches/{name}", signedIn, api, a.updateProtectedBranch, 0},
		{"DELETE /projects/{id}/protected_branches/{name}", signedIn, api, a.unprotect(false), 0},
		{"GET /projects/{id}/protected_tags", signedIn, api, a.listProtections(true), 0},
		{"GET /projects/{id}/protected_tags/{name}", signedIn, api, a.getProtection(true), 0},
		{"POST /projects/{id}/protected_tags", signedIn, api, a.protectTag, 0},
		{"DELETE /projects/{id}/protected_tags/{name}", signedIn, api, a.unprotect(true), 0},

		// CI/CD variables.
		{"GET /projects/{id}/variables", signedIn, api, a.listVariables(variablesOfProject), 0},
		{"GET /projects/{id}/variables/{key}", signedIn, api, a.getVariable(variablesOfProject), 0},
		{"POST /projects/{id}/variables", signedIn, api, a.createVariable(variablesOfProject), 0},
		{"PUT /projects/{id}/variables/{key}", signedIn, api, a.updateVariable(variablesOfProject), 0},
		{"DELETE /projects/{id}/variables/{key}", signedIn, api, a.deleteVariable(variablesOfProject), 0},
		{"GET /groups/{id}/variables", signedIn, api, a.listVariables(variablesOfGroup), 0},
		{"GET /groups/{id}/variables/{key}", signedIn, api, a.getVariable(variablesOfGroup), 0},
		{"POST /groups/{id}/variables", signedIn, api, a.createVariable(variablesOfGroup), 0},
		{"PUT /groups/{id}/variables/{key}", signedIn, api, a.updateVariable(variablesOfGroup), 0},
		{"DELETE /groups/{id}/variables/{key}", signedIn, api, a.deleteVariable(variablesOfGroup), 0},
		{"GET /admin/ci/variables", admins, api, a.listVariables(variablesOfInstance), 0},
		{"GET /admin/ci/variables/{key}", admins, api, a.getVariable(variablesOfInstance), 0},
		{"POST /admin/ci/variables", admins, api, a.createVariable(variablesOfInstance), 0},
		{"PUT /admin/ci/variables/{key}", admins, api, a.updateVariable(variablesOfInstance), 0},
		{"DELETE /admin/ci/variables/{key}", admins, api, a.deleteVariable(variablesOfInstance), 0},

		// Job token scope.
		{"GET /projects/{id}/job_token_scope", signedIn, api, a.getJobTokenScope, 0},
		{"PATCH /projects/{id}/job_token_scope", signedIn, api, a.setJobTokenScope, 0},
		{"GET /projects/{id}/job_token_scope/allowlist", signedIn, api, a.listAllowedProjects, 0},
		{"POST /projects/{id}/job_token_scope/allowlist", signedIn, api, a.allowProject, 0},
		{"DELETE /projects/{id}/job_token_scope/allowlist/{target_project_id}", signedIn, api, a.disallowProject, 0},
		{"GET /projects/{id}/job_token_scope/groups_allowlist", signedIn, api, a.listAllowedGroups, 0},
		{"POST /projects/{id}/job_token_scope/groups_allowlist", signedIn, api, a.allowGroup, 0},
		{"DELETE /projects/{id}/job_token_scope/groups_allowlist/{target_group_id}", signedIn, api, a.disallowGroup, 0},

		// Users and their tokens.
		{"GET /user", signedIn, auth.UseUser, a.currentUser, 0},
		{"GET /users", signedIn, auth.UseUser, a.listUsers, 0},
		{"GET /users/{id}", signedIn, auth.UseUser, a.getUser, 0},
		{"POST /users", admins, api, a.createUser, 0},
		{"DELETE /users/{id}", admins, api, a.deleteUser, 0},
		{"POST /users/{id}/block", admins, api, a.blockUser, 0},
		{"POST /users/{id}/unblock", admins, api, a.unblockUser, 0},
		{"POST /users/{id}/personal_access_tokens", admins, api, a.createUserToken, 0},
		{"POST /user/personal_access_tokens", signedIn, api, a.createOwnToken, 0},
		{"GET /personal_access_tokens", signedIn, api, a.listTokens, 0},
		{"GET /personal_access_tokens/self", signedIn, auth.UseUser, a.getToken, 0},
		{"GET /personal_access_tokens/{token_id}", signedIn, api, a.getToken, 0},
		{"DELETE /personal_access_tokens/self", signedIn, api, a.revokeToken, 0},
		{"DELETE /personal_access_tokens/{token_id}", signedIn, api, a.revokeToken, 0},

		// The server itself.
		{"GET /version", signedIn, api, a.version, 0},
		{"GET /metadata", signedIn, api, a.metadata, 0},
	}
}
