package daemon

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/blob"
	"github.com/lanyard-ci/lanyard/internal/blob/disk"
	"github.com/lanyard-ci/lanyard/internal/blob/s3/s3test"
	"github.com/lanyard-ci/lanyard/internal/ci"
)

// inBucket is the configuration of a server with an object store.
func inBucket(t *testing.T, store *s3test.Server) Config {
	t.Helper()
	c := config(t)
	c.BlobURL, c.BlobAccessKey, c.BlobSecretKey = store.BlobURL("ci"), s3test.AccessKey, s3test.SecretKey
	return c
}

func TestStartRefusesBucket(t *testing.T) {
	store := s3test.Start(t)
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no credentials", func(c *Config) { c.BlobSecretKey = "" }, "--blob-url needs LANYARD_BLOB_ACCESS_KEY"},
		{"no URL of a bucket", func(c *Config) { c.BlobURL, c.BlobSecretKey = "https://x", "" }, "--blob-url is not a place in an object store: expected s3://"},
		{"wrong secret", func(c *Config) { c.BlobSecretKey = "wrong-secret" },
			"--blob-url: s3://artifacts/ci cannot be used: write: the object store answers 403 SignatureDoesNotMatch"},
		{"no such bucket", func(c *Config) { c.BlobURL = strings.Replace(c.BlobURL, "artifacts", "other", 1) },
			"--blob-url: s3://other/ci cannot be used: write: the object store answers 404 NoSuchBucket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := inBucket(t, store)
			test.change(&c)
			refused(t, c, test.want)
			if none, err := missing(c.blobsIn()); !none || err != nil {
				t.Errorf("the place was recorded, %v", err)
			}
		})
	}
	c := inBucket(t, store)
	store.HTTP.Close()
	if _, err := Start(t.Context(), c); ci.KindOf(err) != ci.KindUnavailable {
		t.Errorf("without the object store: got %v, want unavailable", err)
	}
}

// A server does not start where artifacts and logs are not.
func TestBlobsStayWhereTheyAre(t *testing.T) {
	store := s3test.Start(t)
	c := inBucket(t, store)
	s := started(t, c)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	local := c
	local.BlobURL = ""
	refused(t, local, "artifacts and logs are in s3://artifacts/ci: name it by --blob-url")
	if _, err := Check(t.Context(), local, false); err == nil || !strings.Contains(err.Error(), "are in s3://artifacts/ci") {
		t.Errorf("check: %v", err)
	}
	moved := c
	moved.BlobURL = store.BlobURL("elsewhere")
	refused(t, moved, "artifacts and logs are in s3://artifacts/ci: name it by --blob-url")
	if err := started(t, c).close(); err != nil {
		t.Errorf("start again: %v", err)
	}

	other := config(t)
	if err := started(t, other).close(); err != nil {
		t.Fatal(err)
	}
	bucket := other
	bucket.BlobURL, bucket.BlobAccessKey, bucket.BlobSecretKey = c.BlobURL, c.BlobAccessKey, c.BlobSecretKey
	if _, err := Check(t.Context(), bucket, false); err == nil || !strings.Contains(err.Error(), "leave out --blob-url") {
		t.Errorf("check: %v", err)
	}
	files, err := disk.Open(other.blobs())
	if err != nil {
		t.Fatal(err)
	}
	key := blob.NewKey(strings.NewReader("0123456789abcdef"))
	if _, err := files.Put(t.Context(), key, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	refused(t, bucket, "artifacts and logs are in "+other.blobs()+": copy what is in there to s3://artifacts/ci")
	if err := os.RemoveAll(filepath.Join(other.Data, "blobs")); err != nil {
		t.Fatal(err)
	}
}

// What nobody knows is found in the bucket, and so is a lost store by readiness.
func TestCheckAndReadinessOfBucket(t *testing.T) {
	store := s3test.Start(t)
	c := inBucket(t, store)
	s := started(t, c)
	stop := running(t, s)
	if resp := get(t, s.LocalURL()+"/-/readiness", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("ready: got %d", resp.StatusCode)
	}
	store.Meddle(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if resp := get(t, s.LocalURL()+"/-/readiness", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without the object store: got %d, want 503", resp.StatusCode)
	}
	store.Meddle(nil)
	key := blob.NewKey(strings.NewReader("0123456789abcdef"))
	if _, err := s.state.blobs.Put(t.Context(), key, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	blobs := s.state.blobs
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	broken, err := Check(t.Context(), c, true)
	if err != nil || len(broken) != 1 || !strings.Contains(broken[0], "blob "+key+" belongs to nothing") {
		t.Errorf("got %q, %v, want the unknown blob", broken, err)
	}
	if err := blobs.Delete(context.Background(), key); err != nil {
		t.Fatal(err)
	}
}
