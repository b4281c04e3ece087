package tree

import "slices"

// maxReferenceDepth is how many references may lie one inside the target of
// another.
const maxReferenceDepth = 10

// maxWeight bounds a resolved configuration, every shared node counted as often
// as it is seen: references to references grow like alias bombs. nodeWeight is
// what a node weighs besides its text.
const (
	maxWeight  = 64 << 20
	nodeWeight = 40

	resolvedTooBig = "Total size of combined CI/CD configuration is too big"
)

// ResolveReferences returns root with every !reference replaced by the value
// at its path in root (contract 2.5). Targets are resolved first, so that
// chains work; a value is inserted as it is, a list inside a list stays
// nested. The error is an *Error at the reference with one of GitLab's three
// sentences. root is not changed; parts without references are shared.
func ResolveReferences(root *Node) (*Node, error) {
	r := &resolver{root: root, done: map[*Node]resolved{}, active: map[*Node]bool{}}
	out, err := r.resolve(root)
	if err != nil {
		return nil, err
	}
	return out.node, nil
}

type resolver struct {
	root   *Node
	done   map[*Node]resolved
	active map[*Node]bool // references being resolved, outermost first
}

// resolved is a finished node and its weight with all sharing undone.
type resolved struct {
	node   *Node
	weight int
}

func (r *resolver) resolve(n *Node) (resolved, error) {
	if n == nil || n.Kind < Seq {
		return resolved{n, weightOf(n)}, nil
	}
	if out, ok := r.done[n]; ok {
		return out, nil
	}
	var out resolved
	var err error
	switch n.Kind {
	case Seq:
		out, err = r.seq(n)
	case Map:
		out, err = r.mapping(n)
	default:
		out, err = r.reference(n)
	}
	if err != nil {
		return resolved{}, err
	}
	if out.weight > maxWeight {
		return resolved{}, &Error{Pos: n.Pos, Message: resolvedTooBig}
	}
	r.done[n] = out
	return out, nil
}

func weightOf(n *Node) int {
	if n == nil {
		return nodeWeight
	}
	return nodeWeight + len(n.Text)
}

func (r *resolver) seq(n *Node) (resolved, error) {
	out := resolved{n, nodeWeight}
	for i, item := range n.Items {
		value, err := r.resolve(item)
		if err != nil {
			return out, err
		}
		out.weight += value.weight
		if value.node == item {
			continue
		}
		if out.node == n {
			out.node = &Node{Kind: Seq, Pos: n.Pos, Items: slices.Clone(n.Items)}
		}
		out.node.Items[i] = value.node
	}
	return out, nil
}

func (r *resolver) mapping(n *Node) (resolved, error) {
	out := resolved{n, nodeWeight}
	for i, pair := range n.Pairs {
		value, err := r.resolve(pair.Value)
		if err != nil {
			return out, err
		}
		out.weight += nodeWeight + len(pair.Key) + value.weight
		if value.node == pair.Value {
			continue
		}
		if out.node == n {
			out.node = &Node{Kind: Map, Pos: n.Pos, Pairs: slices.Clone(n.Pairs)}
		}
		out.node.Pairs[i].Value = value.node
	}
	return out, nil
}

func (r *resolver) reference(n *Node) (resolved, error) {
	if !validPath(n) {
		return resolved{}, referenceError(n, " is not valid")
	}
	if r.active[n] {
		return resolved{}, referenceError(n, " is part of a circular chain")
	}
	if len(r.active) == maxReferenceDepth {
		return resolved{}, referenceError(n, " is nested too deeply")
	}
	r.active[n] = true
	defer delete(r.active, n)

	target := r.root
	for _, key := range n.Items {
		// A step of the path may itself be a reference to a whole map.
		for target != nil && target.Kind == Reference {
			out, err := r.resolve(target)
			if err != nil {
				return resolved{}, err
			}
			target = out.node
		}
		target = target.Get(key.Text)
	}
	out, err := r.resolve(target)
	if err != nil {
		return resolved{}, err
	}
	if out.node.IsNull() || out.node.Kind == Bool && out.node.Text == "false" {
		return resolved{}, referenceError(n, " could not be found")
	}
	return out, nil
}

// validPath reports whether the reference is a non-empty list of strings.
func validPath(n *Node) bool {
	for _, key := range n.Items {
		if key.Kind != String {
			return false
		}
	}
	return len(n.Items) > 0
}

func referenceError(n *Node, problem string) *Error {
	return &Error{Pos: n.Pos, Message: "!reference " + inspectReference(n) + problem}
}

func inspectReference(n *Node) string {
	if n.Text != "" {
		return n.Text
	}
	return inspect(&Node{Kind: Seq, Items: n.Items})
}
