package ci

// A Spec is what a job executes, as the configuration gave it. It is stored once
// by the digest of its JSON form (docs/decisions, rows) and never changes.
type Spec struct {
	BeforeScript []string       `json:"before_script,omitempty"`
	Script       []string       `json:"script,omitempty"`
	AfterScript  []string       `json:"after_script,omitempty"`
	Variables    []Variable     `json:"variables,omitempty"`
	Image        *Image         `json:"image,omitempty"`
	Services     []Image        `json:"services,omitempty"`
	Artifacts    []ArtifactSpec `json:"artifacts,omitempty"` // one per upload
	Cache        []CacheSpec    `json:"cache,omitempty"`
	Coverage     string         `json:"coverage,omitempty"` // regular expression, without slashes
}

// An Image is a container image for a job or one of its services. Only runners
// with containers use it.
type Image struct {
	Name       string     `json:"name"`
	Alias      string     `json:"alias,omitempty"`
	Entrypoint []string   `json:"entrypoint,omitempty"`
	Command    []string   `json:"command,omitempty"`
	PullPolicy []string   `json:"pull_policy,omitempty"`
	Variables  []Variable `json:"variables,omitempty"`
}

// An ArtifactSpec is one upload at the end of a job.
type ArtifactSpec struct {
	Name      string   `json:"name,omitempty"`
	Untracked bool     `json:"untracked,omitempty"`
	Paths     []string `json:"paths,omitempty"`
	Exclude   []string `json:"exclude,omitempty"`
	When      string   `json:"when,omitempty"`
	ExpireIn  string   `json:"expire_in,omitempty"`
	Access    string   `json:"access,omitempty"` // all, developer, maintainer, none
	Type      string   `json:"type"`             // archive, junit, dotenv, …
	Format    string   `json:"format"`           // zip, gzip, raw
}

// A CacheSpec is one cache of a job. The key is final but for what the runner
// expands.
type CacheSpec struct {
	Key          string   `json:"key"`
	Untracked    bool     `json:"untracked,omitempty"`
	Policy       string   `json:"policy"`
	When         string   `json:"when"`
	Paths        []string `json:"paths,omitempty"`
	FallbackKeys []string `json:"fallback_keys,omitempty"`
}

// An Artifact is a stored upload of a job.
type Artifact struct {
	ID        ArtifactID
	JobID     JobID
	ProjectID ProjectID
	Type      string
	Format    string
	Name      string // file name
	Size      int64
	SHA256    []byte
	BlobKey   string
	Access    string
	ExpireIn  string // as the runner sent it
}
