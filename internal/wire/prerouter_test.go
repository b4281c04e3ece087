package wire

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestRepair(t *testing.T) {
	const p = "/api/v4/projects/7/"
	tests := []struct{ name, prefix, path, want string }{
		{"plain", "", "/api/v4/projects/7", "/api/v4/projects/7"},
		{"root", "", "/", "/"},
		{"encoded project", "", "/api/v4/projects/g%2Fs%2fp/triggers", "/api/v4/projects/g%2Fs%2fp/triggers"},
		{"encoded dot", "", "/api/v4/projects/g%2Fmy%2Eapp", "/api/v4/projects/g%2Fmy%2Eapp"},
		{"doubled slashes", "", "//api///v4//projects/7", "/api/v4/projects/7"},
		{"empty segment", "", "/api/v4/projects//triggers", "/api/v4/projects/triggers"},
		{"slash at the end", "", "/api/v4/projects/7/triggers/", "/api/v4/projects/7/triggers"},
		{"slash at the end of a page stays", "", "/g/p/", "/g/p/"},
		{"API root", "", "/api/v4/", "/api/v4"},
		{"dots inside a segment", "", "/g/..p/p..", "/g/..p/p.."},
		{"encoded slash beside dots", "", "/api/v4/projects/g%2F..%2Fp", "/api/v4/projects/g%2F..%2Fp"},
		{"prefix", "/ci", "/ci/api/v4/x", "/api/v4/x"},
		{"prefix alone", "/ci", "/ci", "/"},
		{"prefix and slash", "/ci", "/ci/", "/"},
		{"prefix twice", "/ci", "/ci/ci/x", "/ci/x"},
		{"prefix lost in a proxy", "/ci", "/api/v4/x", "/api/v4/x"},
		{"only the start of a name", "/ci", "/cinema/x", "/cinema/x"},
		{"doubled slash before the prefix", "/ci", "//ci//api/v4/x", "/api/v4/x"},

		{"raw ref", "", p + "ref/feature/x/trigger/pipeline", p + "ref/feature%2Fx/trigger/pipeline"},
		{"raw ref with an encoded piece", "", p + "ref/a%2Fb/c/trigger/pipeline", p + "ref/a%2Fb%2Fc/trigger/pipeline"},
		{"ref with dots", "", p + "ref/v.1-branch/trigger/pipeline", p + "ref/v.1-branch/trigger/pipeline"},
		{"ref that looks like the route", "", p + "ref/trigger/pipeline/trigger/pipeline", p + "ref/trigger%2Fpipeline/trigger/pipeline"},
		{"ref missing", "", p + "ref/trigger/pipeline", p + "ref/trigger/pipeline"},
		{"raw ref of a path project", "", "/api/v4/projects/g%2Fp/ref/f/x/trigger/pipeline", "/api/v4/projects/g%2Fp/ref/f%2Fx/trigger/pipeline"},
		{"raw ref below a prefix", "/ci", "/ci" + p + "ref/f/x/trigger/pipeline", p + "ref/f%2Fx/trigger/pipeline"},
		{"artifacts download", "", p + "jobs/artifacts/f/x/download", p + "jobs/artifacts/f%2Fx/download"},
		{"artifacts raw", "", p + "jobs/artifacts/f/x/raw/out/a.txt", p + "jobs/artifacts/f%2Fx/raw/out/a.txt"},
		{"artifacts raw below raw", "", p + "jobs/artifacts/main/raw/out/raw/a.txt", p + "jobs/artifacts/main/raw/out/raw/a.txt"},
		{"artifact called download", "", p + "jobs/artifacts/main/raw/x/download", p + "jobs/artifacts/main/raw/x/download"},
		{"artifacts of a job", "", p + "jobs/5/artifacts/a/b.txt", p + "jobs/5/artifacts/a/b.txt"},
		{"file", "", p + "repository/files/a/b.txt", p + "repository/files/a%2Fb.txt"},
		{"file, encoded", "", p + "repository/files/a%2Fb.txt/raw", p + "repository/files/a%2Fb.txt/raw"},
		{"file raw", "", p + "repository/files/a/b.txt/raw", p + "repository/files/a%2Fb.txt/raw"},
		{"commits", "", p + "repository/commits", p + "repository/commits"},
		{"commit of a branch", "", p + "repository/commits/feature/x", p + "repository/commits/feature%2Fx"},
		{"statuses of a branch", "", p + "repository/commits/feature/x/statuses", p + "repository/commits/feature%2Fx/statuses"},
		{"branch", "", p + "repository/branches/feature/x", p + "repository/branches/feature%2Fx"},
		{"protect a branch", "", p + "repository/branches/feature/x/protect", p + "repository/branches/feature%2Fx/protect"},
		{"other routes stay", "", p + "repository/tree/a/b", p + "repository/tree/a/b"},
		{"not the API", "", "/g/p/ref/a/b/trigger/pipeline", "/g/p/ref/a/b/trigger/pipeline"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := repair(test.path, test.prefix)
			if err != nil || got != test.want {
				t.Errorf("got %s %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestRepairRefuses(t *testing.T) {
	tests := map[string]int{
		"/api/v4/../x": 404, "/./x": 404, "/x/..": 404, "/x/%2e%2E/y": 404, "/%2e": 404, "//../": 404,
		"*": 404, "": 404, "x": 404, "/x%00y": 400, "/%ff": 400, "/%zz": 400,
	}
	for path, want := range tests {
		_, err := repair(path, "")
		if err == nil || Explain(err).Status != want {
			t.Errorf("%s: got %v, want %d", path, err, want)
		}
	}
}

// routes is a small API that tells which route was hit with which values.
func routes() *Edge {
	mux := http.NewServeMux()
	for pattern, names := range map[string][]string{
		"GET /api/v4/projects/{id}":                                    {"id"},
		"GET /api/v4/projects/{id}/triggers":                           {"id"},
		"POST /api/v4/projects/{id}/triggers":                          {"id"},
		"POST /api/v4/projects/{id}/trigger/pipeline":                  {"id"},
		"POST /api/v4/projects/{id}/ref/{ref}/trigger/pipeline":        {"id", "ref"},
		"GET /api/v4/projects/{id}/jobs/artifacts/{ref}/raw/{path...}": {"id", "ref", "path"},
		"GET /api/v4/projects/{id}/repository/files/{path}/raw":        {"id", "path"},
	} {
		mux.Handle(pattern, Handler(func(w http.ResponseWriter, r *http.Request) error {
			var values []string
			for _, name := range names {
				values = append(values, r.PathValue(name))
			}
			return Text(w, 200, strings.Join(values, "|"))
		}))
	}
	rest := http.NewServeMux()
	rest.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("page " + r.URL.Path)) })
	urls, err := ParseURLs("https://ci.example.org/ci")
	if err != nil {
		panic(err)
	}
	return New(Config{API: mux, Rest: rest, URLs: urls, Log: slog.New(slog.DiscardHandler), NewID: func() string { return "made-up-id" }})
}

func TestRouting(t *testing.T) {
	tests := []struct {
		name, method, path string
		status             int
		body, allow        string
	}{
		{"id", "GET", "/api/v4/projects/7", 200, "7", ""},
		{"path", "GET", "/api/v4/projects/g%2Fs%2Fmy%2Eapp", 200, "g/s/my.app", ""},
		{"double encoded", "GET", "/api/v4/projects/g%252Fp", 200, "g%2Fp", ""},
		{"plus", "POST", "/api/v4/projects/7/ref/%2B+/trigger/pipeline", 200, "7|++", ""},
		{"prefix", "GET", "/ci/api/v4/projects/7", 200, "7", ""},
		{"doubled slash does not redirect", "POST", "/api/v4//projects/g%2Fp//trigger/pipeline", 200, "g/p", ""},
		{"raw ref", "POST", "/api/v4/projects/7/ref/feature/x/trigger/pipeline", 200, "7|feature/x", ""},
		{"encoded ref", "POST", "/api/v4/projects/7/ref/feature%2Fx/trigger/pipeline", 200, "7|feature/x", ""},
		{"artifact", "GET", "/api/v4/projects/7/jobs/artifacts/f/x/raw/out/a%20b.txt", 200, "7|f/x|out/a b.txt", ""},
		{"file", "GET", "/api/v4/projects/7/repository/files/a/b%20c/raw", 200, "7|a/b c", ""},
		{"slash at the end", "GET", "/api/v4/projects/7/", 200, "7", ""},
		{"page", "GET", "/ci/g/p/-/pipelines", 200, "page /g/p/-/pipelines", ""},
		{"unknown route", "GET", "/api/v4/nothing", 404, `{"error":"404 Not Found"}`, ""},
		{"API root", "GET", "/api/v4/", 404, `{"error":"404 Not Found"}`, ""},
		{"other API", "GET", "/api/graphql", 404, `{"error":"404 Not Found"}`, ""},
		{"old API", "GET", "/api/v3/projects", 410, `{"error":"API V3 is no longer supported. Use API V4 instead."}`, ""},
		{"old API root", "POST", "/api/v3", 410, `{"error":"API V3 is no longer supported. Use API V4 instead."}`, ""},
		{"wrong method", "PUT", "/api/v4/projects/7/triggers", 405, `{"error":"405 Not Allowed"}`, "GET, HEAD, POST"},
		{"GET a trigger", "GET", "/api/v4/projects/7/trigger/pipeline", 405, `{"error":"405 Not Allowed"}`, "POST"},
		{"dots", "GET", "/api/v4/../secret", 404, `{"error":"404 Not Found"}`, ""},
		{"NUL", "GET", "/api/v4/projects/%00", 400, `{"error":"400 Bad Request"}`, ""},
		{
			"raw project path", "POST", "/api/v4/projects/group/hello/trigger/pipeline", 404,
			`{"error":"404 Not Found","code":"project_path_not_encoded","hint":"A project path is one segment of the URL. Encode its slashes: /projects/group%2Fhello","request_id":"made-up-id"}`, "",
		},
		{"unknown below a project id", "GET", "/api/v4/projects/7/nothing/here", 404, `{"error":"404 Not Found"}`, ""},
		{"unknown below an encoded project", "GET", "/api/v4/projects/g%2Fp/nothing/here", 404, `{"error":"404 Not Found"}`, ""},
	}
	edge := routes()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			edge.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
			if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Allow") != test.allow {
				t.Errorf("got %d %s Allow %q, want %d %s Allow %q", w.Code, w.Body, w.Header().Get("Allow"), test.status, test.body, test.allow)
			}
		})
	}
}

func TestRoutingLeavesTheCallersRequestAlone(t *testing.T) {
	r := httptest.NewRequest("GET", "/ci/api/v4//projects/7", nil)
	before := *r.URL
	routes().ServeHTTP(httptest.NewRecorder(), r)
	if *r.URL != before {
		t.Errorf("got %v, want %v", r.URL, before)
	}
}

func FuzzRepair(f *testing.F) {
	for _, path := range []string{
		"/api/v4/projects/g%2Fp/ref/a/b/trigger/pipeline", "//", "/../%2e", "/api/v4/projects/7/jobs/artifacts/a/raw/b/download",
		"/api/v4/projects/7/repository/files//raw", "/ci//api/", "/api/v4/projects/%2F/", "/%", "/api/v4/projects/7/ref//trigger/pipeline",
	} {
		f.Add(path)
	}
	edge := routes()
	f.Fuzz(func(t *testing.T, path string) {
		got, err := repair(path, "/ci")
		if err == nil {
			if strings.Contains(got, "//") || !strings.HasPrefix(got, "/") {
				t.Fatalf("%q became %q", path, got)
			}
			again, err := repair(got, "")
			if err != nil || again != got {
				t.Fatalf("%q became %q, then %q %v", path, got, again, err)
			}
		}
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "/", nil)
			r.URL = u
			w := httptest.NewRecorder()
			edge.ServeHTTP(w, r)
			if w.Code >= 500 || w.Code >= 300 && w.Code < 400 {
				t.Fatalf("%s %q answered %d", method, path, w.Code)
			}
		}
	})
}

func BenchmarkEdge(b *testing.B) {
	edge := routes()
	r := httptest.NewRequest("POST", "/api/v4/projects/g%2Fp/trigger/pipeline", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		edge.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
