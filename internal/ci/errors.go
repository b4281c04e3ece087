package ci

import (
	"errors"
	"fmt"
)

// A Kind says what an error means to the caller. The edges map each kind to one
// status code, once; nothing else decides status codes.
type Kind string

// The kinds of errors that a use case returns on purpose. Every other error is
// unknown and answers 500.
const (
	KindNotFound         Kind = "not_found"         // 404: it is not there, or the caller may not know that it is
	KindInvalid          Kind = "invalid"           // 400: the request cannot be carried out as it stands
	KindBadParam         Kind = "bad_param"         // 400 under the key "error": a parameter is missing or malformed
	KindUnauthorized     Kind = "unauthorized"      // 401: no or unknown credentials
	KindForbidden        Kind = "forbidden"         // 403: known caller, not allowed
	KindMethod           Kind = "method"            // 405: not with this method, not in this state
	KindConflict         Kind = "conflict"          // 409: somebody else was faster
	KindGone             Kind = "gone"              // 410: there once, not any more
	KindPrecondition     Kind = "precondition"      // 412: a condition of the request does not hold
	KindTooLarge         Kind = "too_large"         // 413: over a size limit
	KindUnsupportedMedia Kind = "unsupported_media" // 415 under the key "error": a body of a type that cannot be read
	KindUnprocessable    Kind = "unprocessable"     // 422: understood and recorded, but refused
	KindTooMany          Kind = "too_many"          // 429: over a rate limit
	KindUnavailable      Kind = "unavailable"       // 503: try again later
)

// An Error is a refusal that the caller is meant to read. Message and Fields are
// GitLab's words, to the letter, since clients compare them; Code and Hint are
// additions of ours that clients ignore. None of them ever holds a secret.
type Error struct {
	Kind    Kind
	Message string
	Fields  map[string][]string // when set, answered instead of Message, as GitLab does for model errors
	Code    string              // stable, snake_case; empty when there is nothing to add
	Hint    string              // at most 200 characters, plain ASCII, ends with the cure
	Err     error               // the cause, for the log only
}

// Error gives the message for logs.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		for field, list := range e.Fields {
			text += fmt.Sprintf("%s %v ", field, list)
		}
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, text, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Kind, text)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithHint returns a copy with a code and a hint.
func (e *Error) WithHint(code, hint string) *Error {
	c := *e
	c.Code, c.Hint = code, hint
	return &c
}

// KindOf returns the kind of err, or "" for an unknown error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// IsNotFound reports whether err says that something is not there.
func IsNotFound(err error) bool { return KindOf(err) == KindNotFound }

// NotFound says that a named resource is missing: NotFound("Project") answers
// "404 Project Not Found"; NotFound("") answers "404 Not Found".
func NotFound(what string) *Error {
	if what == "" {
		return &Error{Kind: KindNotFound, Message: "404 Not Found"}
	}
	return &Error{Kind: KindNotFound, Message: "404 " + what + " Not Found"}
}

// NoRecord is the answer to an unknown id inside a project: "404 Not found",
// with the lower-case f that clients see there (contract/trigger-api.md 0.3).
func NoRecord() *Error { return &Error{Kind: KindNotFound, Message: "404 Not found"} }

// Forbidden refuses a known caller; reason may be empty.
func Forbidden(reason string) *Error {
	message := "403 Forbidden"
	if reason != "" {
		message += " - " + reason
	}
	return &Error{Kind: KindForbidden, Message: message}
}

// Unauthorized asks for (other) credentials.
func Unauthorized() *Error { return &Error{Kind: KindUnauthorized, Message: "401 Unauthorized"} }

// BadRequest refuses with GitLab's "400 Bad request - reason".
func BadRequest(reason string) *Error {
	message := "400 Bad request"
	if reason != "" {
		message += " - " + reason
	}
	return &Error{Kind: KindInvalid, Message: message}
}

// BadParam reports a missing or malformed parameter, answered under "error".
func BadParam(message string) *Error { return &Error{Kind: KindBadParam, Message: message} }

// Invalid reports a model error on one field, answered as {"message":{field:[text]}}.
func Invalid(field, text string) *Error {
	return &Error{Kind: KindInvalid, Fields: map[string][]string{field: {text}}}
}

// Refused is Invalid on "base": the shape in which pipelines are refused.
func Refused(text string) *Error { return Invalid("base", text) }

// Conflict says that something else holds or took what the caller wanted.
func Conflict(message string) *Error { return &Error{Kind: KindConflict, Message: message} }

// Busy says that a record kept moving while it was being changed.
func Busy(format string, args ...any) *Error {
	return &Error{Kind: KindConflict, Message: "409 Conflict: Resource lock", Err: fmt.Errorf(format, args...)}
}

// TooLarge reports a body, file or value over its limit.
func TooLarge(message string) *Error { return &Error{Kind: KindTooLarge, Message: message} }

// UnsupportedMedia refuses a body of a type that the endpoint cannot read.
func UnsupportedMedia(mediaType string) *Error {
	return &Error{Kind: KindUnsupportedMedia, Message: "The provided content-type '" + mediaType + "' is not supported."}
}
