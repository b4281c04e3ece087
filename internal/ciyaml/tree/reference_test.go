package tree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestResolveReferences(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"value", "{.a: {script: [x, y]}, b: {script: !reference [.a, script]}}", `{".a"=>{"script"=>["x", "y"]}, "b"=>{"script"=>["x", "y"]}}`},
		{"inside a list", "{.a: {script: [x]}, b: [!reference [.a, script], z]}", `{".a"=>{"script"=>["x"]}, "b"=>[["x"], "z"]}`},
		{"chain", "{a: !reference [b], b: !reference [c], c: 1}", `{"a"=>1, "b"=>1, "c"=>1}`},
		{"reference inside the target", "{a: !reference [b], b: [!reference [c]], c: {k: v}}", `{"a"=>[{"k"=>"v"}], "b"=>[{"k"=>"v"}], "c"=>{"k"=>"v"}}`},
		{"path through a reference", "{a: !reference [b, k], b: !reference [c], c: {k: v}}", `{"a"=>"v", "b"=>{"k"=>"v"}, "c"=>{"k"=>"v"}}`},
		{"key that looks like a number", "{1: {on: x}, a: !reference ['1', 'true']}", `{"1"=>{"true"=>"x"}, "a"=>"x"}`},
		{"empty list is a value", "{a: [], b: !reference [a]}", `{"a"=>[], "b"=>[]}`},

		{"scalar", "{a: !reference x}", `ERR f:1:5 !reference "x" is not valid`},
		{"map", "{a: !reference {b: c}}", `ERR f:1:5 !reference {"b"=>"c"} is not valid`},
		{"empty", "{a: !reference []}", `ERR f:1:5 !reference [] is not valid`},
		{"number", "{a: !reference [b, 1]}", `ERR f:1:5 !reference ["b", 1] is not valid`},
		{"nested list", "{a: !reference [[b]]}", `ERR f:1:5 !reference [["b"]] is not valid`},
		{"no such job", "{a: !reference [job, key]}", `ERR f:1:5 !reference ["job", "key"] could not be found`},
		{"no such key", "{a: !reference [b, key], b: {}}", `ERR f:1:5 !reference ["b", "key"] could not be found`},
		{"through a scalar", "{a: !reference [b, key], b: s}", `ERR f:1:5 !reference ["b", "key"] could not be found`},
		{"null", "{a: !reference [b], b: ~}", `ERR f:1:5 !reference ["b"] could not be found`},
		{"false", "{a: !reference [b], b: no}", `ERR f:1:5 !reference ["b"] could not be found`},
		{"to itself", "{test-job: {script: !reference [test-job, script]}}", `ERR f:1:21 !reference ["test-job", "script"] is part of a circular chain`},
		{"to its own list", "{j: {script: [!reference [j, script]]}}", `ERR f:1:15 !reference ["j", "script"] is part of a circular chain`},
		{"circle of two", "{a: !reference [b], b: !reference [a]}", `ERR f:1:5 !reference ["b"] is part of a circular chain`},
		{"quotes", `{a: !reference ["x\"#{y}\n"]}`, `ERR f:1:5 !reference ["x\"\#{y}\n"] could not be found`},
	} {
		root := parseOne(t, c.src)
		before := showNode(root)
		if got := showResolved(ResolveReferences(root)); got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.name, c.src, got, c.want)
		}
		if showNode(root) != before {
			t.Errorf("%s: the argument was changed", c.name)
		}
	}
}

func showResolved(n *Node, err error) string {
	var e *Error
	if errors.As(err, &e) {
		return "ERR " + e.Pos.String() + " " + e.Message
	}
	return showNode(n)
}

func TestReferenceDepth(t *testing.T) {
	chain := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d: !reference [a%d]\n", i, i+1)
		}
		return b.String() + fmt.Sprintf("a%d: end\n", n)
	}
	if _, err := ResolveReferences(parseOne(t, chain(10))); err != nil {
		t.Errorf("a chain of 10: %v", err)
	}
	got := showResolved(ResolveReferences(parseOne(t, chain(11))))
	if want := `ERR f:11:6 !reference ["a11"] is nested too deeply`; got != want {
		t.Errorf("a chain of 11: got %s, want %s", got, want)
	}
}

func TestReferenceBomb(t *testing.T) {
	src := "a0: [" + strings.Repeat("x, ", 100) + "]\n"
	for i := range 9 {
		src += fmt.Sprintf("a%d: [%s]\n", i+1, strings.Repeat(fmt.Sprintf("!reference [a%d], ", i), 100))
	}
	_, err := ResolveReferences(parseOne(t, src))
	if err == nil || err.Error() != resolvedTooBig {
		t.Errorf("got %v, want %s", err, resolvedTooBig)
	}
}

func TestReferencesShareTheRest(t *testing.T) {
	root := parseOne(t, "{a: {b: c}, d: !reference [a]}")
	out, err := ResolveReferences(root)
	if err != nil {
		t.Fatal(err)
	}
	if out.Get("a") != root.Get("a") || out.Get("d") != root.Get("a") {
		t.Error("a part without references was copied")
	}
}

func BenchmarkResolveReferences(b *testing.B) {
	root := parseOne(b, string(read(b, "ci.yml")))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ResolveReferences(root); err != nil {
			b.Fatal(err)
		}
	}
}
