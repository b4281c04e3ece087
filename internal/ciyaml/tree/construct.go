package tree

import (
	"go.yaml.in/yaml/v4"
)

// builder turns the library's nodes of one document into ours.
type builder struct {
	file    string
	lines   int // before the document
	limits  Limits
	made    size
	deepest int // nesting reached so far, aliases expanded
	anchors map[*yaml.Node]*anchored
}

// anchored is what is known of a node that aliases may name.
type anchored struct {
	node   *Node // nil while under construction: an alias to it is a cycle
	size   size
	height int // lists and maps one in another, 0 for a scalar
}

// size is how much there is, each alias counted as what it stands for. That
// bounds alias bombs, of many small values or of few long ones.
type size struct {
	nodes int
	bytes int // of scalars
}

func (b *builder) pos(y *yaml.Node) Pos {
	return Pos{File: b.file, Line: b.lines + y.Line, Col: y.Column}
}

func (b *builder) fail(y *yaml.Node, message string) error {
	return &Error{Pos: b.pos(y), Message: message}
}

// count adds to the document what reaches down to the given nesting.
func (b *builder) count(y *yaml.Node, s size, nesting int) error {
	b.made.nodes += s.nodes
	b.made.bytes += s.bytes
	b.deepest = max(b.deepest, nesting)
	if b.made.nodes > b.limits.Nodes || b.made.bytes > b.limits.Bytes || nesting > b.limits.Depth {
		return b.fail(y, tooBig)
	}
	return nil
}

// node builds y; a list or map in its place would be the depth-th one around.
func (b *builder) node(y *yaml.Node, depth int) (*Node, error) {
	if y.Kind == yaml.AliasNode {
		return b.alias(y, depth)
	}
	nesting := depth
	if y.Kind == yaml.ScalarNode {
		nesting--
	}
	before := b.made
	if err := b.count(y, size{nodes: 1, bytes: len(y.Value)}, nesting); err != nil {
		return nil, err
	}
	if y.Anchor == "" {
		return b.value(y, depth)
	}
	if !validAnchor(y.Anchor) {
		return nil, anchorError(b.pos(y), "an anchor")
	}
	a := &anchored{}
	b.anchors[y] = a
	deepest := b.deepest
	b.deepest = nesting
	n, err := b.value(y, depth)
	a.node, a.height = n, 1+b.deepest-depth
	a.size = size{nodes: b.made.nodes - before.nodes, bytes: b.made.bytes - before.bytes}
	b.deepest = max(b.deepest, deepest)
	return n, err
}

func (b *builder) alias(y *yaml.Node, depth int) (*Node, error) {
	if !validAnchor(y.Value) {
		return nil, anchorError(b.pos(y), "an alias")
	}
	a := b.anchors[y.Alias]
	if a == nil || a.node == nil {
		return nil, b.fail(y, tooBig)
	}
	if err := b.count(y, a.size, depth-1+a.height); err != nil {
		return nil, err
	}
	return a.node, nil
}

func (b *builder) value(y *yaml.Node, depth int) (*Node, error) {
	if err := b.checkTag(y); err != nil {
		return nil, err
	}
	switch y.Kind {
	case yaml.MappingNode:
		return b.mapping(y, depth)
	case yaml.SequenceNode:
		return b.sequence(y, depth)
	}
	return b.scalar(y)
}

func (b *builder) sequence(y *yaml.Node, depth int) (*Node, error) {
	n := &Node{Kind: Seq, Pos: b.pos(y), Items: make([]*Node, 0, len(y.Content))}
	for _, c := range y.Content {
		item, err := b.node(c, depth+1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	switch y.Tag {
	case referenceTag:
		n.Kind = Reference
	case "!!omap", "!omap":
		return orderedMap(n), nil
	}
	return n, nil
}

func (b *builder) mapping(y *yaml.Node, depth int) (*Node, error) {
	out := newPairs(len(y.Content) / 2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, err := b.node(y.Content[i], depth+1)
		if err != nil {
			return nil, err
		}
		value, err := b.node(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if isMergeKey(y.Content[i], key) {
			if from, ok := mergeSource(y.Content[i+1], value); ok {
				for _, p := range from {
					out.set(p)
				}
				continue
			}
		}
		out.set(Pair{Key: keyText(key), KeyPos: b.pos(y.Content[i]), Value: value})
	}
	n := &Node{Kind: Map, Pos: b.pos(y), Pairs: out.list}
	if y.Tag == referenceTag {
		return &Node{Kind: Reference, Pos: n.Pos, Text: inspect(n)}, nil
	}
	return n, nil
}

// keyText is the key as a string: on: is "true", 1: is "1", a list is what
// Ruby prints for it.
func keyText(key *Node) string {
	if key.Kind <= String {
		return key.Text
	}
	return inspect(key)
}

// isMergeKey reports whether the key is <<, quoted or not, but not !!str <<.
func isMergeKey(y *yaml.Node, key *Node) bool {
	return key.Kind == String && key.Text == "<<" && !explicitString(y)
}

// mergeSource returns the pairs that a merge key brings, in the order in which
// Psych assigns them. It is not ok if Psych keeps "<<" as an ordinary key.
func mergeSource(y *yaml.Node, value *Node) ([]Pair, bool) {
	if value.Kind == Map && y.Kind != yaml.SequenceNode {
		return value.Pairs, true
	}
	if value.Kind != Seq || y.Kind != yaml.SequenceNode {
		return nil, false
	}
	// The first map of the list wins, so Psych merges from the last one on.
	merged := newPairs(0)
	for i := len(value.Items) - 1; i >= 0; i-- {
		if value.Items[i].Kind != Map {
			return nil, false
		}
		for _, p := range value.Items[i].Pairs {
			merged.set(p)
		}
	}
	return merged.list, true
}

// orderedMap is a list of one-pair maps that is tagged as an ordered map.
func orderedMap(list *Node) *Node {
	out := newPairs(len(list.Items))
	for _, item := range list.Items {
		if item.Kind == Map {
			for _, p := range item.Pairs {
				out.set(p)
			}
		}
	}
	return &Node{Kind: Map, Pos: list.Pos, Pairs: out.list}
}
