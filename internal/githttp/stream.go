package githttp

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
)

// A stream is the connection to a client while git is served on it: both ways at
// once, piece by piece, given up when the client is silent or deaf for too long.
// Deadlines are for the machine's own clock, whatever the server's is.
type stream struct {
	r     *http.Request
	w     http.ResponseWriter
	conn  *http.ResponseController
	idle  time.Duration // until the next piece of the request
	stall time.Duration // until the client takes the next piece of the answer
	sent  int64         // bytes of the answer; only for the goroutine that reads what git says

	broken  atomic.Bool // the request ended before its end
	overrun atomic.Bool // the request is too large
}

// stream begins one. The answer may begin before the request has been read, as git
// needs it; net/http would otherwise swallow the rest of a request at the first
// word of the answer.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, idle time.Duration) (*stream, error) {
	s := &stream{r: r, w: w, conn: http.NewResponseController(w), idle: idle, stall: h.limits.writeIdle}
	return s, supported(s.conn.EnableFullDuplex()) // HTTP/2 does not know it, and does not need it
}

// supported drops the error of a connection that has no such feature.
func supported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// body is the request's body, unpacked; max bounds its size unless it is 0.
func (s *stream) body(max int64) (io.Reader, error) {
	var body io.Reader = bodyReader{s}
	switch s.r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, s.unreadable(err)
		}
		body = unpacked
	default:
		return nil, ci.UnsupportedMedia(s.r.Header.Get("Content-Encoding"))
	}
	if max > 0 {
		body = &boundedReader{r: body, left: max, over: &s.overrun}
	}
	return body, nil
}

// unreadable explains why a request could not be read: what the client did is no
// fault of the server. Whatever else comes on the connection is not looked at.
func (s *stream) unreadable(err error) error {
	s.close()
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(): // net/http also ends the context then
		return ci.BadRequest("the client was silent for too long")
	case s.r.Context().Err() != nil || ci.KindOf(err) != "":
		return err
	}
	return &ci.Error{Kind: ci.KindInvalid, Message: "400 Bad request - the request cannot be read", Err: err}
}

// close ends the connection with this answer. What is left of a request that was not
// read to its end could otherwise be taken for the next one.
func (s *stream) close() { s.w.Header().Set("Connection", "close") }

// A bodyReader waits for each piece of the body for a limited time. At the end it
// takes the deadline away: net/http goes on to read, for signs that the client has
// left, and a deadline would look like one.
type bodyReader struct{ s *stream }

func (b bodyReader) Read(p []byte) (int, error) {
	if err := supported(b.s.conn.SetReadDeadline(time.Now().Add(b.s.idle))); err != nil {
		return 0, err
	}
	n, err := b.s.r.Body.Read(p)
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		b.s.broken.Store(true)
		return n, err
	}
	if err := supported(b.s.conn.SetReadDeadline(time.Time{})); err != nil {
		return n, err
	}
	return n, io.EOF
}

// A boundedReader fails where more than left bytes come.
type boundedReader struct {
	r    io.Reader
	left int64
	over *atomic.Bool
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.over.Store(true)
		return 0, tooLarge()
	}
	return n, err
}

func tooLarge() error { return ci.TooLarge("The request is larger than any fetch needs.") }

// Write sends a piece of the answer at once: progress and signs of life must not
// wait for a buffer to fill.
func (s *stream) Write(p []byte) (int, error) {
	if err := supported(s.conn.SetWriteDeadline(time.Now().Add(s.stall))); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.sent += int64(n)
	if err != nil {
		return n, err
	}
	return n, supported(s.conn.Flush())
}

// ended judges how git ended. A client that asked for something impossible has been
// told by git, in its own way, and a client that left needs no answer.
func (h *Handler) ended(ctx context.Context, s *stream, v visit, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case s.broken.Load() && s.sent > 0:
		panic(http.ErrAbortHandler) // too late to announce the end of the connection
	case s.broken.Load():
		return s.unreadable(err)
	case s.overrun.Load() && s.sent == 0:
		return s.unreadable(tooLarge())
	case !git.Complained(err):
		return err
	}
	h.log.WarnContext(ctx, "git ended with a complaint", "project_id", v.repository(), "error", err)
	if s.sent > 0 {
		return nil
	}
	return &ci.Error{Kind: ci.KindInvalid, Message: "400 Bad request - git cannot make sense of the request", Err: err}
}

// queue waits for room for another git process.
func (h *Handler) queue(ctx context.Context) (leave func(), err error) {
	wait, cancel := context.WithTimeout(ctx, h.limits.queue)
	defer cancel()
	if err := h.processes.Acquire(wait, 1); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &ci.Error{Kind: ci.KindUnavailable, Message: "Too many clones and pushes at once. Try again in a moment."}
	}
	return func() { h.processes.Release(1) }, nil
}

// upload answers the requests of a fetch.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request, v visit) error {
	s, err := h.stream(w, r, h.limits.fetchIdle)
	if err != nil {
		return err
	}
	body, err := s.body(h.limits.fetchBody)
	if err != nil {
		return err
	}
	leave, err := h.queue(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	header(w, "application/x-"+git.UploadPackService+"-result")
	err = h.git.Serve(r.Context(), v.repository(), git.UploadPackService, r.Header.Get("Git-Protocol"), nil, body, s)
	return h.ended(r.Context(), s, v, err)
}
