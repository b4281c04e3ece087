package runnerapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/engine"
)

// A runner is sent to the object store only if it asks for it and may have the
// artifact, and where it was sent is in no log.
func TestDirectDownload(t *testing.T) {
	const signature = "X-Amz-Signature=0123456789"
	var asked []string
	w := newWorld(t, "build: {script: [make], artifacts: {paths: [out]}}\n", options{direct: func(_ context.Context, key, name string) (string, error) {
		asked = append(asked, name)
		return "http://objects.example.com/" + key + "?" + signature, nil
	}})
	_, token := w.runner(engine.RunnerSettings{})
	job := w.takeNew(token)
	expect(t, "upload", w.upload(job, "archive", "zip", "my.zip", []byte("zip!")), 201, "")
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, c := range []struct {
		method, query, token string
		want                 int
	}{
		{"GET", "?direct_download=true", job.token, 302},
		{"GET", "?direct_download=1", job.token, 302},
		{"GET", "", job.token, 200},
		{"GET", "?direct_download=false", job.token, 200},
		{"HEAD", "?direct_download=true", job.token, 200},
		{"GET", "?direct_download=true", "x", 403},
		{"GET", "?direct_download=perhaps", job.token, 400},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, fmt.Sprintf("%s/api/v4/jobs/%d/artifacts%s", w.server.URL, job.id, c.query), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Job-Token", c.token)
		resp, err := stay.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		location := resp.Header.Get("Location")
		if resp.StatusCode != c.want || strings.HasSuffix(location, signature) != (c.want == 302) {
			t.Errorf("%s %s: got %d to %q, want %d", c.method, c.query, resp.StatusCode, location, c.want)
		}
		if c.want == 302 && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the redirect may be kept: %q", resp.Header.Get("Cache-Control"))
		}
	}
	if len(asked) != 2 || asked[0] != "my.zip" {
		t.Errorf("signed for %q, want my.zip twice", asked)
	}
	if log := w.logged(); strings.Contains(log, "X-Amz") {
		t.Errorf("the log has a signed URL:\n%s", log)
	}
}
