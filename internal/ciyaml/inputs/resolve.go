package inputs

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expr"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A Given is one value that an include or a caller gives.
type Given = tree.Pair

// Resolve checks the given values and fills in the defaults. Values without a
// place, which come from a caller, get the place of the input. A null counts as
// not given. at is the place of whatever takes the file, for what is missing.
func (s *Spec) Resolve(given []Given, at tree.Pos) (map[string]*tree.Node, []Problem) {
	r := resolver{spec: s, at: at, given: map[string]Given{}, values: map[string]*tree.Node{}, state: map[string]int{}}
	var unknown []string
	for _, g := range given {
		if !s.Has(g.Key) {
			unknown = append(unknown, g.Key)
			if len(unknown) == 1 {
				r.fail(g.KeyPos, "")
			}
			continue
		}
		if !g.Value.IsNull() {
			r.given[g.Key] = g
		}
	}
	if unknown != nil {
		r.problems[0].Message = "unknown input arguments: " + strings.Join(unknown, ", ")
	}
	for i := range s.inputs {
		r.resolve(&s.inputs[i])
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.values, nil
}

// A resolver is one call of Resolve. Inputs with rules are resolved after
// those that their rules name.
type resolver struct {
	spec     *Spec
	at       tree.Pos
	given    map[string]Given
	values   map[string]*tree.Node
	state    map[string]int
	problems []Problem
	circle   bool // was found; what is missing because of it is not worth a word
}

// The states of an input.
const (
	untouched = iota
	underWay
	settled
)

func (r *resolver) fail(pos tree.Pos, message string) {
	if pos.File == "" {
		pos = r.at
	}
	r.problems = append(r.problems, Problem{pos, message})
}

func (r *resolver) failInput(in *input, pos tree.Pos, format string, args ...any) {
	if pos.File == "" {
		pos = in.pos
	}
	r.fail(pos, fmt.Sprintf("`%s` input: ", in.name)+fmt.Sprintf(format, args...))
}

func (r *resolver) resolve(in *input) {
	switch r.state[in.name] {
	case settled:
		return
	case underWay:
		r.failInput(in, in.pos, "rules depend on one another in a circle")
		r.circle = true
		return
	}
	r.state[in.name] = underWay
	defer func() { r.state[in.name] = settled }()
	options, fallback, optional := in.options, in.fallback, in.optional
	if in.rules != nil {
		options, fallback, optional = r.matchRules(in)
	}
	g, isGiven := r.given[in.name]
	if r.circle {
		return
	}
	if !isGiven && !optional {
		r.fail(r.missingAt(in), fmt.Sprintf("`%s` input: required value has not been provided", in.name))
		return
	}
	before := len(r.problems)
	if optional {
		r.values[in.name] = r.check(in, fallback, options, true)
	}
	if isGiven && len(r.problems) == before {
		r.values[in.name] = r.check(in, g.Value, options, false)
	}
}

// missingAt is where to add a value that is missing: at the include, or in the
// header when a caller left it out.
func (r *resolver) missingAt(in *input) tree.Pos {
	if r.at.File == "" {
		return in.pos
	}
	return r.at
}

// matchRules returns what the first rule whose condition holds says.
func (r *resolver) matchRules(in *input) (options []*tree.Node, fallback *tree.Node, optional bool) {
	for _, rule := range in.rules {
		if rule.condition != nil {
			for _, name := range rule.condition.Inputs() {
				r.resolve(&r.spec.inputs[r.spec.index[name]])
			}
			if !rule.condition.Eval(r.lookup) {
				continue
			}
		}
		return rule.options, rule.fallback, rule.optional
	}
	return nil, nil, false
}

func (r *resolver) lookup(name string) (string, bool) {
	name, isInput := strings.CutPrefix(name, expr.InputPrefix)
	value := r.values[name]
	if !isInput || value.IsNull() {
		return "", false
	}
	return Text(value), true
}

// check makes sure that a value is one that the input may have, and returns it
// as what the input says it is: a string input takes any scalar, and the
// others a string of JSON when a caller gives it.
func (r *resolver) check(in *input, value *tree.Node, options []*tree.Node, isDefault bool) *tree.Node {
	if isDefault && value.IsNull() {
		return &tree.Node{Pos: in.pos}
	}
	what := "provided"
	if isDefault {
		what = "default"
	}
	converted, ok := in.convert(value, isDefault)
	if !ok {
		r.failInput(in, value.Pos, "%s value is not %s", what, in.kind.article())
		return value
	}
	if in.optionsPos.File != "" {
		r.failInput(in, in.optionsPos, "Options can only be used with string and number inputs")
	} else if options != nil && !slices.ContainsFunc(options, func(o *tree.Node) bool { return same(o, converted, in.kind) }) {
		r.failInput(in, value.Pos, "`%s` cannot be used because it is not in the list of allowed options", short(Text(converted)))
	}
	if in.patternPos.File != "" {
		r.failInput(in, in.patternPos, "RegEx validation can only be used with string inputs")
	} else if in.pattern != nil && !in.pattern.MatchString(converted.Text) {
		r.failInput(in, value.Pos, "%s value does not match required RegEx pattern", what)
	}
	return converted
}

// article is the type in a message.
func (k kind) article() string {
	if k == array {
		return "an array"
	}
	return "a " + string(k)
}

// maxShown is how much of a value a message repeats, in bytes.
const maxShown = 200

func short(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown-3], "") + "..."
}

// convert makes a value one of the input's type.
func (in *input) convert(value *tree.Node, isDefault bool) (*tree.Node, bool) {
	if in.kind == text {
		if value.IsNull() || value.Kind >= tree.Seq {
			return nil, false
		}
		return &tree.Node{Kind: tree.String, Pos: value.Pos, Text: value.Text}, true
	}
	if in.kind.holds(value) {
		return value, true
	}
	if isDefault || value.Kind != tree.String {
		return nil, false
	}
	parsed, err := tree.FromJSON(value.Pos, []byte(value.Text), tree.DefaultLimits())
	if err != nil || !in.kind.holds(parsed) {
		return nil, false
	}
	return parsed, true
}

// holds reports whether a value is of that type without being converted.
func (k kind) holds(value *tree.Node) bool {
	switch k {
	case number:
		return value.Kind == tree.Int || value.Kind == tree.Float
	case boolean:
		return value.Kind == tree.Bool
	case array:
		return value.Kind == tree.Seq
	case text:
		return value.Kind == tree.String
	}
	return false
}

// same compares an option with a value: numbers by what they are worth.
func same(option, value *tree.Node, k kind) bool {
	if k != number {
		return option.Text == value.Text
	}
	const longest = 100 // digits; longer numbers are compared as they are written
	if len(option.Text) > longest || len(value.Text) > longest || strings.ContainsAny(option.Text+value.Text, "eE") {
		return option.Text == value.Text
	}
	a, okA := new(big.Rat).SetString(option.Text)
	b, okB := new(big.Rat).SetString(value.Text)
	return okA && okB && a.Cmp(b) == 0 && option.Kind != tree.String
}

// Text is a value as it is written into a text: a scalar as Ruby's to_s gives
// it, a list as JSON.
func Text(n *tree.Node) string {
	if n.IsNull() {
		return ""
	}
	if n.Kind >= tree.Seq {
		return n.JSON()
	}
	return n.Text
}
