package api

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A detailedStatus is how GitLab describes the status of a pipeline
// (contract/trigger-api.md 5.3).
type detailedStatus struct {
	Icon         string  `json:"icon"`
	Text         string  `json:"text"`
	Label        string  `json:"label"`
	Group        string  `json:"group"`
	Tooltip      string  `json:"tooltip"`
	HasDetails   bool    `json:"has_details"`
	DetailsPath  string  `json:"details_path"`
	Illustration *string `json:"illustration"`
	Favicon      string  `json:"favicon"`
}

// words is what does not depend on the pipeline.
type words struct{ icon, text, label, group, favicon string }

// statusWords is the table of contract/trigger-api.md 5.3.
var statusWords = map[ci.Status]words{
	ci.Created:            {"status_created", "Created", "created", "created", "favicon_status_created"},
	ci.WaitingForResource: {"status_pending", "Waiting", "waiting for resource", "waiting-for-resource", "favicon_status_pending"},
	ci.Preparing:          {"status_preparing", "Preparing", "preparing", "preparing", "favicon_status_preparing"},
	ci.WaitingForCallback: {"status_pending", "Waiting", "waiting for callback", "waiting-for-callback", "favicon_status_pending"},
	ci.Pending:            {"status_pending", "Pending", "pending", "pending", "favicon_status_pending"},
	ci.Running:            {"status_running", "Running", "running", "running", "favicon_status_running"},
	ci.Success:            {"status_success", "Passed", "passed", "success", "favicon_status_success"},
	ci.Failed:             {"status_failed", "Failed", "failed", "failed", "favicon_status_failed"},
	ci.Canceling:          {"status_canceled", "Canceling", "canceling", "canceling", "favicon_status_canceled"},
	ci.Canceled:           {"status_canceled", "Canceled", "canceled", "canceled", "favicon_status_canceled"},
	ci.Skipped:            {"status_skipped", "Skipped", "skipped", "skipped", "favicon_status_skipped"},
	ci.Manual:             {"status_manual", "Blocked", "waiting for manual action", "manual", "favicon_status_manual"},
	ci.Scheduled:          {"status_scheduled", "Delayed", "waiting for delayed job", "scheduled", "favicon_status_scheduled"},
}

// passedWithWarnings is a success in which a job failed that was allowed to.
var passedWithWarnings = words{"status_warning", "Warning", "passed with warnings", "success-with-warnings", "favicon_status_success"}

// detailedStatus describes a pipeline. GitLab asks whether the details may be read
// without saying by whom, so it is nobody who is asked about.
func (a *API) detailedStatus(p ci.Pipeline, project ci.Project, warnings bool) detailedStatus {
	w := statusWords[p.Status]
	if p.Status == ci.Success && warnings {
		w = passedWithWarnings
	}
	return detailedStatus{
		Icon: w.icon, Text: w.text, Label: w.label, Group: w.group, Tooltip: w.label,
		HasDetails:  auth.Allow(auth.Actor{}, auth.ReadPipeline, project) == auth.Allowed,
		DetailsPath: a.urls.Path(strings.TrimPrefix(a.urls.Pipeline(project.FullPath, int64(p.ID)), a.urls.Base())),
		Favicon:     a.urls.Path("/assets/ci_favicons/" + w.favicon + ".png"),
	}
}
