package wire

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"syscall"
)

// A response remembers what was sent: the status and size for the access log,
// whether it is too late to answer an error, and whether the client still
// listens. X-Runtime is set at the last moment, when the header goes out.
type response struct {
	http.ResponseWriter
	x      *exchange
	status int   // 0 until the header is sent
	bytes  int64 // of the body
	failed error // the first write that did not reach the client
}

// track wraps w unless a response is already what w is.
func track(w http.ResponseWriter, x *exchange) *response {
	if out, ok := w.(*response); ok {
		return out
	}
	return &response{ResponseWriter: w, x: x}
}

// WriteHeader sends the header; informational answers do not count.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.status = status
		w.Header().Set("X-Runtime", strconv.FormatFloat(w.x.age().Seconds(), 'f', 6, 64))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a piece of the body.
func (w *response) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if err != nil && w.failed == nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.failed = err
	}
	return n, err
}

// ReadFrom lets the kernel send a file. Its error may be the source's, so only a
// broken connection counts as a client that is gone.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	n, err := io.Copy(w.ResponseWriter, src)
	w.bytes += n
	if w.failed == nil && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) {
		w.failed = err
	}
	return n, err
}

// Flush sends what is buffered, for streams.
func (w *response) Flush() {
	w.begin()
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if err != nil && w.failed == nil && !errors.Is(err, http.ErrNotSupported) {
		w.failed = err
	}
}

// Unwrap gives http.ResponseController the connection below.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) begin() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// connection is the innermost writer of w, the only one that net/http knows how
// to close after a body that was too large.
func connection(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}
