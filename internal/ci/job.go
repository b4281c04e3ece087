package ci

import "time"

// When says under which condition a job starts.
type When string

// The conditions of `when:`.
const (
	WhenOnSuccess When = "on_success"
	WhenOnFailure When = "on_failure"
	WhenAlways    When = "always"
	WhenManual    When = "manual"
	WhenDelayed   When = "delayed"
)

// A Job is one row of a pipeline: what the state machine and the queue need to
// know of it. What it executes is in its Spec, found by SpecDigest.
type Job struct {
	ID         JobID
	PipelineID PipelineID
	ProjectID  ProjectID
	Name       string
	Stage      string
	StageIndex int
	Status     Status
	Plan       JobPlan

	AllowFailure    bool // starts as the plan says; a listed exit code turns it on
	Retried         bool // a newer row of the same name counts instead
	Attempt         int  // 0 for the first row of this name, one more for each retry, automatic or not
	Protected       bool
	UserID          UserID
	Played          bool   // a manual or delayed job that was started, or is retried: it does not wait to be again
	SealedVariables []byte // those given when it was played, sealed; nil for most

	SpecDigest []byte
	Tags       []string // sorted, unique
	Timeout    int64    // seconds, within the limit of the runner that took it
	RunnerID   RunnerID
	ManagerID  int64 // the machine of the runner that took it
	Graceful   bool  // its runner announced that it can wind a job down

	TokenNonce  []byte // the job token is derived from it (docs/decisions, secrets)
	TokenDigest []byte

	FailureReason     FailureReason
	ExitCode          int
	Coverage          *float64
	CreatedAt         time.Time
	QueuedAt          time.Time // entered pending
	StartedAt         time.Time
	FinishedAt        time.Time
	ScheduledAt       time.Time // when a delayed job is due
	ErasedAt          time.Time
	ArtifactsExpireAt time.Time
}

// A JobPlan is what the configuration fixed about a job's place in the pipeline.
// It never changes after the row is made.
type JobPlan struct {
	When          When            `json:"when,omitempty"`
	StartIn       int64           `json:"start_in,omitempty"` // seconds, of a delayed job
	DAG           bool            `json:"dag,omitempty"`      // scheduled by its needs, not by stages
	Needs         []Need          `json:"needs,omitempty"`
	Dependencies  []string        `json:"dependencies"`         // nil: all of the earlier stages (or the needs); empty: none
	ExitCodes     []int           `json:"exit_codes,omitempty"` // of allow_failure
	RetryMax      int             `json:"retry_max,omitempty"`
	RetryWhen     []FailureReason `json:"retry_when,omitempty"`
	RetryCodes    []int           `json:"retry_codes,omitempty"`
	Interruptible bool            `json:"interruptible,omitempty"`
	Timeout       int64           `json:"timeout,omitempty"` // seconds, before a runner's own limit; flow.Start copies it from the job
	// CancelOnFailure: when this job fails, and may not, every other job is
	// canceled (workflow:auto_cancel:on_job_failure is all).
	CancelOnFailure bool `json:"cancel_on_failure,omitempty"`
	// OnNewCommit: what a newer commit of the branch does to the pipeline.
	OnNewCommit OnNewCommit `json:"on_new_commit,omitempty"`
	NodeIndex   int         `json:"node_index,omitempty"` // of parallel; 0: not parallel
	NodeTotal   int         `json:"node_total,omitempty"`
	Group       string      `json:"group,omitempty"` // name without the parallel suffix

	Environment        *Environment `json:"environment,omitempty"`
	ResourceGroup      string       `json:"resource_group,omitempty"`      // jobs of the same one run one at a time
	ManualConfirmation string       `json:"manual_confirmation,omitempty"` // the question before the job is played
}

// OnNewCommit says what becomes of a pipeline when there is one for a newer commit
// of its branch (workflow:auto_cancel:on_new_commit, contract/ci-yaml.md 8.6).
type OnNewCommit string

// The ways to deal with a redundant pipeline.
const (
	NewCommitConservative  OnNewCommit = ""              // cancel it, unless a job has begun that is not interruptible
	NewCommitInterruptible OnNewCommit = "interruptible" // cancel its interruptible jobs
	NewCommitNone          OnNewCommit = "none"
)

// EnvironmentName is the name of the environment, "" without one.
func (p *JobPlan) EnvironmentName() string {
	if p.Environment == nil {
		return ""
	}
	return p.Environment.Name
}

// An Environment is where a job deploys to, with the variables in its name, its
// tier and its time replaced. URL still has them.
type Environment struct {
	Name       string `json:"name"`
	Slug       string `json:"slug,omitempty"` // for use in addresses
	URL        string `json:"url,omitempty"`
	Action     string `json:"action"` // start, stop, prepare, verify, access
	OnStop     string `json:"on_stop,omitempty"`
	AutoStopIn string `json:"auto_stop_in,omitempty"` // a duration, or never
	Tier       string `json:"tier,omitempty"`
}

// A Need names a job that must be done first.
type Need struct {
	Job       string `json:"job"`
	Artifacts bool   `json:"artifacts"`
	Optional  bool   `json:"optional,omitempty"`
}

// FailureReason says why a job failed, in GitLab's words
// (contract/trigger-api.md 5.3).
type FailureReason string

// The failure reasons that this server gives itself. Runners report more.
const (
	UnknownFailure           FailureReason = "unknown_failure"
	ScriptFailure            FailureReason = "script_failure"
	StuckOrTimeout           FailureReason = "stuck_or_timeout_failure"
	RunnerSystemFailure      FailureReason = "runner_system_failure"
	MissingDependencyFailure FailureReason = "missing_dependency_failure"
	RunnerUnsupported        FailureReason = "runner_unsupported"
	StaleSchedule            FailureReason = "stale_schedule"
	JobExecutionTimeout      FailureReason = "job_execution_timeout"
	SchedulerFailure         FailureReason = "scheduler_failure"
	TraceSizeExceeded        FailureReason = "trace_size_exceeded"
	UserBlockedFailure       FailureReason = "user_blocked"
	BuildsDisabledFailure    FailureReason = "builds_disabled"
)

// FailureReasons lists every reason that a runner may report and that this
// server understands (contract/trigger-api.md 5.3, runner-protocol.md 4).
var FailureReasons = []FailureReason{
	UnknownFailure, ScriptFailure, "api_failure", StuckOrTimeout, RunnerSystemFailure, MissingDependencyFailure,
	RunnerUnsupported, StaleSchedule, JobExecutionTimeout, "archived_failure", "unmet_prerequisites", SchedulerFailure,
	"data_integrity_failure", "forward_deployment_failure", UserBlockedFailure, "project_deleted", "ci_quota_exceeded",
	"pipeline_loop_detected", "no_matching_runner", TraceSizeExceeded, BuildsDisabledFailure, "environment_creation_failure",
	"deployment_rejected", "failed_outdated_deployment_job", "job_execution_server_timeout", "image_pull_failure",
	"runner_configuration_error", "runner_external_dependency_failure", "runner_interrupted", "job_canceled",
}

// An Outcome is how a runner says that a job ended.
type Outcome struct {
	Success  bool
	Reason   FailureReason // of a failure
	ExitCode int
	Coverage *float64
}
