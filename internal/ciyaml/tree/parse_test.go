package tree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDocuments(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "nil"},
		{"# nothing\n", "nil"},
		{"---\n# nothing\n---\n", "nil"},
		{"~\n", "nil"},
		{"{}\n", "{}"},
		{"---\na: 1\n", `{"a"=>1}`},
		{"a: 1\n---\nb: 2\n", `{"a"=>1} {"b"=>2}`},
		{"a: 1\n---\n# nothing\n---\nb: 2\n---\n", `{"a"=>1} {"b"=>2}`},
		{"a: 1\n---\nb: 2\n---\nc: 3\n", "ERR The parsed YAML has too many documents"},
		// Only a bare line cuts; of the rest the first document is read.
		{"a: 1\n--- # x\nb: 2\n", `{"a"=>1}`},
		{"a: 1\n--- \nb: 2\n", `{"a"=>1}`},
		{"a: 1\r\n---\r\nb: 2\r\n", `{"a"=>1}`},
		// A block scalar does not protect the line.
		{"a: |\n  x\n---\nb: 2\n", `{"a"=>"x\n"} {"b"=>2}`},
		{"\ufeffspec:\n---\na: 1", `{"spec"=>nil} {"a"=>1}`},
	} {
		if got := show(Parse("f.yml", []byte(c.src), DefaultLimits())); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

// More answers of Psych 4.0.4, beyond the shared tables.
func TestPsychMore(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"a: :sym\nb: :\"x y\"\nc: ::x\nd: ':q'\ne: :'a'b'", `{"a"=>"sym", "b"=>"x y", "c"=>":x", "d"=>":q", "e"=>"a'b"}`},
		{"a: -1:30\nb: +1:30\nc: 1:30.5\nd: 1:60\ne: 1_0:30", `{"a"=>-1800, "b"=>5400, "c"=>5430.0, "d"=>"1:60", "e"=>37800}`},
		{"a: 1.0e+20\nb: 1.0e-5\nc: 100000000000000000.0\nd: 1.0e+999\ne: -0.0\nf: 0.0001\ng: 1.5E+3\nh: -.INF",
			`{"a"=>1.0e+20, "b"=>1.0e-05, "c"=>1.0e+17, "d"=>Infinity, "e"=>-0.0, "f"=>0.0001, "g"=>1500.0, "h"=>-Infinity}`},
		{"a: 0,7\nb: 1__0\nc: -0x1f\nd: -010\ne: 0b12\nf: 1_\ng: 1,000,", `{"a"=>7, "b"=>"1__0", "c"=>-31, "d"=>-8, "e"=>"0b12", "f"=>"1_", "g"=>"1,000,"}`},
		{"a: YES\nb: oN\nc: OFF\nd: nUll\ne: y\nf: ~x", `{"a"=>true, "b"=>true, "c"=>false, "d"=>nil, "e"=>"y", "f"=>"~x"}`},
		{"~: 1\n1.50: 2\n0x1F: 3\n:s: 4", `{""=>1, "1.5"=>2, "31"=>3, "s"=>4}`},
		{"a: 2024-01-02 03:04:05", "ERR Tried to load unspecified class: Time"},
		{"a: 2024-02-31", "ERR Tried to load unspecified class: Date"},
		{"a: 2024-13-45", `{"a"=>"2024-13-45"}`},
		{"a: ! 12\nb: ! \"12\"", `{"a"=>12, "b"=>"12"}`},
		{"a: !!omap [x: 1]\nb: !!map {y: 2}\nc: !!seq [3]", `{"a"=>{"x"=>1}, "b"=>{"y"=>2}, "c"=>[3]}`},
		{"a: !!omap {x: 1}", "ERR Tried to load unspecified class: Psych::Omap"},
		{"a: !ruby/regexp /x/", "ERR Tried to load unspecified class: Regexp"},
		{"a: !ruby/range 1..2", "ERR Tried to load unspecified class: Range"},
		{"a: !str:Foo x", "ERR Tried to load unspecified class: Foo"},
		{"a: !ruby/class String", "ERR Tried to load unspecified class: String"},
		{"a: !ruby/object:Foo {}", "ERR Tried to load unspecified class: Foo"},
		{"a: !ruby/object:Hash {x: 1}", `{"a"=>{"x"=>1}}`},
		{"a: !ruby/struct {}", "ERR Tried to load unspecified class: Struct"},
		{"a: !ruby/array:Foo []", "ERR Tried to load unspecified class: Foo"},
		{"a: !ruby/object:Foo x\nb: !ruby/sym y", `{"a"=>"x", "b"=>"y"}`},
		{"a: !!float 1\nb: !!float 2.50\nc: !!float .inf", `{"a"=>1.0, "b"=>2.5, "c"=>Infinity}`},
		{"a: !!binary \"aGVs bG8=xx\"", `{"a"=>"hello"}`},
		{"<<: [{a: 1}, 2]", `{"<<"=>[{"a"=>1}, 2]}`},
		{"<<: &l [{a: 1}]\nb: {<<: *l}", `{"a"=>1, "b"=>{"<<"=>[{"a"=>1}]}}`},
		{"!!str <<: {a: 1}", `{"<<"=>{"a"=>1}}`},
		{"a: 'x'#c\nb: {x: 1}# d\n", `{"a"=>"x", "b"=>{"x"=>1}}`},
		{strings.Repeat("a: 'x'#é\n", maxRepairs+1), "ERR (<unknown>): found a comment without preceding whitespace at line 21 column 7"},
		{"a: \"\\q\"", "ERR (<unknown>): found unknown escape character while parsing a quoted scalar at line 1 column 4"},
		{"a: \x01", "ERR (<unknown>): control characters are not allowed at line 1 column 1"},
		{"a: \x7f", "ERR (<unknown>): control characters are not allowed at line 1 column 1"},
		{"a: \xff", "ERR (<unknown>): invalid leading UTF-8 octet at line 1 column 1"},
		{"a: \xc3x", "ERR (<unknown>): invalid trailing UTF-8 octet at line 1 column 1"},
		{"a: \xe2\x82", "ERR (<unknown>): incomplete UTF-8 octet sequence at line 1 column 1"},
		{"a: \xed\xa0\x80", "ERR (<unknown>): invalid Unicode character at line 1 column 1"},
		{"a: \xc0\x80", "ERR (<unknown>): invalid length of a UTF-8 sequence at line 1 column 1"},
	} {
		if got := show(Parse("f.yml", []byte(c.src), DefaultLimits())); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

func TestPositions(t *testing.T) {
	src := "spec:\n---\né: &x\n  on: [é, yes]\n  <<: {k: v}\nz: *x\ns: !reference [é, \"on\"]\n"
	docs, err := Parse("ci.yml", []byte(src), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	root := docs[1]
	for _, c := range []struct {
		what string
		got  Pos
		want string
	}{
		{"root", root.Pos, "ci.yml:3:1"},
		{"key é", root.Pairs[0].KeyPos, "ci.yml:3:1"},
		{"list", root.Get("é").Get("true").Pos, "ci.yml:4:7"},
		{"second item", root.Get("é").Get("true").Items[1].Pos, "ci.yml:4:11"},
		{"merged key", root.Get("é").Pairs[1].KeyPos, "ci.yml:5:8"},
		{"key z", root.Pairs[1].KeyPos, "ci.yml:6:1"},
		{"aliased value", root.Get("z").Get("k").Pos, "ci.yml:5:11"},
		{"reference", root.Get("s").Pos, "ci.yml:7:4"},
		{"empty value", docs[0].Get("spec").Pos, "ci.yml:1:6"},
	} {
		if c.got.String() != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
	if root.Get("z") != root.Get("é") {
		t.Error("the alias is not the node of its anchor")
	}
}

func TestErrorPositions(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"a: 1\n---\nb:\n  - x\n c: d\n", "f:5:2 (<unknown>): did not find expected key while parsing a block mapping at line 3 column 1"},
		{"a: 1\nb: *nope\n", "f:2:4 Unknown alias: nope"},
		{"a: 1\nb: [x, 2024-01-02]\n", "f:2:8 Tried to load unspecified class: Date"},
		{"a: 1\n\nß: \x00\n", "f:3:4 (<unknown>): control characters are not allowed at line 1 column 1"},
		{"  a: 1\nb: 2\n", "f:2:1 (<unknown>): did not find expected <document start> at line 2 column 1"},
		{"a: &a [*a]\n", "f:1:8 The parsed YAML is too big"},
		{"a: 1\n---\nb: 1\n---\nc: 1\n", "f:5:1 The parsed YAML has too many documents"},
	} {
		_, err := Parse("f", []byte(c.src), DefaultLimits())
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want an *Error", c.src, err)
			continue
		}
		if got := e.Pos.String() + " " + e.Message; got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + "x" + strings.Repeat("]", n) }
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
	}
	text := "a: &a " + strings.Repeat("x", 1<<20) + "\n"
	for _, c := range []struct {
		name, src, want string
	}{
		{"text at the limit", "a: " + strings.Repeat("x", 2<<20-3), ""},
		{"text beyond it", "a: " + strings.Repeat("x", 2<<20-2), textTooBig},
		{"100 lists", nested(100), ""},
		{"101 lists", nested(101), tooBig},
		{"20 000 lists", nested(20_000), tooBig},
		{"100 lists through an alias", "a: &a " + nested(50) + "\nb: " + strings.Repeat("[", 49) + "*a" + strings.Repeat("]", 49), ""},
		{"101 lists through an alias", "a: &a " + nested(50) + "\nb: " + strings.Repeat("[", 50) + "*a" + strings.Repeat("]", 50), tooBig},
		{"alias bomb", bomb, tooBig},
		{"merge bomb", "a: &a {b: 1}\nc: {" + strings.Repeat("<<: *a, ", 60_000) + "}", tooBig},
		{"long text once", text + "b: *a\n", tooBig},
		{"long text often", text + "b: [" + strings.Repeat("*a, ", 1000) + "]", tooBig},
		{"cycle", "a: &a {b: {c: *a}}", tooBig},
		{"cycle through a merge", "a: &a\n  <<: *a", tooBig},
		{"many values", "[" + strings.Repeat("x,", 99_000) + "]", ""},
		{"too many values", "[" + strings.Repeat("x,", 100_000) + "]", tooBig},
	} {
		_, err := Parse("f", []byte(c.src), DefaultLimits())
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLongKeysAreShortened(t *testing.T) {
	src := "a: &a " + strings.Repeat("x", 10_000) + "\n? [*a, *a]\n: 1\n"
	docs, err := Parse("f", []byte(src), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(docs[0].Pairs[1].Key); got > maxInspect+len("…") {
		t.Errorf("got a key of %d bytes, want at most %d", got, maxInspect+len("…"))
	}
}

func TestGet(t *testing.T) {
	var none *Node
	n := &Node{Kind: Map, Pairs: []Pair{{Key: "a", Value: &Node{Kind: Null}}}}
	if none.Get("a") != nil || n.Get("b") != nil || n.Get("a").Get("x") != nil {
		t.Error("Get found what is not there")
	}
	if got := n.Get("a"); got == nil || !got.IsNull() || !none.IsNull() || n.IsNull() {
		t.Errorf("got %v, want a null", got)
	}
}

func BenchmarkParse(b *testing.B) {
	src := read(b, "ci.yml")
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("ci.yml", src, DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"a: &a {x: 1}\nb: {<<: [*a], y: !reference [a, x]}\n",
		"a: 1:30\nb: 0x_1F\nc: 1,000.5\nd: :\"s\"\n",
		"? [a, {b: c}]\n: !!binary aGVsbG8=\n---\n!!omap [a: 1]",
		"a: 'x'#c\nb: *nope\n",
		"a: &a [*a]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Add(read(f, "ci.yml"))
	lim := Limits{Bytes: 1 << 16, Nodes: 5000, Depth: 20, Documents: 2}
	f.Fuzz(func(t *testing.T, src []byte) {
		docs, err := Parse("f", src, lim)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatalf("got %T, want *Error", err)
			}
			return
		}
		for _, d := range docs {
			if got := nodes(d); got > lim.Nodes {
				t.Fatalf("got %d nodes, want at most %d", got, lim.Nodes)
			}
			out, err := ResolveReferences(Merge(d, docs[0]))
			if err == nil && hasReference(out) {
				t.Fatal("a reference is left")
			}
		}
	})
}

// nodes counts the values under n, shared ones as often as they are seen.
func nodes(n *Node) int {
	sum := 1
	for _, item := range n.Items {
		sum += nodes(item)
	}
	for _, p := range n.Pairs {
		sum += nodes(p.Value)
	}
	return sum
}

func hasReference(n *Node) bool {
	if n == nil {
		return false
	}
	found := n.Kind == Reference
	for _, item := range n.Items {
		found = found || hasReference(item)
	}
	for _, p := range n.Pairs {
		found = found || hasReference(p.Value)
	}
	return found
}
