package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// maxLintBody is the largest request with a configuration, which itself may have
// 2 MiB and takes up to twice of that as JSON.
const maxLintBody = 6 << 20

// maxMergedYAML is the longest merged configuration that is shown, in bytes.
const maxMergedYAML = 16 << 20

// lintShape is GitLab's answer to a lint request (contract/trigger-api.md 6.3), and
// behind it what only this server tells: where each finding is and, of a dry run,
// why each job is in or out.
type lintShape struct {
	Valid      bool          `json:"valid"`
	Errors     []string      `json:"errors"`
	Warnings   []string      `json:"warnings"`
	MergedYAML *string       `json:"merged_yaml"`
	Includes   []lintInclude `json:"includes"`
	Jobs       any           `json:"jobs,omitempty"`
	Findings   []lintFinding `json:"findings"`
	Explain    *explainShape `json:"explain,omitempty"`
}

// lintInclude is a file that the configuration includes.
type lintInclude struct {
	Type           string             `json:"type"`
	Location       string             `json:"location"`
	Blob           *string            `json:"blob"`
	Raw            *string            `json:"raw"`
	Extra          map[string]*string `json:"extra"`
	ContextProject *string            `json:"context_project"`
	ContextSHA     *string            `json:"context_sha"`
}

// lintFinding is an error or a warning with its place.
type lintFinding struct {
	Severity string         `json:"severity"`
	Code     string         `json:"code"`
	Message  string         `json:"message"`
	Hint     *string        `json:"hint"`
	Position *positionShape `json:"position"`
}

// positionShape is a place in a file; lines and columns count from 1.
type positionShape struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// lintJob is a job that a dry run would make.
type lintJob struct {
	Name         string   `json:"name"`
	Stage        string   `json:"stage"`
	BeforeScript []string `json:"before_script"`
	Script       []string `json:"script"`
	AfterScript  []string `json:"after_script"`
	TagList      []string `json:"tag_list"`
	Environment  *string  `json:"environment"`
	When         string   `json:"when"`
	AllowFailure bool     `json:"allow_failure"`
}

// staticJob is a job as it stands in the configuration.
type staticJob struct {
	Name         string          `json:"name"`
	Stage        string          `json:"stage"`
	BeforeScript []string        `json:"before_script"`
	Script       []string        `json:"script"`
	AfterScript  []string        `json:"after_script"`
	TagList      []string        `json:"tag_list"`
	Only         json.RawMessage `json:"only"`
	Except       json.RawMessage `json:"except"`
	Environment  *string         `json:"environment"`
	When         string          `json:"when"`
	AllowFailure bool            `json:"allow_failure"`
	Needs        []lintNeed      `json:"needs"`
}

// lintNeed is a job that another one needs.
type lintNeed struct {
	Name      string `json:"name"`
	Artifacts bool   `json:"artifacts"`
	Optional  bool   `json:"optional"`
}

// lintContent checks the configuration in the request.
func (a *API) lintContent(c *call) error {
	p := c.params
	p.Require("content")
	request := engine.LintRequest{Content: []byte(p.String("content")), DryRun: p.Bool("dry_run", false), Ref: p.String("ref")}
	jobs := p.Bool("include_jobs", false)
	request.Explain = p.Bool("explain", true)
	project, err := c.project(auth.CreatePipeline)
	if err != nil {
		return err
	}
	return c.lint(project, request, jobs)
}

// lintFile checks the configuration file of a commit.
func (a *API) lintFile(c *call) error {
	p := c.params
	for _, pair := range [][2]string{{"sha", "content_ref"}, {"ref", "dry_run_ref"}} {
		if p.Has(pair[0]) && p.Has(pair[1]) {
			p.Fail(pair[0]+", "+pair[1], "are mutually exclusive")
		}
	}
	rev := firstOf(p.String("content_ref"), p.String("sha"))
	request := engine.LintRequest{DryRun: p.Bool("dry_run", false), Ref: firstOf(p.String("dry_run_ref"), p.String("ref")), VerifySHA: rev != ""}
	jobs := p.Bool("include_jobs", false)
	request.Explain = p.Bool("explain", true)
	project, err := c.project(auth.ReadCode)
	if err != nil {
		return err
	}
	empty, err := c.emptyRepository(project)
	if err != nil {
		return err
	}
	if empty {
		return ci.NotFound("Repository")
	}
	commit, err := c.commitOf(project, firstOf(rev, ci.BranchPrefix+project.DefaultBranch))
	if err != nil {
		return err
	}
	request.SHA = commit.SHA
	request.Content, err = a.git.ReadFile(c.ctx(), int64(project.ID), commit.SHA, project.Config())
	switch {
	case errors.Is(err, git.ErrNotExist):
		request.Content = nil
	case errors.Is(err, git.ErrTooLarge): // the compiler says so, too, of anything of that size
		request.Content = make([]byte, maxLintBody)
	case err != nil:
		return err
	}
	return c.lint(project, request, jobs)
}

// lint asks for the check and answers.
func (c *call) lint(project ci.Project, r engine.LintRequest, jobs bool) error {
	r.Project, r.Actor = project, c.actor
	result, err := c.api.engine.Lint(c.ctx(), r)
	if err != nil {
		return err
	}
	shape := lintShape{
		Valid: result.Valid(), Errors: messages(result.Errors), Warnings: messages(result.Warnings),
		Includes: c.api.lintIncludes(result.Inspection.Includes), Findings: append(findings("error", result.Errors), findings("warning", result.Warnings)...),
	}
	if merged := result.Inspection.Merged; merged != nil {
		if text, ok := merged.YAML(maxMergedYAML); ok {
			shape.MergedYAML = &text
		}
	}
	if jobs && sizeOf(result) > maxJobs {
		return ci.TooLarge("the jobs of this configuration are too large to be listed")
	}
	if jobs && r.DryRun {
		shape.Jobs = plannedJobs(result.Planned)
	} else if jobs {
		shape.Jobs = staticJobs(result.Static)
	}
	if result.Explanation != nil {
		shape.Explain = shapeExplanation(result.Explanation)
	}
	return c.json(http.StatusOK, shape)
}

// maxJobs is how long the scripts of all jobs in an answer may be, in bytes: a few
// lines of parallel repeat the same one hundreds of times.
const maxJobs = 32 << 20

// sizeOf is how long the scripts of the jobs are.
func sizeOf(result *engine.LintResult) int {
	n := 0
	add := func(j *ciyaml.Job) {
		for _, script := range [][]string{j.BeforeScript, j.Script, j.AfterScript} {
			for _, line := range script {
				n += len(line)
			}
		}
	}
	for i := range result.Static {
		add(&result.Static[i].Job)
	}
	for i := range result.Planned {
		add(&result.Planned[i])
	}
	return n
}

func messages(list ciyaml.Diagnostics) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Message
	}
	return out
}

func findings(severity string, list ciyaml.Diagnostics) []lintFinding {
	out := make([]lintFinding, len(list))
	for i, d := range list {
		out[i] = lintFinding{Severity: severity, Code: d.Code, Message: d.Message, Hint: orNull(d.Hint)}
		if d.Pos.Line > 0 {
			out[i].Position = &positionShape{d.Pos.File, d.Pos.Line, d.Pos.Col}
		}
	}
	return out
}

// lintIncludes shows where the included files are: in a repository of this server,
// or somewhere else.
func (a *API) lintIncludes(list []ciyaml.Include) []lintInclude {
	out := make([]lintInclude, len(list))
	for i, from := range list {
		out[i] = lintInclude{
			Type: from.Kind, Location: from.Location, Extra: map[string]*string{},
			ContextProject: orNull(from.ContextProject), ContextSHA: orNull(from.ContextSHA),
		}
		switch {
		case from.Project != "":
			out[i].Blob = orNull(a.urls.Blob(from.Project, from.SHA, from.Path))
			if from.Kind != "component" { // GitLab has none for those
				out[i].Raw = orNull(a.urls.Raw(from.Project, from.SHA, from.Path))
			}
		case from.Kind == "remote":
			out[i].Raw = orNull(from.Location)
		}
		if from.Kind == "file" {
			out[i].Extra["project"], out[i].Extra["ref"] = &from.FromProject, orNull(from.FromRef)
		}
	}
	return out
}

func plannedJobs(list []ciyaml.Job) []lintJob {
	out := make([]lintJob, len(list))
	for i, j := range list {
		out[i] = lintJob{
			Name: j.Name, Stage: j.Stage, BeforeScript: listed(j.BeforeScript), Script: listed(j.Script), AfterScript: listed(j.AfterScript),
			TagList: listed(j.Tags), Environment: environmentName(j), When: j.When, AllowFailure: j.AllowFailure,
		}
	}
	return out
}

func staticJobs(list []ciyaml.StaticJob) []staticJob {
	out := make([]staticJob, len(list))
	for i, j := range list {
		out[i] = staticJob{
			Name: j.Name, Stage: j.Stage, BeforeScript: listed(j.BeforeScript), Script: listed(j.Script), AfterScript: listed(j.AfterScript),
			TagList: listed(j.Tags), Only: json.RawMessage(firstOf(j.Only, "null")), Except: json.RawMessage(firstOf(j.Except, "null")),
			Environment: environmentName(j.Job), When: j.When, AllowFailure: j.AllowFailure,
		}
		if j.DAG {
			out[i].Needs = []lintNeed{}
		}
		for _, need := range j.Needs {
			out[i].Needs = append(out[i].Needs, lintNeed{need.Job, need.Artifacts, need.Optional})
		}
	}
	return out
}

func environmentName(j ciyaml.Job) *string {
	if j.Environment == nil {
		return nil
	}
	return orNull(j.Environment.Name)
}

// listed is a list that JSON shows as one when it is empty, too.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
