// Package s3 keeps blobs as objects in a bucket of an object store that speaks
// Amazon's S3: blob ab12… is the object "PREFIX/ab/ab12…". That is how package disk
// names its files, so that a folder of blobs can be copied into a bucket and back.
//
// An object appears as a whole or not at all, and the store acknowledges it when it is
// durable; so does Put. What is small goes up in one request. What is larger goes up
// in parts, one after the other from one buffer, and is aborted when the source fails;
// what a crash leaves of it is found by Sweep. Every request carries the digest of its
// body, which the store compares.
//
// The package makes no buckets, takes no credentials from its surroundings and never
// shows those that it was given.
package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/lanyard-ci/lanyard/internal/blob"
)

const (
	fanOut  = 2 // digits of the key that come before the slash
	retries = 5 // tries of one request, within about three seconds
)

// Config is what a store is opened with. All fields are required.
type Config struct {
	Place     Place
	AccessKey string
	SecretKey string
}

// A Store is a blob.Store in one bucket, below one prefix. Several processes may share
// the place.
type Store struct {
	place  Place
	core   minio.Core
	hidden *strings.Replacer // takes keys out of what the store says
}

// Open makes a store. It makes no request: see Probe.
func Open(c Config) (*Store, error) {
	if c.AccessKey == "" || c.SecretKey == "" {
		return nil, errors.New("open object store: credentials are missing")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // ranges and lengths are those of the blob
	transport.ResponseHeaderTimeout = time.Minute
	transport.MaxIdleConnsPerHost = 32
	endpoint, lookup := c.Place.Endpoint, minio.BucketLookupPath
	if endpoint == "" {
		endpoint, lookup = "s3.amazonaws.com", minio.BucketLookupAuto
	}
	core, err := minio.NewCore(endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Secure: c.Place.Secure, Region: c.Place.Region,
		BucketLookup: lookup, Transport: transport, MaxRetries: retries,
	})
	if err != nil {
		return nil, badURL("%v", err)
	}
	hidden := strings.NewReplacer(c.AccessKey, "[access key]", c.SecretKey, "[secret key]")
	return &Store{place: c.Place, core: *core, hidden: hidden}, nil
}

// object names the object of a key that has been checked.
func (s *Store) object(key string) string { return s.place.Prefix + key[:fanOut] + "/" + key }

// key is the reverse of object; ok is false for an object that is no blob.
func (s *Store) key(object string) (key string, ok bool) {
	name, ok := strings.CutPrefix(object, s.place.Prefix)
	if !ok || len(name) <= fanOut+1 {
		return "", false
	}
	key = name[fanOut+1:]
	return key, blob.CheckKey(key) == nil && s.object(key) == object
}

// Get implements blob.Store. The bytes come straight from the store's answer.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("get blob %s: offset %d", key, offset)
	}
	if length == 0 {
		_, err := s.Stat(ctx, key)
		return http.NoBody, err
	}
	var options minio.GetObjectOptions
	switch {
	case length > 0:
		options.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		options.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	body, _, _, err := s.core.GetObject(ctx, s.place.Bucket, s.object(key), options)
	if code(err) == "InvalidRange" { // the blob ends before
		return http.NoBody, nil
	}
	if err != nil {
		return nil, s.failed(ctx, "get blob "+key, err)
	}
	return body, nil
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key string) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	found, err := s.core.StatObject(ctx, s.place.Bucket, s.object(key), minio.StatObjectOptions{})
	if err != nil {
		return blob.Info{}, s.failed(ctx, "stat blob "+key, err)
	}
	return blob.Info{Key: key, Size: found.Size, Modified: modified(found)}, nil
}

// modified rounds to seconds: in the answer about one object, the time is a header,
// which has no more; in a list it has.
func modified(found minio.ObjectInfo) time.Time { return found.LastModified.Truncate(time.Second) }

// Delete implements blob.Store. In a bucket that keeps versions, the store keeps the
// bytes as an old version.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	err := s.core.RemoveObject(ctx, s.place.Bucket, s.object(key), minio.RemoveObjectOptions{})
	if err != nil && code(err) != minio.NoSuchKey {
		return s.failed(ctx, "delete blob "+key, err)
	}
	return nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, prefix string, f func(blob.Info) error) error {
	if err := blob.CheckPrefix(prefix); err != nil {
		return err
	}
	if len(prefix) > fanOut {
		prefix = prefix[:fanOut] + "/" + prefix
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	options := minio.ListObjectsOptions{Prefix: s.place.Prefix + prefix, Recursive: true}
	for found := range s.core.ListObjectsIter(ctx, s.place.Bucket, options) {
		if found.Err != nil {
			return s.failed(ctx, "list blobs", found.Err)
		}
		key, ok := s.key(found.Key)
		if !ok {
			continue
		}
		if err := f(blob.Info{Key: key, Size: found.Size, Modified: modified(found)}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// DownloadURL gives a URL from which anybody can read a blob until life is over, 1 s to
// 7 days, as a download of that name and media type. It is a secret for as long. No
// request is made: a missing blob is found by whoever follows the URL.
func (s *Store) DownloadURL(ctx context.Context, key, name, media string, life time.Duration) (string, error) {
	if err := blob.CheckKey(key); err != nil {
		return "", err
	}
	answer := url.Values{
		"response-content-type":        {media},
		"response-content-disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
	}
	u, err := s.core.PresignedGetObject(ctx, s.place.Bucket, s.object(key), life, answer)
	if err != nil {
		return "", s.failed(ctx, "sign URL of blob "+key, err)
	}
	return u.String(), nil
}

// Ready reports why the bucket cannot be read.
func (s *Store) Ready(ctx context.Context) error {
	options := minio.ListObjectsOptions{Prefix: s.place.Prefix, Recursive: true, MaxKeys: 1}
	for found := range s.core.ListObjectsIter(ctx, s.place.Bucket, options) {
		if found.Err != nil {
			return s.failed(ctx, "list blobs", found.Err)
		}
		break
	}
	return ctx.Err()
}

// Probe reports why the place cannot be written, listed, read or deleted from: it does
// all of it with an object that cannot be taken for a blob.
func (s *Store) Probe(ctx context.Context) error {
	name := s.place.Prefix + "probe-" + blob.NewKey(rand.Reader)
	if err := s.putObject(ctx, name, []byte("probe\n")); err != nil {
		return s.failed(ctx, "write", err)
	}
	body, _, _, err := s.core.GetObject(ctx, s.place.Bucket, name, minio.GetObjectOptions{})
	if err == nil {
		err = body.Close()
	}
	if err != nil {
		return s.failed(ctx, "read", err)
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	if err := s.core.RemoveObject(ctx, s.place.Bucket, name, minio.RemoveObjectOptions{}); err != nil {
		return s.failed(ctx, "delete", err)
	}
	return nil
}

var _ blob.Store = (*Store)(nil)
