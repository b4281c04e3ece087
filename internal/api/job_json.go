package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// jobShape is GitLab's Job (contract/trigger-api.md 6.2).
type jobShape struct {
	ID                ci.JobID       `json:"id"`
	Status            ci.Status      `json:"status"`
	Stage             string         `json:"stage"`
	Name              string         `json:"name"`
	Ref               string         `json:"ref"`
	Tag               bool           `json:"tag"`
	Coverage          *float64       `json:"coverage"`
	AllowFailure      bool           `json:"allow_failure"`
	CreatedAt         stamp          `json:"created_at"`
	StartedAt         stamp          `json:"started_at"`
	FinishedAt        stamp          `json:"finished_at"`
	ErasedAt          stamp          `json:"erased_at"`
	Duration          *float64       `json:"duration"`
	QueuedDuration    *float64       `json:"queued_duration"`
	User              *userFull      `json:"user"`
	Commit            *commitShape   `json:"commit"`
	Pipeline          pipelineBasic  `json:"pipeline"`
	FailureReason     *string        `json:"failure_reason,omitempty"`
	WebURL            string         `json:"web_url"`
	Project           jobProject     `json:"project"`
	ArtifactsFile     *artifactFile  `json:"artifacts_file,omitempty"`
	Artifacts         []jobArtifact  `json:"artifacts"`
	Runner            *jobRunner     `json:"runner"`
	RunnerManager     *runnerMachine `json:"runner_manager"`
	ArtifactsExpireAt stamp          `json:"artifacts_expire_at"`
	Archived          bool           `json:"archived"`
	TagList           []string       `json:"tag_list"`
	WaitingReason     string         `json:"waiting_reason,omitempty"` // ours, of one job that was asked for
}

// basicJob is GitLab's JobBasic: a job without what belongs to its artifacts and its
// runner.
type basicJob struct {
	jobShape

	// These hide fields of jobShape.
	ArtifactsFile     *struct{} `json:"artifacts_file,omitempty"`
	Artifacts         *struct{} `json:"artifacts,omitempty"`
	Runner            *struct{} `json:"runner,omitempty"`
	RunnerManager     *struct{} `json:"runner_manager,omitempty"`
	ArtifactsExpireAt *struct{} `json:"artifacts_expire_at,omitempty"`
	Archived          *struct{} `json:"archived,omitempty"`
	TagList           *struct{} `json:"tag_list,omitempty"`
}

// jobProject is what a job tells about its project. A job token is never limited
// by the project that it comes from, only by those that it goes to.
type jobProject struct {
	OutboundScope bool `json:"ci_job_token_scope_enabled"`
}

// artifactFile is the archive of a job.
type artifactFile struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

// jobArtifact is one stored file of a job, its log among them.
type jobArtifact struct {
	FileType   string  `json:"file_type"`
	Size       int64   `json:"size"`
	Filename   string  `json:"filename"`
	FileFormat *string `json:"file_format"`
}

// jobRunner is what a job tells about the runner that took it.
type jobRunner struct {
	ID          ci.RunnerID `json:"id"`
	Description string      `json:"description"`
	IPAddress   *string     `json:"ip_address"`
	Active      bool        `json:"active"`
	Paused      bool        `json:"paused"`
	IsShared    bool        `json:"is_shared"`
	RunnerType  string      `json:"runner_type"`
	Name        *string     `json:"name"`
	Online      *bool       `json:"online"`
	Status      string      `json:"status"`
}

// runnerMachine is the machine of the runner that took a job.
type runnerMachine struct {
	ID           int64   `json:"id"`
	SystemID     string  `json:"system_id"`
	Version      *string `json:"version"`
	Revision     *string `json:"revision"`
	Platform     *string `json:"platform"`
	Architecture *string `json:"architecture"`
	CreatedAt    stamp   `json:"created_at"`
	ContactedAt  stamp   `json:"contacted_at"`
	IPAddress    *string `json:"ip_address"`
	Status       string  `json:"status"`
}

// jobFacts is what the shapes of some jobs of one project need beside their rows.
// Each thing is read once, however many jobs name it.
type jobFacts struct {
	project   ci.Project
	users     map[ci.UserID]ci.User
	pipelines map[ci.PipelineID]ci.Pipeline
	artifacts map[ci.JobID][]ci.Artifact
	commits   map[string]*git.Commit
	runners   map[ci.RunnerID]*ci.Runner
	machines  map[int64]*ci.RunnerManager
	logs      map[ci.JobID]int64 // bytes of finished logs
}

// jobShapes shows jobs of one project.
func (a *API) jobShapes(ctx context.Context, project ci.Project, list []ci.Job) ([]jobShape, error) {
	facts, err := a.jobFacts(ctx, project, list)
	if err != nil {
		return nil, err
	}
	now := a.now()
	shapes := make([]jobShape, len(list))
	for i := range list {
		shapes[i] = a.jobShape(&list[i], facts, now)
	}
	return shapes, nil
}

// answerJob answers with one job.
func (c *call) answerJob(status int, project ci.Project, job ci.Job) error {
	shapes, err := c.api.jobShapes(c.ctx(), project, []ci.Job{job})
	if err != nil {
		return err
	}
	return c.json(status, shapes[0])
}

func (a *API) jobShape(j *ci.Job, facts *jobFacts, now time.Time) jobShape {
	pipeline := facts.pipelines[j.PipelineID]
	shape := jobShape{
		ID: j.ID, Status: j.Status, Stage: j.Stage, Name: j.Name, Ref: pipeline.Ref, Tag: pipeline.Tag, Coverage: j.Coverage,
		AllowFailure: j.AllowFailure, CreatedAt: stamp(j.CreatedAt), StartedAt: stamp(j.StartedAt), FinishedAt: stamp(j.FinishedAt),
		ErasedAt: stamp(j.ErasedAt), Duration: seconds(j.StartedAt, j.FinishedAt, now), QueuedDuration: jobQueued(j, now),
		User: a.userFull(facts.users[j.UserID]), Pipeline: a.pipelineBasic(pipeline, facts.project),
		WebURL: a.urls.Job(facts.project.FullPath, int64(j.ID)), Artifacts: []jobArtifact{},
		Runner: shapeRunner(facts.runners[j.RunnerID], facts.machines[j.ManagerID], now), RunnerManager: shapeMachine(facts.machines[j.ManagerID], now),
		ArtifactsExpireAt: stamp(j.ArtifactsExpireAt), TagList: j.Tags,
	}
	if commit := facts.commits[pipeline.SHA]; commit != nil {
		c := a.commitShape(facts.project.FullPath, *commit)
		shape.Commit = &c
	}
	if j.Status == ci.Failed {
		shape.FailureReason = orNull(string(j.FailureReason))
	}
	if shape.TagList == nil {
		shape.TagList = []string{}
	}
	shape.addArtifacts(j, facts, now)
	return shape
}

// addArtifacts lists what is stored of a job.
func (s *jobShape) addArtifacts(j *ci.Job, facts *jobFacts, now time.Time) {
	gone := !j.ArtifactsExpireAt.IsZero() && !j.ArtifactsExpireAt.After(now)
	for _, artifact := range facts.artifacts[j.ID] {
		if gone {
			break
		}
		if artifact.Type == "archive" {
			s.ArtifactsFile = &artifactFile{artifact.Name, artifact.Size}
		}
		s.Artifacts = append(s.Artifacts, jobArtifact{artifact.Type, artifact.Size, artifact.Name, orNull(artifact.Format)})
	}
	if size := facts.logs[j.ID]; size > 0 {
		s.Artifacts = append(s.Artifacts, jobArtifact{"trace", size, "job.log", orNull("raw")})
	}
}

// jobQueued is how long a job waited for a runner; null if it never did.
func jobQueued(j *ci.Job, now time.Time) *float64 {
	end := j.StartedAt
	if end.IsZero() && j.Status.Complete() {
		end = j.FinishedAt
	}
	return seconds(j.QueuedAt, end, now)
}

// jobFacts reads what the shapes need.
func (a *API) jobFacts(ctx context.Context, project ci.Project, list []ci.Job) (*jobFacts, error) {
	f := &jobFacts{
		project: project, commits: map[string]*git.Commit{}, runners: map[ci.RunnerID]*ci.Runner{},
		machines: map[int64]*ci.RunnerManager{}, logs: map[ci.JobID]int64{},
	}
	users, pipelines, ids := map[ci.UserID]bool{}, map[ci.PipelineID]bool{}, []ci.JobID{}
	for i := range list {
		users[list[i].UserID], pipelines[list[i].PipelineID] = true, true
		ids = append(ids, list[i].ID)
	}
	var err error
	if f.users, err = a.view.UsersByID(ctx, keys(users)); err != nil {
		return nil, err
	}
	if f.pipelines, err = a.view.PipelinesByID(ctx, keys(pipelines)); err != nil {
		return nil, err
	}
	if f.artifacts, err = a.view.Artifacts(ctx, ids); err != nil {
		return nil, err
	}
	for i := range list {
		if err := a.addJobFacts(ctx, f, &list[i]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// addJobFacts reads what no other job of the list has named yet.
func (a *API) addJobFacts(ctx context.Context, f *jobFacts, j *ci.Job) (err error) {
	sha := f.pipelines[j.PipelineID].SHA
	if _, known := f.commits[sha]; !known {
		if f.commits[sha], err = a.commitOrNil(ctx, f.project.ID, sha); err != nil {
			return err
		}
	}
	if _, known := f.runners[j.RunnerID]; !known && j.RunnerID != 0 {
		if f.runners[j.RunnerID], err = orNil(a.view.Runner(ctx, j.RunnerID)); err != nil {
			return err
		}
	}
	if _, known := f.machines[j.ManagerID]; !known && j.ManagerID != 0 {
		if f.machines[j.ManagerID], err = orNil(a.view.Manager(ctx, j.ManagerID)); err != nil {
			return err
		}
	}
	if j.Status.Complete() && !j.StartedAt.IsZero() {
		f.logs[j.ID], err = a.traces.Size(ctx, int64(j.ID))
	}
	return err
}

// commitOrNil reads a commit; nil when the repository does not have it any more.
func (a *API) commitOrNil(ctx context.Context, project ci.ProjectID, sha string) (*git.Commit, error) {
	commit, err := a.git.Commit(ctx, int64(project), sha)
	if errors.Is(err, git.ErrNotExist) || errors.Is(err, git.ErrNoRepository) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &commit, nil
}

// orNil turns "not there" into nil: a job outlives its runner.
func orNil[T any](value T, err error) (*T, error) {
	switch {
	case ci.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &value, nil
}

// keys lists the keys of a set in order.
func keys[T ~int64](set map[T]bool) []T {
	list := make([]T, 0, len(set))
	for key := range set {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// Times after which GitLab thinks a runner offline or stale
// (contract/runner-protocol.md 10).
const (
	onlineTime = 2 * time.Hour
	staleTime  = 7 * 24 * time.Hour
)

// contactStatus says how fresh the last contact of a runner or a machine is.
func contactStatus(createdAt, contactedAt, now time.Time) string {
	switch {
	case contactedAt.IsZero() && now.Sub(createdAt) >= staleTime, !contactedAt.IsZero() && now.Sub(contactedAt) >= staleTime:
		return "stale"
	case contactedAt.IsZero():
		return "never_contacted"
	case now.Sub(contactedAt) < onlineTime:
		return "online"
	}
	return "offline"
}

func shapeRunner(r *ci.Runner, m *ci.RunnerManager, now time.Time) *jobRunner {
	if r == nil {
		return nil
	}
	shape := &jobRunner{
		ID: r.ID, Description: r.Description, Active: !r.Paused, Paused: r.Paused, IsShared: r.Type == ci.InstanceRunner,
		RunnerType: string(r.Type), Status: contactStatus(r.CreatedAt, r.ContactedAt, now),
	}
	if m != nil {
		shape.Name, shape.IPAddress = orNull(m.Name), orNull(m.IPAddress)
	}
	if !r.ContactedAt.IsZero() {
		online := shape.Status == "online"
		shape.Online = &online
	}
	return shape
}

func shapeMachine(m *ci.RunnerManager, now time.Time) *runnerMachine {
	if m == nil {
		return nil
	}
	return &runnerMachine{
		ID: m.ID, SystemID: m.SystemID, Version: orNull(m.Version), Revision: orNull(m.Revision), Platform: orNull(m.Platform),
		Architecture: orNull(m.Architecture), CreatedAt: stamp(m.CreatedAt), ContactedAt: stamp(m.ContactedAt),
		IPAddress: orNull(m.IPAddress), Status: contactStatus(m.CreatedAt, m.ContactedAt, now),
	}
}
