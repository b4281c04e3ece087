package tree

import (
	"strings"
	"testing"
)

// TestYAMLScalars holds the styles that Psych gives strings and other scalars, as
// values of a key.
func TestYAMLScalars(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain", "plain"},
		{"make test", "make test"},
		{`echo "hi"`, `echo "hi"`},
		{"it's", "it's"},
		{"", "''"},
		{"true", "'true'"}, {"Yes", "'Yes'"}, {"off", "'off'"}, {"null", "'null'"}, {"~", `"~"`},
		{"y", `"y"`}, {"N", `"N"`},
		{"1", "'1'"}, {"1.10", "'1.10'"}, {"0755", "'0755'"}, {"1_000", "'1_000'"}, {"12:30", "'12:30'"},
		{"1e3", "1e3"}, {"0.1", "'0.1'"}, {"08", "08"}, {"01.5", "'01.5'"},
		{"2024-01-01", "'2024-01-01'"}, {"1.2.3", "1.2.3"}, {"v1", "v1"}, {"-1", `"-1"`},
		{":sym", `":sym"`}, {"a:b", "a:b"}, {"a: b", "'a: b'"}, {"a:", "'a:'"}, {"a #b", "'a #b'"}, {"a#b", "a#b"},
		{".job", `".job"`}, {"$CI", `"$CI"`}, {`$CI == "x"`, `$CI == "x"`}, {"${A}", `"${A}"`},
		{"- a", `"- a"`}, {"-a", `"-a"`}, {"--- a", `"--- a"`}, {"*x", `"*x"`}, {`*"x"`, `'*"x"'`}, {"[a]", `"[a]"`}, {`["a"]`, `'["a"]'`},
		{"@a", `"@a"`}, {"%a", `"%a"`}, {"`a`", "\"`a`\""}, {"/^re$/", `"/^re$/"`}, {"<<", "'<<'"},
		{" a", `" a"`}, {"a ", "'a '"}, {"a\tb", `"a\tb"`}, {`back\slash`, `back\slash`}, {`"\`, `'"\'`},
		{"é", "é"}, {"日本", "日本"}, {"\U0001F600", `"\U0001F600"`}, {"a\u0007", `"a\a"`}, {"\u00a0", "\"\u00a0\""},
		{"a\n", "'a\n\n    '"},
		{"a\nb\n", "|\n    a\n    b"},
		{"a\nb", "|-\n    a\n    b"},
		{"a\n\nb\n", "|\n    a\n\n    b"},
		{"a\nb\n\n", "|+\n    a\n    b\n"},
		{" a\nb", "|2-\n     a\n    b"},
		{"a \nb", `"a \nb"`},
		{"a\n b", "|-\n    a\n     b"},
		{"a\n b ", `"a\n b "`},
		{strings.Repeat("word ", 20) + "end", strings.Repeat("word ", 15) + "word\n    word word word word end"},
		{"$" + strings.Repeat("word ", 20) + "end", "\"$word word word word word word word word word word word word word word word\n    word word word word word end\""},
		{"a: " + strings.Repeat("word ", 20) + "end", "'a: " + strings.Repeat("word ", 14) + "word\n    word word word word word end'"},
		{strings.Repeat("x", 100), strings.Repeat("x", 100)},
	} {
		n := &Node{Kind: Map, Pairs: []Pair{{Key: "job", Value: &Node{Kind: Map, Pairs: []Pair{{Key: "k", Value: text(test.in)}}}}}}
		want := "---\njob:\n  k: " + test.want + "\n"
		got, ok := n.YAML(1 << 20)
		if got != want || !ok {
			t.Errorf("%q: got\n%s, want\n%s", test.in, got, want)
		}
		back := parse(t, got).Get("job").Get("k")
		if back.Kind != String || back.Text != test.in {
			t.Errorf("%q: reads back as %s %q from\n%s", test.in, back.Kind, back.Text, got)
		}
	}
}

// TestYAMLStructure holds how maps and lists are laid out. Texts are written as they
// come out.
func TestYAMLStructure(t *testing.T) {
	for _, want := range []string{
		"--- {}\n",
		"---\na: 1\n",
		"---\na:\nb: true\nc: 1.5\nd: .inf\n",
		"---\na: {}\nb: []\n",
		"---\na:\n- 1\n- x\n-\n- {}\n- []\n",
		"---\na:\n- - a\n  - b\n- - - c\n",
		"---\na:\n  b:\n  - c: 1\n    d:\n    - e\n    f:\n      g: h\n  - i\n",
		"---\n\".hidden\":\n  script:\n  - make\n'1': x\n'true': b\n'': c\n\"$k\": v\n",
		"---\njob:\n  script:\n  - |\n    a\n    b\n  - c\n",
		"---\n? " + strings.Repeat("k", 129) + "\n: v\n",
		"---\na:\n- ? " + strings.Repeat("k", 129) + "\n  : v\n",
		"--- []\n",
		"---\n- a\n- b: c\n  d: e\n",
	} {
		got, _ := parse(t, want).YAML(1 << 20)
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

// TestYAMLLimit holds that shared nodes, written again and again, come to an end.
func TestYAMLLimit(t *testing.T) {
	n := text("ten letters")
	for range 40 {
		n = &Node{Kind: Seq, Items: []*Node{n, n}}
	}
	if got, ok := n.YAML(10_000); ok || len(got) > 20_000 {
		t.Errorf("got %d bytes, ok %v", len(got), ok)
	}
}

// FuzzYAML holds that whatever can be read is written so that it reads the same.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"a: b", "- 'a\n\n  '", "a: |\n  b\n\n", "? x\n: [1, {b: ~}]", "a: \" \\n x \\u0085\"", "k: '\t'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		docs, err := Parse("f", []byte(src), DefaultLimits())
		if err != nil || len(docs) == 0 {
			return
		}
		out, ok := docs[0].YAML(1 << 20)
		if !ok || strings.Contains(out, "!reference") {
			return
		}
		back, err := Parse("f", []byte(out), Limits{Bytes: 1 << 24, Nodes: 1 << 20, Depth: 200, Documents: 1})
		if err != nil || len(back) != 1 {
			t.Fatalf("%q was written as\n%s\nwhich does not read: %v", src, out, err)
		}
		again, _ := back[0].YAML(1 << 20)
		if again != out {
			t.Errorf("%q was written as\n%s\nthen as\n%s", src, out, again)
		}
	})
}

func text(s string) *Node { return &Node{Kind: String, Text: s} }

func parse(t *testing.T, src string) *Node {
	t.Helper()
	docs, err := Parse("f", []byte(src), DefaultLimits())
	if err != nil || len(docs) != 1 {
		t.Fatalf("parse %q: %d documents, error %v", src, len(docs), err)
	}
	return docs[0]
}
