package ciyaml

// Environment is where a job deploys to. Name, AutoStopIn and Tier are
// expanded; URL is expanded when the job has ended, with what it reported.
type Environment struct {
	Name       string
	Slug       string // the name for use in addresses, at most 24 characters
	URL        string
	Action     string // start, stop, prepare, verify, access
	OnStop     string // name of the job that ends the environment
	AutoStopIn string // a duration, or never; "" keeps it
	Tier       string // production, staging, testing, development, other; guessed from the name if not given
	Kubernetes *Kubernetes
}

// Kubernetes is the cluster of an environment; it only matters to dashboards.
type Kubernetes struct {
	Agent            string
	Namespace        string
	FluxResourcePath string
	ManagedResources *bool // nil leaves it to the agent
}

// IDToken is a signed token that a job gets in the variable Name. The
// audiences are expanded when it is made.
type IDToken struct {
	Name      string
	Audiences []string
}

// Release is made when the script has ended well. Its texts are expanded by
// the runner.
type Release struct {
	TagName, TagMessage, Name, Ref, Description, ReleasedAt string
	Milestones                                              []string
	Links                                                   []ReleaseLink
}

// ReleaseLink is a file that belongs to a release.
type ReleaseLink struct {
	Name, URL, FilePath string
	Type                string // other, runbook, image, package; "" is other
}

// Pages says how the artifacts of a job become a site. The folder is among the
// paths of the job's artifacts already.
type Pages struct {
	Publish    string
	PathPrefix string
	ExpireIn   string
}

// Secret is a variable whose value the runner fetches from a provider.
type Secret struct {
	Name     string
	Provider string // vault, gcp_secret_manager, azure_key_vault, aws_secrets_manager, gitlab_secrets_manager
	Source   string // where it is at the provider: the long form, as JSON
	File     bool   // the variable is the name of a file that has the value
	Token    string // variable with the ID token to sign in with; "" leaves the choice to the server
}

// DAST names the profiles of a dynamic scan.
type DAST struct{ SiteProfile, ScannerProfile string }

// JobInput is a value that can be given when a manual job is played.
type JobInput struct {
	Name, Type  string // type: string, number, boolean, array
	Default     string // as JSON
	Options     string // as JSON; "" allows any
	Regex       string
	Description string
}

// Trigger starts a pipeline: of Project if that is given, else a child of the
// configuration that Include gives. Its texts are not expanded yet.
type Trigger struct {
	Project, Branch  string
	Include          []TriggerInclude
	Strategy         string // depend, mirror; "" does not wait
	ForwardYAML      bool   // the variables of the configuration
	ForwardVariables bool   // those of the pipeline
	Inputs           []TriggerInput
}

// TriggerInclude is one file of a child pipeline's configuration: the key that
// is not empty says of which kind.
type TriggerInclude struct {
	Local, Remote, Template, Component string
	Artifact, Job                      string
	Project, Ref, File                 string
	Inputs                             []TriggerInput
}

// TriggerInput is an input for the pipeline that is started.
type TriggerInput struct {
	Name  string
	Value string // as JSON
}

// CrossNeed is a job of another pipeline whose artifacts are fetched: of
// Pipeline, or of the latest pipeline of Ref in Project.
type CrossNeed struct {
	Pipeline     string
	Project, Ref string
	Job          string
	Artifacts    bool
}
