package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/minio/minio-go/v7"

	"github.com/lanyard-ci/lanyard/internal/blob"
)

// ErrRefused is in every error in which the object store said no: wrong credentials, no
// such bucket, no right. Trying again does not help; somebody has to mend it.
var ErrRefused = errors.New("refused by the object store")

// An answer is what the object store said, without keys.
type answer struct {
	text    string
	refused bool
}

// Error gives the words.
func (a *answer) Error() string { return a.text }

// Is reports whether the answer was a refusal.
func (a *answer) Is(target error) bool { return target == ErrRefused && a.refused }

// failed words what went wrong with a request.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s: %w", what, cause)
	}
	response, ok := errors.AsType[minio.ErrorResponse](err)
	switch {
	case ok && response.Code == minio.NoSuchKey:
		return fmt.Errorf("%s: %w", what, blob.ErrNotExist)
	case ok:
		text := fmt.Sprintf("the object store answers %d %s: %s", response.StatusCode, response.Code, response.Error())
		refused := response.StatusCode >= 300 && response.StatusCode < 500
		return fmt.Errorf("%s: %w", what, &answer{s.hidden.Replace(text), refused})
	}
	if transport, ok := errors.AsType[*url.Error](err); ok { // its URL says no more than what does
		err = transport.Err
	}
	return fmt.Errorf("%s: object store: %w", what, err)
}

// code is the object store's word for what went wrong, or empty.
func code(err error) string {
	response, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return ""
	}
	return response.Code
}
