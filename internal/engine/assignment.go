package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// An Assignment is a job on its way to a runner, with all that the payload is
// made from. It holds secrets: the job token and sealed variables, opened.
type Assignment struct {
	Job          ci.Job
	Pipeline     ci.Pipeline
	Project      ci.Project
	User         ci.User // as whom the job runs
	Runner       ci.Runner
	Spec         ci.Spec
	Token        string
	Variables    []ci.Variable // final list in order of precedence, keys are unique
	Dependencies []Dependency
	dotenv       []ci.Artifact // reports of the same jobs that become variables
	RefGone      bool          // the branch or tag is not there any more; the commit is

	// For people who watch queues: how many the runner found with work in them, how
	// many jobs it tried to take for this one, and how many jobs of the project are
	// running besides it.
	QueueSize, QueueDepth, Running int
}

// A Dependency is an earlier job whose artifacts the job gets.
type Dependency struct {
	Job     ci.Job
	Archive ci.Artifact
}

// missingDependency says that artifacts which a job must have are gone.
type missingDependency struct{ job string }

// Error names the job whose artifacts are missing.
func (m *missingDependency) Error() string { return "artifacts of job " + m.job + " are gone" }

// complete gathers the rest of what a runner gets for a job that it has just taken.
func (e *Engine) complete(ctx context.Context, a *Assignment, job ci.Job, head store.QueueHead) (err error) {
	a.Job, a.Running = job, int(head.Running)
	a.Token = e.keys.JobToken(int64(job.ID), job.TokenNonce)
	if a.Project, err = e.view.Project(ctx, job.ProjectID); err != nil {
		return fmt.Errorf("load project of job %d: %w", job.ID, err)
	}
	prefix := ci.BranchPrefix
	if a.Pipeline.Tag {
		prefix = ci.TagPrefix
	}
	_, err = e.view.Ref(ctx, job.ProjectID, prefix+a.Pipeline.Ref)
	if a.RefGone = ci.IsNotFound(err); err != nil && !a.RefGone {
		return fmt.Errorf("look up ref of job %d: %w", job.ID, err)
	}
	a.Variables, err = e.jobVariables(ctx, a)
	return err
}

// Spec reads what a job executes.
func (e *Engine) Spec(ctx context.Context, job ci.Job) (ci.Spec, error) {
	body, err := e.view.Spec(ctx, job.SpecDigest)
	if err != nil {
		return ci.Spec{}, fmt.Errorf("read specification of job %d: %w", job.ID, err)
	}
	var spec ci.Spec
	if err := json.Unmarshal(body, &spec); err != nil {
		return ci.Spec{}, fmt.Errorf("decode specification of job %d: %w", job.ID, err)
	}
	return spec, nil
}

// PipelineVariables opens the variables that a pipeline was started with,
// TRIGGER_PAYLOAD among them.
func (e *Engine) PipelineVariables(ctx context.Context, p ci.Pipeline) ([]ci.Variable, error) {
	sealed, err := e.view.PipelineVariables(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("read variables of pipeline %d: %w", p.ID, err)
	}
	return e.openVariables(sealed, p.UID)
}

// openVariables opens a sealed list; an empty one needs no key.
func (e *Engine) openVariables(sealed []byte, context string) ([]ci.Variable, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := e.keys.Open(sealed, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("open variables: %w", err)
	}
	var list []ci.Variable
	if err := json.Unmarshal(plain, &list); err != nil {
		return nil, fmt.Errorf("decode variables: %w", err)
	}
	return list, nil
}

// dependencies picks the artifacts of earlier jobs that go to the job, in the
// order of the pipeline: archives to download and reports that become variables
// (contract/ci-yaml.md 5.4, 6.2 and 6.3).
// Errors: *missingDependency when those of a job are erased or have expired.
func (e *Engine) dependencies(ctx context.Context, s *ci.Snapshot, job ci.Job, a *Assignment) error {
	var from []ci.Job
	var ids []ci.JobID
	for i := range s.Jobs {
		if earlier := s.Jobs[i]; !earlier.Retried && feeds(earlier, job) {
			from, ids = append(from, earlier), append(ids, earlier.ID)
		}
	}
	if len(from) == 0 {
		return nil
	}
	artifacts, err := e.view.Artifacts(ctx, ids)
	if err != nil {
		return fmt.Errorf("read artifacts for job %d: %w", job.ID, err)
	}
	for _, earlier := range from {
		if expired(earlier, e.now()) || !earlier.ErasedAt.IsZero() {
			return &missingDependency{earlier.Name}
		}
		for _, artifact := range artifacts[earlier.ID] {
			switch artifact.Type {
			case archive:
				a.Dependencies = append(a.Dependencies, Dependency{Job: earlier, Archive: artifact})
			case dotenv:
				a.dotenv = append(a.dotenv, artifact)
			}
		}
	}
	return nil
}

// feeds reports whether artifacts of earlier go to job: those of earlier stages, or
// of its needs, and of them only those that it lists as dependencies if it does.
func feeds(earlier, job ci.Job) bool {
	if job.Plan.Dependencies != nil && !slices.Contains(job.Plan.Dependencies, earlier.Name) {
		return false
	}
	if !job.Plan.DAG {
		return earlier.StageIndex < job.StageIndex
	}
	return slices.ContainsFunc(job.Plan.Needs, func(n ci.Need) bool { return n.Artifacts && n.Job == earlier.Name })
}

func expired(job ci.Job, now time.Time) bool {
	return !job.ArtifactsExpireAt.IsZero() && !job.ArtifactsExpireAt.After(now)
}

// newJobToken makes the secret part of a job's token: the nonce that it is
// derived from and the digest that it is looked up by.
func (e *Engine) newJobToken(id ci.JobID) (nonce, digest []byte) {
	nonce = e.randomBytes(16)
	return nonce, e.keys.Digest(auth.JobTokens, e.keys.JobToken(int64(id), nonce))
}
