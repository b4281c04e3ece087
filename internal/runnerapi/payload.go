package runnerapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A payload is what a runner is told about a job: the body of a 201 to its request
// (contract/runner-protocol.md 4). It holds secrets. Lists are empty rather than
// null, as GitLab sends them.
type payload struct {
	ID            ci.JobID     `json:"id"`
	Token         string       `json:"token"`
	AllowGitFetch bool         `json:"allow_git_fetch"` // reuse a checkout; GIT_STRATEGY decides otherwise
	JobInfo       jobInfo      `json:"job_info"`
	GitInfo       gitInfo      `json:"git_info"`
	RunnerInfo    runnerInfo   `json:"runner_info"`
	Inputs        []input      `json:"inputs"`
	Variables     []variable   `json:"variables"`
	Steps         []step       `json:"steps"`
	Hooks         []hook       `json:"hooks"`
	Image         *image       `json:"image"`
	Services      []service    `json:"services"`
	Artifacts     []artifact   `json:"artifacts"`
	Cache         []cache      `json:"cache"`
	Credentials   []struct{}   `json:"credentials"` // of registries: there is none here
	Dependencies  []dependency `json:"dependencies"`
	Features      features     `json:"features"`

	Secrets map[string]map[string]any `json:"secrets,omitempty"`
	Run     string                    `json:"run,omitempty"` // steps in place of a script: JSON in a string
}

// A jobInfo is for a runner's metrics and logs.
type jobInfo struct {
	ID              ci.JobID       `json:"id"`
	Name            string         `json:"name"`
	Stage           string         `json:"stage"`
	PipelineID      ci.PipelineID  `json:"pipeline_id"`
	ProjectID       ci.ProjectID   `json:"project_id"`
	ProjectName     string         `json:"project_name"`
	ProjectFullPath string         `json:"project_full_path"`
	NamespaceID     ci.NamespaceID `json:"namespace_id"`
	RootNamespaceID ci.NamespaceID `json:"root_namespace_id"`
	OrganizationID  int            `json:"organization_id"`
	InstanceID      string         `json:"instance_id"`
	InstanceUUID    string         `json:"instance_uuid"`
	UserID          ci.UserID      `json:"user_id"`
	ScopedUserID    *ci.UserID     `json:"scoped_user_id"`
	InQueue         float64        `json:"time_in_queue_seconds"`
	RunningBeside   string         `json:"project_jobs_running_on_instance_runners_count"`
	QueueSize       int            `json:"queue_size"`
	QueueDepth      int            `json:"queue_depth"`
}

// A gitInfo says what to check out. RepoURL carries the job's token.
type gitInfo struct {
	RepoURL      string   `json:"repo_url"`
	ObjectFormat string   `json:"repo_object_format"`
	Ref          string   `json:"ref"`
	SHA          string   `json:"sha"`
	BeforeSHA    string   `json:"before_sha"`
	RefType      string   `json:"ref_type"`
	Refspecs     []string `json:"refspecs"`
	Depth        int      `json:"depth"` // 0: the whole history
	Protected    bool     `json:"protected"`
}

type runnerInfo struct {
	Timeout    int64   `json:"timeout"` // seconds
	SessionURL *string `json:"runner_session_url"`
}

type variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	Masked bool   `json:"masked"`
	File   bool   `json:"file,omitempty"`
	Raw    bool   `json:"raw,omitempty"`
}

type step struct {
	Name         string   `json:"name"`
	Script       []string `json:"script"`
	Timeout      int64    `json:"timeout"` // seconds
	When         string   `json:"when"`
	AllowFailure bool     `json:"allow_failure"`
}

type image struct {
	Name         string       `json:"name"`
	Entrypoint   []string     `json:"entrypoint"`
	Ports        []int        `json:"ports"`
	ExecutorOpts executorOpts `json:"executor_opts"`
	PullPolicy   []string     `json:"pull_policy"`
}

type service struct {
	Name         string            `json:"name"`
	Alias        *string           `json:"alias"`
	Entrypoint   []string          `json:"entrypoint"`
	Command      []string          `json:"command"`
	Ports        []int             `json:"ports"`
	Variables    []serviceVariable `json:"variables"`
	ExecutorOpts executorOpts      `json:"executor_opts"`
	PullPolicy   []string          `json:"pull_policy"`
}

type serviceVariable struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type artifact struct {
	Name      *string  `json:"name"`
	Untracked bool     `json:"untracked"`
	Paths     []string `json:"paths"`
	Exclude   []string `json:"exclude,omitempty"`
	When      string   `json:"when"`
	ExpireIn  *string  `json:"expire_in"`
	Type      string   `json:"artifact_type"`
	Format    string   `json:"artifact_format"`
}

type cache struct {
	Key          string   `json:"key"`
	Untracked    bool     `json:"untracked"`
	Policy       string   `json:"policy"`
	Paths        []string `json:"paths"`
	When         string   `json:"when"`
	FallbackKeys []string `json:"fallback_keys"`
}

// A dependency is an earlier job whose archive the runner downloads, with the
// token of the job that runs.
type dependency struct {
	ID            ci.JobID      `json:"id"`
	Name          string        `json:"name"`
	Token         string        `json:"token"`
	ArtifactsFile artifactsFile `json:"artifacts_file"`
}

type artifactsFile struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

type features struct {
	TraceSections     bool               `json:"trace_sections"`
	TokenMaskPrefixes []string           `json:"token_mask_prefixes"`
	FailureReasons    []ci.FailureReason `json:"failure_reasons"`
}

// tokenPrefixes are those of tokens that a runner hides in logs even when no
// variable holds them.
var tokenPrefixes = []string{"glpat-", "glptt-", "glrt-", "glcbt-"}

// payload describes a job to its runner.
func (a *API) payload(from *engine.Assignment) (_ *payload, err error) {
	p := &payload{
		ID: from.Job.ID, Token: from.Token, AllowGitFetch: true, JobInfo: a.jobInfo(from), GitInfo: a.gitInfo(from),
		RunnerInfo: runnerInfo{Timeout: from.Job.Timeout},
		Inputs:     inputs(from.Spec), Hooks: hooks(from.Spec), Run: from.Spec.Run, Credentials: []struct{}{},
		Variables: make([]variable, 0, len(from.Variables)),
		Image:     imageOf(from.Spec.Image), Services: []service{}, Artifacts: []artifact{}, Cache: []cache{},
		Dependencies: []dependency{},
		Features:     features{TraceSections: true, TokenMaskPrefixes: tokenPrefixes, FailureReasons: ci.FailureReasons},
	}
	if p.Steps, err = steps(from); err != nil {
		return nil, err
	}
	if p.Secrets, err = secrets(from); err != nil {
		return nil, err
	}
	for _, v := range from.Variables {
		p.Variables = append(p.Variables, variable{
			Key: v.Key, Value: v.Value, Public: !v.Secret, Masked: v.Masked, File: v.File, Raw: v.Raw,
		})
	}
	for _, s := range from.Spec.Services {
		p.Services = append(p.Services, serviceOf(s))
	}
	for _, u := range from.Spec.Artifacts {
		p.Artifacts = append(p.Artifacts, artifact{
			Name: orNull(u.Name), Untracked: u.Untracked, Paths: list(u.Paths), Exclude: u.Exclude, When: cmp.Or(u.When, "on_success"),
			ExpireIn: orNull(u.ExpireIn), Type: u.Type, Format: u.Format,
		})
	}
	for _, c := range from.Spec.Cache {
		p.Cache = append(p.Cache, cache{
			Key: c.Key, Untracked: c.Untracked, Policy: c.Policy, Paths: list(c.Paths), When: c.When, FallbackKeys: list(c.FallbackKeys),
		})
	}
	for _, d := range from.Dependencies {
		p.Dependencies = append(p.Dependencies, dependency{
			ID: d.Job.ID, Name: d.Job.Name, Token: from.Token,
			ArtifactsFile: artifactsFile{Filename: d.Archive.Name, Size: d.Archive.Size},
		})
	}
	return p, nil
}

// jobInfo names the job and all around it.
func (a *API) jobInfo(from *engine.Assignment) jobInfo {
	job, project := from.Job, from.Project
	beside := "+Inf"
	if from.Runner.Type == ci.InstanceRunner {
		beside = strconv.Itoa(from.Running)
	}
	uuid := a.engine.InstanceUUID()
	return jobInfo{
		ID: job.ID, Name: job.Name, Stage: job.Stage, PipelineID: job.PipelineID,
		ProjectID: project.ID, ProjectName: project.Path, ProjectFullPath: project.FullPath,
		NamespaceID: project.NamespaceID, RootNamespaceID: from.RootNamespaceID, OrganizationID: 1,
		InstanceID: uuid[:8], InstanceUUID: uuid, UserID: job.UserID,
		InQueue: max(0, job.StartedAt.Sub(job.QueuedAt).Seconds()), RunningBeside: beside,
		QueueSize: from.QueueSize, QueueDepth: from.QueueDepth,
	}
}

// gitInfo says what to fetch: the commit itself, under a name of the pipeline's
// that only the runner's checkout has, and the branch or tag that names it while
// that is still there.
func (a *API) gitInfo(from *engine.Assignment) gitInfo {
	pipeline, depth := from.Pipeline, depth(from)
	specs := []string{fmt.Sprintf("+%s:refs/pipelines/%d", pipeline.SHA, pipeline.ID)}
	branch, tag := "+refs/heads/%[1]s:refs/remotes/origin/%[1]s", "+refs/tags/%[1]s:refs/tags/%[1]s"
	switch {
	case depth == 0:
		specs = append(specs, fmt.Sprintf(branch, "*"), fmt.Sprintf(tag, "*"))
	case from.RefGone:
	case pipeline.Tag:
		specs = append(specs, fmt.Sprintf(tag, pipeline.Ref))
	default:
		specs = append(specs, fmt.Sprintf(branch, pipeline.Ref))
	}
	refType := "branch"
	if pipeline.Tag {
		refType = "tag"
	}
	return gitInfo{
		RepoURL: a.urls.CloneAs("gitlab-ci-token", from.Token, from.Project.FullPath), ObjectFormat: "sha1",
		Ref: pipeline.Ref, SHA: pipeline.SHA, BeforeSHA: pipeline.BeforeSHA, RefType: refType,
		Refspecs: specs, Depth: depth, Protected: from.Job.Protected,
	}
}

// depth is how many commits to fetch: the variable GIT_DEPTH if it is a number,
// else what the project says.
func depth(from *engine.Assignment) int {
	i := slices.IndexFunc(from.Variables, func(v ci.Variable) bool { return v.Key == "GIT_DEPTH" })
	if i >= 0 {
		if n, err := strconv.Atoi(strings.TrimSpace(from.Variables[i].Value)); err == nil {
			return max(0, n)
		}
	}
	return from.Project.GitDepth
}

// steps are what the runner executes, each in a shell of its own.
func steps(from *engine.Assignment) ([]step, error) {
	spec, timeout := from.Spec, from.Job.Timeout
	all := []step{{
		Name: "script", Script: list(slices.Concat(spec.BeforeScript, spec.Script)), Timeout: timeout, When: "on_success",
	}}
	if len(spec.AfterScript) > 0 {
		all = append(all, step{
			Name: "after_script", Script: spec.AfterScript, Timeout: timeout, When: "always", AllowFailure: true,
		})
	}
	if spec.Release != nil {
		release, err := releaseStep(spec.Release, timeout)
		if err != nil {
			return nil, err
		}
		all = slices.Insert(all, 1, release)
	}
	return all, nil
}

func imageOf(from *ci.Image) *image {
	if from == nil {
		return nil
	}
	return &image{Name: from.Name, Entrypoint: from.Entrypoint, Ports: []int{}, PullPolicy: from.PullPolicy, ExecutorOpts: executorOptsOf(*from)}
}

func serviceOf(from ci.Image) service {
	s := service{
		Name: from.Name, Alias: orNull(from.Alias), Entrypoint: from.Entrypoint, Command: from.Command, Ports: []int{},
		Variables: []serviceVariable{}, PullPolicy: from.PullPolicy, ExecutorOpts: executorOptsOf(from),
	}
	for _, v := range from.Variables {
		s.Variables = append(s.Variables, serviceVariable{Key: v.Key, Value: v.Value})
	}
	return s
}

// list shows no elements as an empty list.
func list(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

// orNull shows an empty text as null.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
