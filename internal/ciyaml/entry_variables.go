package ciyaml

import (
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// variableKind is where variables are defined: it decides what a map may say.
type variableKind struct{ keys []string } // nil: no map

var (
	rootVariables = variableKind{[]string{"value", "description", "expand", "options"}}
	jobVariables  = variableKind{[]string{"value", "expand"}}
	ruleVariables = variableKind{}
)

// variables reads variables in the order of the file (contract 5.2).
func (c *checker) variables(p *place, n *tree.Node, kind variableKind) []Variable {
	if !c.isMap(p, n) {
		return nil
	}
	out := make([]Variable, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		v := Variable{Key: pair.Key}
		switch value := pair.Value; {
		case isScalar(value):
			v.Value = value.Text
		case kind.keys == nil:
			c.fail(p.child(pair.Key), pair.KeyPos, config, "must be a string")
		case value.IsNull() || value.Kind != tree.Map:
			c.raw(pair.KeyPos, "variable definition must be either a string or a hash")
		default:
			v = c.variable(p.child(pair.Key), pair, kind)
		}
		out = append(out, v)
	}
	return out
}

// variable reads a variable that is written as a map.
func (c *checker) variable(p *place, pair tree.Pair, kind variableKind) Variable {
	n := pair.Value
	out := Variable{Key: pair.Key}
	var invalid []string
	for _, data := range n.Pairs {
		if !slices.Contains(kind.keys, data.Key) {
			invalid = append(invalid, data.Key)
		}
	}
	if invalid != nil {
		d := c.fail(p, keyPos(n, invalid[0]), config, "uses invalid data keys: "+strings.Join(invalid, ", "))
		d.Hint = didYouMean(invalid[0], kind.keys)
		return out
	}
	if v := given(n, "value"); v != nil {
		if out.Value = v.Text; !isScalar(v) {
			c.fail(p, v.Pos, config, "value must be a scalar")
		}
	}
	out.Raw = !c.flag(p, given(n, "expand"), "expand", true)
	if v := given(n, "description"); v != nil && !isScalar(v) {
		c.fail(p, v.Pos, "description", "must be an alphanumeric string")
	}
	if options := given(n, "options"); options != nil {
		texts := c.list(p, options, "options")
		if texts != nil && !slices.Contains(texts, out.Value) {
			c.fail(p, options.Pos, config, "value must be present in options").Hint = didYouMean(out.Value, texts)
		}
	}
	return out
}

func isScalar(n *tree.Node) bool {
	return !n.IsNull() && n.Kind < tree.Seq
}
