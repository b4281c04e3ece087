package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

func TestResolve(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "one"})
	first := r.SHA("main")
	second := r.Commit("main", "second", map[string]string{"README": "two"})
	r.Branch("both", first)
	r.Branch("feature/ä", first)
	r.Tag("both", second, "")
	r.Tag("v1", first, "annotated")
	object, err := s.Ref(t.Context(), 7, "refs/tags/v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ rev, want string }{
		{"main", second},
		{"HEAD", second},
		{"refs/heads/main", second},
		{first, first},
		{first[:7], first},
		{first[:12], first},
		{"feature/ä", first},
		{"v1", first},
		{"refs/tags/v1", first},
		{object.SHA, first}, // the tag object itself
		{"both", second},    // the tag wins, as in git
		{"refs/heads/both", first},

		{"", ""},
		{"nope", ""},
		{"v1^{}", ""},
		{"main~1", ""},
		{"main@{0}", ""},
		{"main:README", ""},
		{":/second", ""},
		{first[:6], ""}, // too short
		{strings.ToUpper(first), ""},
		{"main\ncontents " + first, ""},
		{"--upload-pack=x", ""},
		{"-x", ""},
		{"heads/main", ""},
		{"refs/heads/../tags/v1", ""},
		{git.ZeroSHA, ""},
		{"0123456789012345678901234567890123456789", ""},
	} {
		got, err := s.Resolve(t.Context(), 7, c.rev)
		if got != c.want || (c.want == "") != errors.Is(err, git.ErrNotExist) {
			t.Errorf("%q: got %q, %v, want %q", c.rev, got, err, c.want)
		}
	}
}

func TestReadFile(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 10_000)
	s, err := git.Open(git.Config{Root: t.TempDir(), NoSync: true, MaxFile: int64(len(big))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := gittest.New(t, s, 7, map[string]string{
		".gitlab-ci.yml": "build:\n  script: make\n", "empty": "", "dir/with space": "x\x00y", "big": big, "bigger": big + "!",
		"dir/missing": "a name like git's answer", "a:b": "colon", "--": "dashes",
	})
	sha := r.SHA("main")
	for path, want := range map[string]string{
		".gitlab-ci.yml": "build:\n  script: make\n", "empty": "", "dir/with space": "x\x00y", "big": big,
		"dir/missing": "a name like git's answer", "a:b": "colon", "--": "dashes",
	} {
		got, err := s.ReadFile(t.Context(), 7, sha, path)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %d bytes, %v, want %d", path, len(got), err, len(want))
		}
	}
	for _, c := range []struct {
		sha, path string
		want      error
	}{
		{sha, "nope", git.ErrNotExist},
		{sha, "dir", git.ErrNotExist},
		{sha, "dir/nope missing", git.ErrNotExist},
		{sha, ".gitlab-ci.yml/x", git.ErrNotExist},
		{"main", "empty", git.ErrNotExist}, // only full names
		{"0123456789012345678901234567890123456789", "empty", git.ErrNotExist},
		{sha, "bigger", git.ErrTooLarge},
	} {
		if _, err := s.ReadFile(t.Context(), 7, c.sha, c.path); !errors.Is(err, c.want) {
			t.Errorf("%q at %s: got %v, want %v", c.path, c.sha, err, c.want)
		}
	}
	for _, path := range []string{"", "../../../etc/passwd", "dir/../empty", "/etc/passwd", "empty\ncontents " + sha, ".git/config"} {
		if _, err := s.ReadFile(t.Context(), 7, sha, path); ci.KindOf(err) != ci.KindInvalid {
			t.Errorf("%q: got %v, want it refused", path, err)
		}
	}
}

func TestCommit(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "one"})
	first := r.SHA("main")
	sha := r.Commit("main", "Title ä\n\nBody\nwith lines\n", map[string]string{"README": "two"})
	at := gittest.Start.Add(time.Minute)
	got, err := s.Commit(t.Context(), 7, "main")
	if err != nil {
		t.Fatal(err)
	}
	want := git.Commit{
		SHA: sha, Parents: []string{first}, Tree: got.Tree,
		Title: "Title ä", Message: "Title ä\n\nBody\nwith lines\n",
		AuthorName: "Ada Author", AuthorEmail: "ada@example.com", AuthoredAt: at,
		CommitterName: "Carl Committer", CommitterEmail: "carl@example.com", CommittedAt: at,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commit (-want +got):\n%s", diff)
	}
	if _, offset := got.AuthoredAt.Zone(); offset != 2*3600 {
		t.Errorf("zone is %d seconds off, want 7200", offset)
	}
	root, err := s.Commit(t.Context(), 7, first)
	if err != nil || len(root.Parents) != 0 || root.Title != "First commit" {
		t.Errorf("root commit: %+v, %v", root, err)
	}
	for _, rev := range []string{"nope", got.Tree, "0123456789012345678901234567890123456789"} {
		if _, err := s.Commit(t.Context(), 7, rev); !errors.Is(err, git.ErrNotExist) {
			t.Errorf("%s: got %v, want ErrNotExist", rev, err)
		}
	}
}

func TestTag(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "one"})
	sha := r.SHA("main")
	r.Tag("light", "main", "")
	r.Tag("heavy", "main", "Release one\n\nNotes")
	got, err := s.Tag(t.Context(), 7, "light")
	if diff := cmp.Diff(git.Tag{Name: "light", SHA: sha, Commit: sha}, got); err != nil || diff != "" {
		t.Errorf("light (-want +got): %v\n%s", err, diff)
	}
	got, err = s.Tag(t.Context(), 7, "heavy")
	want := git.Tag{Name: "heavy", SHA: got.SHA, Commit: sha, Annotated: true, Message: "Release one\n\nNotes",
		TaggerName: "Tina Tagger", TaggerEmail: "tina@example.com", TaggedAt: gittest.Start.Add(2 * time.Minute)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || got.SHA == sha {
		t.Errorf("heavy (-want +got): %v\n%s", err, diff)
	}
	for _, name := range []string{"nope", "", "a b", "light\n"} {
		if _, err := s.Tag(t.Context(), 7, name); !errors.Is(err, git.ErrNotExist) {
			t.Errorf("%q: got %v, want ErrNotExist", name, err)
		}
	}
}

func TestTree(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "1", "a/x": "2", "a/b/y ä": "3", "a.txt": "4", "z": "5"})
	sha := r.SHA("main")
	names := func(entries []git.Entry) (list []string) {
		for _, e := range entries {
			list = append(list, fmt.Sprintf("%s %s %s %s", e.Mode, e.Type, e.Path, e.Name))
		}
		return list
	}
	for _, c := range []struct {
		path      string
		recursive bool
		want      []string
	}{
		{"", false, []string{"100644 blob README README", "100644 blob a.txt a.txt", "040000 tree a a", "100644 blob z z"}},
		{"a", false, []string{"040000 tree a/b b", "100644 blob a/x x"}},
		{"a/", true, []string{"040000 tree a/b b", "100644 blob a/b/y ä y ä", "100644 blob a/x x"}},
		{"a/b", false, []string{"100644 blob a/b/y ä y ä"}},
	} {
		got, err := s.Tree(t.Context(), 7, sha, c.path, c.recursive)
		if diff := cmp.Diff(c.want, names(got)); err != nil || diff != "" {
			t.Errorf("%q (-want +got): %v\n%s", c.path, err, diff)
		}
	}
	paths, err := s.Paths(t.Context(), 7, sha)
	if diff := cmp.Diff([]string{"README", "a.txt", "a/b/y ä", "a/x", "z"}, paths); err != nil || diff != "" {
		t.Errorf("paths (-want +got): %v\n%s", err, diff)
	}
	for _, c := range []struct{ sha, path string }{{sha, "nope"}, {sha, "README"}, {"main", ""}, {git.ZeroSHA, ""}} {
		if _, err := s.Tree(t.Context(), 7, c.sha, c.path, false); !errors.Is(err, git.ErrNotExist) {
			t.Errorf("%s %q: got %v, want ErrNotExist", c.sha, c.path, err)
		}
	}
	if _, err := s.Tree(t.Context(), 7, sha, "../a", false); ci.KindOf(err) != ci.KindInvalid {
		t.Errorf("../a: got %v, want it refused", err)
	}
}

func TestDiffPaths(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"same": "1", "edited": "1", "gone": "long enough to be seen as renamed"})
	from := r.SHA("main")
	r.Commit("main", "edit", map[string]string{"edited": "2", "dir/new\tname": "long enough to be seen as renamed"})
	to := r.Remove("main", "remove", "gone")
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{from, to, []string{"dir/new\tname", "edited", "gone"}},
		{from, from, nil},
		{"", from, []string{"edited", "gone", "same"}},
		{git.ZeroSHA, to, []string{"dir/new\tname", "edited", "same"}},
	} {
		got, err := s.DiffPaths(t.Context(), 7, c.from, c.to)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s..%s (-want +got): %v\n%s", c.from, c.to, err, diff)
		}
	}
	for _, c := range [][2]string{{from, "nope"}, {"--output=x", to}, {from, git.ZeroSHA}} {
		if _, err := s.DiffPaths(t.Context(), 7, c[0], c[1]); !errors.Is(err, git.ErrNotExist) {
			t.Errorf("%v: got %v, want ErrNotExist", c, err)
		}
	}
}

func TestLogAndAncestors(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"a": "1", "d/[x]": "1"})
	first := r.SHA("main")
	second := r.Commit("main", "second", map[string]string{"a": "2"})
	third := r.Commit("main", "third", map[string]string{"d/[x]": "2"})
	r.Branch("side", first)
	side := r.Commit("side", "side", map[string]string{"s": "1"})
	if err := s.UpdateRef(t.Context(), 7, "refs/heads/lonely", git.ZeroSHA, orphan(t, s, 7)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rev, path   string
		skip, limit int
		want        []string
	}{
		{"main", "", 0, 10, []string{third, second, first}},
		{"main", "", 1, 1, []string{second}},
		{"main", "", 0, 0, nil},
		{"main", "", 9, 9, nil},
		{"main", "a", 0, 10, []string{second, first}},
		{"main", "d/", 0, 10, []string{third, first}},
		{"main", "d/[x]", 0, 10, []string{third, first}},
		{"main", "*", 0, 10, nil},
		{"side", "", 0, 1, []string{side}},
	} {
		log, err := s.Log(t.Context(), 7, git.LogQuery{Rev: c.rev, Path: c.path, Skip: c.skip, Limit: c.limit})
		var got []string
		for _, commit := range log {
			got = append(got, commit.SHA)
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%+v (-want +got): %v\n%s", c, err, diff)
		}
	}
	if _, err := s.Log(t.Context(), 7, git.LogQuery{Rev: "--all", Limit: 1}); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("--all: got %v, want ErrNotExist", err)
	}
	if got, err := s.MergeBase(t.Context(), 7, "main", "side"); err != nil || got != first {
		t.Errorf("merge base is %s, %v, want %s", got, err, first)
	}
	if got, err := s.MergeBase(t.Context(), 7, "main", "lonely"); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("merge base with a stranger is %s, %v, want ErrNotExist", got, err)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{first, "main", true}, {"main", "main", true}, {"main", first, false}, {"side", "main", false}, {"lonely", "main", false}} {
		if got, err := s.IsAncestor(t.Context(), 7, c.a, c.b); err != nil || got != c.want {
			t.Errorf("%s before %s: got %v, %v, want %v", c.a, c.b, got, err, c.want)
		}
	}
	if _, err := s.IsAncestor(t.Context(), 7, "nope", "main"); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("unknown: got %v, want ErrNotExist", err)
	}
}

// orphan makes a commit that shares no history with any other.
func orphan(t *testing.T, s *git.Server, project int64) string {
	t.Helper()
	out, err := s.Run(t.Context(), project, "-c", "user.name=x", "-c", "user.email=x@example.com",
		"commit-tree", "-m", "orphan", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(out))
}

// A process that is reading already must see what changed behind its back.
func TestReadersSeeChangesAtOnce(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "one"})
	for _, step := range []struct {
		name string
		do   func() string
	}{
		{"commit", func() string { return r.Commit("main", "next", map[string]string{"README": "two"}) }},
		{"pack-refs", func() string { return run(t, s, "pack-refs", "--all") }},
		{"repack", func() string { return run(t, s, "repack", "-a", "-d", "-q") }},
		{"prune-packed", func() string { return run(t, s, "prune-packed", "-q") }},
		{"commit after repack", func() string { return r.Commit("main", "next", map[string]string{"README": "three"}) }},
	} {
		want := r.SHA("main")
		if sha := step.do(); sha != "" {
			want = sha
		}
		c, err := s.Commit(t.Context(), 7, "main")
		if err != nil || c.SHA != want {
			t.Errorf("after %s: got %s, %v, want %s", step.name, c.SHA, err, want)
		}
		if _, err := s.ReadFile(t.Context(), 7, want, "README"); err != nil {
			t.Errorf("after %s: %v", step.name, err)
		}
	}
	if _, err := s.DeleteBranch(t.Context(), 7, "main"); err != nil {
		t.Fatal(err)
	}
	if sha, err := s.Resolve(t.Context(), 7, "main"); !errors.Is(err, git.ErrNotExist) {
		t.Errorf("after deletion: got %s, %v, want ErrNotExist", sha, err)
	}
}

func run(t *testing.T, s *git.Server, args ...string) string {
	t.Helper()
	if _, err := s.Run(t.Context(), 7, args...); err != nil {
		t.Fatal(err)
	}
	return ""
}

// refs/replace could make a commit read differently from what its name promises.
func TestReplaceRefsAreIgnored(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "true"})
	first := r.SHA("main")
	second := r.Commit("main", "second", map[string]string{"README": "false"})
	ref := filepath.Join(s.Path(7), "refs", "replace", first)
	if err := os.MkdirAll(filepath.Dir(ref), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ref, []byte(second+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.ReadFile(t.Context(), 7, first, "README")
	if err != nil || string(got) != "true" {
		t.Errorf("got %q, %v, want true", got, err)
	}
}
