package api

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
)

// counting counts what would be requests to an object store.
type counting struct {
	blob.Store
	gets int
}

func (c *counting) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.gets++
	return c.Store.Get(ctx, key, offset, length)
}

// A file of an archive is read with few requests, however long it is.
func TestBlobReaderReadsArchive(t *testing.T) {
	content := make([]byte, 2<<20)
	if _, err := rand.NewChaCha8([32]byte{}).Read(content); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range []string{"a", "b", "c"} {
		file, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	key, size := strings.Repeat("ab", 16), int64(archive.Len())
	if _, err := files.Put(t.Context(), key, &archive); err != nil {
		t.Fatal(err)
	}
	store := &counting{Store: files}
	reader := newBlobReader(t.Context(), store, key, size)
	opened, err := zip.NewReader(reader, size)
	if err != nil {
		t.Fatal(err)
	}
	body, err := opened.File[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(content))
	}
	if store.gets > 8 {
		t.Errorf("it took %d requests, want at most 8", store.gets)
	}
	tail := make([]byte, 10)
	if n, err := reader.ReadAt(tail, size-4); n != 4 || err != io.EOF {
		t.Errorf("at the end: %d, %v, want 4, EOF", n, err)
	}
	short := newBlobReader(t.Context(), store, key, size+5)
	if n, err := short.ReadAt(tail, size-4); n != 4 || err != io.ErrUnexpectedEOF {
		t.Errorf("of a blob that is too short: %d, %v, want 4, unexpected EOF", n, err)
	}
	for _, r := range []*blobReader{reader, short} {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
