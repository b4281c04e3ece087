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

	PreGetSources []string   `json:"pre_get_sources,omitempty"` // script before the sources are fetched
	IDTokens      []IDToken  `json:"id_tokens,omitempty"`
	Secrets       []Secret   `json:"secrets,omitempty"`
	Release       *Release   `json:"release,omitempty"`
	Pages         *Pages     `json:"pages,omitempty"`
	Inputs        []JobInput `json:"inputs,omitempty"`
	Run           string     `json:"run,omitempty"`      // steps in place of a script, as JSON
	Identity      string     `json:"identity,omitempty"` // google_cloud
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

	Platform       string `json:"platform,omitempty"` // of docker
	User           string `json:"user,omitempty"`     // of docker
	KubernetesUser string `json:"kubernetes_user,omitempty"`
}

// An IDToken is a signed token that the job gets in the variable Name; the
// audiences may have variables in them.
type IDToken struct {
	Name      string   `json:"name"`
	Audiences []string `json:"audiences"`
}

// A Secret is a variable whose value the runner fetches from a provider. Source
// is where it is there, as JSON in the provider's own words; Token names the
// variable with the token to sign in with, as "$NAME", or is empty.
type Secret struct {
	Name     string `json:"name"`
	Provider string `json:"provider"` // vault, gcp_secret_manager, azure_key_vault, aws_secrets_manager, gitlab_secrets_manager
	Source   string `json:"source"`
	File     bool   `json:"file"` // the variable is the name of a file with the value
	Token    string `json:"token,omitempty"`
}

// A Release is made when the script has ended well. Its texts may have
// variables in them.
type Release struct {
	TagName     string        `json:"tag_name"`
	TagMessage  string        `json:"tag_message,omitempty"`
	Name        string        `json:"name,omitempty"`
	Ref         string        `json:"ref,omitempty"`
	Description string        `json:"description"`
	ReleasedAt  string        `json:"released_at,omitempty"`
	Milestones  []string      `json:"milestones,omitempty"`
	Links       []ReleaseLink `json:"links,omitempty"`
}

// A ReleaseLink is a file that belongs to a release.
type ReleaseLink struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	FilePath string `json:"filepath,omitempty"`
	Type     string `json:"link_type,omitempty"` // other, runbook, image, package
}

// Pages says how the archive of a job becomes a site.
type Pages struct {
	Publish    string `json:"publish"`
	PathPrefix string `json:"path_prefix,omitempty"`
	ExpireIn   string `json:"expire_in,omitempty"`
}

// A JobInput is a value that can be given when a manual job is played. Default
// and Options are JSON.
type JobInput struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // string, number, boolean, array
	Default     string `json:"default"`
	Options     string `json:"options,omitempty"`
	Regex       string `json:"regex,omitempty"`
	Description string `json:"description,omitempty"`
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

	// Tests is what a new test report comes to. It is stored with the artifact but
	// not read with it.
	Tests *TestSummary
}
