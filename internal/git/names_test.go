package git

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Our rules are git's, checked against git, plus those that the comment of
// CheckRefName names.
func TestCheckRefNameAgreesWithGit(t *testing.T) {
	names := []string{
		"main", "feature/x", "a/b/c", "a.b", "a-b", "ä/ö", "日本", "x@y", "@x", "a@", "a/@", "a{b}", "a@b{", "1", "a,b;c'd\"e", "$x", "%y",
		"@", "", "a..b", ".a", "a/.b", "a.", "a/b.", "a./b", "a.lock", "a.lock/b", "a/b.lock", "a.locks", "a@{b", "@{", "a b", "a~b", "a^b", "a:b",
		"a?b", "a*b", "a[b", "a]b", "a\\b", "a\x7fb", "a\tb", "a\nb", "a//b", "/a", "a/", "a/../b", "..", "a/..",
		strings.Repeat("x/", 100) + "x",
	}
	for _, name := range names {
		want := exec.Command("git", "check-ref-format", "refs/heads/"+name).Run() == nil
		if got := CheckRefName("refs/heads/"+name) == nil; got != want {
			t.Errorf("refs/heads/%q: got %v, git says %v", name, got, want)
		}
		if name == "@" {
			want = false // alone it means HEAD
		}
		if got := CheckRefName(name) == nil; got != want {
			t.Errorf("%q: got %v, git says %v", name, got, want)
		}
	}
}

func TestCheckRefNameRefusesMore(t *testing.T) {
	for _, name := range []string{"--upload-pack=x", "-x", "refs/heads/-x", "refs/tags/--exec", "\xff\xfe", strings.Repeat("x", 1025)} {
		err := CheckRefName(name)
		if ci.KindOf(err) != ci.KindInvalid {
			t.Errorf("%q: got %v, want it refused", name, err)
			continue
		}
		var refusal *ci.Error
		if errors.As(err, &refusal); len(refusal.Hint) == 0 || len(refusal.Hint) > 200 || len(refusal.Message) > 600 {
			t.Errorf("%q: message of %d bytes, hint %q", name, len(refusal.Message), refusal.Hint)
		}
	}
}

func TestCheckBranchName(t *testing.T) {
	for name, want := range map[string]bool{
		"main": true, "a/b": true, "refs": true, "refs/other": true, "head": true, "deadbeef": true,
		"HEAD": false, "refs/heads/x": false, "refs/tags/x": false, "refs/remotes/o/x": false,
		"0123456789012345678901234567890123456789": false, "-x": false, "": false,
	} {
		if got := CheckBranchName(name) == nil; got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{".gitlab-ci.yml", ""},
		{"ci/a b.yml", ""},
		{"a..b", ""},
		{".gitignore", ""},
		{".github/x", ""},
		{"-rf", ""},
		{"*?[x]:y", ""},
		{"ä\xff", ""},
		{"", "You must provide a file path"},
		{"..", "Path cannot include directory traversal"},
		{"../x", "Path cannot include directory traversal"},
		{"a/../../etc/passwd", "Path cannot include directory traversal"},
		{"a/..", "Path cannot include directory traversal"},
		{"/etc/passwd", "invalid path: '/etc/passwd'"},
		{"a//b", "invalid path: 'a//b'"},
		{"a/", "invalid path: 'a/'"},
		{".", "invalid path: '.'"},
		{"./a", "invalid path: './a'"},
		{"a\x00b", "invalid path: 'a\uFFFDb'"},
		{"a\nb", "invalid path: 'a\uFFFDb'"},
		{".git/config", "invalid path: '.git/config'"},
		{"a/.GIT/config", "invalid path: 'a/.GIT/config'"},
		{".git. /x", "invalid path: '.git. /x'"},
		{"git~1/x", "invalid path: 'git~1/x'"},
		{".git::$INDEX_ALLOCATION/x", "invalid path: '.git::$INDEX_ALLOCATION/x'"},
		{".g\u200cit/x", "invalid path: '.g\u200cit/x'"},
	} {
		got := ""
		if err := CheckPath(c.path); err != nil {
			got = err.(*ci.Error).Message
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.path, got, c.want)
		}
	}
}
