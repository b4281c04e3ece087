package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/client"
)

// A step is what a server shows at one look.
type step struct {
	pipeline string // status
	jobs     string // JSON
	logs     map[string]string
}

// TestFollow shows a pipeline of which two jobs run at once: whole lines only, each
// with its job before it, nothing twice, and nothing that a terminal would act on.
func TestFollow(t *testing.T) {
	steps := []step{
		{"running", `[{"id":1,"name":"a","stage":"test","status":"running"},{"id":2,"name":"long name","stage":"test","status":"pending"}]`,
			map[string]string{"1": "one\ntw"}},
		{"running", `[{"id":1,"name":"a","stage":"test","status":"running"},{"id":2,"name":"long name","stage":"test","status":"running"}]`,
			map[string]string{"1": "one\ntwo\n", "2": "\x1b[31mred\x1b[0m\nsection_start:1:x\r\x1b[0K\n"}},
		{"running", `[{"id":1,"name":"a","stage":"test","status":"failed","duration":1.234,"failure_reason":"runner_system_failure"},` +
			`{"id":2,"name":"long name","stage":"test","status":"failed","allow_failure":true,"duration":0.5,"failure_reason":"script_failure"}]`,
			map[string]string{"1": "one\ntwo\nthree\nfour without an end", "2": "\x1b[31mred\x1b[0m\n"}},
		{"success", `[{"id":1,"name":"a","stage":"test","status":"failed","duration":1.234,"failure_reason":"runner_system_failure"},` +
			`{"id":2,"name":"long name","stage":"test","status":"failed","allow_failure":true,"duration":0.5,"failure_reason":"script_failure"},` +
			`{"id":3,"name":"a","stage":"test","status":"success","duration":2},{"id":4,"name":"later","stage":"deploy\u001b[2J","status":"manual"}]`,
			map[string]string{"1": "one\ntwo\nthree\nfour without an end", "2": "\x1b[31mred\x1b[0m\n", "3": "again\n"}},
	}
	look := -1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v4/projects/demo/hello/"), "/")
		switch {
		case len(path) == 2:
			look++
			fmt.Fprintf(w, `{"id":9,"status":%q}`, steps[look].pipeline)
		case path[0] == "pipelines":
			fmt.Fprint(w, steps[look].jobs)
		default:
			log, there := steps[look].logs[path[1]]
			if !there {
				http.Error(w, `{"message":"404 Not Found"}`, http.StatusNotFound)
				return
			}
			offset, err := strconv.Atoi(r.FormValue("byte_offset"))
			if err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, log[min(offset, len(log)):])
		}
	}))
	defer server.Close()
	var out bytes.Buffer
	w := &watcher{out: &out, client: &client.Client{URL: server.URL}}
	end, err := w.follow(t.Context(), "demo/hello", client.Pipeline{ID: 9})
	if err != nil {
		t.Fatal(err)
	}
	end.print(&out)
	fmt.Fprintln(&out, end.verdict())
	want := `a         | one
a         | two
long name | red
a         | three
a         | four without an end
a         = failed in 1.23s (runner_system_failure)
long name = failed in 500ms (allowed to fail)
a         | again
a         = passed in 2s
  test    long name failed (allowed to), a passed
  deploy  later manual
passed with warnings
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if err := end.exit(); err != nil {
		t.Errorf("exit %v", err)
	}
}

func TestExitOf(t *testing.T) {
	for status, want := range map[string]int{
		"success": 0, "failed": 1, "canceled": 3, "manual": 7, "skipped": 7, "something new": 1,
	} {
		if got := exitOf(status); got != want {
			t.Errorf("exit code of %q is %d, want %d", status, got, want)
		}
	}
}
