package engine

import (
	"context"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Change is change.
func (e *Engine) Change(ctx context.Context, id ci.PipelineID, decide func(*ci.Snapshot) (ci.Changes, error)) (ci.Changes, error) {
	return e.change(ctx, id, decide)
}

// LookUpUnknown is lookUpUnknown.
func (e *Engine) LookUpUnknown(uid string, cause error) (ci.Pipeline, error) {
	return e.lookUpUnknown(uid, cause)
}

// Background does the rounds of Run when a test says so.
func (e *Engine) Background() *Background { return &Background{e.newBackground()} }

// A Background is a background.
type Background struct{ of *background }

// Round is round.
func (b *Background) Round(ctx context.Context) { b.of.round(ctx) }

// End is end.
func (b *Background) End(ctx context.Context) { b.of.end(ctx) }
