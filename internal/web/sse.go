package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Times of streams.
const (
	streamLife = 10 * time.Minute       // then the browser comes again, and its rights are looked at anew
	writeTime  = 20 * time.Second       // for a browser to take an event
	pace       = 150 * time.Millisecond // between two events at least, so that much at once is one
	retryAfter = 2 * time.Second        // for a browser whose stream ended
)

// A stream sends events to one browser, by the format of server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    []byte // fragment that was sent last
}

// openStream begins to answer with events.
func (v *visit) openStream() (*stream, error) {
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events until it has enough of them
	v.w.WriteHeader(http.StatusOK)
	s := &stream{w: v.w, control: http.NewResponseController(v.w)}
	return s, s.write(fmt.Appendf(nil, "retry: %d\n\n", retryAfter.Milliseconds()))
}

// ping shows the browser, and whatever is in between, that the stream lives.
func (s *stream) ping() error { return s.write([]byte(":ping\n\n")) }

// event sends one event with a JSON value. An id is what the browser shows when it
// comes again.
func (s *stream) event(name, id string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	var out bytes.Buffer
	if id != "" {
		fmt.Fprintf(&out, "id: %s\n", id)
	}
	fmt.Fprintf(&out, "event: %s\ndata: %s\n\n", name, data)
	return s.write(out.Bytes())
}

func (s *stream) write(data []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("set deadline of stream: %w", err)
	}
	if _, err := s.w.Write(data); err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	return nil
}

// close gives the connection back without a deadline. Its error does not matter:
// the answer is over, or nobody is there.
func (s *stream) close() { _ = s.control.SetWriteDeadline(time.Time{}) }

// A swap is a fragment that takes the place of the one on the page, and what a
// screen reader says about it.
type swap struct {
	HTML string `json:"html"`
	Say  string `json:"say"`
}

// swap sends a fragment, unless it is what the page has already.
func (s *stream) swap(fragment []byte, say string) error {
	if bytes.Equal(fragment, s.last) {
		return nil
	}
	if err := s.event("swap", "", swap{string(fragment), say}); err != nil {
		return err
	}
	s.last = fragment
	return nil
}

// end tells the browser that nothing more will come.
func (s *stream) end() error { return s.event("end", "", struct{}{}) }
