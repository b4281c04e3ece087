package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/lanyard-ci/lanyard/internal/auth"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/flow"
	"github.com/lanyard-ci/lanyard/internal/store"
)

// A PipelineRequest is what a pipeline is made from, whoever asked for it: the
// trigger call, the API, a push.
type PipelineRequest struct {
	Project ci.Project
	Actor   auth.Actor // whose rights count; the pipeline runs as Actor.User
	Source  ci.Source
	Ref     string // as the caller wrote it
	SHA     string // of a push: exactly this commit; else the head of Ref counts
	Before  string // of a push: the head before it

	Variables []ci.Variable // given by the caller
	Inputs    []ci.Input    // for spec:inputs of the configuration
	Payload   *ci.Variable  // TRIGGER_PAYLOAD, which nobody needs a right to set
	Trigger   *ci.Trigger   // the trigger token, when one was used
	Upstream  *ci.Upstream  // the job, when its token was used

	KeepRefused bool // a configuration error leaves a failed row (the trigger call and pushes)
	HonorSkip   bool // [ci skip] in the commit message counts (pushes)
	Skip        bool // push option ci.skip
	Idempotency *store.Idempotency
}

// A pipelineDraft is a pipeline on its way through the steps of CreatePipeline.
type pipelineDraft struct {
	PipelineRequest
	ref         ci.Ref
	refError    error           // why there is no ref
	protections []ci.Protection // of the project, once there is a ref
	commit      commitInfo
	tagMessage  string
	protected   bool
	version     int64 // of the variables in the database, with the protections
	reaching    *reachingVariables
	pipeline    ci.Pipeline
	variables   []ci.Variable // what is stored: the caller's, then the payload
	plan        *compiledPlan
}

// CreatePipeline makes a pipeline and starts it, in one transaction; it is
// durable when this returns. The steps and every text are those of GitLab's
// creation chain (contract/trigger-api.md 4.2).
//
// Errors: ci.KindInvalid when nothing was kept, ci.KindUnprocessable when a
// failed pipeline was (it is returned too), *store.Replayed for a repeated
// idempotency key.
func (e *Engine) CreatePipeline(ctx context.Context, r PipelineRequest) (ci.Pipeline, error) {
	d := &pipelineDraft{PipelineRequest: r}
	err := e.takeSteps(ctx, d)
	var refusal *keptRefusal
	switch {
	case errors.As(err, &refusal) && r.KeepRefused:
		return e.keepRefused(ctx, d, refusal)
	case errors.As(err, &refusal):
		return ci.Pipeline{}, refusal.invalid()
	case err != nil:
		return ci.Pipeline{}, err
	}
	return e.persist(ctx, d)
}

// takeSteps leads a draft through the chain, until it is refused or to be skipped.
func (e *Engine) takeSteps(ctx context.Context, d *pipelineDraft) error {
	for _, step := range []func(context.Context, *pipelineDraft) error{
		e.findRef, e.checkAbilities, e.checkRepository, e.checkVariables, e.checkSkip, checkInputs, e.compile,
	} {
		if err := step(ctx, d); err != nil {
			return err
		}
		if d.pipeline.Status == ci.Skipped {
			return nil
		}
	}
	return nil
}

// findRef looks the ref up first, since the abilities depend on it; that it is
// missing is reported after them, as GitLab's chain does.
func (e *Engine) findRef(ctx context.Context, d *pipelineDraft) error {
	ref, found, err := e.resolveRef(ctx, d.Project.ID, d.Ref)
	switch {
	case ci.KindOf(err) == ci.KindInvalid:
		d.refError = err
		return nil
	case err != nil:
		return fmt.Errorf("resolve ref in project %d: %w", d.Project.ID, err)
	case d.SHA != "":
		ref.SHA = d.SHA
	}
	d.ref, d.protections, d.version = ref, found.Protections, found.VariablesVersion
	return nil
}

// checkAbilities is step 2 of the chain: may the caller run pipelines here, and
// on this ref. A ref that is not there bars nobody: the next step reports it.
func (e *Engine) checkAbilities(ctx context.Context, d *pipelineDraft) error {
	if d.Project.BuildsAccess == ci.AccessDisabled {
		return ci.Refused("Pipelines are disabled!")
	}
	if auth.Allow(d.Actor, auth.CreatePipeline, d.Project) != auth.Allowed {
		return ci.Refused("Insufficient permissions to create a new pipeline")
	}
	if d.refError != nil {
		return nil
	}
	d.protected = auth.Protected(d.ref.Short(), d.ref.Tag(), d.protections)
	if !auth.MayRunOnRef(d.Actor, d.ref.Short(), d.ref.Tag(), d.protections) {
		return ci.Refused(fmt.Sprintf("You do not have sufficient permission to run a pipeline on '%s'. "+
			"Please select a different branch or contact your administrator for assistance.", d.Ref))
	}
	return nil
}

// checkRepository is step 3: is there such a ref, and its commit. From here on the
// draft has a pipeline, so that a refusal can keep a row.
func (e *Engine) checkRepository(ctx context.Context, d *pipelineDraft) error {
	if d.refError != nil {
		return e.explainRef(ctx, d, d.refError)
	}
	commit, err := e.commit(ctx, d.Project.ID, d.ref.SHA)
	if ci.IsNotFound(err) {
		return ci.Refused("Commit not found")
	}
	if err != nil {
		return err
	}
	d.commit, d.pipeline = commit, e.draftPipeline(d)
	d.tagMessage, err = e.tagMessage(ctx, d.Project.ID, d.pipeline)
	return err
}

// draftPipeline is the row as far as it is known before the configuration is read.
func (e *Engine) draftPipeline(d *pipelineDraft) ci.Pipeline {
	now := e.now().UTC().Truncate(time.Microsecond)
	p := ci.Pipeline{
		UID: e.randomHex(16), ProjectID: d.Project.ID, Ref: d.ref.Short(), Tag: d.ref.Tag(), SHA: d.ref.SHA, BeforeSHA: d.Before,
		Source: d.Source, Status: ci.Created, Protected: d.protected, UserID: d.Actor.User.ID, CreatedAt: now, UpdatedAt: now, Duration: -1,
	}
	if p.BeforeSHA == "" {
		p.BeforeSHA = ci.ZeroSHA
	}
	if d.Trigger != nil {
		p.TriggerID = d.Trigger.ID
	}
	return p
}

var skipMark = regexp.MustCompile(`(?i)\[(ci[ _-]skip|skip[ _-]ci)\]`)

// checkSkip is step 7: a push may ask for no pipeline, by an option or in the
// commit's message. Then there is one that is skipped.
func (e *Engine) checkSkip(_ context.Context, d *pipelineDraft) error {
	if d.Skip || d.HonorSkip && d.commit.Skip {
		d.pipeline.Status = ci.Skipped
	}
	return nil
}

// maxInputs is how many inputs a pipeline may be given.
const maxInputs = 20

// checkInputs is step 8 of the chain.
func checkInputs(_ context.Context, d *pipelineDraft) error {
	if len(d.Inputs) > maxInputs {
		return ci.Refused(fmt.Sprintf("There cannot be more than %d inputs", maxInputs))
	}
	return nil
}

// persist starts the compiled pipeline and writes it, once.
func (e *Engine) persist(ctx context.Context, d *pipelineDraft) (ci.Pipeline, error) {
	row := &store.NewPipeline{Pipeline: d.pipeline, Idempotency: d.Idempotency, Upstream: d.Upstream}
	if d.plan != nil {
		started := flow.Start(&ci.Snapshot{Pipeline: d.pipeline, Jobs: d.plan.jobs}, d.pipeline.CreatedAt)
		row.Pipeline, row.Jobs, row.Specs = started.Pipeline, started.Jobs, d.plan.specs
		row.Supersedes = d.Project.AutoCancelPending && !d.pipeline.Tag && d.Source != ci.SourceParent
	}
	if err := e.sealVariables(d, row); err != nil {
		return ci.Pipeline{}, err
	}
	if err := e.addResourceGroups(ctx, d.Project.ID, row.Jobs); err != nil {
		return ci.Pipeline{}, err
	}
	saved, err := e.store.CreatePipeline(ctx, row)
	if errors.Is(err, store.ErrUnknown) {
		saved, err = e.lookUpUnknown(d.pipeline.UID, err)
	}
	var replayed *store.Replayed
	switch {
	case errors.As(err, &replayed):
		return ci.Pipeline{}, err
	case err != nil:
		return ci.Pipeline{}, fmt.Errorf("create pipeline in project %d: %w", d.Project.ID, err)
	}
	e.countCreated(row)
	e.wakeQueues(row.Jobs)
	e.hub.WakePipeline(saved.ProjectID, saved.ID)
	e.passResources(ctx, saved.ProjectID, row.Jobs)
	if len(row.Older) > 0 {
		e.report(ctx, "cancel redundant pipelines", e.cancelRedundant(context.WithoutCancel(ctx), saved, row.Older))
	}
	return saved, nil
}

// sealVariables puts the variables of the draft into the row, sealed.
func (e *Engine) sealVariables(d *pipelineDraft, row *store.NewPipeline) error {
	if len(d.variables) == 0 {
		return nil
	}
	plain, err := json.Marshal(d.variables)
	if err != nil {
		return fmt.Errorf("encode pipeline variables: %w", err)
	}
	row.Variables, err = e.keys.Seal(plain, []byte(d.pipeline.UID))
	if err != nil {
		return fmt.Errorf("seal pipeline variables: %w", err)
	}
	return nil
}

// randomHex makes n random bytes, as hex.
func (e *Engine) randomHex(n int) string { return hex.EncodeToString(e.randomBytes(n)) }

// randomBytes makes n random bytes. A broken source would make guessable secrets,
// so the program does not go on with one.
func (e *Engine) randomBytes(n int) []byte {
	data := make([]byte, n)
	if _, err := io.ReadFull(e.rand, data); err != nil {
		panic(fmt.Sprintf("read randomness: %v", err))
	}
	return data
}
