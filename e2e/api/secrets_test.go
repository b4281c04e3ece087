package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// credentialNames are the parameters that carry credentials.
var credentialNames = []string{"token", "private_token", "job_token", "access_token"}

// credentialHeaders are the headers that do.
var credentialHeaders = []string{"PRIVATE-TOKEN", "JOB-TOKEN", "Authorization"}

// TestCredentialsAreEchoedNowhere sends every kind of credential under every name
// in every place, right and wrong ones, and looks for them in all that comes out:
// answers, headers, the log of the server, its database, and what jobs get to see.
func TestCredentialsAreEchoedNowhere(t *testing.T) {
	w := newLeakWorld(t)
	for _, credential := range w.credentials {
		for _, path := range w.paths {
			for _, name := range credentialNames {
				w.send(path, "query", name, credential)
				w.send(path, "form", name, credential)
				w.send(path, "JSON", name, credential)
				w.send(path, "multipart", name, credential)
				w.send(path, "JSON sent as a form", name, credential)
			}
			for _, name := range credentialHeaders {
				w.send(path, "header", name, credential)
			}
		}
	}
	w.readVariables()
	w.check("the log of the server", w.server.Log())
	if err := w.server.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	w.checkFiles()
}

// A leakWorld is a server with something of everything, and all that it said.
type leakWorld struct {
	t           *testing.T
	server      *process.Server
	project     int64
	credentials []string
	paths       []leakPath
	sent        int
	created     int
}

// A leakPath is an address to try.
type leakPath struct{ method, path string }

func newLeakWorld(t *testing.T) *leakWorld {
	server := process.Start(t, t.TempDir())
	w := &leakWorld{t: t, server: server}
	var trigger, job string
	w.project, trigger = server.Project("leaks", "build: {script: [make]}\n")
	job = w.runningJob()
	w.credentials = []string{
		process.RootToken, trigger, job,
		"glpat-wrong0123456789abcdef", "glptt-wrong0123456789abcdef", "glcbt-wrong0123456789abcdef", "plain-wrong-0123456789abcdef",
	}
	server.Must("PUT", fmt.Sprintf("/projects/%d", w.project), map[string]any{"path": "moved"}, nil)
	id := fmt.Sprintf("/projects/%d", w.project)
	w.paths = []leakPath{
		{"POST", id + "/trigger/pipeline"}, {"POST", "/projects/99999/trigger/pipeline"}, {"POST", id + "/ref/main/trigger/pipeline"},
		{"POST", id + "/ref/nowhere/trigger/pipeline"}, {"GET", id + "/trigger/pipeline"},
		{"GET", id + "/triggers"}, {"PUT", id + "/triggers/999"}, {"GET", id + "/pipelines"}, {"GET", id + "/jobs"},
		{"POST", id + "/pipeline"}, {"GET", "/job"}, {"GET", "/user"}, {"GET", "/nothing/here"}, {"GET", "/projects/root%2Fleaks/pipelines"},
	}
	return w
}

// runningJob gives the token of a job that a runner holds.
func (w *leakWorld) runningJob() string {
	w.t.Helper()
	w.server.Must("POST", fmt.Sprintf("/projects/%d/pipeline", w.project), map[string]any{"ref": "main"}, nil)
	var runner struct{ Token string }
	w.server.Must("POST", "/user/runners", map[string]any{"runner_type": "instance_type", "run_untagged": true}, &runner)
	var job struct{ Token string }
	w.server.Must("POST", "/jobs/request", map[string]any{"token": runner.Token, "system_id": "s_leaks", "info": map[string]any{
		"executor": "shell", "features": map[string]any{"variables": true, "artifacts": true, "refspecs": true},
	}}, &job)
	if job.Token == "" {
		w.t.Fatal("the job has no token")
	}
	return job.Token
}

// send makes one request with a credential and looks at all of the answer.
func (w *leakWorld) send(to leakPath, place, name, credential string) {
	w.t.Helper()
	what := fmt.Sprintf("%s %s with %s in %s", to.method, to.path, name, place)
	values := [][2]string{{"ref", "main"}, {name, credential}, {"note", "kept"}, {"per_page", "1"}}
	if name != "token" && strings.HasSuffix(to.path, "/trigger/pipeline") {
		values = append(values, [2]string{"token", w.credentials[1]}) // a good one beside it, so that a payload is kept
	}
	req := w.draft(to, place, name, credential, values)
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	w.sent++
	if resp.StatusCode == http.StatusCreated {
		w.created++
	}
	answer := string(body)
	if to.method == "GET" && strings.HasSuffix(to.path, "/triggers") && resp.StatusCode == http.StatusOK {
		answer = strings.ReplaceAll(answer, `"token":"`+w.credentials[1]+`"`, "") // its owner is shown it
	}
	w.check("the answer to "+what, answer)
	var headers strings.Builder
	if err := resp.Header.Write(&headers); err != nil {
		w.t.Fatal(err)
	}
	w.check("the headers for "+what, headers.String())
}

// draft builds the request.
func (w *leakWorld) draft(to leakPath, place, name, credential string, values [][2]string) *http.Request {
	w.t.Helper()
	form := url.Values{}
	for _, v := range values {
		form.Set(v[0], v[1])
	}
	address, contentType, body := w.server.URL+"/api/v4"+to.path, "", []byte(nil)
	switch place {
	case "query":
		address += "?" + form.Encode()
	case "form":
		contentType, body = "application/x-www-form-urlencoded", []byte(form.Encode())
	case "JSON", "JSON sent as a form":
		object := map[string]string{}
		for _, v := range values {
			object[v[0]] = v[1]
		}
		data, err := json.Marshal(object)
		if err != nil {
			w.t.Fatal(err)
		}
		contentType, body = "application/json", data
		if place != "JSON" {
			contentType = "application/x-www-form-urlencoded"
			address += "?ref=main&token=" + url.QueryEscape(w.credentials[1])
		}
	case "multipart":
		var buf bytes.Buffer
		form := multipart.NewWriter(&buf)
		for _, v := range values {
			if err := form.WriteField(v[0], v[1]); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := form.Close(); err != nil {
			w.t.Fatal(err)
		}
		contentType, body = form.FormDataContentType(), buf.Bytes()
	}
	req, err := http.NewRequestWithContext(w.t.Context(), to.method, address, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.%d.%d", w.sent/250, w.sent%250)) // no address makes too many attempts
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if place == "header" {
		req.Header.Set(name, map[bool]string{true: "Bearer "}[name == "Authorization"]+credential)
		req.URL.RawQuery = "ref=main&per_page=1&token=" + url.QueryEscape(w.credentials[1])
	}
	return req
}

// readVariables looks at the variables of every pipeline: TRIGGER_PAYLOAD repeats
// parameters, but no credential.
func (w *leakWorld) readVariables() {
	w.t.Helper()
	payloads := 0
	for page := 1; ; page++ {
		var pipelines []struct{ ID int64 }
		w.server.Must("GET", fmt.Sprintf("/projects/%d/pipelines?per_page=100&page=%d", w.project, page), nil, &pipelines)
		for _, p := range pipelines {
			var variables []struct{ Key, Value string }
			w.server.Must("GET", fmt.Sprintf("/projects/%d/pipelines/%d/variables", w.project, p.ID), nil, &variables)
			for _, v := range variables {
				w.check(fmt.Sprintf("variable %s of pipeline %d", v.Key, p.ID), v.Value)
				if v.Key == "TRIGGER_PAYLOAD" {
					payloads++
				}
			}
		}
		if len(pipelines) < 100 {
			break
		}
	}
	w.t.Logf("%d requests, %d of them created something, %d payloads", w.sent, w.created, payloads)
	if payloads < len(credentialNames) {
		w.t.Errorf("only %d payloads were kept: the test proves nothing", payloads)
	}
}

// checkFiles looks into everything that the server wrote to disk.
func (w *leakWorld) checkFiles() {
	err := filepath.WalkDir(w.server.Data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w.check("file "+path, string(data))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// check looks for every credential in a text.
func (w *leakWorld) check(where, text string) {
	w.t.Helper()
	for i, credential := range w.credentials {
		if strings.Contains(text, credential) || strings.Contains(text, url.QueryEscape(credential)) {
			w.t.Errorf("%s has credential %d", where, i)
		}
	}
}
