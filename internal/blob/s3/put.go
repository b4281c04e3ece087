package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/lanyard-ci/lanyard/internal/blob"
)

// Bounds of memory: what one Put holds of its source.
const (
	partSize  = 8 << 20 // a store takes 10,000 parts, so that blobs end at 80 GB
	firstRead = 32 << 10
)

// abortTime is how long an upload may take to be aborted once its source has failed.
const abortTime = 10 * time.Second

// Put implements blob.Store. The object is durable before it returns. It holds at most
// 8 MiB of the source at a time.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := blob.CheckKey(key); err != nil {
		return 0, err
	}
	source := &source{ctx: ctx, r: r}
	size, err := s.put(ctx, s.object(key), source)
	if source.err != nil {
		return 0, source.err
	}
	if err != nil {
		return 0, s.failed(ctx, "put blob "+key, err)
	}
	return size, nil
}

// put sends what fits into one part in one request, and more in parts.
func (s *Store) put(ctx context.Context, object string, r *source) (int64, error) {
	part, last, err := r.next(nil)
	if err != nil {
		return 0, err
	}
	if last {
		return int64(len(part)), s.putObject(ctx, object, part)
	}
	upload, err := s.core.NewMultipartUpload(ctx, s.place.Bucket, object, minio.PutObjectOptions{})
	if err != nil {
		return 0, err
	}
	size, err := s.putParts(ctx, object, upload, part, r)
	if err != nil {
		return 0, errors.Join(err, s.abort(ctx, object, upload))
	}
	return size, nil
}

func (s *Store) putObject(ctx context.Context, object string, data []byte) error {
	options := minio.PutObjectOptions{DisableContentSha256: true} // of pieces: the digest of the whole is there
	_, err := s.core.PutObject(ctx, s.place.Bucket, object, bytes.NewReader(data), int64(len(data)), "", digest(data), options)
	return err
}

// putParts sends the first part and those that follow it, and makes them an object.
func (s *Store) putParts(ctx context.Context, object, upload string, part []byte, r *source) (size int64, err error) {
	var parts []minio.CompletePart
	for last := false; ; {
		if len(part) > 0 {
			options := minio.PutObjectPartOptions{Sha256Hex: digest(part), DisableContentSha256: true}
			sent, err := s.core.PutObjectPart(ctx, s.place.Bucket, object, upload, len(parts)+1, bytes.NewReader(part), int64(len(part)), options)
			if err != nil {
				return 0, err
			}
			parts = append(parts, minio.CompletePart{PartNumber: sent.PartNumber, ETag: sent.ETag})
			size += int64(len(part))
		}
		if last {
			break
		}
		if part, last, err = r.next(part); err != nil {
			return 0, err
		}
	}
	_, err = s.core.CompleteMultipartUpload(ctx, s.place.Bucket, object, upload, parts, minio.PutObjectOptions{})
	if code(err) == minio.NoSuchUpload && s.complete(ctx, object, size) {
		err = nil // of a request whose first answer was lost
	}
	return size, err
}

// complete reports whether there is an object of that size.
func (s *Store) complete(ctx context.Context, object string, size int64) bool {
	found, err := s.core.StatObject(ctx, s.place.Bucket, object, minio.StatObjectOptions{})
	return err == nil && found.Size == size
}

// abort throws the parts of an upload away, also when the caller has gone.
func (s *Store) abort(ctx context.Context, object, upload string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	err := s.core.AbortMultipartUpload(ctx, s.place.Bucket, object, upload)
	if code(err) == minio.NoSuchUpload {
		return nil
	}
	return err
}

// Sweep aborts uploads that began more than olderThan before now: what a crash left of
// a Put. It returns how many. olderThan must be longer than the slowest Put, since
// other processes may be writing. A store that cannot list uploads has nothing to
// sweep.
func (s *Store) Sweep(ctx context.Context, olderThan time.Duration, now time.Time) (int, error) {
	listing, stop := context.WithCancel(ctx)
	defer stop()
	var old []minio.ObjectMultipartInfo
	for found := range s.core.ListIncompleteUploads(listing, s.place.Bucket, s.place.Prefix, true) {
		if code(found.Err) == minio.NotImplemented {
			return 0, nil
		}
		if found.Err != nil {
			return 0, s.failed(ctx, "list unfinished uploads", found.Err)
		}
		if _, ours := s.key(found.Key); ours && found.Initiated.Before(now.Add(-olderThan)) {
			old = append(old, found)
		}
	}
	for i, upload := range old {
		if err := s.abort(ctx, upload.Key, upload.UploadID); err != nil {
			return i, s.failed(ctx, "abort upload of "+upload.Key, err)
		}
	}
	return len(old), nil
}

// A source is the caller's reader; it stops with ctx and remembers its own error, so
// that this can be told from one of the store.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

// next reads the next part into buf or a larger one; last says that nothing follows.
func (s *source) next(buf []byte) (part []byte, last bool, err error) {
	buf = buf[:0]
	for len(buf) < partSize {
		if len(buf) == cap(buf) {
			larger := make([]byte, len(buf), min(max(2*cap(buf), firstRead), partSize))
			copy(larger, buf)
			buf = larger
		}
		if err := s.ctx.Err(); err != nil {
			s.err = err
			return nil, false, err
		}
		n, err := s.r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, true, nil
		}
		if err != nil {
			s.err = err
			return nil, false, err
		}
	}
	return buf, false, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
