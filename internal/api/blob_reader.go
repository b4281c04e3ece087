package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lanyard-ci/lanyard/internal/blob"
)

// A blobReader reads a blob anywhere, for what wants to seek: parts of a download
// and the directory of an archive. It belongs to one request.
type blobReader struct {
	ctx   context.Context
	blobs blob.Store
	key   string
	size  int64

	offset int64
	body   io.ReadCloser // of what follows offset; nil: to be opened
}

func newBlobReader(ctx context.Context, blobs blob.Store, key string, size int64) *blobReader {
	return &blobReader{ctx: ctx, blobs: blobs, key: key, size: size}
}

// Read implements io.Reader.
func (b *blobReader) Read(p []byte) (int, error) {
	if b.offset >= b.size {
		return 0, io.EOF
	}
	if b.body == nil {
		body, err := b.blobs.Get(b.ctx, b.key, b.offset, -1)
		if err != nil {
			return 0, fmt.Errorf("read artifact: %w", err)
		}
		b.body = body
	}
	n, err := b.body.Read(p)
	b.offset += int64(n)
	if err != nil {
		err = errors.Join(err, b.Close())
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF
		if b.offset < b.size {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Seek implements io.Seeker.
func (b *blobReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.offset
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of an artifact")
	}
	if offset == b.offset {
		return offset, nil
	}
	b.offset = offset
	return offset, b.Close()
}

// ReadAt implements io.ReaderAt, for one caller at a time. Reads that follow each other,
// as those of a file in an archive do, are parts of one Get: in an object store each Get
// is a request, and archives are read in small pieces.
func (b *blobReader) ReadAt(p []byte, offset int64) (int, error) {
	if _, err := b.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(b, p)
	if errors.Is(err, io.ErrUnexpectedEOF) && b.offset >= b.size {
		err = io.EOF
	}
	return n, err
}

// Close ends the reading.
func (b *blobReader) Close() error {
	if b.body == nil {
		return nil
	}
	body := b.body
	b.body = nil
	return body.Close()
}
