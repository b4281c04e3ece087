package runner

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// The object store that a download is sent to is not told the job's token, and what is
// signed is in no error.
func TestDownloadFromObjectStore(t *testing.T) {
	var header http.Header
	objects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		_, _ = w.Write([]byte("zip!"))
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, objects.URL+"/key?X-Amz-Signature=0123456789", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	c, err := newClient(Config{URL: server.URL}, "bash")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "archive")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := c.downloadArtifacts(t.Context(), 7, "jobtok-7", true, file); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != "zip!" {
		t.Errorf("got %q, %v", got, err)
	}
	if header.Get("Job-Token") != "" {
		t.Error("the object store got the job's token")
	}
	objects.Close()
	err = c.downloadArtifacts(t.Context(), 7, "jobtok-7", true, file)
	if err == nil || strings.Contains(err.Error(), "X-Amz") || !strings.Contains(err.Error(), objects.URL+"/key") {
		t.Errorf("got %v, want an error that names the object store without what was signed", err)
	}
}
