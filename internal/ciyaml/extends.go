package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// maxExtends is how many extends may follow one another.
const maxExtends = 11

// maxExtendsSize bounds the work of merging: the pairs of all bases, each
// counted every time it is extended.
const maxExtendsSize = 2_000_000

// resolveExtends returns root with every entry laid over those that it
// extends (contract 3.4). The key extends stays.
func resolveExtends(root *tree.Node) (*tree.Node, Diagnostics) {
	e := &extender{
		entries: make(map[string]*tree.Node, len(root.Pairs)),
		done:    make(map[string]extended),
		sizes:   make(map[*tree.Node]int),
	}
	for _, p := range root.Pairs {
		e.entries[p.Key] = p.Value
		e.names = append(e.names, p.Key)
	}
	out := &tree.Node{Kind: tree.Map, Pos: root.Pos, Pairs: slices.Clone(root.Pairs)}
	for i, p := range root.Pairs {
		entry, diags := e.resolve(p.Key, nil)
		if diags != nil {
			return nil, diags
		}
		out.Pairs[i].Value = entry.node
	}
	return out, nil
}

type extender struct {
	entries map[string]*tree.Node
	names   []string
	done    map[string]extended
	sizes   map[*tree.Node]int
	spent   int
}

// extended is an entry with its bases merged in and how many extends follow
// one another below it.
type extended struct {
	node   *tree.Node
	height int
}

// resolve merges the entry key, reached through ancestors.
func (e *extender) resolve(key string, ancestors []string) (extended, Diagnostics) {
	node := e.entries[key]
	names, ok := baseNames(node)
	if !ok {
		return extended{node: node}, nil
	}
	if out, ok := e.done[key]; ok && len(ancestors)+out.height <= maxExtends {
		return out, nil
	}
	if diags := e.check(key, names, ancestors); diags != nil {
		return extended{}, diags
	}
	ancestors = append(ancestors, key)
	out := extended{height: 1}
	var merged *tree.Node
	for _, name := range names {
		base, diags := e.resolve(name.Text, ancestors)
		if diags != nil {
			return extended{}, diags
		}
		out.height = max(out.height, base.height+1)
		if e.spent += e.size(base.node); e.spent > maxExtendsSize {
			return extended{}, configError(name.Pos, errTooBig)
		}
		merged = tree.Merge(merged, base.node)
	}
	out.node = tree.Merge(merged, node)
	e.done[key] = out
	return out, nil
}

// check makes GitLab's four checks, in its order.
func (e *extender) check(key string, names []*tree.Node, ancestors []string) Diagnostics {
	var unknown, invalid []*tree.Node
	for _, name := range names {
		base, found := e.entries[name.Text]
		switch {
		case !found || name.Kind == tree.Reference:
			unknown = append(unknown, name)
		case base.IsNull() || base.Kind != tree.Map:
			invalid = append(invalid, name)
		}
	}
	pos := e.entries[key].Get("extends").Pos
	switch {
	case len(unknown) > 0:
		d := configError(unknown[0].Pos, fmt.Sprintf("%s: unknown keys in `extends` (%s)", key, textList(unknown)))
		d[0].Hint = didYouMean(unknown[0].Text, e.names)
		return d
	case len(invalid) > 0:
		return configError(invalid[0].Pos, fmt.Sprintf("%s: invalid base hashes in `extends` (%s)", key, textList(invalid)))
	case len(ancestors) >= maxExtends:
		return configError(pos, fmt.Sprintf("%s: nesting too deep in `extends`", key))
	case slices.Contains(ancestors, key):
		return configError(pos, fmt.Sprintf("%s: circular dependency detected in `extends`", key))
	}
	return nil
}

// size counts the pairs of n and of the maps in it.
func (e *extender) size(n *tree.Node) int {
	if n.IsNull() || n.Kind != tree.Map {
		return 0
	}
	if size, ok := e.sizes[n]; ok {
		return size
	}
	size := len(n.Pairs)
	for _, p := range n.Pairs {
		size += e.size(p.Value)
	}
	e.sizes[n] = size
	return size
}

// baseNames returns the names that an entry extends; false when it extends
// nothing, or when the value is of a kind that only the entry's own check can
// refuse.
func baseNames(entry *tree.Node) ([]*tree.Node, bool) {
	value := entry.Get("extends")
	switch {
	case value.IsNull():
		return nil, false
	case value.Kind == tree.String, value.Kind == tree.Reference:
		return []*tree.Node{value}, true
	case value.Kind == tree.Seq:
		return value.Items, len(value.Items) > 0
	}
	return nil, false
}

func textList(nodes []*tree.Node) string {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		if texts[i] = n.Text; n.Kind >= tree.Seq {
			texts[i] = inline(n)
		}
	}
	return strings.Join(texts, ", ")
}
