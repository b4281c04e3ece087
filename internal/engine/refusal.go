package engine

import (
	"context"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A keptRefusal is a refusal that leaves a failed pipeline behind when the
// request asks for it (contract/trigger-api.md 4.2, column "row").
type keptRefusal struct {
	message string
	reason  string // the pipeline's failure reason
	hint    string
	code    string
}

// Error gives the message.
func (r *keptRefusal) Error() string { return r.message }

// invalid is the refusal where nothing is kept: 400.
func (r *keptRefusal) invalid() *ci.Error { return ci.Refused(r.message).WithHint(r.code, r.hint) }

// keepRefused writes the failed row and answers 422.
func (e *Engine) keepRefused(ctx context.Context, d *pipelineDraft, r *keptRefusal) (ci.Pipeline, error) {
	d.plan = nil
	d.pipeline.Status = ci.Failed
	d.pipeline.FailureReason = r.reason
	d.pipeline.FinishedAt = d.pipeline.CreatedAt
	if r.reason == ci.ReasonConfigError {
		d.pipeline.YAMLErrors = r.message
	}
	saved, err := e.persist(ctx, d)
	if err != nil {
		return ci.Pipeline{}, err
	}
	refusal := r.invalid()
	refusal.Kind = ci.KindUnprocessable
	return saved, refusal
}

// configError is a keptRefusal for what is wrong with the configuration or with
// the variables.
func configError(format string, args ...any) *keptRefusal {
	return &keptRefusal{message: fmt.Sprintf(format, args...), reason: ci.ReasonConfigError}
}
