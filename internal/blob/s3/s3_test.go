package s3_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/blob/blobtest"
	"github.com/lanyard-ci/lanyard/internal/blob/s3"
	"github.com/lanyard-ci/lanyard/internal/blob/s3/s3test"
)

const someKey = "abcdef0123456789abcdef0123456789"

func open(t testing.TB, url string) *s3.Store {
	t.Helper()
	return openAs(t, url, s3test.AccessKey, s3test.SecretKey)
}

func openAs(t testing.TB, url, access, secret string) *s3.Store {
	t.Helper()
	place, err := s3.ParsePlace(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := s3.Open(s3.Config{Place: place, AccessKey: access, SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, s3test.Start(t).BlobURL("ci/one")) })
}

// The contract's largest blob is smaller than a part.
func TestParts(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL(""))
	for _, size := range []int{8<<20 - 1, 8 << 20, 8<<20 + 1, 17 << 20} {
		content := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		got, err := s.Put(t.Context(), someKey, iotest.HalfReader(bytes.NewReader(content)))
		if err != nil || got != int64(size) {
			t.Fatalf("put %d bytes: %d, %v", size, got, err)
		}
		r, err := s.Get(t.Context(), someKey, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		back, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(back, content) {
			t.Errorf("%d bytes came back as %d that differ, %v", size, len(back), err)
		}
	}
	if got := server.Objects(t); len(got) != 1 || got[0] != "ab/"+someKey {
		t.Errorf("objects are %v, want ab/%s", got, someKey)
	}
}

// An upload in parts whose source fails, or whose caller goes, leaves nothing.
func TestHalfUploadIsAborted(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL("ci"))
	limit := errors.New("too large")
	long := func(after io.Reader) io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, 9<<20)), after) }
	if _, err := s.Put(t.Context(), someKey, long(iotest.ErrReader(limit))); err != limit {
		t.Errorf("got %v, want %v", err, limit)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Put(ctx, someKey, long(readFunc(func([]byte) (int, error) { cancel(); return 0, nil }))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	if n, objects := server.Uploads(t), server.Objects(t); n != 0 || len(objects) != 0 {
		t.Errorf("left are %d uploads and %v", n, objects)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestSweep(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL("ci"))
	for _, name := range []string{"ci/ab/" + someKey, "ci/notes", "other/ab/" + someKey} {
		if _, err := server.Core(t).NewMultipartUpload(t.Context(), s3test.Bucket, name, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Sweep(t.Context(), time.Hour, time.Now()); err != nil || n != 0 {
		t.Errorf("of young ones, removed %d, %v", n, err)
	}
	if n, err := s.Sweep(t.Context(), time.Hour, time.Now().Add(2*time.Hour)); err != nil || n != 1 {
		t.Errorf("removed %d, %v, want 1", n, err)
	}
	if n := server.Uploads(t); n != 2 {
		t.Errorf("%d uploads are left, want those of others, 2", n)
	}
}

// What is no blob, and what is below another prefix, is not listed.
func TestListsOnlyItsOwn(t *testing.T) {
	server := s3test.Start(t)
	s, other := open(t, server.BlobURL("ci")), open(t, server.BlobURL("ci/ab"))
	for _, store := range []*s3.Store{s, other} {
		if _, err := store.Put(t.Context(), someKey, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.Core(t).PutObject(t.Context(), s3test.Bucket, "ci/ab/notes", strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := s.List(t.Context(), "", func(info blob.Info) error { n++; return nil })
	if err != nil || n != 1 {
		t.Errorf("listed %d, %v, want 1 of %v", n, err, server.Objects(t))
	}
}

// A request that fails is tried again, body and all, but not forever.
func TestRetries(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL(""))
	var calls atomic.Int32
	fail := func(times int32) {
		calls.Store(0)
		server.Meddle(func(w http.ResponseWriter, r *http.Request) bool {
			if calls.Add(1) > times {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
	}
	fail(2)
	if _, err := s.Put(t.Context(), someKey, strings.NewReader("hello")); err != nil || calls.Load() != 3 {
		t.Errorf("put: %v after %d calls, want success after 3", err, calls.Load())
	}
	fail(1 << 20)
	_, err := s.Stat(t.Context(), someKey)
	if err == nil || errors.Is(err, s3.ErrRefused) || errors.Is(err, blob.ErrNotExist) || calls.Load() > 5 {
		t.Errorf("stat: %v after %d calls", err, calls.Load())
	}
	server.Meddle(nil)
	if info, err := s.Stat(t.Context(), someKey); err != nil || info.Size != 5 {
		t.Errorf("got %+v, %v", info, err)
	}
}

// A download that breaks off must not look like a shorter blob.
func TestBrokenDownload(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL(""))
	server.Meddle(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = io.WriteString(w, "half")
		return true
	})
	r, err := s.Get(t.Context(), someKey, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err == nil {
		t.Errorf("read %q without an error", got)
	}
}

func TestProbe(t *testing.T) {
	server := s3test.Start(t)
	if err := open(t, server.BlobURL("ci")).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if got := server.Objects(t); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
	elsewhere := strings.Replace(server.BlobURL("ci"), s3test.Bucket, "nowhere", 1)
	for _, c := range []struct {
		name, url, access, secret, want string
		refused                         bool
	}{
		{"key", server.BlobURL("ci"), "ANOTHERKEY", s3test.SecretKey, "write: the object store answers 403 InvalidAccessKeyId: refused for", true},
		{"secret", server.BlobURL("ci"), s3test.AccessKey, "another", "write: the object store answers 403 SignatureDoesNotMatch: refused for [access key]", true},
		{"bucket", elsewhere, s3test.AccessKey, s3test.SecretKey, "write: the object store answers 404 NoSuchBucket: ", true},
		{"host", "s3://artifacts?endpoint=http://127.0.0.1:1", s3test.AccessKey, s3test.SecretKey, "write: object store: dial tcp 127.0.0.1:1: ", false},
	} {
		err := openAs(t, c.url, c.access, c.secret).Probe(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || errors.Is(err, s3.ErrRefused) != c.refused {
			t.Errorf("%s: got %v, refused %v, want %s, %v", c.name, err, errors.Is(err, s3.ErrRefused), c.want, c.refused)
		}
		if text := fmt.Sprintf("%+v", err); strings.Contains(text, s3test.AccessKey) || strings.Contains(text, s3test.SecretKey) {
			t.Errorf("%s: a key is in %s", c.name, text)
		}
	}
	if err := open(t, elsewhere).Ready(t.Context()); !errors.Is(err, s3.ErrRefused) {
		t.Errorf("ready without a bucket: %v", err)
	}
	if _, err := open(t, elsewhere).Get(t.Context(), someKey, 0, -1); errors.Is(err, blob.ErrNotExist) || err == nil {
		t.Errorf("get without a bucket: %v, want another error than ErrNotExist", err)
	}
}

func TestDownloadURL(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL("ci"))
	if _, err := s.Put(t.Context(), someKey, strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	url, err := s.DownloadURL(t.Context(), someKey, "a b\"ö.zip", "application/zip", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(url string) (int, string) {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if status, body := fetch(url); status != 200 || body != "0123456789" {
		t.Errorf("got %d %q", status, body)
	}
	other := strings.Replace(url, someKey[2:], "0"+someKey[3:], 1)
	if status, body := fetch(other); status != 403 {
		t.Errorf("of another blob: %d %q, want 403", status, body)
	}
	short, err := s.DownloadURL(t.Context(), someKey, "a.zip", "application/zip", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if status, _ := fetch(short); status == 403 {
			break
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the URL does not end")
		}
	}
	if _, err := s.DownloadURL(t.Context(), "../x", "a.zip", "application/zip", time.Minute); !errors.Is(err, blob.ErrBadKey) {
		t.Errorf("got %v, want ErrBadKey", err)
	}
}

// A certificate of an unknown authority is refused; one that the machine trusts is not.
// Nothing else in this package uses TLS, so that the variable is read here.
func TestTLS(t *testing.T) {
	server := s3test.StartTLS(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.HTTP.Certificate().Raw})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	if err := open(t, server.BlobURL("ci")).Probe(t.Context()); err != nil {
		t.Error(err)
	}
	plain := strings.Replace(server.BlobURL("ci"), "https", "http", 1)
	if err := open(t, plain).Probe(t.Context()); err == nil {
		t.Error("plain http to a TLS server went well")
	}
}

// Memory does not grow with the blob.
func TestPutMemory(t *testing.T) {
	server := s3test.Start(t)
	s := open(t, server.BlobURL(""))
	server.Meddle(func(w http.ResponseWriter, r *http.Request) bool { // keeps nothing
		if r.Method != "PUT" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0"`)
		return true
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Put(t.Context(), someKey, io.LimitReader(zeros{}, 200<<20))
	runtime.ReadMemStats(&after)
	if err == nil { // the parts were kept nowhere
		t.Error("an object was made of nothing")
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("a blob of 200 MiB took %d MiB of memory", grown>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkPut(b *testing.B) {
	s := open(b, s3test.Start(b).BlobURL(""))
	content := make([]byte, 64<<10)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := s.Put(b.Context(), someKey, bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
}
