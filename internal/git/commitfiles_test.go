package git_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/git"
	"github.com/lanyard-ci/lanyard/internal/git/gittest"
)

// listing shows a commit's files as "mode path=content".
func listing(t *testing.T, s *git.Server, project int64, sha string) []string {
	t.Helper()
	entries, err := s.Tree(t.Context(), project, sha, "", true)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if e.Type == "tree" {
			continue
		}
		content, err := s.ReadFile(t.Context(), project, sha, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %s=%s", e.Mode[3:], e.Path, content))
	}
	return list
}

func TestCommitFiles(t *testing.T) {
	type actions = []git.Action
	start := map[string]string{"README": "hi", "dir/a": "1", "dir/sub/b": "2", "dir.txt": "3"}
	for _, c := range []struct {
		name    string
		actions actions
		want    []string
		refusal string
	}{
		{"create", actions{{Kind: git.ActionCreate, Path: "dir/sub/new/x", Content: []byte("n")}, {Kind: git.ActionCreate, Path: "run", Executable: true}},
			[]string{"644 README=hi", "644 dir.txt=3", "644 dir/a=1", "644 dir/sub/b=2", "644 dir/sub/new/x=n", "755 run="}, ""},
		{"update", actions{{Kind: git.ActionUpdate, Path: "dir/sub/b", Content: []byte("22")}},
			[]string{"644 README=hi", "644 dir.txt=3", "644 dir/a=1", "644 dir/sub/b=22"}, ""},
		{"chmod, then update keeps the mode", actions{{Kind: git.ActionChmod, Path: "README", Executable: true}, {Kind: git.ActionUpdate, Path: "README", Content: []byte("x")}},
			[]string{"755 README=x", "644 dir.txt=3", "644 dir/a=1", "644 dir/sub/b=2"}, ""},
		{"delete empties folders", actions{{Kind: git.ActionDelete, Path: "dir/sub/b"}, {Kind: git.ActionDelete, Path: "dir/a"}},
			[]string{"644 README=hi", "644 dir.txt=3"}, ""},
		{"file in place of a folder", actions{{Kind: git.ActionDelete, Path: "dir/sub/b"}, {Kind: git.ActionDelete, Path: "dir/a"}, {Kind: git.ActionCreate, Path: "dir", Content: []byte("f")}},
			[]string{"644 README=hi", "644 dir=f", "644 dir.txt=3"}, ""},
		{"move", actions{{Kind: git.ActionMove, PreviousPath: "dir/sub/b", Path: "c"}, {Kind: git.ActionMove, PreviousPath: "dir/a", Path: "d/a", Content: []byte("new")}},
			[]string{"644 README=hi", "644 c=2", "644 d/a=new", "644 dir.txt=3"}, ""},
		{"nothing", nil, []string{"644 README=hi", "644 dir.txt=3", "644 dir/a=1", "644 dir/sub/b=2"}, ""},
		{"everything away", actions{{Kind: git.ActionDelete, Path: "dir/sub/b"}, {Kind: git.ActionDelete, Path: "dir/a"}, {Kind: git.ActionDelete, Path: "README"}, {Kind: git.ActionDelete, Path: "dir.txt"}},
			nil, ""},

		{"create over a file", actions{{Kind: git.ActionCreate, Path: "README"}}, nil, "A file with this name already exists"},
		{"create over a folder", actions{{Kind: git.ActionCreate, Path: "dir"}}, nil, "A file with this name already exists"},
		{"create twice", actions{{Kind: git.ActionCreate, Path: "n"}, {Kind: git.ActionCreate, Path: "n"}}, nil, "A file with this name already exists"},
		{"create below a file", actions{{Kind: git.ActionCreate, Path: "README/x"}}, nil, "A file with this name already exists"},
		{"update of nothing", actions{{Kind: git.ActionUpdate, Path: "nope"}}, nil, "A file with this name doesn't exist"},
		{"update of a folder", actions{{Kind: git.ActionUpdate, Path: "dir"}}, nil, "A file with this name doesn't exist"},
		{"delete of nothing", actions{{Kind: git.ActionDelete, Path: "README/x"}}, nil, "A file with this name doesn't exist"},
		{"chmod of nothing", actions{{Kind: git.ActionChmod, Path: "nope"}}, nil, "A file with this name doesn't exist"},
		{"move of nothing", actions{{Kind: git.ActionMove, Path: "x", PreviousPath: "nope"}}, nil, "A file with this name doesn't exist"},
		{"move onto a file", actions{{Kind: git.ActionMove, Path: "README", PreviousPath: "dir/a"}}, nil, "A file with this name already exists"},
		{"move from nowhere", actions{{Kind: git.ActionMove, Path: "x"}}, nil, "You must provide a file path"},
		{"climbing", actions{{Kind: git.ActionCreate, Path: "../x"}}, nil, "Path cannot include directory traversal"},
		{"git's own", actions{{Kind: git.ActionCreate, Path: ".git/hooks/post-checkout"}}, nil, "invalid path: '.git/hooks/post-checkout'"},
		{"no path", actions{{Kind: git.ActionCreate}}, nil, "You must provide a file path"},
		{"unknown action", actions{{Kind: "explode", Path: "x"}}, nil, "Unknown action 'explode'"},
		{"poisoned submodule", actions{{Kind: git.ActionCreate, Path: ".gitmodules", Content: []byte("[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n")}},
			nil, "gitmodulesUrl: disallowed submodule url: -u./payload"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gittest.Open(t)
			r := gittest.New(t, s, 7, start)
			before := r.SHA("main")
			sha, err := s.CommitFiles(t.Context(), 7, git.CommitRequest{Branch: "main", Message: "m", AuthorName: "A", Now: gittest.Start, Actions: c.actions})
			if c.refusal != "" {
				var refusal *ci.Error
				if !errors.As(err, &refusal) || refusal.Message != c.refusal || refusal.Kind != ci.KindInvalid {
					t.Errorf("got %v, want %q", err, c.refusal)
				}
				if r.SHA("main") != before {
					t.Error("the branch has moved")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, listing(t, s, 7, sha)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got, err := s.Commit(t.Context(), 7, "main"); err != nil || got.SHA != sha || len(got.Parents) != 1 || got.Parents[0] != before {
				t.Errorf("main is %+v, %v, want %s on %s", got, err, sha, before)
			}
			run(t, s, "fsck", "--strict", "--no-dangling")
		})
	}
}

func TestCommitFilesChoosesItsBase(t *testing.T) {
	create := func(path string) []git.Action {
		return []git.Action{{Kind: git.ActionCreate, Path: path, Content: []byte(path)}}
	}
	for _, c := range []struct {
		name    string
		request git.CommitRequest
		parent  string // a revision that it must build on
		refusal string
	}{
		{"existing branch", git.CommitRequest{Branch: "side"}, "refs/heads/side", ""},
		{"new branch", git.CommitRequest{Branch: "topic/1", StartBranch: "side"}, "refs/heads/side", ""},
		{"start is the branch", git.CommitRequest{Branch: "main", StartBranch: "main"}, "refs/heads/main", ""},
		{"new branch at a commit", git.CommitRequest{Branch: "topic", StartSHA: "FIRST"}, "FIRST", ""},
		{"forced", git.CommitRequest{Branch: "side", StartBranch: "main", Force: true}, "refs/heads/main", ""},

		{"no such branch", git.CommitRequest{Branch: "nope"}, "", "You can only create or edit files when you are on a branch"},
		{"no such start", git.CommitRequest{Branch: "topic", StartBranch: "nope"}, "", "You can only create or edit files when you are on a branch"},
		{"a tag is no branch", git.CommitRequest{Branch: "topic", StartBranch: "v1"}, "", "You can only create or edit files when you are on a branch"},
		{"both starts", git.CommitRequest{Branch: "topic", StartBranch: "main", StartSHA: "FIRST"}, "", "You can't pass both start_branch and start_sha"},
		{"bad start", git.CommitRequest{Branch: "topic", StartSHA: "main"}, "", "Invalid start_sha 'main'"},
		{"unknown start", git.CommitRequest{Branch: "topic", StartSHA: "0123456789012345678901234567890123456789"}, "", "Cannot find start_sha '0123456789012345678901234567890123456789'"},
		{"taken", git.CommitRequest{Branch: "side", StartBranch: "main"}, "", "A branch called 'side' already exists. Switch to that branch in order to make changes"},
		{"bad name", git.CommitRequest{Branch: "--upload-pack=x", StartBranch: "main"}, "", "Something went wrong when we tried to create --upload-pack=x for you: Branch name is invalid"},
		{"beside a folder of branches", git.CommitRequest{Branch: "main/x", StartBranch: "main"}, "", "Invalid reference name: refs/heads/main/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gittest.Open(t)
			r := gittest.New(t, s, 7, map[string]string{"README": "hi"})
			first := r.SHA("main")
			r.Commit("side", "side", map[string]string{"side": "1"})
			r.Commit("main", "second", map[string]string{"main": "1"})
			r.Tag("v1", "main", "")
			c.request.StartSHA = strings.ReplaceAll(c.request.StartSHA, "FIRST", first)
			c.request.Actions, c.request.Message, c.request.Now = create("new"), "m", gittest.Start
			var parent string
			if c.parent != "" {
				parent = r.SHA(strings.ReplaceAll(c.parent, "FIRST", first))
			}
			sha, err := s.CommitFiles(t.Context(), 7, c.request)
			if c.refusal != "" {
				var refusal *ci.Error
				if !errors.As(err, &refusal) || refusal.Message != c.refusal {
					t.Errorf("got %v, want %q", err, c.refusal)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Commit(t.Context(), 7, "refs/heads/"+c.request.Branch)
			if err != nil || got.SHA != sha || len(got.Parents) != 1 || got.Parents[0] != parent {
				t.Errorf("branch is %+v, %v, want %s on %s", got, err, sha, parent)
			}
		})
	}
}

func TestFirstCommit(t *testing.T) {
	s := gittest.Open(t)
	gittest.New(t, s, 7, nil)
	sha, err := s.CommitFiles(t.Context(), 7, git.CommitRequest{Branch: "trunk", Message: "first", Now: gittest.Start,
		Actions: []git.Action{{Kind: git.ActionCreate, Path: "a/b", Content: []byte("c")}}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"644 a/b=c"}, listing(t, s, 7, sha)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := s.Commit(t.Context(), 7, "trunk"); err != nil || len(got.Parents) != 0 {
		t.Errorf("trunk is %+v, %v, want a root commit", got, err)
	}
}

func TestLastCommitID(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"a": "1", "b": "1"})
	first := r.SHA("main")
	second := r.Commit("main", "second", map[string]string{"b": "2"})
	for _, c := range []struct {
		action git.Action
		want   error
	}{
		{git.Action{Kind: git.ActionUpdate, Path: "a", LastCommitID: second}, git.ErrFileChanged},
		{git.Action{Kind: git.ActionUpdate, Path: "b", LastCommitID: first}, git.ErrFileChanged},
		{git.Action{Kind: git.ActionDelete, Path: "b", LastCommitID: first}, git.ErrFileChanged},
		{git.Action{Kind: git.ActionMove, Path: "c", PreviousPath: "b", LastCommitID: first}, git.ErrFileChanged},
		{git.Action{Kind: git.ActionMove, Path: "c", PreviousPath: "b", LastCommitID: second}, nil},
		{git.Action{Kind: git.ActionUpdate, Path: "a", LastCommitID: first}, nil},
	} {
		_, err := s.CommitFiles(t.Context(), 7, git.CommitRequest{Branch: "main", Message: "m", Now: gittest.Start, Actions: []git.Action{c.action}})
		if !errors.Is(err, c.want) || c.want != nil && ci.KindOf(err) != ci.KindInvalid {
			t.Errorf("%+v: got %v, want %v", c.action, err, c.want)
		}
	}
}

// Commits that meet on one branch all arrive: nobody's change is lost.
func TestCommitsThatMeet(t *testing.T) {
	s := gittest.Open(t)
	r := gittest.New(t, s, 7, map[string]string{"README": "hi"})
	const writers = 4
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			_, err := s.CommitFiles(t.Context(), 7, git.CommitRequest{Branch: "main", Message: "m", Now: gittest.Start,
				Actions: []git.Action{{Kind: git.ActionCreate, Path: "f" + strconv.Itoa(i)}}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	want := []string{"README", "f0", "f1", "f2", "f3"}
	if got, err := s.Paths(t.Context(), 7, r.SHA("main")); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	log, err := s.Log(t.Context(), 7, git.LogQuery{Rev: "main", Limit: 100})
	if err != nil || len(log) != writers+1 {
		t.Errorf("%d commits, %v, want %d", len(log), err, writers+1)
	}
}
