package wire

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a value in a [Tree].
type Kind uint8

// The kinds of values, as JSON has them. Values of a query or form are Null
// ("a"), String ("a=1"), List ("a[]=1") or Map ("a[b]=1").
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Map
)

// A Tree is a value with everything inside it, in the order of arrival. The order
// matters: TRIGGER_PAYLOAD repeats it. The zero Tree is null.
type Tree struct {
	Kind Kind
	Form bool   // came as text of a query or form, so a String may mean a number
	Text string // Bool: "true" or "false"; Number: the digits as sent; String: the string

	items  []*Tree // List: the elements; else the earlier values of a name sent repeatedly
	fields *fields // Map
}

// fields are the pairs of a Map, found by scanning while they are few.
type fields struct {
	pairs []pair
	index map[string]int // nil up to scanLimit pairs
}

type pair struct {
	key   string
	value *Tree
	from  Source // kept for the top level only
}

const scanLimit = 8

// NewMap makes an empty Map.
func NewMap() *Tree { return &Tree{Kind: Map, fields: &fields{}} }

// NewString makes a String.
func NewString(s string) *Tree { return &Tree{Kind: String, Text: s} }

// Get gives the value under key, nil when t is nil, not a Map, or lacks it.
func (t *Tree) Get(key string) *Tree {
	if i := t.find(key); i >= 0 {
		return t.fields.pairs[i].value
	}
	return nil
}

// Len is the number of elements of a List or of pairs of a Map, else 0.
func (t *Tree) Len() int {
	switch {
	case t == nil:
		return 0
	case t.Kind == List:
		return len(t.items)
	case t.Kind == Map && t.fields != nil:
		return len(t.fields.pairs)
	}
	return 0
}

// Items gives the elements of a List, nil for other kinds.
func (t *Tree) Items() []*Tree {
	if t == nil || t.Kind != List {
		return nil
	}
	return t.items
}

// All yields the pairs of a Map in the order of arrival.
func (t *Tree) All() iter.Seq2[string, *Tree] {
	return func(yield func(string, *Tree) bool) {
		if t == nil || t.fields == nil {
			return
		}
		for _, p := range t.fields.pairs {
			if !yield(p.key, p.value) {
				return
			}
		}
	}
}

// Blank reports whether t counts as empty: absent, null, false, white space only,
// or without elements. (Rails' blank?)
func (t *Tree) Blank() bool {
	switch {
	case t == nil || t.Kind == Null:
		return true
	case t.Kind == String:
		return strings.TrimSpace(t.Text) == ""
	case t.Kind == Bool:
		return t.Text == "false"
	case t.Kind == List || t.Kind == Map:
		return t.Len() == 0
	}
	return false
}

// scalar reports whether t has a Text.
func (t *Tree) scalar() bool {
	return t.Kind == String || t.Kind == Number || t.Kind == Bool
}

func (t *Tree) find(key string) int {
	if t == nil || t.Kind != Map || t.fields == nil {
		return -1
	}
	if t.fields.index != nil {
		if i, ok := t.fields.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range t.fields.pairs {
		if t.fields.pairs[i].key == key {
			return i
		}
	}
	return -1
}

// put sets the value under key in a Map. A key that is there keeps its place, as
// in Ruby's hashes.
func (t *Tree) put(key string, value *Tree, from Source) {
	f := t.fields
	if i := t.find(key); i >= 0 {
		f.pairs[i].value, f.pairs[i].from = value, from
		return
	}
	f.pairs = append(f.pairs, pair{key, value, from})
	switch n := len(f.pairs); {
	case f.index != nil:
		f.index[key] = n - 1
	case n > scanLimit:
		f.index = make(map[string]int, 2*n)
		for i := range f.pairs {
			f.index[f.pairs[i].key] = i
		}
	}
}

// elements gives what t holds when it is taken for a list: its elements, the
// values of a numbered Map, or t itself with what was sent before under its name.
func (t *Tree) elements() ([]*Tree, bool) {
	switch t.Kind {
	case List:
		return t.items, true
	case Map:
		return t.indexed()
	}
	return append(slices.Clone(t.items), t), true
}

// indexed gives the values of a Map whose keys are all numbers, in their order:
// a[0][k]=v is how some clients send a list. It reports false for other Maps.
func (t *Tree) indexed() ([]*Tree, bool) {
	type numbered struct {
		n     int
		value *Tree
	}
	var list []numbered
	for key, value := range t.All() {
		n, err := strconv.Atoi(key)
		if err != nil || n < 0 {
			return nil, false
		}
		list = append(list, numbered{n, value})
	}
	slices.SortStableFunc(list, func(a, b numbered) int { return a.n - b.n })
	values := make([]*Tree, len(list))
	for i, e := range list {
		values[i] = e.value
	}
	return values, true
}
