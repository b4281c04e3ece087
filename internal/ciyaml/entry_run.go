package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

var stepKeys = &keyset{[]string{"name", "script", "step", "func", "env", "inputs"}}

// runSteps reads run: steps that a runner with its own engine for them executes
// in place of a script.
func (c *checker) runSteps(p *place, n *tree.Node) string {
	if n.Kind != tree.Seq || !all(n.Items, isHash) {
		c.fail(p, n.Pos, config, "should be an array of hashes")
		return ""
	}
	if len(n.Items) == 0 {
		c.fail(p, n.Pos, config, "can't be blank")
		return ""
	}
	for _, item := range n.Items {
		at := p.child("step")
		c.keys(at, item, stepKeys)
		if empty(item.Get("name")) {
			c.fail(at, keyPos(item, "name"), "name", "can't be blank")
		}
		kinds := 0
		for _, key := range []string{"script", "step", "func"} {
			if given(item, key) != nil {
				kinds++
			}
		}
		if kinds != 1 {
			c.fail(at, item.Pos, config, "must use exactly one of these keys: script, step, func")
		}
		for _, key := range []string{"env", "inputs"} {
			if v := given(item, key); v != nil && v.Kind != tree.Map {
				c.fail(at, v.Pos, key, "should be a hash")
			}
		}
	}
	return jsonText(n)
}

var jobInputKeys = &keyset{[]string{"type", "default", "options", "regex", "description"}}

// maxJobInputs is how many inputs a job may have.
const maxJobInputs = 50

// jobInputs reads the inputs of a job; their defaults go to the runner, which
// puts them into the script.
func (c *checker) jobInputs(p *place, n *tree.Node) []JobInput {
	if !c.isMap(p, n) {
		return nil
	}
	if len(n.Pairs) > maxJobInputs {
		c.fail(p, n.Pairs[maxJobInputs].KeyPos, config, fmt.Sprintf("has too many entries (maximum %d)", maxJobInputs))
		return nil
	}
	out := make([]JobInput, 0, len(n.Pairs))
	for _, pair := range n.Pairs {
		at := p.child(pair.Key)
		if !c.isHashOrBlank(at, pair) || !c.keys(at, pair.Value, jobInputKeys) {
			continue
		}
		out = append(out, c.jobInput(at, pair))
	}
	return out
}

func (c *checker) jobInput(p *place, pair tree.Pair) JobInput {
	n := pair.Value
	types := []string{"array", "boolean", "number", "string"}
	in := JobInput{Name: pair.Key, Type: "string"}
	if v := given(n, "type"); v != nil {
		if in.Type = v.Text; !slices.Contains(types, v.Text) {
			c.fail(p, v.Pos, "type", "unknown value: "+inlineText(v)).Hint = "one of: " + strings.Join(types, ", ")
			return in
		}
	}
	value := n.Get("default")
	if value == nil {
		c.fail(p, pair.KeyPos, config, "missing required keys: default")
		return in
	}
	if !ofType(value, in.Type) {
		article := "a "
		if in.Type == "array" {
			article = "an "
		}
		c.fail(p, value.Pos, "default", "is not "+article+in.Type)
		return in
	}
	in.Default = jsonText(value)
	if options := given(n, "options"); options != nil {
		in.Options = jsonText(options)
		same := func(o *tree.Node) bool { return o.Text == value.Text }
		if options.Kind != tree.Seq || !slices.ContainsFunc(options.Items, same) {
			c.fail(p, options.Pos, "default", "must be present in options")
		}
	}
	if in.Regex = c.text(p, given(n, "regex"), "regex"); in.Regex != "" {
		if re, err := compileRegexp(in.Regex, ""); err != nil || !re.MatchString(value.Text) {
			c.fail(p, keyPos(n, "regex"), "default", "does not match required RegEx pattern")
		}
	}
	in.Description = c.text(p, given(n, "description"), "description")
	return in
}

// ofType reports whether a value is of the type of an input.
func ofType(n *tree.Node, kind string) bool {
	switch kind {
	case "array":
		return n.Kind == tree.Seq
	case "boolean":
		return n.Kind == tree.Bool
	case "number":
		return n.Kind == tree.Int || n.Kind == tree.Float
	}
	return n.Kind == tree.String
}
