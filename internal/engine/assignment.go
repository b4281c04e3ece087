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
	Job             ci.Job
	Pipeline        ci.Pipeline
	Project         ci.Project
	RootNamespaceID ci.NamespaceID // of the project
	User            ci.User        // as whom the job runs
	Runner          ci.Runner
	Spec            ci.Spec
	Token           string
	Variables       []ci.Variable // final list in order of precedence, keys are unique
	Dependencies    []Dependency
	dotenv          []Dependency  // reports of the same jobs that become variables
	owned           []ci.Variable // those of the instance, the groups and the project
	RefGone         bool          // the branch or tag is not there any more; the commit is

	// For people who watch queues: how many the runner found with work in them, how
	// many jobs it tried to take for this one, and how many jobs of the project are
	// running besides it.
	QueueSize, QueueDepth, Running int
}

// A Dependency is an earlier job with an artifact of it that the job gets.
type Dependency struct {
	Job     ci.Job
	Archive ci.Artifact
}

// Spec reads what a job executes.
func (e *Engine) Spec(ctx context.Context, job ci.Job) (ci.Spec, error) {
	body, err := e.view.Spec(ctx, job.SpecDigest)
	if err != nil {
		return ci.Spec{}, fmt.Errorf("read specification of job %d: %w", job.ID, err)
	}
	return decodeSpec(job, body)
}

// decodeSpec gives a specification from its stored form.
func decodeSpec(job ci.Job, body []byte) (ci.Spec, error) {
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
// (contract/ci-yaml.md 5.4, 6.2 and 6.3). It reports whether those of one of them
// are missing, since they are erased or have expired.
func (e *Engine) dependencies(found *store.Candidate, job ci.Job, a *Assignment) (missing bool) {
	for _, earlier := range found.Snapshot.Jobs {
		if earlier.Retried || !feeds(earlier, job) {
			continue
		}
		if expired(earlier, e.now()) || !earlier.ErasedAt.IsZero() {
			return true
		}
		for _, artifact := range found.Artifacts[earlier.ID] {
			switch artifact.Type {
			case archive:
				a.Dependencies = append(a.Dependencies, Dependency{Job: earlier, Archive: artifact})
			case dotenv:
				a.dotenv = append(a.dotenv, Dependency{Job: earlier, Archive: artifact})
			}
		}
	}
	return false
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
