package ci

import "time"

// A Source says what started a pipeline (contract/trigger-api.md 2.4).
type Source string

// The sources that this server produces.
const (
	SourcePush     Source = "push"
	SourceWeb      Source = "web"
	SourceTrigger  Source = "trigger"  // a trigger token
	SourcePipeline Source = "pipeline" // a job token: a multi-project pipeline
	SourceAPI      Source = "api"
	SourceSchedule Source = "schedule"
	SourceParent   Source = "parent_pipeline"
)

// Sources lists every source that a client may filter by.
var Sources = []Source{
	SourcePush, SourceWeb, SourceTrigger, SourceSchedule, SourceAPI, "external", SourcePipeline, "chat", "webide",
	"merge_request_event", "external_pull_request_event", SourceParent, "ondemand_dast_scan",
	"ondemand_dast_validation", "security_orchestration_policy", "container_registry_push", "duo_workflow",
	"pipeline_execution_policy_schedule", "dependency_management_security_update",
}

// Pipeline failure reasons of a row that is kept although nothing runs.
const (
	ReasonConfigError = "config_error"
	ReasonSizeLimit   = "size_limit_exceeded"

	ReasonDeploymentsLimit = "deployments_limit_exceeded"
)

// A Pipeline is one run of a project's configuration on one commit.
type Pipeline struct {
	ID            PipelineID
	IID           int64
	UID           string // random; finds the row again when a commit's outcome is unknown
	ProjectID     ProjectID
	Ref           string // short name
	Tag           bool
	SHA           string
	BeforeSHA     string
	Source        Source
	Status        Status
	Protected     bool
	UserID        UserID
	TriggerID     TriggerID // zero unless a trigger token made it
	Name          string
	YAMLErrors    string
	FailureReason string
	Stages        []Stage
	CreatedAt     time.Time
	UpdatedAt     time.Time
	StartedAt     time.Time
	FinishedAt    time.Time
	Duration      int64 // seconds that at least one job ran; -1: none yet
	Version       int64 // compare-and-swap guard of every change
}

// A Stage is a column of a pipeline. Its status is stored, since it depends on
// the past too (contract/ci-yaml.md 8.2, "never back to created").
type Stage struct {
	Name   string `json:"name"`
	Index  int    `json:"index"`
	Status Status `json:"status"`
}

// An Upstream ties a pipeline to the job that started it with its job token.
type Upstream struct {
	PipelineID       PipelineID // the downstream pipeline
	SourceProjectID  ProjectID
	SourcePipelineID PipelineID
	SourceJobID      JobID
}
