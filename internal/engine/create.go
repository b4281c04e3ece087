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
	ref       ci.Ref
	commit    commitInfo
	protected bool
	pipeline  ci.Pipeline
	variables []ci.Variable // what is stored: the caller's, then the payload
	plan      *compiledPlan
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
	steps := []func(context.Context, *pipelineDraft) error{
		e.checkAbilities,
		e.checkVariables,
		e.readCommit,
		e.compile,
	}
	if err := e.checkRef(ctx, d); err != nil {
		return ci.Pipeline{}, err
	}
	e.draftPipeline(d)
	for _, step := range steps {
		err := step(ctx, d)
		var refusal *keptRefusal
		switch {
		case errors.As(err, &refusal) && r.KeepRefused:
			return e.keepRefused(ctx, d, refusal)
		case errors.As(err, &refusal):
			return ci.Pipeline{}, refusal.invalid()
		case err != nil:
			return ci.Pipeline{}, err
		}
		if d.pipeline.Status == ci.Skipped {
			break
		}
	}
	return e.persist(ctx, d)
}

// checkRef looks the ref up first, since later refusals name it; that it is
// missing is reported after the abilities, as GitLab's chain does.
func (e *Engine) checkRef(ctx context.Context, d *pipelineDraft) error {
	ref, err := e.resolveRef(ctx, d.Project.ID, d.Ref)
	switch ci.KindOf(err) {
	case ci.KindInvalid:
		if denied := e.mayCreate(d); denied != nil {
			return denied
		}
		return e.explainRef(ctx, d, err)
	case "":
		if err != nil {
			return fmt.Errorf("resolve ref in project %d: %w", d.Project.ID, err)
		}
	default:
		return err
	}
	if d.SHA != "" {
		ref.SHA = d.SHA
	}
	d.ref = ref
	return nil
}

// mayCreate checks what does not depend on the ref.
func (e *Engine) mayCreate(d *pipelineDraft) error {
	if d.Project.BuildsAccess == ci.AccessDisabled {
		return ci.Refused("Pipelines are disabled!")
	}
	if auth.Allow(d.Actor, auth.CreatePipeline, d.Project) != auth.Allowed {
		return ci.Refused("Insufficient permissions to create a new pipeline")
	}
	return nil
}

// checkAbilities is step 2 of the chain: may the caller run pipelines here, and
// on this ref.
func (e *Engine) checkAbilities(ctx context.Context, d *pipelineDraft) error {
	if err := e.mayCreate(d); err != nil {
		return err
	}
	protections, err := e.view.Protections(ctx, d.Project.ID)
	if err != nil {
		return fmt.Errorf("read protections of project %d: %w", d.Project.ID, err)
	}
	for _, p := range protections {
		d.protected = d.protected || (p.Tag == d.ref.Tag() && p.Covers(d.ref.Short()))
	}
	d.pipeline.Protected = d.protected
	if !auth.MayRunOnRef(d.Actor, d.ref.Short(), d.ref.Tag(), protections) {
		return ci.Refused(fmt.Sprintf("You do not have sufficient permission to run a pipeline on '%s'. "+
			"Please select a different branch or contact your administrator for assistance.", d.Ref))
	}
	return nil
}

// draftPipeline fills what is known before anything can be refused with a row.
func (e *Engine) draftPipeline(d *pipelineDraft) {
	now := e.now().UTC().Truncate(time.Microsecond)
	before := d.Before
	if before == "" {
		before = ci.ZeroSHA
	}
	d.pipeline = ci.Pipeline{
		UID: e.randomHex(16), ProjectID: d.Project.ID, Ref: d.ref.Short(), Tag: d.ref.Tag(), SHA: d.ref.SHA, BeforeSHA: before,
		Source: d.Source, Status: ci.Created, UserID: d.Actor.User.ID, CreatedAt: now, UpdatedAt: now, Duration: -1,
	}
	if d.Trigger != nil {
		d.pipeline.TriggerID = d.Trigger.ID
	}
}

var skipMark = regexp.MustCompile(`(?i)\[(ci[ _-]skip|skip[ _-]ci)\]`)

// readCommit loads the commit and honours its skip mark, for pushes only.
func (e *Engine) readCommit(ctx context.Context, d *pipelineDraft) error {
	commit, err := e.commit(ctx, d.Project.ID, d.ref.SHA)
	if ci.IsNotFound(err) {
		return ci.Refused("Commit not found")
	}
	if err != nil {
		return err
	}
	d.commit = commit
	if d.Skip || (d.HonorSkip && skipMark.MatchString(commit.Message)) {
		d.pipeline.Status = ci.Skipped
	}
	return nil
}

// persist starts the compiled pipeline and writes it, once.
func (e *Engine) persist(ctx context.Context, d *pipelineDraft) (ci.Pipeline, error) {
	row := &store.NewPipeline{Pipeline: d.pipeline, Idempotency: d.Idempotency, Upstream: d.Upstream}
	if d.plan != nil {
		started := flow.Start(&ci.Snapshot{Pipeline: d.pipeline, Jobs: d.plan.jobs}, d.pipeline.CreatedAt)
		row.Pipeline, row.Jobs, row.Specs = started.Pipeline, started.Jobs, d.plan.specs
	}
	if err := e.sealVariables(d, row); err != nil {
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
	e.publish(saved, row.Jobs)
	return saved, nil
}

// publish wakes runners for the jobs of a new pipeline.
func (e *Engine) publish(saved ci.Pipeline, jobs []ci.Job) {
	var pending []ci.Job
	for i := range jobs {
		if jobs[i].Status == ci.Pending {
			pending = append(pending, jobs[i])
		}
	}
	e.wakeQueues(pending)
	e.hub.WakePipeline(saved.ID)
}

// unknownLookup is how long an unknown outcome is looked up before it is a 503.
const unknownLookup = 5 * time.Second

// lookUpUnknown finds out whether a commit whose outcome is unknown took place
// (decisions: writing, 4). It has its own context: the answer must be right even
// when the caller has gone.
func (e *Engine) lookUpUnknown(uid string, cause error) (ci.Pipeline, error) {
	ctx, cancel := context.WithTimeout(context.Background(), unknownLookup)
	defer cancel()
	for {
		found, err := e.view.PipelineByUID(ctx, uid)
		switch {
		case err == nil:
			return found, nil
		case ci.IsNotFound(err):
			return ci.Pipeline{}, &ci.Error{Kind: ci.KindUnavailable, Message: "503 Service Unavailable", Err: cause}
		}
		select {
		case <-ctx.Done():
			return ci.Pipeline{}, &ci.Error{Kind: ci.KindUnavailable, Message: "503 Service Unavailable", Err: cause}
		case <-time.After(200 * time.Millisecond):
		}
	}
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
