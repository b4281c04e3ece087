package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A TriggerRequest is the trigger call as it arrived
// (contract/trigger-api.md 1.7).
type TriggerRequest struct {
	Project   string // id or full path, as the caller wrote it
	Token     string
	Ref       string
	Variables []ci.Variable
	Inputs    []ci.Input
	Payload   string // JSON of all parameters but the token: TRIGGER_PAYLOAD

	IdempotencyKey string // empty: none
	BodyDigest     []byte // of what the key stands for
}

// A Triggered is the answer: the pipeline as it was created.
type Triggered struct {
	Project  ci.Project
	Pipeline ci.Pipeline // its status is "created", whatever the row says by now
	User     ci.User
	Replayed bool // the idempotency key had been used before
}

// payloadKey names the variable that holds all parameters of a trigger call
// (contract/trigger-api.md 1.8).
const payloadKey = "TRIGGER_PAYLOAD"

// idempotencyLife is how long an idempotency key is remembered.
const idempotencyLife = 24 * time.Hour

// Trigger starts a pipeline with a trigger token or, failing that, with the token
// of a running job; then it is a multi-project pipeline and its upstream is that
// job. GitLab's page "Pipeline trigger tokens API", contract 1.7 and 2.
//
// Errors: ci.NotFound("") for every pair of project and token that does not
// match, so that nobody learns which projects exist; ci.KindUnauthorized for a
// job token whose job is over; those of CreatePipeline.
func (e *Engine) Trigger(ctx context.Context, r TriggerRequest) (Triggered, error) {
	request, err := e.triggerRequest(ctx, r)
	if err != nil {
		return Triggered{}, err
	}
	project := request.Project
	request.Ref, request.KeepRefused = r.Ref, true
	request.Variables, request.Inputs = r.Variables, r.Inputs
	request.Payload = &ci.Variable{Key: payloadKey, Value: r.Payload, File: true}
	answer := Triggered{Project: project, User: request.Actor.User}
	err = e.usedKey(ctx, request.Idempotency)
	if err == nil {
		answer.Pipeline, err = e.CreatePipeline(ctx, request)
	}
	if used, ok := errors.AsType[*store.Replayed](err); ok {
		return e.replay(ctx, answer, used)
	}
	if err != nil {
		return answer, err
	}
	answer.Pipeline = asCreated(answer.Pipeline)
	return answer, nil
}

// triggerRequest finds out who triggers: the owner of a trigger token, or the
// user of a job. Trigger tokens are tried first.
func (e *Engine) triggerRequest(ctx context.Context, r TriggerRequest) (PipelineRequest, error) {
	digest := e.keys.Digest(auth.TriggerTokens, r.Token)
	trigger, err := e.view.TriggerByDigest(ctx, digest)
	if err != nil && !ci.IsNotFound(err) {
		return PipelineRequest{}, fmt.Errorf("look up trigger token: %w", err)
	}
	unknown, project := err != nil, trigger.Project
	if unknown || !names(r.Project, project) {
		if project, err = e.findProject(ctx, r.Project); ci.IsNotFound(err) {
			return PipelineRequest{}, ci.NotFound("")
		}
		if err != nil {
			return PipelineRequest{}, fmt.Errorf("find project to trigger: %w", err)
		}
	}
	switch {
	case unknown:
		return e.jobTriggerRequest(ctx, project, r)
	case trigger.ProjectID != project.ID:
		return PipelineRequest{}, ci.NotFound("")
	case trigger.Expired(e.now()): // whoever has all of it may be told
		return PipelineRequest{}, ci.NotFound("").WithHint("token_expired",
			"This trigger token expired on "+trigger.ExpiresAt.UTC().Format(time.DateOnly)+". Create a new one in the project's CI/CD settings.")
	}
	return PipelineRequest{
		Project: project, Actor: auth.Actor{User: trigger.Owner, Role: trigger.Role}, Source: ci.SourceTrigger, Trigger: &trigger.Trigger,
		Idempotency: e.idempotency(r, "trigger", int64(trigger.ID)),
	}, nil
}

// jobTriggerRequest is the multi-project way in (contract 2.2 and 2.3).
func (e *Engine) jobTriggerRequest(ctx context.Context, project ci.Project, r TriggerRequest) (PipelineRequest, error) {
	job, err := e.view.JobByToken(ctx, e.keys.Digest(auth.JobTokens, r.Token))
	switch {
	case ci.IsNotFound(err):
		return PipelineRequest{}, ci.NotFound("")
	case err != nil:
		return PipelineRequest{}, fmt.Errorf("look up job token: %w", err)
	case !job.ErasedAt.IsZero():
		return PipelineRequest{}, &ci.Error{Kind: ci.KindUnauthorized, Message: "Job has been erased!"}
	case !job.Status.Executing():
		return PipelineRequest{}, &ci.Error{Kind: ci.KindUnauthorized, Message: "Job is not running"}
	}
	if _, err := e.view.Project(ctx, job.ProjectID); ci.IsNotFound(err) {
		return PipelineRequest{}, &ci.Error{Kind: ci.KindUnauthorized, Message: "Project has been deleted!"}
	} else if err != nil {
		return PipelineRequest{}, fmt.Errorf("load project of job %d: %w", job.ID, err)
	}
	user, err := e.view.User(ctx, job.UserID)
	switch {
	case ci.IsNotFound(err): // nobody can read the project any more
		return PipelineRequest{}, ci.NotFound("")
	case err != nil:
		return PipelineRequest{}, fmt.Errorf("load user of job %d: %w", job.ID, err)
	}
	actor, err := e.Actor(ctx, Caller{User: user, Job: &job}, project)
	if err != nil {
		return PipelineRequest{}, err
	}
	if auth.Allow(actor, auth.ReadProject, project) != auth.Allowed {
		return PipelineRequest{}, ci.NotFound("")
	}
	return PipelineRequest{
		Project: project, Actor: actor, Source: ci.SourcePipeline,
		Upstream:    &ci.Upstream{SourceProjectID: job.ProjectID, SourcePipelineID: job.PipelineID, SourceJobID: job.ID},
		Idempotency: e.idempotency(r, "job", int64(job.ID)),
	}, nil
}

// idempotency scopes the caller's key to the token's owner row, so that a key
// says nothing to anybody else.
func (e *Engine) idempotency(r TriggerRequest, owner string, id int64) *store.Idempotency {
	if r.IdempotencyKey == "" {
		return nil
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%s:%d", owner, id))
	return &store.Idempotency{
		Scope: digest[:], Key: r.IdempotencyKey, BodyDigest: r.BodyDigest, Since: e.now().Add(-idempotencyLife),
	}
}

// usedKey returns *store.Replayed when an idempotency key stands for a pipeline
// already. It is asked before anything is checked: the answer to a repeated request
// does not depend on what has changed since.
func (e *Engine) usedKey(ctx context.Context, key *store.Idempotency) error {
	if key == nil {
		return nil
	}
	used, err := e.view.UsedKey(ctx, key)
	switch {
	case ci.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	return &used
}

// replay answers a repeated idempotency key as it was answered first. A request
// that left a failed row is refused again, in the same words if they can be known.
func (e *Engine) replay(ctx context.Context, answer Triggered, used *store.Replayed) (Triggered, error) {
	if !used.SameBody {
		return Triggered{}, &ci.Error{Kind: ci.KindUnprocessable, Message: "Idempotency-Key was used with another request"}
	}
	pipeline, err := e.view.Pipeline(ctx, used.PipelineID)
	if err != nil {
		return Triggered{}, fmt.Errorf("load pipeline of idempotency key: %w", err)
	}
	answer.Replayed = true
	if pipeline.FailureReason != "" {
		answer.Pipeline = pipeline
		return answer, e.refusalOfRow(pipeline)
	}
	answer.Pipeline = asCreated(pipeline)
	return answer, nil
}

// refusalOfRow is the refusal that left a failed row. Where its words are not known
// any more, the failure reason stands for them (contract/trigger-api.md 4.3).
func (e *Engine) refusalOfRow(p ci.Pipeline) *ci.Error {
	refusal := &ci.Error{Message: p.FailureReason}
	switch p.FailureReason {
	case ci.ReasonConfigError:
		refusal = ci.Refused(p.YAMLErrors)
	case ci.ReasonSizeLimit:
		refusal = e.tooManyJobs().invalid()
	}
	refusal.Kind = ci.KindUnprocessable
	return refusal
}

// asCreated shows a pipeline as GitLab answers it, whose processing starts only
// after the answer (contract/trigger-api.md 5.1). A skipped push stays skipped.
func asCreated(p ci.Pipeline) ci.Pipeline {
	p.Status, p.UpdatedAt = ci.Created, p.CreatedAt
	p.StartedAt, p.FinishedAt, p.Duration = time.Time{}, time.Time{}, -1
	p.Stages = nil
	return p
}
