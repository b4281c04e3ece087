package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A jobPage shows one job with its log.
type jobPage struct {
	shell
	Number     string // "#12"
	Name       string
	Stage      string
	Status     statusView
	Why        string
	Pipeline   link
	Ref        string
	Short      string
	User       string
	Created    timeView
	Since      timeView // when it began, while it runs
	Duration   string
	Queued     string // how long it waited for a runner
	Runner     string
	Tags       string
	Needs      string
	Retried    bool // a newer attempt counts instead
	Attempts   []jobLine
	Play       string // where forms post to; empty: not for this visitor, or not now
	Retry      string
	Cancel     string
	Erase      string
	Tests      testsView
	Artifacts  []artifactRow
	Expire     timeView // when the artifacts go
	Erased     timeView
	Downstream []tieRow
	Raw        string
	Log        logView
}

// An artifactRow is an upload of a job.
type artifactRow struct {
	Name string
	Type string
	Size string
	URL  string // empty for one that the visitor may not have
}

// A jobState is what a page about a job is made from.
type jobState struct {
	job      ci.Job
	pipeline ci.Pipeline
	guards   []ci.Protection
	onRef    bool // the visitor may run things on its ref
	mayLog   bool // and may read its log
}

// job shows the page.
func (v *visit) job() error {
	page, s, err := v.jobPage()
	if err != nil {
		return err
	}
	if page.Log, err = v.logView(s, v.r.URL.Query().Get("from")); err != nil {
		return err
	}
	if page.Log.Cursor != "" {
		page.Live = v.web.jobURL(v.project, s.job.ID) + "/events"
	}
	return v.show(http.StatusOK, "job", page)
}

// jobState loads the job that the path names and makes sure that it is of the
// project.
func (v *visit) jobState() (*jobState, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	s := &jobState{}
	if s.job, s.pipeline, err = v.web.view.JobInPipeline(v.ctx(), ci.JobID(id)); err != nil {
		return nil, err
	}
	if s.job.ProjectID != v.project.ID {
		return nil, ci.NoRecord()
	}
	if s.mayLog, err = v.mayReadLog(s); err != nil {
		return nil, err
	}
	if !v.may(auth.CancelBuild) { // then nothing else is theirs either
		return s, nil
	}
	if s.guards, err = v.web.view.Protections(v.ctx(), v.project.ID); err != nil {
		return nil, err
	}
	s.onRef = auth.MayRunOnRef(v.actor, s.pipeline.Ref, s.pipeline.Tag, s.guards)
	return s, nil
}

// mayReadLog checks the right to read a log. One that a job wrote in debug mode
// holds every variable, so it is for developers.
func (v *visit) mayReadLog(s *jobState) (bool, error) {
	debug := false
	if !v.may(auth.ReadDebugTrace) {
		var err error
		if debug, err = v.web.engine.DebugModeIn(v.ctx(), v.project, s.job, s.pipeline); err != nil {
			return false, err
		}
	}
	return auth.MayReadTrace(v.actor, v.project, debug), nil
}

// jobPage reads the job without its log.
func (v *visit) jobPage() (jobPage, *jobState, error) {
	s, err := v.jobState()
	if err != nil {
		return jobPage{}, nil, err
	}
	job := &s.job
	url := v.web.jobURL(v.project, job.ID)
	page := jobPage{
		shell: v.projectShell("Job "+job.Name, tabPipelines), Number: "#" + number(int(job.ID)), Name: job.Name, Stage: job.Stage,
		Status: jobStatus(job), Why: why(job), Ref: s.pipeline.Ref, Short: shortSHA(s.pipeline.SHA),
		Pipeline: link{"#" + number(int(job.PipelineID)), v.web.pipelineURL(v.project, job.PipelineID)},
		Created:  at(job.CreatedAt), Duration: between(job.StartedAt, job.FinishedAt), Queued: between(job.QueuedAt, job.StartedAt),
		Tags: strings.Join(job.Tags, ", "), Retried: job.Retried, Erased: at(job.ErasedAt), Raw: url + "/raw",
	}
	if job.Status == ci.Running {
		page.Since = at(job.StartedAt)
	}
	if page.Why == "" {
		if page.Why, err = v.waits(job); err != nil {
			return jobPage{}, nil, err
		}
	}
	needs := make([]string, len(job.Plan.Needs))
	for i, need := range job.Plan.Needs {
		needs[i] = need.Job
	}
	page.Needs = strings.Join(needs, ", ")
	v.fillJobActions(&page, s, url)
	if err := v.fillJobFacts(&page, s); err != nil {
		return jobPage{}, nil, err
	}
	if page.Tests, err = v.jobTests(job.ID); err != nil {
		return jobPage{}, nil, err
	}
	return page, s, v.fillArtifacts(&page, s, url)
}

// waits is a sentence on why a job has not begun, "" for one that does not wait.
func (v *visit) waits(job *ci.Job) (string, error) {
	reason, err := v.web.engine.WaitingReason(v.ctx(), v.project, *job)
	if reason != "" {
		reason = "It waits: " + reason + "."
	}
	return reason, err
}

// fillJobActions says what the visitor can do with the job now.
func (v *visit) fillJobActions(page *jobPage, s *jobState, url string) {
	job := &s.job
	waits := job.Status == ci.Manual || job.Status == ci.Scheduled
	if waits && s.onRef && v.may(auth.PlayJob) {
		page.Play = url + "/play"
	}
	if !job.Retried && job.Status.Complete() && job.Status != ci.Skipped && s.onRef && v.may(auth.RetryJob) {
		page.Retry = url + "/retry"
	}
	if job.Status.Cancelable() && job.Status != ci.Manual && s.onRef && v.may(auth.CancelBuild) {
		page.Cancel = url + "/cancel"
	}
	if job.Status.Complete() && job.ErasedAt.IsZero() && !job.StartedAt.IsZero() && auth.MayErase(v.actor, v.project, *job, s.pipeline, s.guards) {
		page.Erase = url + "/erase"
	}
}

// fillJobFacts adds who, where, and what came before and behind.
func (v *visit) fillJobFacts(page *jobPage, s *jobState) error {
	job := &s.job
	users, err := v.web.view.UsersByID(v.ctx(), []ci.UserID{job.UserID})
	if err != nil {
		return err
	}
	page.User = users[job.UserID].Username
	if job.RunnerID != 0 {
		runner, err := v.web.view.Runner(v.ctx(), job.RunnerID)
		switch {
		case ci.IsNotFound(err):
			page.Runner = "#" + number(int(job.RunnerID)) + ", removed since"
		case err != nil:
			return err
		default:
			page.Runner = strings.TrimSpace("#" + number(int(runner.ID)) + " " + runner.Description)
		}
	}
	if job.Attempt > 0 || job.Retried {
		if err := v.fillAttempts(page, s); err != nil {
			return err
		}
	}
	ties, err := v.web.view.RelatedPipelines(v.ctx(), job.PipelineID, maxTies)
	if err != nil {
		return err
	}
	visible, err := v.web.visibleTies(v.ctx(), v.caller.User, ties)
	if err != nil {
		return err
	}
	for _, tie := range ties {
		if tie.SourceJobID == job.ID {
			page.Downstream = append(page.Downstream, v.web.tieRow(tie, visible[tie.Project.ID]))
		}
	}
	return nil
}

// fillAttempts lists the other rows of the job.
func (v *visit) fillAttempts(page *jobPage, s *jobState) error {
	attempts, err := v.web.view.Attempts(v.ctx(), s.job.PipelineID, s.job.Name)
	if err != nil {
		return err
	}
	for i := range attempts {
		job := &attempts[i]
		if job.ID == s.job.ID {
			continue
		}
		page.Attempts = append(page.Attempts, jobLine{
			URL: v.web.jobURL(v.project, job.ID), Name: "#" + number(int(job.ID)), Status: jobStatus(job),
			Duration: between(job.StartedAt, job.FinishedAt),
		})
	}
	return nil
}

// fillArtifacts lists what the job uploaded.
func (v *visit) fillArtifacts(page *jobPage, s *jobState, jobURL string) error {
	found, err := v.web.view.Artifacts(v.ctx(), []ci.JobID{s.job.ID})
	if err != nil {
		return err
	}
	for _, a := range found[s.job.ID] {
		row := artifactRow{Name: a.Name, Type: a.Type, Size: bytesText(a.Size)}
		if auth.MayReadArtifacts(v.actor, v.project, a.Access) {
			row.URL = jobURL + "/artifacts/download?" + url.Values{"file_type": {a.Type}}.Encode()
		}
		page.Artifacts = append(page.Artifacts, row)
	}
	if len(page.Artifacts) > 0 {
		page.Expire = at(s.job.ArtifactsExpireAt)
	}
	return nil
}
