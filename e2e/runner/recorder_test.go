//go:build runner_e2e

package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A recorder stands between runners and the server, has an address that stays
// while servers come and go, and keeps what the two said to each other.
type recorder struct {
	URL string

	mu        sync.Mutex // protects all below
	target    *url.URL
	exchanges []exchange
	lose      func(exchange) bool // answers that never arrive
}

// An exchange is a request of a runner's with its answer.
type exchange struct {
	Begun, Ended time.Time
	Method, Path string
	Query        url.Values
	Range        string // what a PATCH says that it sends
	Body         map[string]any
	Status       int
	Answer       http.Header
	Job          int64 // that the answer assigns
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{}
	proxy := &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		ModifyResponse: r.answered,
		// A server that is down has no proxy before it that says so.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// point makes a server the one that runners reach.
func (r *recorder) point(t *testing.T, address string) {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

// loseAnswers drops the connection in place of each answer that which picks.
func (r *recorder) loseAnswers(which func(exchange) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lose = which
}

func (r *recorder) rewrite(p *httputil.ProxyRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.SetURL(r.target)
	p.SetXForwarded()
	p.Out.Host = p.In.Host
	if strings.HasPrefix(p.In.Header.Get("Content-Type"), "application/json") {
		body := &bytes.Buffer{}
		p.Out.Body = io.NopCloser(io.TeeReader(p.In.Body, body))
		p.Out = p.Out.WithContext(withSent(p.Out.Context(), sent{time.Now(), body}))
		return
	}
	p.Out = p.Out.WithContext(withSent(p.Out.Context(), sent{time.Now(), nil}))
}

var errLost = errors.New("the answer is lost")

// answered keeps an exchange.
func (r *recorder) answered(resp *http.Response) error {
	req := resp.Request
	from := sentOf(req.Context())
	x := exchange{
		Begun: from.at, Ended: time.Now(), Method: req.Method, Path: strings.TrimPrefix(req.URL.Path, "/api/v4"),
		Query: req.URL.Query(), Range: req.Header.Get("Content-Range"), Status: resp.StatusCode, Answer: resp.Header.Clone(),
	}
	if from.body != nil {
		if err := json.Unmarshal(from.body.Bytes(), &x.Body); err != nil {
			return fmt.Errorf("body of %s %s: %w", x.Method, x.Path, err)
		}
	}
	if x.Path == "/jobs/request" && x.Status == http.StatusCreated {
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(data))
		var payload struct{ ID int64 }
		if err := json.Unmarshal(data, &payload); err != nil {
			return fmt.Errorf("payload: %w", err)
		}
		x.Job = payload.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, x)
	if r.lose != nil && r.lose(x) {
		return errLost
	}
	return nil
}

// where picks exchanges, oldest first.
func (r *recorder) where(want func(exchange) bool) []exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []exchange
	for _, x := range r.exchanges {
		if want(x) {
			found = append(found, x)
		}
	}
	return found
}

// ofJob picks what was said about a job, its assignment first.
func (r *recorder) ofJob(id int64) []exchange {
	prefix := fmt.Sprintf("/jobs/%d", id)
	return r.where(func(x exchange) bool {
		return x.Job == id || (x.Path == prefix && x.Method == http.MethodPut) || x.Path == prefix+"/trace" ||
			(x.Path == prefix+"/artifacts" && x.Method == http.MethodPost)
	})
}

// String is an exchange in one line.
func (x exchange) String() string {
	what := x.Method + " " + x.Path
	if state, ok := x.Body["state"]; ok {
		what += fmt.Sprintf(" %v", state)
		if reason, ok := x.Body["failure_reason"]; ok {
			what += fmt.Sprintf(" %v", reason)
		}
	}
	if x.Range != "" {
		what += " " + x.Range
	}
	if kind := x.Query.Get("artifact_type"); kind != "" {
		what += " " + kind
	}
	what += fmt.Sprintf(" → %d", x.Status)
	for _, name := range []string{"Job-Status", "Range"} {
		if value := x.Answer.Get(name); value != "" {
			what += " " + value
		}
	}
	return what
}

// transcript is a conversation, a line each.
func transcript(list []exchange) string {
	lines := make([]string, len(list))
	for i, x := range list {
		lines[i] = x.Begun.Format("05.000 ") + x.String()
	}
	return strings.Join(lines, "\n")
}

// features are what the runner announced with its last request for a job.
func (r *recorder) features() map[string]any {
	requests := r.where(func(x exchange) bool { return x.Path == "/jobs/request" })
	for _, x := range slices.Backward(requests) {
		if info, ok := x.Body["info"].(map[string]any); ok {
			features, _ := info["features"].(map[string]any)
			return features
		}
	}
	return nil
}
