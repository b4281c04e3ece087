package git_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

func TestRefs(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, nil)
	if refs, err := s.Refs(t.Context(), 7); err != nil || len(refs) != 0 {
		t.Errorf("empty repository: got %v, %v", refs, err)
	}
	sha := r.Commit("main", "first", map[string]string{"README": "hi"})
	r.Branch("feature/x", "main")
	r.Tag("light", "main", "")
	r.Tag("heavy", "main", "notes")
	heavy, err := s.Ref(t.Context(), 7, "refs/tags/heavy")
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, "-c", "user.name=x", "-c", "user.email=x@example.com", "tag", "-a", "-m", "tag of a tag", "nested", "heavy")
	nested, err := s.Ref(t.Context(), 7, "refs/tags/nested")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Commit(t.Context(), 7, "main")
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, "update-ref", "refs/tags/tree", tree.Tree)
	run(t, s, "update-ref", "refs/keep/hidden", sha)
	want := []git.Ref{
		{Name: "refs/heads/feature/x", SHA: sha, Commit: sha},
		{Name: "refs/heads/main", SHA: sha, Commit: sha},
		{Name: "refs/tags/heavy", SHA: heavy.SHA, Commit: sha},
		{Name: "refs/tags/light", SHA: sha, Commit: sha},
		{Name: "refs/tags/nested", SHA: nested.SHA, Commit: sha},
		{Name: "refs/tags/tree", SHA: tree.Tree},
	}
	got, err := s.Refs(t.Context(), 7)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("(-want +got): %v\n%s", err, diff)
	}
	for _, ref := range want {
		if got, err := s.Ref(t.Context(), 7, ref.Name); err != nil || got != ref {
			t.Errorf("got %v, %v, want %v", got, err, ref)
		}
	}
	for _, name := range []string{"main", "refs/heads/nope", "refs/heads/main^{tree}", "refs/heads/main\n", "--x"} {
		if got, err := s.Ref(t.Context(), 7, name); !errors.Is(err, git.ErrNotExist) {
			t.Errorf("%q: got %v, %v, want ErrNotExist", name, got, err)
		}
	}
}

func TestUpdateRef(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hi"})
	a := r.SHA("main")
	b := r.Commit("main", "b", map[string]string{"README": "b"})
	const unknown = "0123456789012345678901234567890123456789"
	for _, c := range []struct {
		name, ref, old, new string
		want                error
	}{
		{"create", "refs/heads/x", git.ZeroSHA, a, nil},
		{"create again", "refs/heads/x", git.ZeroSHA, a, git.ErrMoved},
		{"stale", "refs/heads/x", b, a, git.ErrMoved},
		{"move", "refs/heads/x", a, b, nil},
		{"move blindly", "refs/heads/x", "", a, nil},
		{"to an unknown object", "refs/heads/x", a, unknown, git.ErrNotExist},
		{"below a ref", "refs/heads/x/y", git.ZeroSHA, a, git.ErrExist},
		{"move of nothing", "refs/heads/nope", a, b, git.ErrMoved},
		{"delete stale", "refs/heads/x", b, git.ZeroSHA, git.ErrMoved},
		{"delete", "refs/heads/x", a, git.ZeroSHA, nil},
		{"delete again", "refs/heads/x", a, git.ZeroSHA, git.ErrMoved},
	} {
		if err := s.UpdateRef(t.Context(), 7, c.ref, c.old, c.new); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	for _, c := range [][3]string{
		{"main", git.ZeroSHA, a},
		{"HEAD", git.ZeroSHA, a},
		{"refs/heads/a\x00b", git.ZeroSHA, a},
		{"refs/heads/../../x", git.ZeroSHA, a},
		{"refs/heads/x", "", "main"},
		{"refs/heads/x", "main", a},
		{"refs/heads/x", git.ZeroSHA, git.ZeroSHA},
	} {
		if err := s.UpdateRef(t.Context(), 7, c[0], c[1], c[2]); err == nil {
			t.Errorf("%q was possible", c)
		}
	}
}

func TestCreateAndDelete(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hi"})
	sha := r.SHA("main")
	text := func(err error) string {
		var refusal *ci.Error
		if errors.As(err, &refusal) && refusal.Kind == ci.KindInvalid {
			return refusal.Message
		}
		return ""
	}
	for _, c := range []struct{ name, from, want string }{
		{"topic", "main", ""},
		{"topic", "main", "Branch already exists"},
		{"--upload-pack=x", "main", "Branch name is invalid"},
		{"refs/heads/x", "main", "Branch name is invalid"},
		{sha, "main", "Branch name is invalid"},
		{"new", "nope", "Invalid reference name: nope"},
		{"new", "--all", "Invalid reference name: --all"},
		{"topic/below", "main", "Invalid reference name: refs/heads/topic/below"},
	} {
		got, err := s.CreateBranch(t.Context(), 7, c.name, c.from)
		if text(err) != c.want || c.want == "" && got != sha {
			t.Errorf("branch %q from %q: got %q, %v, want %q", c.name, c.from, got, err, c.want)
		}
	}
	for _, c := range []struct{ name, target, want string }{
		{"v1", "main", ""},
		{"v1", "main", "Tag v1 already exists"},
		{"v 1", "main", "Tag name invalid"},
		{"v2", "nope", "Target nope is invalid"},
	} {
		ref, err := s.CreateTag(t.Context(), 7, git.TagRequest{Name: c.name, Target: c.target})
		if text(err) != c.want || c.want == "" && ref != (git.Ref{Name: "refs/tags/v1", SHA: sha, Commit: sha}) {
			t.Errorf("tag %q at %q: got %v, %v, want %q", c.name, c.target, ref, err, c.want)
		}
	}
	r.Tag("v3", "main", "notes\x00 with\r\nbreaks")
	run(t, s, "fsck", "--strict")
	if got, err := s.DeleteBranch(t.Context(), 7, "topic"); err != nil || got != sha {
		t.Errorf("delete branch: got %q, %v, want %q", got, err, sha)
	}
	if _, err := s.DeleteBranch(t.Context(), 7, "topic"); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("delete branch again: %v, want ErrNotExist", err)
	}
	if got, err := s.DeleteTag(t.Context(), 7, "v1"); err != nil || got != sha {
		t.Errorf("delete tag: got %q, %v, want %q", got, err, sha)
	}
	if _, err := s.DeleteTag(t.Context(), 7, "main"); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("delete a branch as tag: %v, want ErrNotExist", err)
	}
}
