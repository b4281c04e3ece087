package web

import "github.com/lanyard-ci/lanyard/internal/ci"

// A statusView shows where something stands: by a word and a shape, never by a
// colour alone.
type statusView struct {
	Class string // of the style sheet, and name of the shape
	Word  string
}

// statusViews has GitLab's words for pipelines and stages.
var statusViews = map[ci.Status]statusView{
	ci.Created:            {"created", "Created"},
	ci.WaitingForResource: {"waiting", "Waiting"},
	ci.Preparing:          {"preparing", "Preparing"},
	ci.WaitingForCallback: {"waiting", "Waiting"},
	ci.Pending:            {"pending", "Pending"},
	ci.Running:            {"running", "Running"},
	ci.Success:            {"success", "Passed"},
	ci.Failed:             {"failed", "Failed"},
	ci.Canceling:          {"canceled", "Canceling"},
	ci.Canceled:           {"canceled", "Canceled"},
	ci.Skipped:            {"skipped", "Skipped"},
	ci.Manual:             {"manual", "Blocked"},
	ci.Scheduled:          {"scheduled", "Delayed"},
}

// warning is a success in which a job failed that was allowed to, and that job.
const warning = "warning"

// pipelineStatus shows the status of a pipeline.
func pipelineStatus(status ci.Status, warnings bool) statusView {
	if status == ci.Success && warnings {
		return statusView{warning, "Passed with warnings"}
	}
	return statusViews[status]
}

// jobStatus shows the status of a job.
func jobStatus(job *ci.Job) statusView {
	switch {
	case job.Status == ci.Failed && job.AllowFailure:
		return statusView{warning, "Failed, allowed"}
	case job.Status == ci.Manual:
		return statusView{"manual", "Manual"}
	}
	return statusViews[job.Status]
}

// reasonWords say why a job failed. Other reasons are shown as they are.
var reasonWords = map[ci.FailureReason]string{
	ci.UnknownFailure:           "for an unknown reason",
	ci.ScriptFailure:            "its script failed",
	ci.StuckOrTimeout:           "no runner took it in time, or its runner was lost",
	ci.RunnerSystemFailure:      "its runner had a problem of its own",
	ci.MissingDependencyFailure: "artifacts that it needs are gone",
	ci.RunnerUnsupported:        "its runner cannot do what it needs",
	ci.StaleSchedule:            "its time had passed",
	ci.JobExecutionTimeout:      "it ran longer than its timeout",
	ci.SchedulerFailure:         "the server could not start it",
	ci.TraceSizeExceeded:        "its log grew too long",
	ci.UserBlockedFailure:       "its user is blocked",
	ci.BuildsDisabledFailure:    "CI/CD is switched off in the project",
}

// why says why a job failed, in one sentence; "" for one that did not.
func why(job *ci.Job) string {
	if job.Status != ci.Failed {
		return ""
	}
	words, known := reasonWords[job.FailureReason]
	if !known {
		words = string(job.FailureReason)
	}
	if job.FailureReason == ci.ScriptFailure && job.ExitCode != 0 {
		words += " with exit status " + number(job.ExitCode)
	}
	return "Failed: " + words + "."
}

// sourceWords say what started a pipeline.
var sourceWords = map[ci.Source]string{
	ci.SourcePush:     "push",
	ci.SourceWeb:      "web",
	ci.SourceTrigger:  "trigger token",
	ci.SourcePipeline: "other pipeline",
	ci.SourceAPI:      "API",
	ci.SourceSchedule: "schedule",
	ci.SourceParent:   "parent pipeline",
}

// sourceWord names a source; one without a word of its own as it is.
func sourceWord(source ci.Source) string {
	if word, ok := sourceWords[source]; ok {
		return word
	}
	return string(source)
}
