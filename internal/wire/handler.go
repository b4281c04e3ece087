package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Handler answers a request or returns why not. An error of [ci.Error],
// [OAuthError] or [http.MaxBytesError] is answered with its status; any other
// error, and a panic, answers 500 and is logged exactly once, with the id that
// the client is told. A handler that returns an error must not have written
// anything; if it has, the connection is cut so that the client does not take
// half a body for the whole.
//
// As an http.Handler it answers errors with GitLab's JSON. It expects to run
// behind an [Edge], which gives it the logger and the request id; without one it
// logs to slog.Default.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP runs h and answers its error as JSON.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve(h, problemJSON, w, r)
}

// Adapt is a Handler whose errors are shown by answer, for edges that speak
// something else than JSON. The headers of the problem are set already; answer
// chooses Content-Type, writes p.Status and the body. An error of answer itself
// is logged.
func Adapt(h Handler, answer func(w http.ResponseWriter, r *http.Request, p Problem) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(h, answer, w, r) })
}

func problemJSON(w http.ResponseWriter, _ *http.Request, p Problem) error {
	return JSON(w, p.Status, p)
}

// statusClientGone stands in logs for an answer that nobody waits for.
const statusClientGone = 499

func serve(h Handler, answer func(http.ResponseWriter, *http.Request, Problem) error, w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r.Context())
	out := track(w, x)
	err := run(h, out, r)
	if r.Pattern != "" {
		x.route = r.Pattern
	}
	if err == nil {
		return
	}
	err = endOf(r.Context(), err)
	if gone(out, r.Context(), err) {
		x.gone, x.cause = true, err
		if out.status == 0 {
			out.WriteHeader(statusClientGone)
		}
		return
	}
	p := Explain(err)
	if p.unknown || out.status != 0 {
		x.logError(r, err)
	} else {
		x.cause = p.logReason
	}
	if out.status != 0 {
		panic(http.ErrAbortHandler)
	}
	if p.unknown || p.Code != "" || p.Hint != "" {
		p.RequestID = x.id
	}
	if r.Header.Get("X-Lanyard-Hints") == "off" {
		p.hide()
	}
	p.headers(out.Header())
	if err := answer(out, r, p); err != nil && out.failed == nil {
		x.logError(r, fmt.Errorf("answer error: %w", err))
		if out.status == 0 {
			out.WriteHeader(http.StatusInternalServerError)
		}
	}
}

// run calls h and turns a panic into an error.
func run(h Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return h(w, r)
}

// endOf gives a request that the server itself withdrew, by cancelling its base
// context with a cause, an answer that makes clients try again.
func endOf(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil && context.Cause(ctx) != context.Canceled {
		return &ci.Error{Kind: ci.KindUnavailable, Err: err}
	}
	return err
}

// gone reports whether err is only the echo of a client that hung up: a write
// failed, or its context ended and the work stopped. A panic never is.
func gone(w *response, ctx context.Context, err error) bool {
	var crash *panicError
	if errors.As(err, &crash) || ci.KindOf(err) != "" {
		return false
	}
	return w.failed != nil || context.Cause(ctx) == context.Canceled
}

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (x *exchange) logError(r *http.Request, err error) {
	attrs := []slog.Attr{
		slog.String("request_id", x.id),
		slog.String("method", method(r)),
		slog.String("route", route(x.route)),
		slog.String("error", err.Error()),
	}
	var crash *panicError
	if errors.As(err, &crash) {
		attrs = append(attrs, slog.String("stack", string(crash.stack)))
	}
	x.log.LogAttrs(r.Context(), slog.LevelError, "request failed", attrs...)
}
