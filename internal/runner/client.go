package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How long one request may take. A job request is held open by the server, up to a minute or so, while there is no job.
const (
	pollTimeout   = 2 * time.Minute
	callTimeout   = 30 * time.Second
	streamTimeout = 30 * time.Minute // up- and downloads of artifacts
)

// maxBody bounds the answers that are read into memory; the largest is a job's payload.
const maxBody = 64 << 20

// client speaks the runner API. One call is one request: whether to try again is the caller's decision.
// Tokens travel in bodies and headers, and what a redirect added to a URL is left out, so no error of this type can show
// a secret.
type client struct {
	base     string // "https://host/prefix/api/v4"
	http     *http.Client
	agent    string
	token    string // the runner's own
	systemID string
	info     info
}

// request is one call: what, with which token, carrying what.
type request struct {
	what        string // for errors: "update job 7"
	method      string
	path        string // below /api/v4
	query       url.Values
	header      http.Header
	body        io.Reader
	rewind      func() (io.ReadCloser, error) // makes the body again, for a redirect
	contentType string
	timeout     time.Duration
}

// reply is an answer, whatever its code.
type reply struct {
	code      int
	jobStatus string
	header    http.Header
	body      []byte
}

// statusError is an answer that the call did not want.
type statusError struct {
	what       string
	code       int
	message    string
	retryAfter time.Duration
}

// Error gives the call, the code and the server's own words.
func (e *statusError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("%s: %d %s", e.what, e.code, http.StatusText(e.code))
	}
	return fmt.Sprintf("%s: %d %s (%s)", e.what, e.code, http.StatusText(e.code), e.message)
}

// transportError means that no complete answer came.
type transportError struct {
	what string
	err  error
}

// Error gives the call and what broke it.
func (e *transportError) Error() string { return e.what + ": " + e.err.Error() }

// Unwrap returns what broke the call.
func (e *transportError) Unwrap() error { return e.err }

// newClient takes the address of a server, with its path if it has one.
func newClient(c Config, shell string) (*client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("runner URL must be http://HOST or https://HOST")
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	base := strings.TrimRight(u.String(), "/")
	hc := http.Client{}
	if c.Client != nil {
		hc = *c.Client
	} else {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil // the environment is the command line's business
		if c.CAFile != "" {
			if transport.TLSClientConfig, err = trusting(c.CAFile); err != nil {
				return nil, err
			}
		}
		hc.Transport = transport
	}
	hc.CheckRedirect = followRedirect
	about := info{
		Name: "lanyard-runner", Version: c.Version, Revision: c.Version, Platform: goos, Architecture: goarch,
		Executor: "shell", Shell: shell, Features: announced(),
	}
	return &client{
		base: base + "/api/v4", http: &hc, token: c.Token, systemID: c.SystemID, info: about,
		agent: fmt.Sprintf("lanyard-runner %s (%s/%s)", c.Version, goos, goarch),
	}, nil
}

// followRedirect lets artifacts live on another host, which must not see the job's token.
func followRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return errors.New("too many redirects")
	}
	if next.URL.Host != via[0].URL.Host {
		next.Header.Del("Job-Token")
		next.Header.Del("Runner-Token")
	}
	return nil
}

// local reports whether the server is on this machine, where short round trips cost nobody anything.
func (c *client) local() bool {
	u, err := url.Parse(c.base)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// open sends a request and returns the answer with its body still to be read; done must be called after that.
func (c *client) open(ctx context.Context, r request) (res *http.Response, done func(), err error) {
	if r.timeout == 0 {
		r.timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, r.body)
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("%s: %w", r.what, err)
	}
	for key, values := range r.header {
		req.Header[key] = values
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("X-Request-Id", randomHex(16))
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.rewind != nil {
		req.GetBody = r.rewind
	}
	res, err = c.http.Do(req)
	if err != nil {
		cancel()
		return nil, nil, &transportError{what: r.what, err: withoutQuery(err)}
	}
	return res, func() { _ = res.Body.Close(); cancel() }, nil
}

// withoutQuery leaves the query out of the URL in an error: in one of an object store, it is as good as a token.
func withoutQuery(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	address, _, _ := strings.Cut(failed.URL, "?")
	return &url.Error{Op: failed.Op, URL: address, Err: failed.Err}
}

// do sends a request and reads the whole answer.
func (c *client) do(ctx context.Context, r request) (*reply, error) {
	res, done, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer done()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, &transportError{what: r.what, err: err}
	}
	return &reply{code: res.StatusCode, jobStatus: res.Header.Get("Job-Status"), header: res.Header, body: body}, nil
}

func (c *client) doJSON(ctx context.Context, r request, body any) (*reply, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.what, err)
	}
	r.body, r.contentType = bytes.NewReader(encoded), "application/json"
	return c.do(ctx, r)
}

// failure turns an unwanted answer into an error.
func (r *reply) failure(what string) error {
	e := &statusError{what: what, code: r.code, message: errorMessage(r.body)}
	if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err == nil && seconds > 0 {
		e.retryAfter = min(time.Duration(seconds)*time.Second, time.Minute)
	}
	return e
}

// errorMessage takes the text out of {"message": "…"} or {"message": {"field": ["…"]}}.
func errorMessage(body []byte) string {
	var text struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &text) == nil {
		return text.Message
	}
	var fields struct {
		Message map[string][]string `json:"message"`
	}
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	var parts []string
	for field, texts := range fields.Message {
		parts = append(parts, field+" "+strings.Join(texts, ", "))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func (c *client) asRunner() http.Header {
	return http.Header{"Runner-Token": {c.token}, "Accept": {"application/json"}}
}

func asJob(token string) http.Header { return http.Header{"Job-Token": {token}} }

// verify presents the runner and its system id; a refused token is a *statusError with 403.
func (c *client) verify(ctx context.Context) error {
	r := request{what: "verify runner", method: "POST", path: "/runners/verify", header: c.asRunner()}
	reply, err := c.doJSON(ctx, r, verifyRequest{Token: c.token, SystemID: c.systemID, Info: c.info})
	if err != nil {
		return err
	}
	if reply.code != http.StatusOK && reply.code != http.StatusCreated {
		return reply.failure(r.what)
	}
	return nil
}

// requestJob asks for work; the server may hold the request. No job gives (nil, the queue's version, nil).
func (c *client) requestJob(ctx context.Context, lastUpdate string) (*payload, string, error) {
	r := request{what: "request job", method: "POST", path: "/jobs/request", header: c.asRunner(), timeout: pollTimeout}
	reply, err := c.doJSON(ctx, r, jobRequest{Info: c.info, Token: c.token, SystemID: c.systemID, LastUpdate: lastUpdate})
	if err != nil {
		return nil, "", err
	}
	switch reply.code {
	case http.StatusCreated:
		job, err := parsePayload(reply.body)
		return job, "", err
	case http.StatusNoContent:
		return nil, reply.header.Get("X-GitLab-Last-Update"), nil
	}
	return nil, "", reply.failure(r.what)
}

// update reports a job's state.
func (c *client) update(ctx context.Context, id int64, u jobUpdate) (*reply, error) {
	u.Info = c.info
	return c.doJSON(ctx, request{
		what: fmt.Sprintf("update job %d", id), method: "PUT", path: fmt.Sprintf("/jobs/%d", id), header: asJob(u.Token),
	}, u)
}

// patchTrace appends to a job's log on the server. The range's end is inclusive, as gitlab-runner writes it.
func (c *client) patchTrace(ctx context.Context, id int64, token string, start int64, chunk []byte, debug bool) (*reply, error) {
	header := asJob(token)
	header.Set("Content-Range", fmt.Sprintf("%d-%d", start, start+int64(len(chunk))-1))
	return c.do(ctx, request{
		what: fmt.Sprintf("append to log of job %d", id), method: "PATCH", path: fmt.Sprintf("/jobs/%d/trace", id),
		query: url.Values{"debug_trace": {strconv.FormatBool(debug)}}, header: header,
		body: bytes.NewReader(chunk), contentType: "text/plain",
	})
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, by its contract
	return hex.EncodeToString(b)
}
