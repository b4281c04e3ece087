package inputs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// Values is what the blocks of one file may name.
type Values struct {
	Inputs    map[string]*tree.Node
	Component map[string]*tree.Node // nil in a file that is no component
	Variables expand.Lookup         // of expand_vars: those usable in include that are not masked
}

const (
	maxBlock     = 1 << 10  // bytes of one block
	maxScalar    = 1 << 20  // bytes of a text with blocks in it
	maxFunctions = 3        // of one block
	maxOutput    = 16 << 20 // bytes that all blocks of a file may put in
	nodeCost     = 40       // what a value counts for besides its text

	interrupted = "interpolation interrupted by errors"
)

// blockRE finds a block. Like GitLab's, it wants two characters between the
// brackets and stays on its line.
var blockRE = regexp.MustCompile(`\$\[\[\s*(\S.*?\S)\s*\]\]`)

// Interpolate returns content with all blocks replaced, in keys and values.
// The problems, if there are any, begin with GitLab's sentence for all of them.
// Blocks of other steps, $[[ matrix.X ]], are left alone.
func (v *Values) Interpolate(content *tree.Node) (*tree.Node, []Problem) {
	i := interpolation{values: v, done: map[*tree.Node]*tree.Node{}, texts: map[*tree.Node]string{}, costs: map[*tree.Node]int{}}
	out := i.node(content)
	if len(i.problems) > 0 {
		return nil, append([]Problem{{Message: interrupted}}, i.problems...)
	}
	return out, nil
}

type interpolation struct {
	values   *Values
	done     map[*tree.Node]*tree.Node // nodes are shared
	texts    map[*tree.Node]string     // of lists: one is often put in many times
	costs    map[*tree.Node]int        // of lists, likewise
	problems []Problem
	output   int
}

func (i *interpolation) fail(pos tree.Pos, message string) {
	if len(i.problems) < shown {
		i.problems = append(i.problems, Problem{pos, message})
	}
}

// node returns n itself when there is no block in it.
func (i *interpolation) node(n *tree.Node) *tree.Node {
	if n.IsNull() || n.Kind < tree.String || len(i.problems) >= shown {
		return n
	}
	if out, ok := i.done[n]; ok {
		return out
	}
	out := n
	switch n.Kind {
	case tree.String:
		out = i.scalar(n)
	case tree.Map:
		out = i.mapping(n)
	default:
		out = i.list(n)
	}
	i.done[n] = out
	return out
}

func (i *interpolation) list(n *tree.Node) *tree.Node {
	out := n
	for at, item := range n.Items {
		value := i.node(item)
		if value == item {
			continue
		}
		if out == n {
			out = &tree.Node{Kind: n.Kind, Pos: n.Pos, Text: n.Text, Items: slices.Clone(n.Items)}
		}
		out.Items[at] = value
	}
	return out
}

// mapping replaces in keys, too. Of keys that become equal the last one wins,
// at the place of the first.
func (i *interpolation) mapping(n *tree.Node) *tree.Node {
	out := n
	renamed := false
	for at, p := range n.Pairs {
		key, value := i.key(p), i.node(p.Value)
		if key == p.Key && value == p.Value {
			continue
		}
		if out == n {
			out = &tree.Node{Kind: tree.Map, Pos: n.Pos, Pairs: slices.Clone(n.Pairs)}
		}
		renamed = renamed || key != p.Key
		out.Pairs[at].Key, out.Pairs[at].Value = key, value
	}
	if renamed {
		out.Pairs = unique(out.Pairs)
	}
	return out
}

func unique(pairs []tree.Pair) []tree.Pair {
	places := make(map[string]int, len(pairs))
	var out []tree.Pair
	for _, p := range pairs {
		if at, ok := places[p.Key]; ok {
			out[at] = p
			continue
		}
		places[p.Key] = len(out)
		out = append(out, p)
	}
	return out
}

func (i *interpolation) key(p tree.Pair) string {
	if !strings.Contains(p.Key, "$[[") {
		return p.Key
	}
	return Text(i.scalar(&tree.Node{Kind: tree.String, Pos: p.KeyPos, Text: p.Key}))
}

// scalar replaces the blocks of a text. One that is a block and nothing else
// becomes its value.
func (i *interpolation) scalar(n *tree.Node) *tree.Node {
	if !strings.Contains(n.Text, "$[[") {
		return n
	}
	blocks := blockRE.FindAllStringSubmatchIndex(n.Text, -1)
	blocks = slices.DeleteFunc(blocks, func(m []int) bool { return isMatrix(n.Text[m[2]:m[3]]) })
	if len(blocks) == 0 {
		return n
	}
	if len(n.Text) > maxScalar {
		i.fail(n.Pos, "config node too large")
		return n
	}
	if m := blocks[0]; len(blocks) == 1 && m[0] == 0 && m[1] == len(n.Text) {
		value := i.block(n, n.Text[m[2]:m[3]])
		if !i.spend(n.Pos, i.cost(value)) {
			return n
		}
		return moved(value, n.Pos)
	}
	var b strings.Builder
	at := 0
	for _, m := range blocks {
		put := i.text(i.block(n, n.Text[m[2]:m[3]]))
		if !i.spend(n.Pos, len(put)) {
			return n
		}
		b.WriteString(n.Text[at:m[0]])
		b.WriteString(put)
		at = m[1]
	}
	b.WriteString(n.Text[at:])
	return &tree.Node{Kind: tree.String, Pos: n.Pos, Text: b.String()}
}

// spend counts what a block puts in, and reports whether there is room for it.
func (i *interpolation) spend(pos tree.Pos, bytes int) bool {
	if i.output += bytes; i.output > maxOutput {
		i.fail(pos, "config too large")
		return false
	}
	return true
}

// cost is what a value counts for: those who read it later go through all of a
// list each time that a block has become it.
func (i *interpolation) cost(n *tree.Node) int {
	if n.IsNull() || n.Kind < tree.Seq {
		return costOf(n)
	}
	cost, ok := i.costs[n]
	if !ok {
		cost = costOf(n)
		i.costs[n] = cost
	}
	return cost
}

func costOf(n *tree.Node) int {
	if n.IsNull() {
		return nodeCost
	}
	cost := nodeCost + len(n.Text)
	for _, item := range n.Items {
		cost += costOf(item)
	}
	for _, p := range n.Pairs {
		cost += nodeCost + len(p.Key) + costOf(p.Value)
	}
	return cost
}

// text is Text, once for each list.
func (i *interpolation) text(n *tree.Node) string {
	if n.IsNull() || n.Kind < tree.Seq {
		return Text(n)
	}
	text, ok := i.texts[n]
	if !ok {
		text = Text(n)
		i.texts[n] = text
	}
	return text
}

// isMatrix reports whether a block names a value of parallel:matrix, which
// only the job that needs it can know.
func isMatrix(block string) bool { return strings.HasPrefix(block, "matrix.") }

// moved is a value at the place of the block that it replaces. What is inside
// a list keeps its place, unless it has none.
func moved(n *tree.Node, pos tree.Pos) *tree.Node {
	out := *n
	out.Pos = pos
	if n.Kind >= tree.Seq && n.Pos.File == "" {
		out.Items = slices.Clone(n.Items)
		for i, item := range out.Items {
			out.Items[i] = moved(item, pos)
		}
		out.Pairs = slices.Clone(n.Pairs)
		for i, p := range out.Pairs {
			out.Pairs[i].KeyPos, out.Pairs[i].Value = pos, moved(p.Value, pos)
		}
	}
	return &out
}

// maxAccess is how many names an access may have.
const maxAccess = 5

// block evaluates what is between the brackets.
func (i *interpolation) block(at *tree.Node, source string) *tree.Node {
	if len(source) > maxBlock {
		i.fail(at.Pos, "maximum interpolation expression size exceeded")
		return at
	}
	parts := strings.Split(source, "|")
	for p := range parts {
		parts[p] = strings.TrimSpace(parts[p])
	}
	if len(parts)-1 > maxFunctions {
		i.fail(at.Pos, "too many functions in interpolation block")
		return at
	}
	value, problem := i.access(parts[0])
	if problem != "" {
		i.fail(at.Pos, problem)
		return at
	}
	for _, call := range parts[1:] {
		next, ok := apply(call, value, i.variable)
		if !ok {
			i.fail(at.Pos, fmt.Sprintf("no function matching `%s`: check that the function name, arguments, and types are correct", call))
			return at
		}
		value = next
	}
	return value
}

func (i *interpolation) variable(name string) (string, bool) {
	if i.values.Variables == nil {
		return "", false
	}
	return i.values.Variables(name)
}

// access finds the value that inputs.NAME or component.FIELD names.
func (i *interpolation) access(path string) (*tree.Node, string) {
	names := strings.Split(path, ".")
	if len(names) < 2 || len(names) > maxAccess {
		return nil, "invalid interpolation access pattern"
	}
	var values map[string]*tree.Node
	switch {
	case names[0] == "inputs":
		values = i.values.Inputs
	case names[0] == "component" && i.values.Component != nil:
		values = i.values.Component
	default:
		return nil, unknownKey(names[0])
	}
	value, ok := values[names[1]]
	if !ok {
		return nil, unknownKey(names[1])
	}
	if len(names) > 2 { // no value has names in it
		return nil, unknownKey(names[2])
	}
	return value, ""
}

func unknownKey(name string) string { return fmt.Sprintf("unknown interpolation key: `%s`", name) }
