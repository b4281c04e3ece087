package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/engine"
)

func TestCheck(t *testing.T) {
	c := config(t)
	if _, err := Check(t.Context(), c.Data, "", c.Path); err == nil || !strings.Contains(err.Error(), "no database in") {
		t.Errorf("check of nothing: %v", err)
	}
	s := started(t, c)
	demo, err := s.Demo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.engine.Trigger(t.Context(), engine.TriggerRequest{Project: demo.Project, Token: demo.TriggerToken, Ref: demo.Ref}); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if broken, err := Check(t.Context(), c.Data, "", c.Path); err != nil || len(broken) > 0 {
		t.Errorf("check of a sound directory: %q, error %v", broken, err)
	}

	found, err := filepath.Glob(filepath.Join(c.repositories(), "*", "2.git"))
	if err != nil || len(found) != 1 {
		t.Fatalf("repositories of project 2: %v, error %v", found, err)
	}
	if err := os.Rename(found[0], filepath.Join(t.TempDir(), "gone")); err != nil {
		t.Fatal(err)
	}
	broken, err := Check(t.Context(), c.Data, "", c.Path)
	if want := []string{"project 2 has no repository"}; err != nil || !slices.Equal(broken, want) {
		t.Errorf("got %q, error %v, want %q", broken, err, want)
	}
}
