package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestREST holds that every address in an answer is the one from outside, and that
// encoded slashes arrive as they were sent.
func TestREST(t *testing.T) {
	each(t, func(t *testing.T, f *front) {
		id := f.project(map[string]string{".gitlab-ci.yml": "job:\n  script: \"true\"\n", "dir/file.txt": "content\n"})
		var project struct {
			WebURL string `json:"web_url"`
			Repo   string `json:"http_url_to_repo"`
		}
		f.must("GET", "/projects/team%2Fapp", nil, &project)
		if want := f.url + "/team/app"; project.WebURL != want || project.Repo != want+".git" {
			t.Errorf("got %+v, want %s", project, want)
		}
		f.must("POST", "/projects/team%2Fapp/repository/branches?branch=feature%2Fx&ref=main", nil, nil)
		var branch struct{ Name string }
		f.must("GET", "/projects/team%2Fapp/repository/branches/feature%2Fx", nil, &branch)
		if branch.Name != "feature/x" {
			t.Errorf("got branch %q", branch.Name)
		}
		if a := f.api("GET", "/projects/team%2Fapp/repository/files/dir%2Ffile.txt/raw?ref=feature%2Fx", nil); a.body != "content\n" {
			t.Errorf("file: got %d %q", a.StatusCode, a.body)
		}
		var token struct{ Token string }
		f.must("POST", "/projects/team%2Fapp/triggers", map[string]any{"description": "x"}, &token)
		var pipeline struct {
			ID     int64
			Ref    string
			WebURL string `json:"web_url"`
		}
		f.must("POST", "/projects/team%2Fapp/ref/feature%2Fx/trigger/pipeline?token="+token.Token, nil, &pipeline)
		if want := fmt.Sprintf("%s/team/app/-/pipelines/%d", f.url, pipeline.ID); pipeline.WebURL != want || pipeline.Ref != "feature/x" {
			t.Errorf("got %+v, want %s", pipeline, want)
		}
		f.links()
		f.moved(id)
	})
}

var linkURL = regexp.MustCompile(`<([^>]+)>; rel="(\w+)"`)

// links follows a list from page to page by what its header Link says.
func (f *front) links() {
	f.t.Helper()
	for n := range 3 {
		f.must("POST", "/projects", map[string]any{"name": fmt.Sprintf("other%d", n)}, nil)
	}
	path, pages := "/projects?per_page=2&order_by=id&sort=asc", 0
	for path != "" {
		a := f.api("GET", path, nil)
		if pages++; a.StatusCode != http.StatusOK || pages > 5 {
			f.t.Fatalf("page %d: got %d %s", pages, a.StatusCode, a.body)
		}
		path = ""
		for _, link := range linkURL.FindAllStringSubmatch(a.Header.Get("Link"), -1) {
			rest, own := strings.CutPrefix(link[1], f.url+"/api/v4")
			if !own {
				f.t.Errorf("Link %s leads to %s", link[2], link[1])
			}
			if link[2] == "next" {
				path = rest
			}
		}
	}
	if pages != 2 {
		f.t.Errorf("got %d pages, want 2", pages)
	}
}

// moved holds where the old path of a project leads, in the API and for people.
func (f *front) moved(id int64) {
	f.t.Helper()
	f.must("PUT", "/projects/team%2Fapp", map[string]any{"path": "renamed"}, nil)
	a := f.api("GET", "/projects/team%2Fapp/pipelines?ref=feature%2Fx", nil)
	want := fmt.Sprintf("%s/api/v4/projects/%d/pipelines?ref=feature%%2Fx", f.url, id)
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusMovedPermanently || got != want {
		f.t.Errorf("moved: got %d %s, want %s", a.StatusCode, got, want)
	}
	b := f.browser()
	if a := b.get("/team/app/-/pipelines"); a.Header.Get("Location") != f.path+"/users/sign_in?return_to=%2Fteam%2Fapp%2F-%2Fpipelines" {
		f.t.Errorf("a stranger: got %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if got := b.signIn().Header.Get("Location"); got != f.path+"/" {
		f.t.Errorf("after signing in: got %s", got)
	}
	if a := b.get("/team/app/-/pipelines?page=1"); a.StatusCode != http.StatusFound || a.Header.Get("Location") != f.path+"/team/renamed/-/pipelines?page=1" {
		f.t.Errorf("moved page: got %d %s", a.StatusCode, a.Header.Get("Location"))
	}
}

// TestDecodedSlashes holds what a proxy that decodes paths leads to: a refusal that
// says why.
func TestDecodedSlashes(t *testing.T) {
	k := kind{path: "/ci"}
	f := newFront(t, k)
	port := freePort(t)
	startNginx(t, port, strings.Replace(nginxConfig(t, k, port, strings.TrimSuffix(strings.TrimPrefix(f.server.URL, "http://"), k.path)),
		"proxy_pass http://lanyard;", "proxy_pass http://lanyard/;", 1), nil)
	f.url = fmt.Sprintf("http://localhost:%d/ci", port)
	a := f.api("GET", "/projects/team%2Fapp/pipelines", nil)
	var refusal struct{ Code, Hint string }
	if err := json.Unmarshal([]byte(a.body), &refusal); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	if a.StatusCode != http.StatusNotFound || refusal.Code != "project_path_not_encoded" || !strings.Contains(refusal.Hint, "team%2Fapp") {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
}
