// Package runnerapi is the server's side of the conversation with runners: the
// stock gitlab-runner, the built-in one, and whatever else speaks GitLab's runner
// API (contract/runner-protocol.md).
//
// Three nouns: a runner is a registration and comes with a runner token; a poll is
// its request for work, held open while there is none; a report is what it says
// about a job that it has (state, log, artifacts), and comes with the job's token.
// The payload, what a runner is told about a job, is shaped in payload.go and
// known nowhere else.
//
// Runners repeat whatever was not answered, so every request may come twice: the
// same piece of a log is a 416 that tells where to go on, the same artifact is
// stored once, the same final report is refused with the status that it had.
//
// The package refuses to decide which job a runner gets and what follows from a
// report: that is the engine's. It never answers 404 to a job's token: for a
// runner, 403 means that the job is over, and 404 that something is in the way.
package runnerapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
	"github.com/lanyard-ci/lanyard/internal/hub"
	"github.com/lanyard-ci/lanyard/internal/trace"
	"github.com/lanyard-ci/lanyard/internal/wire"
)

// Config is what the runner API works with. All fields but Direct, Logger and PollTime
// are required.
type Config struct {
	Engine   *engine.Engine
	Blobs    blob.Store
	Direct   Direct // nil: artifacts come from here only
	Traces   *trace.Traces
	Hub      *hub.Hub
	URLs     wire.URLs
	Limiter  *wire.Limiter // of attempts with unknown tokens, by address
	Now      ci.Clock
	Logger   *slog.Logger
	PollTime time.Duration // how long a poll is held while there is no job; 0: 50 s, GitLab's default
}

// Direct gives a URL from which anybody can download the blob of a zip archive, under
// that name, without this server and for a short time.
type Direct func(ctx context.Context, key, name string) (url string, err error)

// defaultPollTime stays below the minute after which proxies give up on a request.
const defaultPollTime = 50 * time.Second

// An API answers runners. Its methods may be called from any goroutine.
type API struct {
	engine   *engine.Engine
	blobs    blob.Store
	direct   Direct
	hub      *hub.Hub
	urls     wire.URLs
	limiter  *wire.Limiter
	log      *slog.Logger
	pollTime time.Duration
}

// New makes an API.
func New(c Config) (*API, error) {
	if c.Engine == nil || c.Blobs == nil || c.Traces == nil || c.Hub == nil ||
		c.URLs.External == nil || c.Limiter == nil || c.Now == nil {
		return nil, errors.New("make runner API: a required part is missing")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.PollTime == 0 {
		c.PollTime = defaultPollTime
	}
	return &API{
		engine: c.Engine, blobs: c.Blobs, direct: c.Direct, hub: c.Hub, urls: c.URLs, limiter: c.Limiter, log: c.Logger,
		pollTime: c.PollTime,
	}, nil
}

// Routes registers every route. Each handler looks at a token of its own kind.
func (a *API) Routes(mux *http.ServeMux) {
	for pattern, handle := range map[string]wire.Handler{
		// With a runner token.
		"POST /api/v4/runners/verify":                     a.verify,
		"DELETE /api/v4/runners":                          a.unregister,
		"DELETE /api/v4/runners/managers":                 a.unregisterManager,
		"POST /api/v4/runners/reset_authentication_token": a.resetToken,
		"POST /api/v4/jobs/request":                       a.requestJob,

		// With a job token.
		"PUT /api/v4/jobs/{id}":            a.updateJob,
		"PATCH /api/v4/jobs/{id}/trace":    a.appendLog,
		"POST /api/v4/jobs/{id}/artifacts": a.upload,
		"GET /api/v4/jobs/{id}/artifacts":  a.download,

		// What this server does not do, whoever asks.
		"POST /api/v4/runners":                 a.register,
		"GET /api/v4/runners/router/discovery": a.discovery,
	} {
		mux.Handle(pattern, handle)
	}
}
