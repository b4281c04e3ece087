package inputs

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// parse reads a header and a content.
func parse(text string) (header, content *tree.Node, ok bool) {
	hidden, shield := NewShield([]byte(text))
	docs, err := tree.Parse("f.yml", hidden, tree.DefaultLimits())
	if err != nil || len(docs) != 2 || docs[0].Kind != tree.Map || docs[0].Get("spec") == nil {
		return nil, nil, false
	}
	return shield.Lift(docs[0]), shield.Lift(docs[1]), true
}

func lookup(name string) (string, bool) { return "<" + name + ">", name != "UNSET" }

// outcome is all that comes of a file with an input x.
func outcome(header, content *tree.Node, value string) string {
	given := []Given{{Key: "x", Value: &tree.Node{Kind: tree.String, Text: value}}}
	spec, problems := ParseSpec(header, nil)
	if len(problems) > 0 {
		return fmt.Sprint(problems)
	}
	values, problems := spec.Resolve(given, tree.Pos{})
	if len(problems) > 0 {
		return fmt.Sprint(problems)
	}
	v := Values{Inputs: values, Variables: lookup}
	out, problems := v.Interpolate(content)
	if len(problems) > 0 {
		return fmt.Sprint(problems)
	}
	return out.JSON()
}

// Whatever is in a file, reading its header and putting in values ends without a
// panic and gives the same twice; problems have places in the file.
func FuzzSpec(f *testing.F) {
	for _, seed := range []string{
		"spec:\n  inputs:\n    x:\n---\na: $[[ inputs.x ]]\n",
		"spec:\n  inputs:\n    x: {type: number, default: 1, options: [1, 2]}\n---\n$[[ inputs.x ]]: [$[[ inputs.x | truncate(0,1) ]], \"$[[inputs.x]]\"]\n",
		"spec:\n  inputs: {x: {regex: ^a, default: a}, y: {rules: [{if: '$[[ inputs.x ]] == \"a\"', default: b}]}}\n---\na: $[[ inputs.y | split(,) ]]\n",
		"spec: {component: [name]}\n---\na: $[[ component.name ]]\n",
		"spec: {inputs: {x: {type: array}}}\n---\na: !reference [$[[ inputs.x ]]]\nb: &c $[[ inputs.x ]]\nd: *c\n",
		"spec: {inputs: {x: {type: boolean}}}\n---\na: |\n  $[[ inputs.x\n  ]] $[[ inputs.x | expand_vars | posix_escape ]]\n",
	} {
		f.Add(seed, "a")
		f.Add(seed, "[1, \"$[[ inputs.x ]]\"]")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		header, content, ok := parse(text)
		if !ok {
			return
		}
		first, second := outcome(header, content, value), outcome(header, content, value)
		if first != second {
			t.Errorf("not the same twice: %s, then %s", first, second)
		}
		_, problems := ParseSpec(header, nil)
		for _, p := range problems {
			if p.Pos.File != "f.yml" || p.Pos.Line < 1 || p.Pos.Line > 1+strings.Count(text, "\n") && !strings.ContainsAny(text, "\r\u0085\u2028\u2029") {
				t.Errorf("%s is at %v", p.Message, p.Pos)
			}
		}
	})
}

// A text without blocks stays as it is, and one with a block and text around it is
// that text with the value in it.
func FuzzInterpolate(f *testing.F) {
	f.Add("a ", " b", "c")
	f.Add("$[[", "]]", "$[[ inputs.x ]]")
	f.Add("", "", "\n")
	f.Fuzz(func(t *testing.T, before, after, value string) {
		if strings.Contains(before+after, "$[[") || strings.HasSuffix(before, "$") || strings.HasSuffix(before, "$[") {
			return
		}
		v := Values{Inputs: map[string]*tree.Node{"x": {Kind: tree.String, Text: value}}}
		plain := &tree.Node{Kind: tree.String, Text: before + after}
		if out, problems := v.Interpolate(plain); out != plain || problems != nil {
			t.Errorf("%q became %v, %v", plain.Text, out, problems)
		}
		out, problems := v.Interpolate(&tree.Node{Kind: tree.String, Text: before + "$[[ inputs.x ]]" + after})
		if problems != nil || out.Text != before+value+after {
			t.Errorf("%q around %q: got %v, %v", before+"|"+after, value, out, problems)
		}
	})
}

// Hiding blocks and putting them back gives the text again, as many characters
// long.
func FuzzShield(f *testing.F) {
	f.Add("a: $[[ inputs.x ]] $[[ inputs.y | f ]]\n")
	f.Add("$[[ a\n ]] $[[ab]]")
	f.Add("\ue0000x\ue001 $[[ ab ]]")
	f.Fuzz(func(t *testing.T, text string) {
		hidden, shield := NewShield([]byte(text))
		if !utf8.ValidString(text) {
			return
		}
		if utf8.RuneCount(hidden) != utf8.RuneCountInString(text) {
			t.Errorf("%q became %q", text, hidden)
		}
		if got := shield.Text(string(hidden)); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	})
}
