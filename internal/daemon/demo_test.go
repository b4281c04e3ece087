package daemon

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/engine"
)

// TestDemoIsMadeOnce holds for the projects, the trigger token, which its owner
// may read again, and root's first token, which nobody may.
func TestDemoIsMadeOnce(t *testing.T) {
	c := config(t)
	s := started(t, c)
	first, err := s.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.FirstToken(t.Context())
	if err != nil || !strings.HasPrefix(token, "glpat-") {
		t.Errorf("the first token is %q, error %v", token, err)
	}
	if first.Project != "demo/hello" || first.Downstream != "demo/downstream" || first.Ref != "main" ||
		!strings.HasPrefix(first.TriggerToken, "glptt-") || !strings.HasSuffix(first.TriggerURL, "/api/v4/projects/1/trigger/pipeline") {
		t.Errorf("got %+v", first)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	s = started(t, c)
	second, err := s.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.TriggerURL, second.TriggerURL = "", "" // the ports differ
	first.CloneURL, second.CloneURL = "", ""
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second start found another demo (-first +second):\n%s", diff)
	}
	if token, err := s.FirstToken(t.Context()); err != nil || token != "" {
		t.Errorf("the second start has a first token %q, error %v", token, err)
	}
}

// TestDemoMendsItself starts where a start was killed halfway: a project is there,
// its commit and the other project are not.
func TestDemoMendsItself(t *testing.T) {
	s := started(t, config(t))
	root, err := s.engine.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	caller := engine.Caller{User: root}
	group, err := s.engine.CreateGroup(t.Context(), caller, engine.NewGroup{Name: "Demo", Path: "demo", Visibility: ci.Public})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.engine.CreateProject(t.Context(), caller, engine.NewProject{
		Name: "hello", Path: "hello", NamespaceID: group.ID, Visibility: ci.Public, DefaultBranch: "main",
	})
	if err != nil {
		t.Fatal(err)
	}
	demo, err := s.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	started, err := s.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref})
	if err != nil {
		t.Fatalf("trigger the mended demo: %v", err)
	}
	snapshot, err := s.state.store.View().Snapshot(t.Context(), started.Pipeline.ID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range snapshot.Jobs {
		names = append(names, snapshot.Jobs[i].Name)
	}
	want := []string{
		"compile", "greet: [English]", "greet: [German]", "greet: [Spanish]", "measure", "spelling", "publish", "downstream", "celebrate",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("jobs of the demo (-want +got):\n%s", diff)
	}
}

// TestSignInLink holds that the link that `lanyard up` prints works once.
func TestSignInLink(t *testing.T) {
	s := started(t, config(t))
	link, err := s.SignInLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, token, found := strings.Cut(link, s.URL()+"/-/first/")
	if !found {
		t.Fatalf("the link is %s", link)
	}
	if _, session, err := s.engine.UseSignInLink(t.Context(), token); err != nil || session.UserID == 0 {
		t.Errorf("the first visit gives session %+v, error %v", session, err)
	}
	if _, _, err := s.engine.UseSignInLink(t.Context(), token); err == nil {
		t.Error("the link works twice")
	}
}
