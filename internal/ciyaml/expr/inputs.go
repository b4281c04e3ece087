package expr

import (
	"regexp"
	"strings"
)

// InputTypes says which inputs an expression of spec:inputs:rules may name
// and which of them are booleans.
type InputTypes struct {
	Known   func(name string) bool
	Boolean func(name string) bool
}

// ParseInputs reads an expression of spec:inputs:rules: the language of Parse
// with two more operands, $[[ inputs.name ]] and the words true and false.
// The Expr looks an input up under "inputs." and its name; an input that is
// not set is null, and one that is a boolean is a boolean. A name that is not
// known is a *SyntaxError like any other.
func ParseInputs(src string, in InputTypes) (*Expr, error) { return parse(src, &in) }

// InputPrefix is what stands before the name of an input in a lookup.
const InputPrefix = "inputs."

var (
	inputRE = regexp.MustCompile(`^\$\[\[\s*inputs\.([^\s|\].]+)\s*\]\]`)
	wordRE  = regexp.MustCompile(`^(true|false)(?:\W|$)`)
)

// next returns the token at the start of src if it is one that only inputs
// have.
func (in *InputTypes) next(src string) (token, bool) {
	if in == nil {
		return token{}, false
	}
	if m := inputRE.FindStringSubmatch(src); m != nil && in.Known(m[1]) {
		return token{kind: tokenOperand, operand: input{m[1], in.Boolean(m[1])}, text: m[0]}, true
	}
	if m := wordRE.FindStringSubmatch(src); m != nil {
		return token{kind: tokenOperand, operand: literal(m[1] == "true"), text: m[1]}, true
	}
	return token{}, false
}

// input is $[[ inputs.name ]].
type input struct {
	name    string
	boolean bool
}

// literal is true or false.
type literal bool

func (i input) eval(lookup Lookup) (value, error) {
	s, set := lookup(InputPrefix + i.name)
	switch {
	case !set:
		return value{}, nil
	case i.boolean:
		return boolean(s == "true"), nil
	}
	return value{kind: isText, text: s}, nil
}

func (i input) print(b *strings.Builder) { b.WriteString("$[[ inputs." + i.name + " ]]") }

func (l literal) eval(Lookup) (value, error) { return boolean(bool(l)), nil }

func (l literal) print(b *strings.Builder) { b.WriteString(boolean(bool(l)).string()) }

// Inputs returns the names of the inputs that the expression reads, in order
// of first appearance, once each.
func (e *Expr) Inputs() []string {
	var names []string
	seen := map[string]bool{}
	walk(e.root, func(n node) {
		if i, ok := n.(input); ok && !seen[i.name] {
			seen[i.name] = true
			names = append(names, i.name)
		}
	})
	return names
}
