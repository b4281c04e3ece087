//go:build runner_e2e

package runner

import (
	"bytes"
	"context"
	"time"
)

// A sent request is kept until its answer comes.
type sent struct {
	at   time.Time
	body *bytes.Buffer // as far as it was sent; nil when it is not JSON
}

type sentKey struct{}

func withSent(ctx context.Context, s sent) context.Context {
	return context.WithValue(ctx, sentKey{}, s)
}

func sentOf(ctx context.Context) sent {
	s, _ := ctx.Value(sentKey{}).(sent)
	return s
}
