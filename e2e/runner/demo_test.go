//go:build runner_e2e

package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

// TestDemo runs the demo of `lanyard up` with the stock runner in the built-in
// one's place.
func TestDemo(t *testing.T) {
	w := newWorld(t)
	var group struct{ ID int64 }
	w.server.Must("POST", "/groups", map[string]any{"name": "Demo", "path": "demo", "visibility": "public"}, &group)
	downstream := w.demo(group.ID, "downstream")
	hello := w.demo(group.ID, "hello")
	w.server.Must("POST", downstream.path("/job_token_scope/allowlist"), map[string]any{"target_project_id": hello.id}, nil)
	s := w.register(4, nil)
	s.start()
	pipeline := hello.start(nil)
	jobs := hello.finish(pipeline, "success")
	want := map[string]string{
		"compile": "success", "greet: [English]": "success", "greet: [German]": "success", "greet: [Spanish]": "success",
		"measure": "success", "spelling": "failed", "publish": "success", "downstream": "success", "celebrate": "manual",
	}
	for _, j := range jobs {
		if want[j.Name] != j.Status {
			t.Errorf("job %s is %s, want %s\n%s", j.Name, j.Status, want[j.Name], hello.log(j.ID))
		}
		if j.Status != "manual" && j.Runner.ID != s.ID {
			t.Errorf("job %s was run by runner %d, want %d", j.Name, j.Runner.ID, s.ID)
		}
		if j.Name == "measure" && (j.Coverage == nil || *j.Coverage != 93.5) {
			t.Errorf("coverage of measure is %v, want 93.5", j.Coverage)
		}
		delete(want, j.Name)
	}
	if len(want) > 0 {
		t.Errorf("jobs that are not there: %v", want)
	}
	greeting := string(hello.raw("/jobs/artifacts/main/raw/out/greeting.txt?job=compile"))
	if want := "English: Hello, World!\nGerman: Hallo, World!\nSpanish: ¡Hola, World!\n"; greeting != want {
		t.Errorf("artifact is %q, want %q", greeting, want)
	}
	checkDownstream(t, downstream)
	celebrate := hello.job(pipeline, "celebrate")
	w.server.Must("POST", hello.path("/jobs/%d/play", celebrate.ID), map[string]any{}, nil)
	hello.check(hello.awaitJob(celebrate.ID, time.Minute, "success"))
	if found := s.complaints(); len(found) > 0 {
		t.Errorf("the runner complains:\n%s", strings.Join(found, "\n"))
	}
	checkRegistration(t, w, s)
}

// demo makes a project from a folder of the demo.
func (w *world) demo(group int64, name string) project {
	w.t.Helper()
	var actions []map[string]any
	root := os.DirFS(path.Join("../../internal/daemon/demo", name))
	err := fs.WalkDir(root, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, file)
		actions = append(actions, map[string]any{"action": "create", "file_path": file, "content": string(content)})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	p := project{w: w}
	var made struct {
		ID    int64
		Token string
	}
	settings := map[string]any{"name": name, "path": name, "namespace_id": group, "visibility": "public"}
	w.server.Must("POST", "/projects", settings, &made)
	p.id = made.ID
	commit := map[string]any{"branch": "main", "commit_message": "demo [skip ci]", "actions": actions}
	w.server.Must("POST", p.path("/repository/commits"), commit, nil)
	w.server.Must("POST", p.path("/triggers"), map[string]any{"description": "e2e"}, &made)
	p.token = made.Token
	return p
}

// checkDownstream holds that the job token of one pipeline started the other.
func checkDownstream(t *testing.T, p project) {
	t.Helper()
	var list []struct{ ID int64 }
	process.Eventually(t, "a pipeline of demo/downstream", func() (bool, string) {
		p.w.server.Must("GET", p.path("/pipelines?source=pipeline"), nil, &list)
		return len(list) == 1, fmt.Sprint(list)
	})
	jobs := p.finish(list[0].ID, "success")
	if log := p.log(jobs[0].ID); !strings.Contains(log, "Started by demo/hello, source pipeline") {
		t.Errorf("log of the downstream job:\n%s", log)
	}
}

// checkRegistration lets the runner look at its registration and end it.
func checkRegistration(t *testing.T, w *world, s *stock) {
	t.Helper()
	var shown struct {
		Online  bool
		Version string
	}
	w.server.Must("GET", fmt.Sprintf("/runners/%d", s.ID), nil, &shown)
	if !shown.Online {
		t.Error("the runner is not online")
	}
	if out := s.run("verify", "--config", s.config); !strings.Contains(out, "is alive") && !strings.Contains(out, "is valid") {
		t.Errorf("verify printed:\n%s", out)
	}
	s.signal(syscall.SIGQUIT)
	if err := s.wait(time.Minute); err != nil {
		t.Errorf("SIGQUIT: the runner ended with %v", err)
	}
	s.run("unregister", "--config", s.config, "--all-runners")
	ends := w.wire.where(func(x exchange) bool { return x.Method == "DELETE" })
	if len(ends) != 1 || ends[0].Status != 204 {
		t.Errorf("unregister said:\n%s", transcript(ends))
	}
	refused := w.wire.where(func(x exchange) bool {
		return x.Status >= 400 && !slices.Contains([]string{"/demo/hello.git/info/refs", "/demo/downstream.git/info/refs"}, x.Path)
	})
	if len(refused) > 0 {
		t.Errorf("the server refused:\n%s", transcript(refused))
	}
}
