package ci

import "time"

// RunnerType says whose jobs a runner may take.
type RunnerType string

// The types of runners.
const (
	InstanceRunner RunnerType = "instance_type"
	GroupRunner    RunnerType = "group_type"
	ProjectRunner  RunnerType = "project_type"
)

// MaxJobTags is how many tags a job or a runner may carry.
const MaxJobTags = 50

// A Runner is a registration that one or more machines (managers) use to take
// jobs. Only the digest of its token is kept.
type Runner struct {
	ID             RunnerID
	Type           RunnerType
	Description    string
	Note           string
	Digest         []byte
	Short          string // first characters of the token, for people
	Paused         bool
	Locked         bool
	RunUntagged    bool
	RefProtected   bool        // access_level ref_protected: jobs of protected refs only
	Tags           []string    // sorted, unique
	MaximumTimeout int64       // seconds; 0: none
	ProjectIDs     []ProjectID // of a project runner
	NamespaceID    NamespaceID // of a group runner
	CreatorID      UserID
	BuiltIn        bool // the one inside this server: it may only take what the shell can run
	CreatedAt      time.Time
	ContactedAt    time.Time
}

// May reports whether the runner may take a job with these tags on a ref that is
// protected or not. Whose projects it serves is a matter of the queue.
func (r Runner) May(tags []string, protected bool) bool {
	if r.RefProtected && !protected {
		return false
	}
	if len(tags) == 0 {
		return r.RunUntagged
	}
	for _, tag := range tags {
		if !contains(r.Tags, tag) {
			return false
		}
	}
	return true
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

// A RunnerManager is one machine of a runner, known by its system id.
type RunnerManager struct {
	ID           int64
	RunnerID     RunnerID
	SystemID     string
	Name         string
	Version      string
	Revision     string
	Platform     string
	Architecture string
	Executor     string
	IPAddress    string
	CreatedAt    time.Time
	ContactedAt  time.Time
}
