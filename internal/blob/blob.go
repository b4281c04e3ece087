// Package blob says how large, immutable things are kept outside the database:
// artifacts, sealed pieces of job logs, caches.
//
// A blob gets a random key (NewKey) that only the row which owns it knows, so a key is
// never reused and a new row never inherits old bytes. The order that keeps both sides
// true through a crash: put the blob, then commit the row; delete the row, then, later
// and as often as needed, the blob. A blob without a row is waste that a sweep finds;
// a row without a blob does not happen.
//
// Store is implemented by packages disk and s3 and tested, for both alike, by package
// blobtest.
package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Errors of every Store. They come wrapped.
var (
	ErrNotExist = errors.New("no such blob")
	ErrBadKey   = errors.New("not a blob key")
)

// A Store keeps blobs by key. It is safe for concurrent use. Each method refuses a key
// that CheckKey refuses with ErrBadKey, and ends early when ctx does.
type Store interface {
	// Put stores all that r gives and returns its size. The blob appears as a whole,
	// durably, or not at all: after an error nothing of it is visible. An error of r is
	// returned as it is, so that a size limit in r can be told apart. An existing blob
	// of that key is replaced at once; whoever is reading it reads the old one on.
	Put(ctx context.Context, key string, r io.Reader) (size int64, err error)

	// Get reads length bytes from offset on, to the end when length is negative. Where
	// the blob ends earlier, so does the reader; a negative offset is an error. A
	// missing blob is ErrNotExist. The caller closes the reader.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat tells about a blob; a missing one is ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)

	// Delete removes a blob; one that is not there is no error, so that a deletion can
	// be repeated.
	Delete(ctx context.Context, key string) error

	// List calls f for all blobs whose keys start with prefix, in the order of keys,
	// until f fails, and returns that error as it is. Blobs that come or go meanwhile
	// may or may not be among them.
	List(ctx context.Context, prefix string, f func(Info) error) error
}

// Info is what a store knows about a blob.
type Info struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // when it was put
}

// Lengths of a key. NewKey makes 32 digits; digests may be longer.
const (
	minKey = 32
	maxKey = 128
)

// NewKey makes a key of 128 random bits. It panics when the source of randomness
// fails, which crypto/rand.Reader never does.
func NewKey(rand io.Reader) string {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		panic("blob: no randomness: " + err.Error())
	}
	return hex.EncodeToString(b[:])
}

// CheckKey accepts 32 to 128 lower-case hexadecimal digits: nothing that could mean
// something else in a file name or URL.
func CheckKey(key string) error {
	if len(key) < minKey || len(key) > maxKey || !isHex(key) {
		return badKey(key)
	}
	return nil
}

// CheckPrefix accepts the beginning of a key, or nothing.
func CheckPrefix(prefix string) error {
	if len(prefix) > maxKey || !isHex(prefix) {
		return badKey(prefix)
	}
	return nil
}

func badKey(key string) error {
	if len(key) > maxKey {
		key = key[:maxKey] + "..."
	}
	return fmt.Errorf("%w: %q", ErrBadKey, key)
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
