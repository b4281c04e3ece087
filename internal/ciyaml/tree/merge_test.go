package tree

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parseOne(t testing.TB, src string) *Node {
	t.Helper()
	docs, err := Parse("f", []byte(src), DefaultLimits())
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	if len(docs) != 1 {
		t.Fatalf("%s: got %d documents, want 1", src, len(docs))
	}
	return docs[0]
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ base, over, want string }{
		{"{a: 1, b: 2}", "{c: 3, a: 4}", `{"a"=>4, "b"=>2, "c"=>3}`},
		{"{a: {x: 1, y: 2}}", "{a: {y: 3, z: 4}}", `{"a"=>{"x"=>1, "y"=>3, "z"=>4}}`},
		{"{a: [1, 2]}", "{a: [3]}", `{"a"=>[3]}`},
		{"{a: {x: 1}}", "{a: ~}", `{"a"=>nil}`},
		{"{a: {x: 1}}", "{a: s}", `{"a"=>"s"}`},
		{"{a: s}", "{a: {x: 1}}", `{"a"=>{"x"=>1}}`},
		{"{a: {x: 1}}", "{a: {}}", `{"a"=>{"x"=>1}}`},
		{"{a: {x: 1}}", "{a: !reference [b]}", `{"a"=>#<Ref:0x… @s=["b"]>}`},
		{"{a: !reference [b]}", "{a: {x: 1}}", `{"a"=>{"x"=>1}}`},
	} {
		base, over := parseOne(t, c.base), parseOne(t, c.over)
		if got := showNode(Merge(base, over)); got != c.want {
			t.Errorf("%s with %s:\n got %s\nwant %s", c.base, c.over, got, c.want)
		}
	}
	n := parseOne(t, "a: 1")
	if Merge(nil, n) != n || Merge(n, nil) != n || Merge(nil, nil) != nil {
		t.Error("a nil argument does not give the other one")
	}
}

// jsonText draws a JSON value, which is also YAML with all strings quoted.
func jsonText(t *rapid.T, depth int) string {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return "null"
	case 1:
		return fmt.Sprint(rapid.Int().Draw(t, "int"))
	case 2:
		return fmt.Sprint(rapid.Bool().Draw(t, "bool"))
	case 3:
		return quoted(rapid.String().Draw(t, "string"))
	case 4:
		var items []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, jsonText(t, depth-1))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return jsonMap(t, depth-1)
}

func jsonMap(t *rapid.T, depth int) string {
	var pairs []string
	for range rapid.IntRange(0, 16).Draw(t, "pairs") {
		pairs = append(pairs, quoted(rapid.StringMatching(`[a-h]{1,2}`).Draw(t, "key"))+": "+jsonText(t, depth))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// quoted writes s as JSON does, with everything beyond ASCII spelled out.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	var out strings.Builder
	for _, r := range string(b) {
		if r < 0x7f {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	return out.String()
}

// The last of equal keys is the one that counts, so a plain map is a model.
func model(n *Node) any {
	switch n.Kind {
	case Map:
		m := map[string]any{}
		for _, p := range n.Pairs {
			m[p.Key] = model(p.Value)
		}
		return m
	case Seq:
		s := []any{}
		for _, item := range n.Items {
			s = append(s, model(item))
		}
		return s
	case Null:
		return nil
	case String:
		return n.Text
	}
	return json.RawMessage(n.Text)
}

func TestParseReadsJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := jsonMap(rt, 3)
		docs, err := Parse("f", []byte(src), DefaultLimits())
		if err != nil || len(docs) != 1 {
			rt.Fatalf("%s: got %d documents, %v", src, len(docs), err)
		}
		got, err := json.Marshal(model(docs[0]))
		if err != nil {
			rt.Fatal(err)
		}
		want := normalJSON(rt, src)
		if string(got) != want {
			rt.Fatalf("%s\n got %s\nwant %s", src, got, want)
		}
	})
}

// normalJSON reads src with the standard library, which also lets the last key win.
func normalJSON(t *rapid.T, src string) string {
	// JSON has no \U escape.
	var b strings.Builder
	for i := 0; i < len(src); i++ {
		if src[i] == '\\' && src[i+1] == 'U' {
			var r rune
			fmt.Sscanf(src[i+2:i+10], "%x", &r)
			b.WriteRune(r)
			i += 9
			continue
		}
		b.WriteByte(src[i])
		if src[i] == '\\' {
			i++
			b.WriteByte(src[i])
		}
	}
	d := json.NewDecoder(strings.NewReader(b.String()))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base, over := parseOne(t, jsonMap(rt, 3)), parseOne(t, jsonMap(rt, 3))
		baseBefore, overBefore := showNode(base), showNode(over)
		got := Merge(base, over)
		if showNode(base) != baseBefore || showNode(over) != overBefore {
			rt.Fatal("an argument was changed")
		}
		if again := Merge(got, over); showNode(again) != showNode(got) {
			rt.Fatalf("merged twice:\n got %s\nwant %s", showNode(again), showNode(got))
		}
		want := append(keys(base), keys(over)...)
		for i := len(want) - 1; i >= 0; i-- {
			if slices.Contains(want[:i], want[i]) {
				want = slices.Delete(want, i, i+1)
			}
		}
		if !slices.Equal(keys(got), want) {
			rt.Fatalf("keys: got %q, want %q", keys(got), want)
		}
		for _, p := range over.Pairs {
			if p.Value.Kind != Map && got.Get(p.Key) != p.Value {
				rt.Fatalf("%s was not replaced", p.Key)
			}
		}
	})
}

func keys(n *Node) []string {
	var out []string
	for _, p := range n.Pairs {
		out = append(out, p.Key)
	}
	return out
}

func BenchmarkMerge(b *testing.B) {
	base := parseOne(b, string(read(b, "ci.yml")))
	over := parseOne(b, "variables: {A: b}\nbuild: {script: [x], variables: {C: d}}\n")
	b.ReportAllocs()
	for b.Loop() {
		Merge(base, over)
	}
}
