package runner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "out/b.txt", "out/c.tmp", "out/deep/d.txt", "out/deep/.hidden", "src/x{1}.go", "src/y.go", "e/f/g/h.txt"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "out", "abs": "/etc", "up": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range []struct{ pattern, want string }{
		{"a.txt", "a.txt"},
		{"out/", "out out/b.txt out/c.tmp out/deep out/deep/.hidden out/deep/d.txt"},
		{"./out/*.txt", "out/b.txt"},
		{"out/**", "out/b.txt out/c.tmp out/deep out/deep/.hidden out/deep/d.txt"},
		{"**/*.txt", "a.txt e/f/g/h.txt out/b.txt out/deep/d.txt"},
		{"out/**/*.txt", "out/b.txt out/deep/d.txt"},
		{"**/**/deep/**/d.txt", "out/deep/d.txt"},
		{"e/*/g", "e/f/g e/f/g/h.txt"},
		{"out/?.{txt,tmp}", "out/b.txt out/c.tmp"},
		{"{out,e/f}/{b.txt,g/*}", "e/f/g/h.txt out/b.txt"},
		{"out/[!b].t*", "out/c.tmp"},
		{"[", ""},
		{"link", "link"},
		{"link/b.txt", ""},
		{"abs/passwd", ""},
		{"up/*", ""},
		{"nothing/**", ""},
		{dir + "/a.txt", "a.txt"},
		{dir + "/out/*.tmp", "out/c.tmp"},
	} {
		pattern, ok := relative(c.pattern, dir)
		if !ok {
			t.Errorf("%s: refused", c.pattern)
		}
		if got := strings.Join(glob(root, pattern), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.pattern, got, c.want)
		}
	}
	if got, _ := relative(dir, dir); len(glob(root, got)) != 17 {
		t.Errorf("got %q, want everything", glob(root, got))
	}
	for _, pattern := range []string{"", "..", "../x", "a/../../x", "/etc/passwd", dir + "x/y"} {
		if got, ok := relative(pattern, dir); ok {
			t.Errorf("%q: got %q, want it refused", pattern, got)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"out/*.tmp", "out/a.tmp", true},
		{"out/*.tmp", "out/x/a.tmp", false},
		{"**/*.tmp", "a.tmp", true},
		{"**/*.tmp", "x/y/a.tmp", true},
		{"x/**", "x/y/z", true},
		{"x/**", "x", true},
		{"x/**/z", "x/z", true},
		{"x/**/z", "x/y/y/z", true},
		{"x/**/z", "x/y/zz", false},
		{"{a,b{1,2}}.txt", "b2.txt", true},
		{"{a,b}.txt", "c.txt", false},
		{"a{b", "a{b", true},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%s, %s: got %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

func TestBracesAreBounded(t *testing.T) {
	bomb := strings.Repeat("{a,b}", 30)
	if got := braces(bomb); len(got) != 1 {
		t.Errorf("got %d patterns, want the pattern as it is", len(got))
	}
	if got, want := braces("{a,b}{1,2}"), []string{"a1", "a2", "b1", "b2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
