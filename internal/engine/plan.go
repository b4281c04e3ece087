package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/store"
)

type storedSpec = store.Spec

// mapPlan turns the compiler's jobs into rows and specifications. Jobs that
// execute the same share one specification.
func (e *Engine) mapPlan(ctx context.Context, d *pipelineDraft, from *loadedConfig, plan *ciyaml.Plan) (*compiledPlan, error) {
	out := &compiledPlan{jobs: make([]ci.Job, len(plan.Jobs)), specs: make([]storedSpec, 0, len(plan.Jobs))}
	seen := make(map[string]bool, len(plan.Jobs))
	for i := range plan.Jobs {
		if err := notYet(&plan.Jobs[i]); err != nil {
			return nil, err
		}
		job := &out.jobs[i]
		spec, err := e.specOfJob(ctx, d, from, &plan.Jobs[i])
		if err != nil {
			return nil, fmt.Errorf("specification of job %s: %w", plan.Jobs[i].Name, err)
		}
		if digest := string(spec.Digest); !seen[digest] {
			seen[digest] = true
			out.specs = append(out.specs, spec)
		}
		*job = jobOf(&plan.Jobs[i])
		job.Plan.CancelOnFailure = plan.AutoCancel.OnJobFailure == "all"
		if on := ci.OnNewCommit(plan.AutoCancel.OnNewCommit); on != "conservative" {
			job.Plan.OnNewCommit = on
		}
		job.SpecDigest = spec.Digest
		job.ProjectID, job.Protected, job.UserID = d.Project.ID, d.protected, d.Actor.User.ID
		job.CreatedAt = d.pipeline.CreatedAt
		if job.Timeout == 0 {
			job.Timeout = d.Project.BuildTimeout
		}
	}
	return out, nil
}

// notYet refuses a job that needs another pipeline, or a store of secrets that is
// not here: without, it would run the wrong thing.
func notYet(job *ciyaml.Job) error {
	keyword := ""
	switch {
	case job.Trigger != nil:
		keyword = "trigger"
	case job.MirrorOf != "":
		keyword = "needs:pipeline"
	case len(job.CrossNeeds) > 0 && job.CrossNeeds[0].Project != "":
		keyword = "needs:project"
	case len(job.CrossNeeds) > 0:
		keyword = "needs:pipeline:job"
	case slices.ContainsFunc(job.Secrets, func(s ciyaml.Secret) bool { return s.Provider == "gitlab_secrets_manager" }):
		keyword = "secrets:gitlab_secrets_manager"
	default:
		return nil
	}
	return refusalOf(ciyaml.Diagnostic{
		Pos: job.Pos, Code: ciyaml.CodeUnsupported, Message: fmt.Sprintf("keyword %q of job %s is not supported yet", keyword, job.Name),
	})
}

// jobOf maps what the state machine and the queue need.
func jobOf(from *ciyaml.Job) ci.Job {
	job := ci.Job{
		Name: from.Name, Stage: from.Stage, StageIndex: from.StageIndex, Status: ci.Created,
		AllowFailure: from.AllowFailure, Timeout: from.Timeout,
		Plan: ci.JobPlan{
			When: ci.When(from.When), StartIn: from.StartIn, DAG: from.DAG, Dependencies: from.Dependencies,
			ExitCodes: from.AllowFailureExitCodes, RetryMax: from.Retry.Max, RetryCodes: from.Retry.ExitCodes,
			Interruptible: from.Interruptible, NodeTotal: from.NodeTotal, NodeIndex: from.NodeIndex,
		},
	}
	job.Plan.ResourceGroup, job.Plan.ManualConfirmation = from.ResourceGroup, from.ManualConfirmation
	if to := from.Environment; to != nil {
		job.Plan.Environment = &ci.Environment{
			Name: to.Name, Slug: to.Slug, URL: to.URL, Action: to.Action, OnStop: to.OnStop, AutoStopIn: to.AutoStopIn, Tier: to.Tier,
		}
	}
	if from.GroupName != from.Name {
		job.Plan.Group = from.GroupName
	}
	for _, need := range from.Needs {
		job.Plan.Needs = append(job.Plan.Needs, ci.Need(need))
	}
	for _, when := range from.Retry.When {
		job.Plan.RetryWhen = append(job.Plan.RetryWhen, ci.FailureReason(when))
	}
	if len(from.Tags) > 0 {
		job.Tags = slices.Clone(from.Tags)
		slices.Sort(job.Tags)
		job.Tags = slices.Compact(job.Tags)
	}
	return job
}

// specOf maps what the job executes.
func specOf(from *ciyaml.Job) ci.Spec {
	spec := ci.Spec{
		BeforeScript: from.BeforeScript, Script: from.Script, AfterScript: from.AfterScript,
		Variables: fromYAMLVariables(from.Variables), Coverage: from.Coverage,
	}
	if from.Image != nil {
		image := imageOf(*from.Image)
		spec.Image = &image
	}
	for _, service := range from.Services {
		spec.Services = append(spec.Services, imageOf(service))
	}
	if from.Artifacts != nil {
		spec.Artifacts = artifactSpecs(*from.Artifacts)
	}
	addRareKeywords(&spec, from)
	return spec
}

// addRareKeywords maps what few jobs have.
func addRareKeywords(spec *ci.Spec, from *ciyaml.Job) {
	spec.PreGetSources, spec.Run, spec.Identity = from.PreGetSources, from.Run, from.Identity
	for _, token := range from.IDTokens {
		spec.IDTokens = append(spec.IDTokens, ci.IDToken(token))
	}
	for _, secret := range from.Secrets {
		spec.Secrets = append(spec.Secrets, ci.Secret(secret))
	}
	for _, input := range from.Inputs {
		spec.Inputs = append(spec.Inputs, ci.JobInput(input))
	}
	if from.Pages != nil {
		pages := ci.Pages(*from.Pages)
		spec.Pages = &pages
	}
	if r := from.Release; r != nil {
		spec.Release = &ci.Release{
			TagName: r.TagName, TagMessage: r.TagMessage, Name: r.Name, Ref: r.Ref, Description: r.Description,
			ReleasedAt: r.ReleasedAt, Milestones: r.Milestones,
		}
		for _, link := range r.Links {
			spec.Release.Links = append(spec.Release.Links, ci.ReleaseLink(link))
		}
	}
}

func fromYAMLVariables(list []ciyaml.Variable) []ci.Variable {
	var out []ci.Variable
	for _, v := range list {
		out = append(out, ci.Variable{Key: v.Key, Value: v.Value, Raw: v.Raw, File: v.File, Layers: uint8(v.Layers)})
	}
	return out
}

func imageOf(from ciyaml.Image) ci.Image {
	return ci.Image{
		Name: from.Name, Alias: from.Alias, Entrypoint: from.Entrypoint, Command: from.Command,
		PullPolicy: from.PullPolicy, Variables: fromYAMLVariables(from.Variables),
		Platform: from.Platform, User: from.User, KubernetesUser: from.KubernetesUser,
	}
}

// reportFormats says in which form each type of report is uploaded
// (contract/runner-protocol.md 4); types that are not listed are raw.
var reportFormats = map[string]string{
	"junit": "gzip", "metrics": "gzip", "dotenv": "gzip", "cobertura": "gzip", "jacoco": "gzip", "cyclonedx": "gzip",
	"annotations": "gzip", "repository_xray": "gzip", "lsif": "zip", "scip": "zip",
}

// reportNames are the default file names of reports.
var reportNames = map[string]string{
	"junit": "junit.xml", "dotenv": ".env", "metrics": "metrics.txt", "cobertura": "cobertura-coverage.xml",
	"jacoco": "jacoco-coverage.xml", "codequality": "gl-code-quality-report.json", "terraform": "tfplan.json",
}

// artifactSpecs lists the uploads: the archive, then each report, which is sent
// whatever becomes of the job.
func artifactSpecs(a ciyaml.Artifacts) []ci.ArtifactSpec {
	var list []ci.ArtifactSpec
	if len(a.Paths) > 0 || a.Untracked {
		list = append(list, ci.ArtifactSpec{
			Name: a.Name, Untracked: a.Untracked, Paths: a.Paths, Exclude: a.Exclude, When: a.When,
			ExpireIn: a.ExpireIn, Access: a.Access, Type: "archive", Format: "zip",
		})
	}
	for _, report := range a.Reports {
		kind := report.Type
		if kind == "coverage_report" {
			kind = report.Format
		}
		format := reportFormats[kind]
		if format == "" {
			format = "raw"
		}
		name := reportNames[kind]
		if name == "" {
			name = "gl-" + kind + "-report.json"
		}
		list = append(list, ci.ArtifactSpec{
			Name: name, Paths: report.Paths, When: "always", ExpireIn: a.ExpireIn, Access: a.Access, Type: kind, Format: format,
		})
	}
	return list
}
