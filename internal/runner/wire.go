package runner

import (
	"encoding/json"
	"fmt"
)

// The shapes that travel between a runner and the server. Field names are GitLab's; every object and
// every list may be null or missing, and fields that are not named here are ignored.

// info describes the runner to the server; it goes with every job request and update.
type info struct {
	Name         string          `json:"name"`
	Version      string          `json:"version"`
	Revision     string          `json:"revision"`
	Platform     string          `json:"platform"`
	Architecture string          `json:"architecture"`
	Executor     string          `json:"executor"`
	Shell        string          `json:"shell"`
	Features     map[string]bool `json:"features"`
}

// announced is what this runner can do. A server fails a job that needs anything else (`runner_unsupported`).
// two_phase_job_commit stays false: a job is this runner's from the 201 on.
func announced() map[string]bool {
	return map[string]bool{
		"variables": true, "artifacts": true, "cache": true, "fallback_cache_keys": true,
		"upload_multiple_artifacts": true, "upload_raw_artifacts": true, "artifacts_exclude": true,
		"refspecs": true, "masking": true, "raw_variables": true, "multi_build_steps": true,
		"trace_reset": true, "trace_checksum": true, "trace_size": true, "return_exit_code": true,
		"cancelable": true, "cancel_gracefully": true, "two_phase_job_commit": false,
		"shared": true, "image": false, "services": false, "proxy": false, "session": false, "terminal": false,
		"vault_secrets": false, "service_variables": false, "native_steps_integration": false,
	}
}

type verifyRequest struct {
	Token    string `json:"token"`
	SystemID string `json:"system_id"`
	Info     info   `json:"info"`
}

type jobRequest struct {
	Info       info   `json:"info"`
	Token      string `json:"token"`
	SystemID   string `json:"system_id"`
	LastUpdate string `json:"last_update,omitempty"`
}

// jobUpdate is the body of PUT /jobs/:id. Checksum repeats Output.Checksum for servers older than the field.
type jobUpdate struct {
	Info          info   `json:"info"`
	Token         string `json:"token"`
	State         string `json:"state"`
	FailureReason string `json:"failure_reason,omitempty"`
	ExitCode      int    `json:"exit_code,omitempty"`
	Checksum      string `json:"checksum,omitempty"`
	Output        output `json:"output"`
}

// output says what the whole log should look like on the server.
type output struct {
	Checksum string `json:"checksum,omitempty"` // "crc32:" and eight hex digits, IEEE
	Bytesize int64  `json:"bytesize,omitempty"`
}

// payload is the body of a 201 to POST /jobs/request, as far as a shell executor needs it.
type payload struct {
	ID            int64        `json:"id"`
	Token         string       `json:"token"`
	AllowGitFetch bool         `json:"allow_git_fetch"`
	JobInfo       jobInfo      `json:"job_info"`
	GitInfo       gitInfo      `json:"git_info"`
	RunnerInfo    runnerInfo   `json:"runner_info"`
	Variables     []variable   `json:"variables"`
	Steps         []step       `json:"steps"`
	Artifacts     []artifact   `json:"artifacts"`
	Cache         []cacheSpec  `json:"cache"`
	Dependencies  []dependency `json:"dependencies"`
	Features      features     `json:"features"`
	Hooks         []hook       `json:"hooks"`
}

type jobInfo struct {
	Name            string `json:"name"`
	Stage           string `json:"stage"`
	ProjectID       int64  `json:"project_id"`
	ProjectFullPath string `json:"project_full_path"`
}

type gitInfo struct {
	RepoURL      string   `json:"repo_url"`
	ObjectFormat string   `json:"repo_object_format"`
	Ref          string   `json:"ref"`
	SHA          string   `json:"sha"`
	Refspecs     []string `json:"refspecs"`
	Depth        int      `json:"depth"`
}

type runnerInfo struct {
	Timeout int `json:"timeout"` // seconds; 0 means the default, two hours
}

type variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	Masked bool   `json:"masked"`
	File   bool   `json:"file"`
	Raw    bool   `json:"raw"`
}

type step struct {
	Name         string   `json:"name"`
	Script       []string `json:"script"`
	When         string   `json:"when"`
	AllowFailure bool     `json:"allow_failure"`
}

type artifact struct {
	Name      string   `json:"name"`
	Untracked bool     `json:"untracked"`
	Paths     []string `json:"paths"`
	Exclude   []string `json:"exclude"`
	When      string   `json:"when"`
	ExpireIn  string   `json:"expire_in"`
	Type      string   `json:"artifact_type"`
	Format    string   `json:"artifact_format"`
}

type cacheSpec struct {
	Key          string   `json:"key"`
	Untracked    bool     `json:"untracked"`
	Policy       string   `json:"policy"`
	Paths        []string `json:"paths"`
	When         string   `json:"when"`
	FallbackKeys []string `json:"fallback_keys"`
}

type dependency struct {
	ID            int64  `json:"id"`
	Name          string `json:"name"`
	Token         string `json:"token"`
	ArtifactsFile struct {
		Filename string `json:"filename"`
	} `json:"artifacts_file"`
}

type features struct {
	TraceSections     bool     `json:"trace_sections"`
	FailureReasons    []string `json:"failure_reasons"`
	TokenMaskPrefixes []string `json:"token_mask_prefixes"`
}

type hook struct {
	Name   string   `json:"name"`
	Script []string `json:"script"`
}

// malformedJob is a payload that could not be read, but told whose it is: enough to fail the job instead of losing it.
type malformedJob struct {
	id    int64
	token string
	err   error
}

// Error says which job it was; the payload itself holds secrets and is not shown.
func (e *malformedJob) Error() string { return fmt.Sprintf("read payload of job %d: %v", e.id, e.err) }

// Unwrap returns the decoder's error.
func (e *malformedJob) Unwrap() error { return e.err }

// parsePayload reads a job. A payload with an id and a token but something unreadable beside them gives *malformedJob.
func parsePayload(body []byte) (*payload, error) {
	var p payload
	err := json.Unmarshal(body, &p)
	if err == nil && p.ID > 0 && p.Token != "" {
		return &p, nil
	}
	if err == nil {
		return nil, fmt.Errorf("read job payload: no id or no token")
	}
	var whose struct {
		ID    int64  `json:"id"`
		Token string `json:"token"`
	}
	if json.Unmarshal(body, &whose) == nil && whose.ID > 0 && whose.Token != "" {
		return nil, &malformedJob{id: whose.ID, token: whose.Token, err: err}
	}
	return nil, fmt.Errorf("read job payload: %w", err)
}
