package s3

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// ErrURL is the error for a URL that names no place in an object store. It comes
// wrapped, in words for whoever wrote the URL.
var ErrURL = errors.New("not a place in an object store")

// anyRegion is what object stores other than Amazon's take for a region.
const anyRegion = "us-east-1"

// A Place is where blobs are: a bucket of an object store, and what the names of all
// objects start with.
type Place struct {
	Bucket   string
	Prefix   string // ends with a slash, or is empty
	Endpoint string // host or host:port; empty: Amazon's
	Secure   bool   // https
	Region   string
}

// ParsePlace reads s3://BUCKET/PREFIX?endpoint=URL&region=NAME. Without an endpoint,
// the bucket is at Amazon, and then the region is needed. An endpoint without a scheme
// is reached by https. A URL with credentials in it is refused: URLs are shown. Errors
// are ErrURL.
func ParsePlace(text string) (Place, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.Opaque != "" {
		return Place{}, badURL("expected s3://BUCKET/PREFIX?endpoint=URL&region=NAME")
	}
	if u.User != nil {
		return Place{}, badURL("credentials do not belong into it")
	}
	p := Place{Bucket: u.Host, Secure: true}
	if err := s3utils.CheckValidBucketNameStrict(p.Bucket); err != nil {
		return Place{}, badURL("bucket %s: %v", p.Bucket, err)
	}
	if p.Prefix, err = prefix(u.Path); err != nil {
		return Place{}, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return Place{}, badURL("expected ?endpoint=URL&region=NAME after the bucket")
	}
	for name := range query {
		if name != "endpoint" && name != "region" {
			return Place{}, badURL("unknown parameter %q, expected endpoint or region", name)
		}
	}
	p.Region = query.Get("region")
	return p, p.setEndpoint(query.Get("endpoint"))
}

// String names the place, without the endpoint, by which one and the same place can be
// reached under several names.
func (p Place) String() string { return strings.TrimRight("s3://"+p.Bucket+"/"+p.Prefix, "/") }

// prefix checks the path of a URL and gives what names of objects start with.
func prefix(path string) (string, error) {
	path = strings.Trim(path, "/")
	if path == "" {
		return "", nil
	}
	for element := range strings.SplitSeq(path, "/") {
		if element == "" || element == "." || element == ".." {
			return "", badURL("prefix %q", path)
		}
	}
	return path + "/", nil
}

// setEndpoint takes the parameter of that name.
func (p *Place) setEndpoint(text string) error {
	if text == "" {
		if p.Region == "" {
			return badURL("a bucket at Amazon needs region=NAME, one elsewhere endpoint=URL")
		}
		return nil
	}
	if p.Region == "" {
		p.Region = anyRegion
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" ||
		strings.Trim(u.Path, "/") != "" {
		return badURL("endpoint: expected https://HOST or http://HOST")
	}
	p.Endpoint, p.Secure = u.Host, u.Scheme == "https"
	return nil
}

func badURL(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrURL, fmt.Sprintf(format, args...))
}
