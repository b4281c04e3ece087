package runner

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUploadArtifacts(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("mkdir -p out/sub; echo a > out/a.txt; echo t > out/t.tmp; echo s > out/sub/s.sh; chmod 755 out/sub/s.sh; ln -s a.txt out/link",
		"echo '<x/>' > r1.xml; echo '<y/>' > r2.xml; echo '{}' > sast.json; mkfifo out/pipe").
		with(variable{Key: "CI_JOB_NAME", Value: "dir/build"})
	job.Artifacts = []artifact{
		{Name: "of-$CI_JOB_NAME", Paths: []string{"out/", "missing"}, Exclude: []string{"**/*.tmp"}, ExpireIn: "1 week", Type: "archive", Format: "zip"},
		{Name: "junit.xml", Paths: []string{"r*.xml"}, When: "always", Type: "junit", Format: "gzip"},
		{Name: "gl-sast-report.json", Paths: []string{"sast.json"}, When: "always", Type: "sast", Format: "raw"},
		{Name: "failure", Paths: []string{"out"}, When: "on_failure", Type: "archive", Format: "zip"},
		{Name: "none", Paths: []string{"nothing"}, Type: "archive", Format: "zip"},
	}
	final, log := s.runOne(job)
	if final.State != "success" {
		t.Errorf("got %+v, want success\n%s", final, log)
	}
	wantContains(t, log, "Uploading artifacts for successful job", "missing: no matching files", "ERROR: No files to upload",
		`Uploading artifacts as "junit" to coordinator... 201 Created`, "out/pipe: neither file, folder nor link")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.uploads) != 3 {
		t.Fatalf("got %d uploads, want 3", len(s.uploads))
	}
	archive, junit, sast := s.uploads[0], s.uploads[1], s.uploads[2]
	if archive.filename != "build.zip" || archive.query != "artifact_format=zip&artifact_type=archive&expire_in=1+week" || !archive.chunked {
		t.Errorf("got archive %q?%s chunked %v", archive.filename, archive.query, archive.chunked)
	}
	want := map[string]string{"out/": "", "out/a.txt": "a\n", "out/sub/": "", "out/sub/s.sh": "s\n", "out/link": "a.txt"}
	if got := unzip(t, archive.body); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	checkModes(t, archive.body)
	if junit.filename != "junit.xml.gz" || junit.query != "artifact_format=gzip&artifact_type=junit" {
		t.Errorf("got junit %q?%s", junit.filename, junit.query)
	}
	checkMembers(t, junit.body)
	if sast.filename != "gl-sast-report.json" || string(sast.body) != "{}\n" {
		t.Errorf("got raw %q %q", sast.filename, sast.body)
	}
}

func checkModes(t *testing.T, body []byte) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		if f.Name == "out/sub/s.sh" && f.Mode().Perm() != 0o755 || f.Name == "out/link" && f.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s: got mode %v", f.Name, f.Mode())
		}
	}
}

// checkMembers wants one gzip member a file, with name and path in the header.
func checkMembers(t *testing.T, body []byte) {
	t.Helper()
	r := bytes.NewReader(body)
	for _, want := range []struct{ name, content string }{{"r1.xml", "<x/>\n"}, {"r2.xml", "<y/>\n"}} {
		member, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		member.Multistream(false)
		content, err := io.ReadAll(member)
		if err != nil || string(content) != want.content || member.Name != want.name || member.Comment != want.name {
			t.Errorf("got %q (%s) %q, %v; want %+v", member.Name, member.Comment, content, err, want)
		}
	}
	if r.Len() != 0 {
		t.Errorf("%d bytes follow the members", r.Len())
	}
}

func TestUploadOnFailure(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("echo x > x; false")
	job.Artifacts = []artifact{
		{Name: "a", Paths: []string{"x"}, When: "on_success"}, {Name: "b", Paths: []string{"x"}, When: "on_failure"},
		{Name: "c", Paths: []string{"x"}, When: "always"}, {Name: "", Paths: []string{"x"}, When: "always"},
	}
	_, log := s.runOne(job)
	wantContains(t, log, "section_start", ":upload_artifacts_on_failure", "Uploading artifacts for failed job")
	var got []string
	for _, u := range s.uploads {
		got = append(got, u.filename)
	}
	if want := []string{"b.zip", "c.zip", "artifacts.zip"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUploadRefused(t *testing.T) {
	s := newFakeServer(t)
	s.respond(func(c call, w http.ResponseWriter) bool {
		if c.is("POST /jobs/101/artifacts") {
			answerJSON(w, 413, `{"message":"413 Request Entity Too Large"}`)
			return true
		}
		return false
	})
	job := newPayload("echo x > x").afterScript("echo after")
	job.Artifacts = []artifact{{Name: "a", Paths: []string{"x"}}, {Name: "b", Paths: []string{"x"}}}
	final, log := s.runOne(job)
	if final.State != "failed" || final.FailureReason != "script_failure" || final.ExitCode != 1 {
		t.Errorf("got %+v, want script_failure with 1", final)
	}
	wantContains(t, log, `ERROR: Uploading artifacts as "archive" to coordinator... upload artifacts of job 101`, "413 Request Entity Too Large")
	if n := len(s.called("POST /jobs/101/artifacts")); n != 1 {
		t.Errorf("got %d uploads, want 1: what comes after a refusal is not tried", n)
	}
}

func TestUntracked(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("git init -q .; echo '*.log' > .gitignore; git add .gitignore; echo n > new; echo l > l.log")
	job.Artifacts = []artifact{{Name: "a", Untracked: true, Exclude: []string{"l.*"}}}
	_, log := s.runOne(job)
	wantContains(t, log, "untracked: found 2 files", "exclude: left out 1 files")
	if len(s.uploads) != 1 || !maps.Equal(unzip(t, s.uploads[0].body), map[string]string{"new": "n\n"}) {
		t.Errorf("got %v, want new alone", s.uploads)
	}
}

func TestDownloadArtifacts(t *testing.T) {
	s := newFakeServer(t)
	s.stored[100] = zipOf(t, "from-dep.txt", "content", "dir/x", "x", "dir/link@", "x")
	job := newPayload("cat from-dep.txt dir/link")
	job.Dependencies = []dependency{{ID: 99, Name: "no archive"}, dependencyOn(100)}
	final, log := s.runOne(job)
	if final.State != "success" {
		t.Errorf("got %+v, want success", final)
	}
	wantContains(t, log, "Downloading artifacts for dep (100)...", "contentx")
	calls := s.called("GET")
	if len(calls) != 1 || calls[0].path != "/jobs/100/artifacts?direct_download=true" || calls[0].header.Get("Job-Token") != "jobtok-101" {
		t.Errorf("got %v, want one direct download with the dependency's token", calls)
	}
}

func dependencyOn(id int64) dependency {
	d := dependency{ID: id, Name: "dep", Token: "jobtok-101"}
	d.ArtifactsFile.Filename = "artifacts.zip"
	return d
}

func TestDownloadFails(t *testing.T) {
	s := newFakeServer(t)
	job := newPayload("echo never")
	job.Dependencies = []dependency{dependencyOn(100)}
	final, log := s.runOne(job)
	if final.FailureReason != "script_failure" || final.ExitCode != 1 {
		t.Errorf("got %+v, want script_failure with 1", final)
	}
	wantContains(t, log, "ERROR: Downloading artifacts: download artifacts of job 100: 404 Not Found (404 Not found)")
	wantMissing(t, log, "never\n")
}

func TestDownloadRetriesThroughTheServer(t *testing.T) {
	s := newFakeServer(t)
	s.stored[100] = zipOf(t, "f", "got it")
	s.respond(func(c call, w http.ResponseWriter) bool {
		if c.is("GET /jobs/100/artifacts?direct_download=true") {
			w.WriteHeader(502)
			return true
		}
		return false
	})
	job := newPayload("cat f")
	job.Dependencies = []dependency{dependencyOn(100)}
	if final, log := s.runOne(job); final.State != "success" || !strings.Contains(log, "got it") {
		t.Errorf("got %+v, want success\n%s", final, log)
	}
	if calls := s.called("GET"); len(calls) != 2 || calls[1].path != "/jobs/100/artifacts" {
		t.Errorf("got %v, want a second try without direct_download", calls)
	}
}

func TestExtractStaysInside(t *testing.T) {
	for name, archive := range map[string][]byte{
		"parent":                 zipOf(t, "ok.txt", "ok", "../evil.txt", "evil"),
		"absolute":               zipOf(t, "/tmp/evil.txt", "evil"),
		"hidden parent":          zipOf(t, "a/../../evil.txt", "evil"),
		"backslash":              zipOf(t, `..\evil.txt`, "evil"),
		"through own link":       zipOf(t, "l@", "..", "l/evil.txt", "evil"),
		"through own link later": zipOf(t, "l/evil.txt", "evil", "l@", ".."),
		"through link of job":    zipOf(t, "planted/evil.txt", "evil"),
		"link in the parent":     zipOf(t, "../evil.txt@", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "project")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outer, filepath.Join(dir, "planted")); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
			if err != nil {
				t.Fatal(err)
			}
			if err := extractZip(r, root); err == nil {
				t.Error("extracted without an error")
			}
			entries, err := os.ReadDir(outer)
			if err != nil || len(entries) != 1 {
				t.Errorf("got %v, %v outside; want nothing but the project", entries, err)
			}
		})
	}
}

func TestExtractReplaces(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "project")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(outer, "precious")
	for _, err := range []error{
		os.WriteFile(precious, []byte("as it was"), 0o600), os.Symlink(precious, filepath.Join(dir, "f")), os.Link(precious, filepath.Join(dir, "g")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	archive := zipOf(t, "f", "new", "g", "new")
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if err := extractZip(r, root); err != nil {
		t.Fatal(err)
	}
	if got := string(readFile(t, precious)); got != "as it was" {
		t.Errorf("got %q written through a link", got)
	}
	if got := string(readFile(t, filepath.Join(dir, "f"))); got != "new" {
		t.Errorf("got %q, want new", got)
	}
	var unsafe bytes.Buffer
	w := zip.NewWriter(&unsafe)
	header := &zip.FileHeader{Name: "setuid"}
	header.SetMode(0o755 | os.ModeSetuid)
	if _, err := w.CreateHeader(header); err != nil {
		t.Fatal(errors.Join(err, w.Close()))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = zip.NewReader(bytes.NewReader(unsafe.Bytes()), int64(unsafe.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := extractZip(r, root); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "setuid")); err != nil || fi.Mode() != 0o755 {
		t.Errorf("got %v, %v; want 0755 without the set-user-id bit", fi.Mode(), err)
	}
}

func TestRedirectKeepsTokenHome(t *testing.T) {
	other := newFakeServer(t)
	archive := zipOf(t, "f", "from elsewhere")
	other.respond(func(c call, w http.ResponseWriter) bool { _, _ = w.Write(archive); return true })
	s := newFakeServer(t)
	s.respond(func(c call, w http.ResponseWriter) bool {
		if c.is("GET") {
			w.Header().Set("Location", strings.Replace(other.http.URL, "127.0.0.1", "localhost", 1)+"/api/v4/store")
			w.WriteHeader(307)
			return true
		}
		return false
	})
	job := newPayload("cat f")
	job.Dependencies = []dependency{dependencyOn(100)}
	if final, log := s.runOne(job); final.State != "success" || !strings.Contains(log, "from elsewhere") {
		t.Errorf("got %+v, want success\n%s", final, log)
	}
	if calls := other.called("GET"); len(calls) != 1 || calls[0].header.Get("Job-Token") != "" {
		t.Errorf("got %v at the other host, want one request without the token", calls)
	}
}
