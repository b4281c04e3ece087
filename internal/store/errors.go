package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrMoved says that a compare-and-swap lost: load again and decide again.
	ErrMoved = errors.New("somebody else changed the pipeline first")
	// ErrUnknown says that a commit may or may not have happened. Whoever must
	// know looks the row up (a pipeline by its uid).
	ErrUnknown = errors.New("outcome of the commit is unknown")
	// ErrInFlight says of an ErrUnknown that the commit may yet happen, since the
	// database may still have it before it: a row that is not there proves nothing.
	ErrInFlight = errors.New("the commit may be on its way")
	// ErrTooMany says that a limit on rows is reached.
	ErrTooMany = errors.New("limit reached")
	// ErrNewer matches every NewerError.
	ErrNewer = errors.New("written by a newer version")
	// ErrLate says that a blob was written for so long that it counts as left behind.
	ErrLate = errors.New("writing took too long")
	// ErrOlder says that a database has to be brought up to date by a server first.
	ErrOlder = errors.New("written by an older version")
	// ErrClosed says that the writer takes no more writes.
	ErrClosed = errors.New("store is closed")
)

// A NewerError refuses a database that a newer version of the program wrote.
type NewerError struct {
	Found int64 // schema number of the database
	Known int64 // highest schema number of this program
}

// Error names both numbers.
func (e *NewerError) Error() string {
	return fmt.Sprintf("database has schema %d, this version knows up to %d", e.Found, e.Known)
}

// Is makes errors.Is(err, ErrNewer) hold.
func (e *NewerError) Is(target error) bool { return target == ErrNewer }

// Taken says that another row has the value already. Field is the word for it
// that callers know: "username", "email", "path", "type", "pattern", "token", "key", "resource_group".
type Taken struct {
	Field string
	Err   error
}

// Error names the field.
func (e *Taken) Error() string { return e.Field + " is taken" }

// Unwrap gives the database's own error.
func (e *Taken) Unwrap() error { return e.Err }

// Replayed says that a pipeline was created under the same idempotency key
// before. Nothing was written this time.
type Replayed struct {
	PipelineID ci.PipelineID
	SameBody   bool // false: the key was used for another request
}

// Error names the pipeline.
func (e *Replayed) Error() string {
	return fmt.Sprintf("idempotency key was used for pipeline %d", e.PipelineID)
}

// down makes what befell the connection to PostgreSQL an error that callers answer
// with "try again later"; nothing that a caller sent was at fault.
func down(err error) error {
	if err == nil || ci.KindOf(err) != "" || !lost(err) && !errors.Is(err, ErrUnknown) {
		return err
	}
	return &ci.Error{Kind: ci.KindUnavailable, Message: "503 Service Unavailable", Err: err}
}

// unconnected is down for opening a database: there is no request yet that a status
// could answer, only somebody who wants to know what could not be done.
func unconnected(err error) error {
	const what = "connect to PostgreSQL"
	if !lost(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &ci.Error{Kind: ci.KindUnavailable, Message: what, Err: err}
}

// notFound turns the absence of a row into the answer for it.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ci.NoRecord()
	}
	return err
}
