package glob

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// testdata/fn.json holds the answers of Ruby's File.fnmatch?.
func TestFnmatch(t *testing.T) {
	b, err := os.ReadFile("testdata/fn.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][3]any
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if got := Match(c[0].(string), c[1].(string)); got != c[2] {
			t.Errorf("Match(%q, %q): got %v, want %v", c[0], c[1], got, c[2])
		}
	}
}

// More answers of the same, for the corners of the dialect.
func TestFnmatchMore(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**/", "", true},
		{"**/**/a", "x/y/a", true},
		{"a/**/**/b", "a/b", true},
		{"**/a/**/b", "x/a/y/a/z/b", true},
		{"**/a/b", "a/x/a/b", true},
		{"***/a", "x/a", true},
		{"****/a", "x/y/a", false},
		{"x**/a", "xy/a", true},
		{"a*b*c", "abbbc", true},
		{"a*b*c", "abbb", false},
		{"a*é", "aéé", true},
		{"[é-ü]", "ö", true},
		{"[a-]", "-", true},
		{`[\]]`, "]", true},
		{`[\!a]`, "!", true},
		{"[!]", "a", true},
		{"[]", "a", false},
		{"[a/b]", "a", true},
		{"[a/b]c", "/c", false},
		{"x[", "x[", false},
		{"[{a,b}]", "b", true},
		{"{a,b}{c,d}", "bc", true},
		{"{a,b/{c,d}}/e", "b/d/e", true},
		{`\{a,b\}`, "{a,b}", true},
		{`{a\,b,c}`, "a,b", true},
		{"a}", "a}", true},
		{"}a{b,c}", "}ac", true},
		{`a\/b`, "a/b", true},
		{`\`, "", true},
		{`a\`, "a", true},
		{`a\`, `a\`, false},
		{"src/**/*.{go,mod}", "src/go.mod", true},
		{"src/**/*.{go,mod}", "src/a/b/c.go", true},
		{"src/**/*.{go,mod}", "other/c.go", false},
	} {
		if got := Match(c.pattern, c.path); got != c.want {
			t.Errorf("Match(%q, %q): got %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}

func TestTooManyAlternatives(t *testing.T) {
	if !Match(strings.Repeat("{a,b}", 9), strings.Repeat("b", 9)) {
		t.Error("512 alternatives: got no match")
	}
	if Match(strings.Repeat("{a,b}", 30), strings.Repeat("a", 30)) {
		t.Error("2^30 alternatives: got a match")
	}
	if Match(strings.Repeat("{a}", 100_000), strings.Repeat("a", 100_000)) {
		t.Error("100 000 braces: got a match")
	}
	if (Pattern{}).Match("") {
		t.Error("the zero Pattern matches")
	}
}

func TestProperties(t *testing.T) {
	name := rapid.StringMatching(`[a-cé.]{1,4}`)
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(name, 1, 5).Draw(rt, "parts")
		path := strings.Join(parts, "/")
		dirs := rapid.IntRange(0, len(parts)-1).Draw(rt, "dirs")
		rest := strings.Join(parts[dirs:], "/")
		prefix := strings.Join(parts[:dirs], "/")
		if dirs > 0 {
			prefix += "/"
		}
		for _, pattern := range []string{
			path, "**/*", "**/" + rest, prefix + "**/*", prefix + "{zzz," + rest + "}", "{" + path + ",}",
			strings.Repeat("*/", len(parts)-1) + "*", strings.ReplaceAll(path, "a", "[!b]"), strings.ReplaceAll(path, "é", "?"),
		} {
			if !Match(pattern, path) {
				rt.Fatalf("%q does not match %q", pattern, path)
			}
		}
		if Match(path+"/**/*", path) || Match("*", path) != (len(parts) == 1) {
			rt.Fatalf("%q matches at the wrong depth", path)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !Match("src/**/*.{go,mod}", "src/internal/ciyaml/glob/glob.go") {
			b.Fatal("no match")
		}
	}
}

func BenchmarkPatternMatch(b *testing.B) {
	p := Compile("src/**/*.{go,mod}")
	b.ReportAllocs()
	for b.Loop() {
		if !p.Match("src/internal/ciyaml/glob/glob.go") {
			b.Fatal("no match")
		}
	}
}

func BenchmarkMatchWorst(b *testing.B) {
	pattern := strings.Repeat("*a", 50) + "b"
	path := strings.Repeat("a", 1000)
	for b.Loop() {
		if Match(pattern, path) {
			b.Fatal("match")
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{
		{"**/*.{go,mod}", "a/b.go"}, {"[!a-é]\\*?", "b*c"}, {"{a,{b,c}}/**/", "c/d/"}, {"{{{", "{"}, {"[", "["}, {"\\", "\\"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p := Compile(pattern)
		if len(p.alternatives) > maxAlternatives {
			t.Fatalf("%q: got %d alternatives", pattern, len(p.alternatives))
		}
		if p.Match(path) != Match(pattern, path) {
			t.Fatalf("%q, %q: two answers", pattern, path)
		}
		if !strings.ContainsAny(pattern, `*?[{\`) && Match(pattern, path) != (pattern == path) {
			t.Fatalf("%q, %q: a plain pattern is not a comparison", pattern, path)
		}
	})
}
