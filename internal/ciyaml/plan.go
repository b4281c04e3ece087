package ciyaml

import "github.com/lanyard-ci/lanyard/internal/ciyaml/tree"

// Variable is a variable of a job or pipeline. A Raw one is not expanded, nor
// are others expanded with it on their way to the runner; the value of a File
// one is the content of a file. That of a Secret one appears in no explanation.
type Variable struct {
	Key, Value        string
	Raw, File, Secret bool
	Layers            Layers // of variables of a job or pipeline
}

// Layers says in which parts of the configuration a variable is set, one bit for
// each. The highest counts; it overrode the others.
type Layers uint8

// The parts of a configuration that set variables, from the lowest.
const (
	LayerGlobal   Layers = 1 << iota // variables of the whole configuration
	LayerWorkflow                    // the matched workflow rule
	LayerJob
	LayerMatrix
	LayerRule // the matched rule of the job
)

// Plan is a pipeline to be created. Its slices, and everything in its jobs,
// may be shared with the Config and with other plans: they must not be changed.
type Plan struct {
	Name       string   // workflow:name, expanded and without blanks around; "" without
	Stages     []string // those that have jobs, in order
	Jobs       []Job    // by stage, then in the order of the file
	Variables  []Variable
	AutoCancel AutoCancel
	Warnings   Diagnostics
}

// AutoCancel is workflow:auto_cancel, with what the matched workflow rule says
// of it. "" is the default of each: conservative and none.
type AutoCancel struct {
	OnNewCommit  string // conservative, interruptible, none
	OnJobFailure string // none, all
}

// Job is one job of a pipeline, every keyword resolved (contract, appendix A).
type Job struct {
	Name       string // with the suffix of parallel
	BaseName   string // the key in the file
	GroupName  string // the name without the suffix of parallel
	Stage      string
	StageIndex int      // in .pre, all stages of the configuration, .post
	Pos        tree.Pos // of the key in the file

	When                  string // on_success, on_failure, always, manual, delayed
	StartIn               int64  // seconds, when delayed
	AllowFailure          bool
	AllowFailureExitCodes []int

	Tags      []string
	Variables []Variable // root, workflow rule, job, matrix and rule, the later over the earlier

	DAG          bool // has needs: waits for those instead of for the stages before
	Needs        []Need
	CrossNeeds   []CrossNeed
	Dependencies []string // nil: as the stages or needs give; empty: none

	Image     *Image
	Services  []Image
	Artifacts *Artifacts
	Cache     []Cache

	BeforeScript, Script, AfterScript []string

	Retry         Retry
	Timeout       int64  // seconds; 0: the project's
	Coverage      string // regular expression, without the slashes
	Interruptible bool

	NodeIndex, NodeTotal int // of parallel, from 1; 0 and 1 without

	Environment        *Environment
	ResourceGroup      string   // expanded; jobs of the same one run one at a time
	ManualConfirmation string   // the question before a manual job is played
	PreGetSources      []string // script that runs before the sources are fetched
	IDTokens           []IDToken
	Release            *Release
	Pages              *Pages

	Secrets  []Secret
	Identity string // google_cloud
	DAST     *DAST
	Inputs   []JobInput
	Run      string // the steps of run, as JSON; such a job has no script

	Trigger  *Trigger // a trigger job has no script
	MirrorOf string   // full path of the project whose latest pipeline's status the job takes
}

// Need is a job that must have ended well before this one starts.
type Need struct {
	Job       string
	Artifacts bool // its artifacts are fetched
	Optional  bool
}

// Image is a container image, of a job or of a service. Its texts are expanded
// by the runner. Platform and User are those of docker, KubernetesUser is that
// of kubernetes.
type Image struct {
	Name, Alias                     string
	Entrypoint, Command, PullPolicy []string
	Variables                       []Variable
	Platform, User, KubernetesUser  string
}

// Artifacts says which files of a job are kept.
type Artifacts struct {
	Name           string
	Paths, Exclude []string
	Untracked      bool
	When           string // on_success, on_failure, always; "" is on_success
	ExpireIn       string // as written, a duration or "never"; "" is the server's default
	Access         string // all, developer, maintainer, none; "" is all
	ExposeAs       string
	Reports        []Report
}

// Report is a file that the server is to understand.
type Report struct {
	Type   string
	Paths  []string
	Format string // of coverage_report: cobertura or jacoco
}

// Cache is a set of files kept between jobs. KeyFiles, if any, make the key: a
// digest of their content at the commit (or, with KeyCommits, of the commits
// that changed them last) after KeyPrefix and "-", or "default" when none of
// them exists.
type Cache struct {
	Key                 string
	KeyFiles            []string
	KeyCommits          bool
	KeyPrefix           string
	Untracked           bool
	Policy              string // pull-push, pull, push, or a variable that the runner expands
	When                string // on_success, on_failure, always
	Paths, FallbackKeys []string
	Unprotect           bool
}

// Retry says when a failed job is run again: at most Max times, if both lists
// are empty or the failure is in one of them.
type Retry struct {
	Max       int
	When      []string
	ExitCodes []int
}
