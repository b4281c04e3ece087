package ci

// A Status is where a pipeline, a stage or a job stands. All three share the
// set (contract/ci-yaml.md 8.1).
type Status string

// The statuses, as GitLab spells them.
const (
	Created            Status = "created" // waits for earlier jobs
	WaitingForResource Status = "waiting_for_resource"
	Preparing          Status = "preparing"
	WaitingForCallback Status = "waiting_for_callback"
	Pending            Status = "pending" // may be taken by a runner
	Running            Status = "running"
	Success            Status = "success"
	Failed             Status = "failed"
	Canceling          Status = "canceling" // told to stop, its runner winds it down
	Canceled           Status = "canceled"
	Skipped            Status = "skipped"
	Manual             Status = "manual"    // waits for somebody to play it
	Scheduled          Status = "scheduled" // waits for its time
)

// Statuses lists every status, in GitLab's order.
var Statuses = []Status{
	Created, WaitingForResource, Preparing, WaitingForCallback, Pending, Running,
	Success, Failed, Canceling, Canceled, Skipped, Manual, Scheduled,
}

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool {
	switch s {
	case Created, WaitingForResource, Preparing, WaitingForCallback, Pending, Running,
		Success, Failed, Canceling, Canceled, Skipped, Manual, Scheduled:
		return true
	}
	return false
}

// Complete reports whether s is an end: success, failed, canceled or skipped.
func (s Status) Complete() bool {
	return s == Success || s == Failed || s == Canceled || s == Skipped
}

// Active reports whether s is on its way through a runner.
func (s Status) Active() bool {
	switch s {
	case WaitingForResource, Preparing, WaitingForCallback, Pending, Running:
		return true
	}
	return false
}

// Alive reports whether s can still move by itself: created, active or canceling.
func (s Status) Alive() bool { return s == Created || s == Canceling || s.Active() }

// Executing reports whether a runner holds the job: its token counts then
// (contract/trigger-api.md 2.2).
func (s Status) Executing() bool { return s == Running || s == Canceling }

// Cancelable reports whether cancel has an effect on a job or pipeline in s.
func (s Status) Cancelable() bool { return !s.Complete() && s != Canceling }
