package tree

import (
	"go.yaml.in/yaml/v4"
)

// builder turns the library's nodes of one document into ours.
type builder struct {
	file    string
	lines   int // before the document
	limits  Limits
	nodes   int // made so far, aliases expanded
	deepest int // depth reached so far, aliases expanded
	anchors map[*yaml.Node]*anchored
}

// anchored is what is known of a node that aliases may name.
type anchored struct {
	node   *Node // nil while under construction: an alias to it is a cycle
	size   int
	height int
}

func (b *builder) pos(y *yaml.Node) Pos {
	return Pos{File: b.file, Line: b.lines + y.Line, Col: y.Column}
}

func (b *builder) fail(y *yaml.Node, message string) error {
	return &Error{Pos: b.pos(y), Message: message}
}

// count adds nodes to the document's expanded size.
func (b *builder) count(y *yaml.Node, nodes, depth int) error {
	b.nodes += nodes
	b.deepest = max(b.deepest, depth)
	if b.nodes > b.limits.Nodes || depth > b.limits.Depth {
		return b.fail(y, tooBig)
	}
	return nil
}

func (b *builder) node(y *yaml.Node, depth int) (*Node, error) {
	if y.Kind == yaml.AliasNode {
		return b.alias(y, depth)
	}
	if err := b.count(y, 1, depth); err != nil {
		return nil, err
	}
	if y.Anchor == "" {
		return b.value(y, depth)
	}
	a := &anchored{}
	b.anchors[y] = a
	before, outer := b.nodes, b.deepest
	b.deepest = depth
	n, err := b.value(y, depth)
	a.node, a.size, a.height = n, b.nodes-before+1, b.deepest-depth
	b.deepest = max(b.deepest, outer)
	return n, err
}

func (b *builder) alias(y *yaml.Node, depth int) (*Node, error) {
	a := b.anchors[y.Alias]
	if a == nil || a.node == nil {
		return nil, b.fail(y, tooBig)
	}
	if err := b.count(y, a.size, depth+a.height); err != nil {
		return nil, err
	}
	return a.node, nil
}

func (b *builder) value(y *yaml.Node, depth int) (*Node, error) {
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
	if y.Tag == referenceTag {
		n.Kind = Reference
	}
	for _, c := range y.Content {
		item, err := b.node(c, depth+1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	return n, nil
}

func (b *builder) mapping(y *yaml.Node, depth int) (*Node, error) {
	out := newPairs(len(y.Content) / 2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		yk, yv := y.Content[i], y.Content[i+1]
		key, err := b.node(yk, depth+1)
		if err != nil {
			return nil, err
		}
		value, err := b.node(yv, depth+1)
		if err != nil {
			return nil, err
		}
		name := keyText(key)
		if name == "<<" && key.Kind == String && !explicitString(yk) {
			if from, ok := mergeSource(yv, value); ok {
				for _, p := range from {
					out.set(p)
				}
				continue
			}
		}
		out.set(Pair{Key: name, KeyPos: b.pos(yk), Value: value})
	}
	n := &Node{Kind: Map, Pos: b.pos(y), Pairs: out.list}
	if y.Tag == referenceTag {
		return &Node{Kind: Reference, Pos: n.Pos, Text: inspect(n)}, nil
	}
	return n, nil
}

// keyText is the key as a string: on: is "true", 1: is "1".
func keyText(key *Node) string {
	if key.Kind <= String {
		return key.Text
	}
	return inspect(key)
}

// mergeSource returns the pairs that a merge key brings, in the order in which
// Psych assigns them. It is not ok if Psych keeps "<<" as an ordinary key.
func mergeSource(y *yaml.Node, value *Node) ([]Pair, bool) {
	if value.Kind == Map && (y.Kind == yaml.AliasNode || y.Kind == yaml.MappingNode) {
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
