package tree

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The files under testdata say what Ruby's Psych makes of each snippet, as
// Ruby's inspect shows it. Where GitLab, and so this package, goes on from
// there, the answer is listed here.
var beyondPsych = map[string]string{
	"bool-key":     `{"true"=>2}`, // keys become strings
	"int-keys":     `{"1"=>"a", "2"=>"b"}`,
	"question-key": `{"[\"a\", \"b\"]"=>"v"}`,
	"self-alias":   "ERR The parsed YAML is too big",
	"multidoc":     `{"a"=>1} {"b"=>2}`, // cut before Psych sees it
	"spec:\n  inputs:\n    x: {default: 1}\n---\nj:\n  script: $[[ inputs.x ]]\n": `{"spec"=>{"inputs"=>{"x"=>{"default"=>1}}}} {"j"=>{"script"=>"$[[ inputs.x ]]"}}`,
}

func TestPsychCases(t *testing.T) {
	var cases [][2]string
	if err := json.Unmarshal(read(t, "cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for _, c := range cases {
		sources[c[0]] = c[1]
	}
	tested := 0
	for line := range strings.Lines(string(read(t, "psych_cases.txt"))) {
		name, want, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		src, ok := sources[name]
		if !ok {
			continue // the timing in the last line
		}
		tested++
		// Errors are printed with their class, which nobody sees.
		if class, ok := strings.CutPrefix(want, "ERR "); ok {
			_, message, _ := strings.Cut(class, " ")
			want = "ERR " + message
		}
		checkPsych(t, name, src, want)
	}
	if tested != len(cases) {
		t.Errorf("tested %d of %d cases", tested, len(cases))
	}
}

func TestPsychExtra(t *testing.T) {
	for line := range strings.Lines(string(read(t, "psych_extra.txt"))) {
		line = strings.TrimSuffix(line, "\n")
		quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(line, "["))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		src, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := strings.TrimPrefix(line, quoted+" ")
		if strings.HasPrefix(line, "[") {
			want = strings.TrimSuffix(strings.TrimPrefix(line, "["+quoted+", "), "]")
		}
		checkPsych(t, src, src, want)
	}
}

func checkPsych(t *testing.T, name, src, want string) {
	t.Helper()
	if other, ok := beyondPsych[name]; ok {
		want = other
	}
	if got := show(Parse("f.yml", []byte(src), DefaultLimits())); got != want {
		t.Errorf("%s: %q\n got %s\nwant %s", name, src, got, want)
	}
}

// show prints what Parse returned as the oracle does.
func show(docs []*Node, err error) string {
	if err != nil {
		return "ERR " + err.Error()
	}
	if len(docs) == 0 {
		return "nil"
	}
	var out []string
	for _, d := range docs {
		out = append(out, showNode(d))
	}
	return strings.Join(out, " ")
}

// showNode is inspect, but for references.
func showNode(n *Node) string {
	var parts []string
	switch {
	case n.IsNull():
		return "nil"
	case n.Kind == Reference:
		return "#<Ref:0x… @s=" + inspectReference(n) + ">"
	case n.Kind == Seq:
		for _, item := range n.Items {
			parts = append(parts, showNode(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Kind == Map:
		for _, p := range n.Pairs {
			parts = append(parts, inspect(&Node{Kind: String, Text: p.Key})+"=>"+showNode(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return inspect(n)
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
