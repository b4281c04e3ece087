// Package s3test runs an object store for tests: it speaks S3 over HTTP, keeps
// everything in memory, and checks the signature of each request, as a real one does.
package s3test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// What every server has: one bucket, one pair of keys and one region.
const (
	Bucket    = "artifacts"
	AccessKey = "ACCESSKEY0123456789"
	SecretKey = "secret/key+0123456789"
	region    = "us-east-1"
)

// A Server is an object store on 127.0.0.1.
type Server struct {
	URL  string // of the endpoint
	HTTP *httptest.Server

	mu       sync.Mutex // protects all fields below
	meddle   func(http.ResponseWriter, *http.Request) bool
	requests []string
}

// Start runs a store until the test ends.
func Start(t testing.TB) *Server { return start(t, (*httptest.Server).Start) }

// StartTLS is Start with https.
func StartTLS(t testing.TB) *Server { return start(t, (*httptest.Server).StartTLS) }

func start(t testing.TB, run func(*httptest.Server)) *Server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(Bucket); err != nil {
		t.Fatal(err)
	}
	store := gofakes3.New(backend, gofakes3.WithoutVersioning()).Server()
	firstUpload(t, store)
	s := &Server{}
	s.HTTP = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.meddled(w, r) {
			return
		}
		if code, key := verify(r); code != "" {
			refuse(w, code, key)
			return
		}
		store.ServeHTTP(w, r)
	}))
	s.HTTP.Config.ErrorLog = log.New(io.Discard, "", 0)
	run(s.HTTP)
	s.URL = s.HTTP.URL
	t.Cleanup(s.HTTP.Close)
	return s
}

// firstUpload begins an upload and aborts it: before that, the backend refuses to list
// uploads, as no real store does.
func firstUpload(t testing.TB, store http.Handler) {
	t.Helper()
	call := func(method, query string) string {
		w := httptest.NewRecorder()
		store.ServeHTTP(w, httptest.NewRequest(method, "/"+Bucket+"/first?"+query, nil))
		return w.Body.String()
	}
	var begun struct{ UploadId string }
	if err := xml.Unmarshal([]byte(call("POST", "uploads")), &begun); err != nil {
		t.Fatal(err)
	}
	call("DELETE", "uploadId="+begun.UploadId)
}

// BlobURL is the --blob-url of a prefix in the bucket.
func (s *Server) BlobURL(prefix string) string {
	return "s3://" + Bucket + "/" + prefix + "?endpoint=" + url.QueryEscape(s.URL)
}

// Meddle has f look at every request first; f reports whether it has answered. nil
// ends it.
func (s *Server) Meddle(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meddle = f
}

// Requests are the method and the URL of all requests so far.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) meddled(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.String())
	meddle := s.meddle
	s.mu.Unlock()
	return meddle != nil && meddle(w, r)
}

// Core is a plain client of the store.
func (s *Server) Core(t testing.TB) *minio.Core {
	t.Helper()
	core, err := minio.NewCore(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: region, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	return core
}

// Objects are the names of all objects.
func (s *Server) Objects(t testing.TB) []string {
	t.Helper()
	var names []string
	for found := range s.Core(t).ListObjectsIter(context.WithoutCancel(t.Context()), Bucket, minio.ListObjectsOptions{Recursive: true}) {
		if found.Err != nil {
			t.Fatal(found.Err)
		}
		names = append(names, found.Key)
	}
	return names
}

// Uploads is how many uploads in parts are unfinished.
func (s *Server) Uploads(t testing.TB) int {
	t.Helper()
	n := 0
	for found := range s.Core(t).ListIncompleteUploads(t.Context(), Bucket, "", true) {
		if found.Err != nil {
			t.Fatal(found.Err)
		}
		n++
	}
	return n
}

// refuse answers as S3 does, and names the key, as some stores do.
func refuse(w http.ResponseWriter, code, key string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: code, Message: "refused for " + key})
}

// verify checks the signature of a request, version 4, and gives S3's word for what is
// wrong with it, and the access key that came with it.
func verify(r *http.Request) (code, key string) {
	query := r.URL.Query()
	signature, payload, signed, date := query.Get("X-Amz-Signature"), "UNSIGNED-PAYLOAD", query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Date")
	credential := query.Get("X-Amz-Credential")
	if signature == "" {
		fields := map[string]string{}
		for field := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			fields[name] = value
		}
		signature, signed, credential = fields["Signature"], fields["SignedHeaders"], fields["Credential"]
		payload, date = r.Header.Get("X-Amz-Content-Sha256"), r.Header.Get("X-Amz-Date")
	}
	key, scope, _ := strings.Cut(credential, "/")
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return "AccessDenied", key
	}
	if life, err := strconv.Atoi(query.Get("X-Amz-Expires")); err == nil && time.Now().After(at.Add(time.Duration(life)*time.Second)) {
		return "AccessDenied", key
	}
	if key != AccessKey {
		return "InvalidAccessKeyId", key
	}
	if hex.EncodeToString(sign(r, query, at, payload, signed, scope)) != signature {
		return "SignatureDoesNotMatch", key
	}
	return "", key
}

// sign makes the signature of a request.
func sign(r *http.Request, query url.Values, at time.Time, payload, signed, scope string) []byte {
	query.Del("X-Amz-Signature")
	request := []string{r.Method, r.URL.EscapedPath(), strings.ReplaceAll(query.Encode(), "+", "%20")}
	for name := range strings.SplitSeq(signed, ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		request = append(request, name+":"+strings.TrimSpace(value))
	}
	request = append(request, "", signed, payload)
	sum := sha256.Sum256([]byte(strings.Join(request, "\n")))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", at.Format("20060102T150405Z"), scope, hex.EncodeToString(sum[:])}, "\n")
	with := []byte("AWS4" + SecretKey)
	for _, part := range []string{at.Format("20060102"), region, "s3", "aws4_request", text} {
		mac := hmac.New(sha256.New, with)
		mac.Write([]byte(part))
		with = mac.Sum(nil)
	}
	return with
}
