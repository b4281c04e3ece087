package s3_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/blob/s3"
)

func TestParsePlace(t *testing.T) {
	for url, want := range map[string]s3.Place{
		"s3://bucket?region=eu-west-1":                                {Bucket: "bucket", Secure: true, Region: "eu-west-1"},
		"s3://bucket/?endpoint=http://127.0.0.1:9000":                 {Bucket: "bucket", Endpoint: "127.0.0.1:9000", Region: "us-east-1"},
		"s3://bucket/a/b/?endpoint=https://s3.example.com&region=fsn": {Bucket: "bucket", Prefix: "a/b/", Endpoint: "s3.example.com", Secure: true, Region: "fsn"},
		"s3://bucket/a?endpoint=s3.example.com/":                      {Bucket: "bucket", Prefix: "a/", Endpoint: "s3.example.com", Secure: true, Region: "us-east-1"},
	} {
		if got, err := s3.ParsePlace(url); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", url, got, err, want)
		}
	}
	for url, want := range map[string]string{
		"":                                    "expected s3://BUCKET/PREFIX",
		"gs://bucket":                         "expected s3://BUCKET/PREFIX",
		"s3:bucket":                           "expected s3://BUCKET/PREFIX",
		"s3:///a":                             "expected s3://BUCKET/PREFIX",
		"s3://bucket":                         "needs region=NAME",
		"s3://B_/?region=x":                   "bucket B_: ",
		"s3://key:secret@bucket":              "credentials do not belong into it",
		"s3://bucket/a//b?region=x":           `prefix "a//b"`,
		"s3://bucket/../b?region=x":           `prefix "../b"`,
		"s3://bucket?regoin=x":                `unknown parameter "regoin", expected endpoint or region`,
		"s3://bucket?endpoint=ftp://x":        "expected https://HOST or http://HOST",
		"s3://bucket?endpoint=http://u:p@h":   "expected https://HOST or http://HOST",
		"s3://bucket?endpoint=http://h/minio": "expected https://HOST or http://HOST",
		"s3://bucket?region=x#y":              "expected ?endpoint=URL",
	} {
		_, err := s3.ParsePlace(url)
		if !errors.Is(err, s3.ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the credentials are in %v", url, err)
		}
	}
	place := s3.Place{Bucket: "bucket", Prefix: "a/b/", Endpoint: "h", Region: "r"}
	if got, want := place.String(), "s3://bucket/a/b"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
