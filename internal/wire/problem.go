package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// A Problem is an error as it is answered: what [Adapt] hands to an edge that
// shows errors in its own way. Everything in it may be shown to the caller.
type Problem struct {
	Status     int
	Message    string              // GitLab's words
	Fields     map[string][]string // model errors by field, answered instead of Message
	Code       string              // ours; empty when hints are switched off
	Hint       string              // ours; empty when hints are switched off
	RequestID  string              // set beside Code, Hint or on a crash
	RetryAfter time.Duration       // rounded up to whole seconds; 0 for none

	key       string // under which Message is answered
	oauth     *OAuthError
	allow     string // Allow, beside a 405
	unknown   bool   // a crash: to be logged as an error
	logReason error  // the cause behind a refusal, for the access log
}

// statuses maps each kind of error to its status, once for all edges.
var statuses = map[ci.Kind]int{
	ci.KindNotFound:         http.StatusNotFound,
	ci.KindInvalid:          http.StatusBadRequest,
	ci.KindBadParam:         http.StatusBadRequest,
	ci.KindUnauthorized:     http.StatusUnauthorized,
	ci.KindForbidden:        http.StatusForbidden,
	ci.KindMethod:           http.StatusMethodNotAllowed,
	ci.KindConflict:         http.StatusConflict,
	ci.KindGone:             http.StatusGone,
	ci.KindPrecondition:     http.StatusPreconditionFailed,
	ci.KindTooLarge:         http.StatusRequestEntityTooLarge,
	ci.KindUnsupportedMedia: http.StatusUnsupportedMediaType,
	ci.KindUnprocessable:    http.StatusUnprocessableEntity,
	ci.KindTooMany:          http.StatusTooManyRequests,
	ci.KindUnavailable:      http.StatusServiceUnavailable,
}

// Seconds after which to try again when the error does not say.
const (
	retryTooMany     = time.Minute
	retryUnavailable = 5 * time.Second
)

// Explain says how err is answered. Errors that nobody meant to be read become a
// bare 500.
func Explain(err error) Problem {
	p := explain(err)
	var later *laterError
	if errors.As(err, &later) {
		p.RetryAfter = later.after
	}
	switch {
	case p.RetryAfter > 0:
	case p.Status == http.StatusTooManyRequests:
		p.RetryAfter = retryTooMany
	case p.Status == http.StatusServiceUnavailable:
		p.RetryAfter = retryUnavailable
	}
	return p
}

func explain(err error) Problem {
	var (
		refused *ci.Error
		oauth   *OAuthError
		route   *routeError
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &oauth):
		return Problem{Status: oauth.Status, Message: oauth.Description, oauth: oauth}
	case errors.As(err, &route):
		return route.problem()
	case errors.As(err, &refused) && statuses[refused.Kind] != 0:
		return refusal(refused)
	case errors.As(err, &large):
		return Problem{Status: http.StatusRequestEntityTooLarge, Message: "413 Request Entity Too Large", key: "message", logReason: err}
	}
	return Problem{Status: http.StatusInternalServerError, Message: "500 Internal Server Error", key: "message", unknown: true}
}

func refusal(e *ci.Error) Problem {
	p := Problem{
		Status: statuses[e.Kind], Message: e.Message, Fields: e.Fields,
		Code: e.Code, Hint: e.Hint, key: "message", logReason: e.Err,
	}
	switch e.Kind {
	case ci.KindBadParam, ci.KindUnsupportedMedia:
		p.key = "error"
	case ci.KindTooMany:
		if p.Message == "" {
			p.Message = "This endpoint has been requested too many times. Try again later."
		}
	}
	if p.Message == "" {
		p.Message = fmt.Sprintf("%d %s", p.Status, http.StatusText(p.Status))
	}
	return p
}

// hide drops what we add to GitLab's answers.
func (p *Problem) hide() { p.Code, p.Hint, p.RequestID = "", "", "" }

// headers sets what the problem says outside its body, and takes back what the
// handler had set for the body that is not coming.
func (p *Problem) headers(h http.Header) {
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Disposition", "Content-Encoding", "Cache-Control", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	if p.Code != "" {
		h.Set("X-Lanyard-Error", p.Code)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.RetryAfter.Seconds())), 10))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.oauth != nil && p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", p.oauth.challenge())
	}
}

// body is the JSON of a problem. Only message, error and their siblings of OAuth
// are GitLab's; code, hint and request_id are additions that clients ignore.
type body struct {
	Message     any    `json:"message,omitempty"`
	Error       any    `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
	Scope       string `json:"scope,omitempty"`
	Code        string `json:"code,omitempty"`
	Hint        string `json:"hint,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
}

// MarshalJSON gives the body that GitLab's clients expect.
func (p Problem) MarshalJSON() ([]byte, error) {
	b := body{Code: p.Code, Hint: p.Hint, RequestID: p.RequestID}
	switch {
	case p.oauth != nil:
		b.Error, b.Description, b.Scope = p.oauth.Code, p.oauth.Description, strings.Join(p.oauth.Scopes, " ")
	case p.key == "error":
		b.Error = p.Message
	case len(p.Fields) > 0:
		b.Message = p.Fields
	case p.Status == http.StatusTooManyRequests:
		b.Message = map[string]string{"error": p.Message}
	default:
		b.Message = p.Message
	}
	return json.Marshal(b)
}

// An OAuthError is a refusal of a token in the form of RFC 6750, which GitLab
// uses for tokens that are known but do not serve (contract/trigger-api.md 3.2).
type OAuthError struct {
	Status      int    // 401 or 403
	Code        string // invalid_token or insufficient_scope
	Description string
	Scopes      []string // those that the endpoint asks for; only beside insufficient_scope
}

// Error gives the text for logs.
func (e *OAuthError) Error() string { return e.Code + ": " + e.Description }

func (e *OAuthError) challenge() string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	return `Bearer realm="The API", error="` + quote.Replace(e.Code) + `", error_description="` + quote.Replace(e.Description) + `"`
}

// The descriptions of a token that is known and refused.
const (
	TokenExpired       = "Token is expired. You can either do re-authorization or token refresh."
	TokenRevoked       = "Token was revoked. You have to re-authorize from the user."
	TokenImpersonation = "Token is an impersonation token but impersonation was disabled."
)

// InvalidToken refuses a token that is known but no longer (or not here) good;
// description is one of the constants above.
func InvalidToken(description string) *OAuthError {
	return &OAuthError{Status: http.StatusUnauthorized, Code: "invalid_token", Description: description}
}

// InsufficientScope refuses a token that lacks every scope the endpoint asks for.
func InsufficientScope(scopes ...string) *OAuthError {
	return &OAuthError{
		Status: http.StatusForbidden, Code: "insufficient_scope", Scopes: scopes,
		Description: "The request requires higher privileges than provided by the access token.",
	}
}

// Later adds to err, a 429 or 503, when the caller may try again.
func Later(err error, after time.Duration) error { return &laterError{err, after} }

type laterError struct {
	err   error
	after time.Duration
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// A routeError is an answer of the router itself, under the key "error".
type routeError struct {
	status     int
	message    string
	allow      string
	code, hint string
}

func (e *routeError) Error() string { return e.message }

func (e *routeError) problem() Problem {
	return Problem{Status: e.status, Message: e.message, Code: e.code, Hint: e.hint, key: "error", allow: e.allow}
}
