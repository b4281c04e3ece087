package inputs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

func TestFunctions(t *testing.T) {
	tests := []struct{ call, value, want string }{
		{"truncate(0,3)", "abcdef", `"abc"`},
		{"truncate( 2 , 100 )", "abcdef", `"cdef"`},
		{"truncate(1,2)", "äöüß", `"öü"`},
		{"truncate(9,2)", "abc", `""`},
		{"truncate(0)", "abc", ""},
		{"truncate", "abc", ""},
		{"truncate(-1,2)", "abc", ""},
		{"truncate(99999999999,2)", "abc", ""},
		{"expand_vars", "$A ${B} %C% $UNSET $$A", `"<A> <B> <C> $UNSET $$A"`},
		{"expand_vars()", "$A", ""},
		{"posix_escape", "a b;'\"$x\n-_.,:+/@é", `"a\\ b\\;\\'\\\"\\$x'\n'-_.,:+/@\\é"`},
		{"posix_escape", "", `"''"`},
		{"posix_quote", "it's", `"'it'\\''s'"`},
		{"split(,)", "a,b,,c", `["a","b","","c"]`},
		{`split(", ")`, "a, b", `["a","b"]`},
		{"split('x')", "", `[""]`},
		{"split()", "abc", ""},
		{"split", "abc", ""},
		{"Truncate(0,3)", "abc", ""},
		{"", "abc", ""},
		{"upcase", "abc", ""},
	}
	for _, tt := range tests {
		got := ""
		if out, ok := apply(tt.call, &tree.Node{Kind: tree.String, Text: tt.value}, lookup); ok {
			got = out.JSON()
		}
		if got != tt.want {
			t.Errorf("%s of %q: got %s, want %s", tt.call, tt.value, got, tt.want)
		}
	}
	if _, ok := apply("posix_escape", &tree.Node{Kind: tree.Int, Text: "1"}, lookup); ok {
		t.Error("a number was escaped")
	}
	if _, ok := apply("split(,)", &tree.Node{Kind: tree.String, Text: strings.Repeat(",", 5000)}, lookup); ok {
		t.Error("a text was split into thousands")
	}
}

// Small files that mean a lot end soon, with a problem or without much memory.
func TestBombs(t *testing.T) {
	megabyte := &tree.Node{Kind: tree.String, Text: strings.Repeat("x", 1<<20)}
	long := &tree.Node{Kind: tree.Seq}
	for range 50_000 {
		long.Items = append(long.Items, &tree.Node{Kind: tree.String, Text: "x", Pos: tree.Pos{File: "f"}})
	}
	v := Values{Inputs: map[string]*tree.Node{"m": megabyte, "l": long}, Variables: func(string) (string, bool) { return megabyte.Text, true }}
	var many strings.Builder
	for range 20_000 {
		many.WriteString("$[[ inputs.m ]] ")
	}
	tests := []struct{ name, text, want string }{
		{"a long value many times", many.String(), "config too large"},
		{"a list many times", strings.ReplaceAll(many.String(), ".m", ".l"), "config too large"},
		{"a long text", strings.Repeat("x", maxScalar) + "$[[ inputs.m ]]", "config node too large"},
		{"many variables", "$[[ inputs.m | truncate(0,10) | expand_vars ]]", ""},
	}
	for _, tt := range tests {
		start := time.Now()
		_, problems := v.Interpolate(&tree.Node{Kind: tree.String, Text: tt.text})
		got := ""
		if len(problems) > 0 {
			got = problems[len(problems)-1].Message
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", tt.name, took)
		}
	}
}

// Blocks that become lists count for what is in the lists.
func TestManyLists(t *testing.T) {
	v := Values{Inputs: map[string]*tree.Node{"l": {Kind: tree.Seq}}}
	for range 1000 {
		v.Inputs["l"].Items = append(v.Inputs["l"].Items, &tree.Node{Kind: tree.Int, Text: "1"})
	}
	for _, tt := range []struct {
		blocks int
		want   string
	}{{300, ""}, {1000, "config too large"}} {
		content := &tree.Node{Kind: tree.Seq}
		for range tt.blocks {
			content.Items = append(content.Items, &tree.Node{Kind: tree.String, Text: "$[[ inputs.l ]]"})
		}
		_, problems := v.Interpolate(content)
		got := ""
		if len(problems) > 0 {
			got = problems[len(problems)-1].Message
		}
		if got != tt.want {
			t.Errorf("%d blocks: got %q, want %q", tt.blocks, got, tt.want)
		}
	}
}

// Nodes that aliases share are replaced once, and files are never changed.
func TestSharedNodes(t *testing.T) {
	header, content, ok := parse("spec: {inputs: {x: {}}}\n---\na: &a {k: [$[[ inputs.x ]]]}\nb: *a\nc: {plain: [1]}\n")
	if !ok {
		t.Fatal("no header")
	}
	before := content.JSON()
	spec, _ := ParseSpec(header, nil)
	values, _ := spec.Resolve([]Given{{Key: "x", Value: &tree.Node{Kind: tree.String, Text: "v"}}}, tree.Pos{})
	v := Values{Inputs: values}
	out, problems := v.Interpolate(content)
	if problems != nil {
		t.Fatal(problems)
	}
	if got, want := out.JSON(), `{"a":{"k":["v"]},"b":{"k":["v"]},"c":{"plain":[1]}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if out.Get("a") != out.Get("b") || out.Get("c") != content.Get("c") {
		t.Error("nodes are not shared")
	}
	if content.JSON() != before {
		t.Errorf("the content was changed to %s", content.JSON())
	}
}

// A value has the place of its block, and what is in a list its own, if it has one.
func TestPlaces(t *testing.T) {
	_, content, _ := parse("spec: {inputs: {x: {}}}\n---\na: $[[ inputs.x ]]\n")
	elsewhere := tree.Pos{File: "g", Line: 7, Col: 1}
	item := &tree.Node{Kind: tree.String, Text: "i", Pos: elsewhere}
	for _, tt := range []struct {
		value *tree.Node
		want  string
	}{
		{&tree.Node{Kind: tree.Seq, Items: []*tree.Node{{Kind: tree.Map, Pairs: []tree.Pair{{Key: "k", Value: &tree.Node{}}}}}}, "f.yml:3:4 f.yml:3:4"},
		{&tree.Node{Kind: tree.Seq, Pos: elsewhere, Items: []*tree.Node{item}}, "f.yml:3:4 g:7:1"},
	} {
		v := Values{Inputs: map[string]*tree.Node{"x": tt.value}}
		out, problems := v.Interpolate(content)
		if problems != nil {
			t.Fatal(problems)
		}
		a := out.Get("a")
		if got := fmt.Sprint(a.Pos, " ", a.Items[0].Pos); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestManyProblems(t *testing.T) {
	_, content, _ := parse("spec:\n---\na: [\"$[[ inputs.a ]]\", \"$[[ inputs.b ]]\", \"$[[ inputs.c ]]\"]\n")
	_, problems := (&Values{}).Interpolate(content)
	joined := Join(problems)
	if want := "interpolation interrupted by errors, unknown interpolation key: `a`, unknown interpolation key: `b`"; joined.Message != want {
		t.Errorf("got %s, want %s", joined.Message, want)
	}
	if got, want := joined.Pos.String(), "f.yml:3:5"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkInterpolate(b *testing.B) {
	var text strings.Builder
	text.WriteString("spec: {inputs: {x: {}}}\n---\n")
	for i := range 200 {
		fmt.Fprintf(&text, "job %d: {stage: test, script: [echo $[[ inputs.x ]], make], tags: [\"$[[ inputs.x ]]\"]}\n", i)
	}
	_, content, ok := parse(text.String())
	if !ok {
		b.Fatal("no header")
	}
	v := Values{Inputs: map[string]*tree.Node{"x": {Kind: tree.String, Text: "value"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := v.Interpolate(content); problems != nil {
			b.Fatal(problems)
		}
	}
}
