package inputs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A Spec is a header: the inputs that a file takes and the component fields
// that it wants to know. It never changes.
type Spec struct {
	Component []string // fields that $[[ component.FIELD ]] may name
	inputs    []input
	index     map[string]int
}

// Has reports whether the file takes an input of that name.
func (s *Spec) Has(name string) bool {
	_, ok := s.index[name]
	return ok
}

// An input is one entry of spec:inputs.
type input struct {
	name       string
	pos        tree.Pos
	kind       kind
	options    []*tree.Node // nil: any value
	pattern    *regexp.Regexp
	fallback   *tree.Node // the default
	optional   bool       // there is one, null though it may be
	rules      []rule
	optionsPos tree.Pos // where options are that the type cannot have
	patternPos tree.Pos
}

// A rule is one of spec:inputs:rules.
type rule struct {
	condition *expr.Expr // nil holds
	options   []*tree.Node
	fallback  *tree.Node
	optional  bool
}

// kind is the type of an input.
type kind string

const (
	text    kind = "string"
	number  kind = "number"
	boolean kind = "boolean"
	array   kind = "array"
)

// componentFields are those that a component may ask about itself.
var componentFields = []string{"name", "sha", "version", "reference"}

// maxOptions is how many options an input may have.
const maxOptions = 50

// A specReader reads a header and collects what is wrong with it.
type specReader struct {
	spec     *Spec
	problems []Problem
}

func (r *specReader) fail(pos tree.Pos, place, message string) {
	r.problems = append(r.problems, Problem{pos, strings.ToLower(place + " " + message)})
}

// ParseSpec reads a header. included are the inputs of the files that
// spec:include names, which the caller has read; of each name there may be
// only one.
func ParseSpec(header *tree.Node, included []tree.Pair) (*Spec, []Problem) {
	r := specReader{spec: &Spec{index: map[string]int{}}}
	spec := header.Get("spec")
	r.keys("header", header, "spec")
	switch {
	case spec.IsNull():
		return r.spec, r.problems
	case spec.Kind != tree.Map:
		r.fail(spec.Pos, "header:spec config", "should be a hash")
		return nil, r.problems
	}
	r.keys("header:spec", spec, "inputs", "include", "component")
	r.component(spec.Get("component"))
	own := spec.Get("inputs")
	if !own.IsNull() && own.Kind != tree.Map {
		r.fail(own.Pos, "header:spec:inputs config", "should be a hash")
		return nil, r.problems
	}
	pairs := included
	if !own.IsNull() {
		pairs = slices.Concat(included, own.Pairs)
	}
	if len(r.problems) == 0 {
		r.duplicates(pairs)
	}
	for _, p := range pairs {
		r.add(p)
	}
	if len(r.problems) == 0 {
		r.ruleConditions(pairs)
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.spec, nil
}

// keys refuses the keys of n that are not known.
func (r *specReader) keys(place string, n *tree.Node, known ...string) {
	var unknown []string
	var pos tree.Pos
	for _, p := range n.Pairs {
		if !slices.Contains(known, p.Key) {
			if unknown == nil {
				pos = p.KeyPos
			}
			unknown = append(unknown, p.Key)
		}
	}
	if unknown != nil {
		r.fail(pos, place+" config", "contains unknown keys: "+strings.Join(unknown, ", "))
	}
}

// duplicates refuses names that come from two files.
func (r *specReader) duplicates(pairs []tree.Pair) {
	seen := map[string]bool{}
	var twice []string
	var pos tree.Pos
	for _, p := range pairs {
		if seen[p.Key] && !slices.Contains(twice, p.Key) {
			twice, pos = append(twice, p.Key), p.KeyPos
		}
		seen[p.Key] = true
	}
	if twice != nil {
		r.problems = append(r.problems, Problem{pos, fmt.Sprintf("Duplicate input keys found: %s. "+
			"Input keys must be unique across all included files and inline specifications.", strings.Join(twice, ", "))})
	}
}

// component reads the fields that a component asks for.
func (r *specReader) component(n *tree.Node) {
	if n.IsNull() {
		return
	}
	if n.Kind != tree.Seq {
		r.fail(n.Pos, "header:spec:component config", "should be an array of strings")
		return
	}
	var unknown []string
	for _, item := range n.Items {
		switch {
		case item.Kind != tree.String:
			r.fail(item.Pos, "header:spec:component config", "should be an array of strings")
			return
		case !slices.Contains(componentFields, item.Text):
			unknown = append(unknown, item.Text)
		}
		r.spec.Component = append(r.spec.Component, item.Text)
	}
	if unknown != nil {
		r.fail(n.Pos, "header:spec:component config", "contains unknown values: "+strings.Join(unknown, ", "))
	}
}

// add reads one input.
func (r *specReader) add(p tree.Pair) {
	in := input{name: p.Key, pos: p.KeyPos, kind: text}
	place := "header:spec:inputs:" + p.Key
	switch {
	case p.Value.IsNull():
	case p.Value.Kind != tree.Map:
		r.fail(p.Value.Pos, place+" config", "should be a hash")
		return
	default:
		r.keys(place, p.Value, "type", "default", "options", "regex", "description", "rules")
		r.read(&in, p, place)
	}
	r.spec.index[p.Key] = len(r.spec.inputs)
	r.spec.inputs = append(r.spec.inputs, in)
}

func (r *specReader) read(in *input, p tree.Pair, place string) {
	n := p.Value
	if v := n.Get("type"); !v.IsNull() {
		in.kind = kind(v.Text)
		if v.Kind != tree.String || !slices.Contains([]kind{text, number, boolean, array}, in.kind) {
			r.problems = append(r.problems, Problem{v.Pos, fmt.Sprintf(
				"unknown input specification for `%s` (valid types: array, boolean, number, string)", in.name)})
			return
		}
	}
	if v := n.Get("description"); !v.IsNull() && v.Kind != tree.String {
		r.fail(v.Pos, place+" description", "should be a string")
	}
	in.options = r.options(in, place, n.Get("options"))
	if v := n.Get("regex"); !v.IsNull() {
		r.pattern(in, place, v)
	}
	for _, pair := range n.Pairs {
		if pair.Key == "default" {
			in.fallback, in.optional = pair.Value, true
		}
	}
	if v := n.Get("rules"); !v.IsNull() {
		if both := together(n); len(both) > 1 {
			r.fail(v.Pos, place+" config", "these keys cannot be used together: "+strings.Join(both, ", "))
		}
	}
}

// together lists which of the keys that exclude one another n has.
func together(n *tree.Node) []string {
	var out []string
	for _, key := range []string{"rules", "options", "default"} {
		if slices.ContainsFunc(n.Pairs, func(p tree.Pair) bool { return p.Key == key }) {
			out = append(out, key)
		}
	}
	return out
}

// options reads the list of allowed values. What type may have them is only
// said when a value is checked, as GitLab does.
func (r *specReader) options(in *input, place string, n *tree.Node) []*tree.Node {
	switch {
	case n.IsNull():
		return nil
	case in.kind == boolean || in.kind == array:
		in.optionsPos = n.Pos
		return nil
	case n.Kind != tree.Seq:
		r.fail(n.Pos, place+" options", "should be an array")
		return nil
	case len(n.Items) > maxOptions:
		r.fail(n.Pos, place+" options", fmt.Sprintf("cannot have more than %d entries", maxOptions))
	}
	for _, item := range n.Items {
		if item.IsNull() || item.Kind >= tree.Seq {
			r.fail(item.Pos, place+" options", "should be an array of strings or numbers")
			return nil
		}
	}
	if n.Items == nil {
		return []*tree.Node{}
	}
	return n.Items
}

func (r *specReader) pattern(in *input, place string, n *tree.Node) {
	if in.kind != text {
		in.patternPos = n.Pos
		return
	}
	if n.Kind != tree.String {
		r.fail(n.Pos, place+" regex", "should be a string")
		return
	}
	pattern, err := regexp.Compile(n.Text)
	if err != nil {
		r.problems = append(r.problems, Problem{n.Pos, fmt.Sprintf("`%s` input: invalid regular expression", in.name)})
		return
	}
	in.pattern = pattern
}

// ruleConditions reads the rules of all inputs, once it is known which inputs
// there are.
func (r *specReader) ruleConditions(pairs []tree.Pair) {
	for i := range r.spec.inputs {
		in := &r.spec.inputs[i]
		list := pairs[i].Value.Get("rules")
		if list.IsNull() {
			continue
		}
		place := "header:spec:inputs:" + in.name + ":rules"
		if list.Kind != tree.Seq {
			r.fail(list.Pos, place+" config", "should be an array of hashes")
			continue
		}
		in.rules = []rule{}
		for _, item := range list.Items {
			if item.IsNull() || item.Kind != tree.Map {
				r.fail(item.Pos, place+" config", "should be an array of hashes")
				break
			}
			in.rules = append(in.rules, r.rule(in, place+":rule", item))
		}
	}
}

func (r *specReader) rule(in *input, place string, n *tree.Node) rule {
	r.keys(place, n, "if", "options", "default")
	var out rule
	if v := n.Get("if"); !v.IsNull() {
		var err error
		out.condition, err = expr.ParseInputs(v.Text, expr.InputTypes{
			Known: r.spec.Has,
			Boolean: func(name string) bool {
				return r.spec.inputs[r.spec.index[name]].kind == boolean
			},
		})
		if err != nil || v.Kind != tree.String {
			r.fail(v.Pos, place+" if", "invalid expression syntax")
		}
	}
	out.options = r.options(in, place, n.Get("options"))
	if v := n.Get("default"); !v.IsNull() {
		out.fallback, out.optional = v, true
	}
	return out
}
