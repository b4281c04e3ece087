//go:build runner_e2e

package runner

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkouts shows what jobs find in their checkout, however it is made. `commits`
// is the number of commits that are there, `at` the one that is checked out. The
// full one is a new clone: old runners do not deepen what they have.
const checkouts = `
.job:
  script:
    - echo "commits $(git rev-list --count HEAD)"
    - test "$(git rev-parse HEAD)" = "$CI_COMMIT_SHA"
    - echo "at $(cat number)"
    - git tag --points-at HEAD | sed 's/^/tag /'
fetch: {extends: .job, variables: {GIT_STRATEGY: fetch, GIT_DEPTH: 2}}
clone: {extends: .job, variables: {GIT_STRATEGY: clone, GIT_DEPTH: 1}}
full: {extends: .job, variables: {GIT_STRATEGY: clone, GIT_DEPTH: 0}}
none:
  variables: {GIT_STRATEGY: none}
  script: [echo "commits 0"]
`

// TestCheckout lets the runner check out branches and tags in all ways that it
// has, and a commit that no branch has any more.
func TestCheckout(t *testing.T) {
	w := newWorld(t)
	s := w.register(2, nil)
	s.start()
	p := w.project("checkout", checkouts)
	for i := range 4 {
		p.commit("main", "number", fmt.Sprint(i+1))
	}
	want := map[string]string{"fetch": "commits 2", "clone": "commits 1", "full": "commits 5", "none": "commits 0"}
	p.checkouts(p.start(nil), want, "at 4")
	p.w.server.Must("POST", p.path("/repository/tags?tag_name=v1&ref=main"), nil, nil)
	p.commit("main", "number", "5")
	p.checkouts(p.startOn("v1", nil), want, "at 4", "tag v1")
	want["full"] = "commits 6"
	p.checkouts(p.start(nil), want, "at 5") // the same folder, another commit
	p.w.server.Must("POST", p.path("/repository/branches?branch=away&ref=main"), nil, nil)
	p.commit("away", "number", "6")
	want["full"] = "commits 7"
	pipeline := p.startOn("away", nil)
	p.checkouts(pipeline, want, "at 6")
	if status, err := w.server.Call("DELETE", p.path("/repository/branches/away"), nil, nil); status != http.StatusNoContent {
		t.Fatalf("remove the branch: %d, %v", status, err)
	}
	var again job
	w.server.Must("POST", p.path("/jobs/%d/retry", p.job(pipeline, "fetch").ID), nil, &again)
	p.check(p.awaitJob(again.ID, time.Minute, "success"))
	if found := s.complaints(); len(found) > 0 {
		t.Errorf("the runner complains:\n%s", strings.Join(found, "\n"))
	}
}

// commit writes a file on a branch, without a pipeline.
func (p project) commit(branch, file, content string) {
	p.w.t.Helper()
	var there []struct {
		Path string `json:"path"`
	}
	p.w.server.Must("GET", p.path("/repository/tree?ref=%s", branch), nil, &there)
	action := "create"
	for _, entry := range there {
		if entry.Path == file {
			action = "update"
		}
	}
	p.w.server.Must("POST", p.path("/repository/commits"), map[string]any{
		"branch": branch, "commit_message": file + " [skip ci]",
		"actions": []map[string]any{{"action": action, "file_path": file, "content": content}},
	}, nil)
}

// checkouts waits for a pipeline and looks for lines in the logs of its jobs.
func (p project) checkouts(pipeline int64, want map[string]string, common ...string) {
	p.w.t.Helper()
	for _, j := range p.finish(pipeline, "success") {
		lines := slices.Concat([]string{want[j.Name]}, common)
		if j.Name == "none" {
			lines = lines[:1]
		}
		log := p.log(j.ID)
		for _, line := range lines {
			if !strings.Contains(log, "\n"+line+"\n") {
				p.w.t.Errorf("no line %q in the log of %s:\n%s", line, j.Name, log)
			}
		}
	}
}

// TestArtifactTooLarge uploads more than the server takes: the job fails, and the
// runner tells why.
func TestArtifactTooLarge(t *testing.T) {
	w := newWorld(t)
	s := w.register(1, nil)
	s.start()
	p := w.project("large", `
fill:
  variables: {GIT_STRATEGY: none}
  script: ["head -c 120000000 /dev/urandom >large.bin"]
  artifacts: {paths: [large.bin]}
`)
	j := p.awaitJob(p.job(p.start(nil), "fill").ID, time.Minute, "success", "failed")
	if j.FailureReason != "script_failure" || !strings.Contains(p.log(j.ID), "too large") {
		t.Errorf("job is %+v, with the log\n%s", j, p.log(j.ID))
	}
}
