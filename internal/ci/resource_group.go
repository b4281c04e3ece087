package ci

import "time"

// A ResourceGroup is something of a project that only one job may use at a time
// (contract/ci-yaml.md 7.6). A job holds it while it is pending, running or
// canceling.
type ResourceGroup struct {
	ID        int64
	ProjectID ProjectID
	Key       string
	Mode      ProcessMode
	CreatedAt time.Time
	UpdatedAt time.Time
	Holder    JobID // zero: it is free
}

// A ProcessMode says which job gets a resource group next.
type ProcessMode string

// The process modes, as GitLab spells them.
const (
	Unordered        ProcessMode = "unordered"          // any that waits
	OldestFirst      ProcessMode = "oldest_first"       // of the oldest pipeline, even when it does not wait yet
	NewestFirst      ProcessMode = "newest_first"       // of the newest pipeline, even when it does not wait yet
	NewestReadyFirst ProcessMode = "newest_ready_first" // of the newest pipeline of those that wait
)

// ProcessModes lists every process mode.
var ProcessModes = []ProcessMode{Unordered, OldestFirst, NewestFirst, NewestReadyFirst}
