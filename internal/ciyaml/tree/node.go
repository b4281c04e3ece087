package tree

import "strconv"

// Pos is a place in a source file. Lines and columns count from 1, columns in
// characters. The zero Pos means that no place is known.
type Pos struct {
	File string
	Line int
	Col  int
}

// String returns "file:line:col", or the file alone when the line is unknown.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// Kind says what a Node is.
type Kind uint8

// The kinds of Node. Reference is a !reference that is not resolved yet.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Seq
	Map
	Reference
)

// String returns the kind in the words of an error message.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "boolean"
	case Int:
		return "integer"
	case Float:
		return "float"
	case String:
		return "string"
	case Seq:
		return "list"
	case Map:
		return "map"
	case Reference:
		return "!reference"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Node is one value of a document. Nodes are shared (an alias is the very node
// that its anchor names) and therefore never changed once Parse, Merge or
// ResolveReferences has returned them.
type Node struct {
	Kind Kind
	Pos  Pos
	// Text is what Ruby's to_s gives for a scalar ("true", "1.1", "493"), ""
	// for Null. For a Reference that is not a list it is the content as Ruby
	// inspects it, for the error message.
	Text string
	// Items are the elements of a Seq, or the path of a Reference.
	Items []*Node
	// Pairs are the entries of a Map: unique keys in order of first appearance.
	Pairs []Pair
}

// Pair is one entry of a Map.
type Pair struct {
	Key    string
	KeyPos Pos
	Value  *Node
}

// Get returns the value of key, or nil if n is nil, no Map, or lacks key.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return n.Pairs[i].Value
		}
	}
	return nil
}

// IsNull reports whether n is nil or a Null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Null }

// Error is a document that cannot be read. Message is GitLab's sentence.
type Error struct {
	Pos     Pos
	Message string
}

// Error returns the message alone: the position is for those who can show it.
func (e *Error) Error() string { return e.Message }
