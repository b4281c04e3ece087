package wire

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// maxFormDepth is how deep the brackets of a name may go: Rack's own limit.
const maxFormDepth = 32

// A builder puts names and values together into a tree and keeps count of them.
type builder struct {
	limits Limits
	keys   int // so far, over query and body together
	items  int // elements of lists so far
}

var (
	errTooDeep = ci.BadParam("Parameters nested too deeply")
	errTooMany = ci.BadParam("Too many total parameters")
	errBytes   = ci.BadParam("Invalid encoding in parameters")
)

func (b *builder) countKey() error {
	if b.keys++; b.keys > b.limits.Keys {
		return errTooMany
	}
	return nil
}

func (b *builder) countItem() error {
	if b.items++; b.items > itemsPerKey*b.limits.Keys {
		return errTooMany
	}
	return nil
}

// form reads what a query string and a urlencoded body look like.
func (b *builder) form(s string, from Source) (*Tree, error) {
	root := NewMap()
	for field := range strings.SplitSeq(s, "&") {
		field = strings.TrimLeft(field, " ")
		if field == "" {
			continue
		}
		name, value, hasValue := strings.Cut(field, "=")
		v := &Tree{Form: true}
		var err error
		if name, err = unescape(name); err != nil {
			return nil, err
		}
		if hasValue {
			v.Kind = String
			if v.Text, err = unescape(value); err != nil {
				return nil, err
			}
		}
		if err := b.add(root, name, v, from); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// unescape decodes a name or value of a form. What is no text is refused, since
// no database takes it.
func unescape(s string) (string, error) {
	if strings.ContainsAny(s, "%+") {
		plain, err := url.QueryUnescape(s)
		if err != nil {
			return "", &ci.Error{Kind: ci.KindBadParam, Message: "Invalid %-encoding in parameters"}
		}
		s = plain
	}
	return s, checkText(s)
}

func checkText(s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return errBytes
	}
	return nil
}

// add puts v under a name that may have brackets, by Rack's rules:
//
//	a=1            {"a":"1"}; a name sent again replaces the value
//	a              {"a":null}
//	a[b]=1         {"a":{"b":"1"}}
//	a[]=1&a[]=2    {"a":["1","2"]}
//	a[][k]=1       {"a":[{"k":"1"}]}; a key that the last element has begins the next
//	a[0][k]=1      {"a":{"0":{"k":"1"}}}
//
// Names that mix types, such as a=1&a[b]=2, are refused.
func (b *builder) add(root *Tree, name string, v *Tree, from Source) error {
	if err := b.countKey(); err != nil {
		return err
	}
	_, err := b.nest(root, name, v, 0, from)
	return err
}

func (b *builder) nest(params *Tree, name string, v *Tree, depth int, from Source) (*Tree, error) {
	if depth >= maxFormDepth {
		return nil, errTooDeep
	}
	key, after := cutName(name, depth)
	switch {
	case key == "":
		return params, nil // a nameless field says nothing
	case after == "" && key == "[]" && depth > 0:
		return &Tree{Kind: List, Form: true, items: []*Tree{v}}, nil
	case after == "":
		if old := params.Get(key); old != nil && old.Kind == String && v.Kind == String {
			v.items = append(old.items, &Tree{Kind: String, Form: true, Text: old.Text})
		}
		params.put(key, v, from)
		return params, nil
	case after == "[":
		params.put(name, v, from)
		return params, nil
	case after == "[]":
		list, err := child(params, key, List, from)
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, v)
		return params, b.countItem()
	case strings.HasPrefix(after, "[]"):
		list, err := child(params, key, List, from)
		if err != nil {
			return nil, err
		}
		return params, b.element(list, childName(after), v, depth)
	}
	hash, err := child(params, key, Map, from)
	if err != nil {
		return nil, err
	}
	_, err = b.nest(hash, after, v, depth+1, from)
	return params, err
}

// element puts name=v into the last Map of list, or into a new one when that has
// the name already.
func (b *builder) element(list *Tree, name string, v *Tree, depth int) error {
	if n := len(list.items); n > 0 && list.items[n-1].Kind == Map && !hasName(list.items[n-1], name) {
		_, err := b.nest(list.items[n-1], name, v, depth+1, 0)
		return err
	}
	item, err := b.nest(NewMap(), name, v, depth+1, 0)
	if err != nil {
		return err
	}
	list.items = append(list.items, item)
	return b.countItem()
}

// cutName cuts the outermost key from a name. Brackets at the very start of a
// whole name mean nothing special.
func cutName(name string, depth int) (key, after string) {
	if depth == 0 {
		if len(name) > 1 {
			if i := strings.IndexByte(name[1:], '['); i >= 0 {
				return name[:i+1], name[i+1:]
			}
		}
		return name, ""
	}
	if after, ok := strings.CutPrefix(name, "[]"); ok {
		return "[]", after
	}
	if strings.HasPrefix(name, "[") {
		if i := strings.IndexByte(name, ']'); i > 0 {
			return name[1:i], name[i+1:]
		}
	}
	return name, ""
}

// childName is the name of a value inside an element: "[][k]" gives "k", and
// anything more nested what follows the first brackets.
func childName(after string) string {
	inner := after[2:]
	if strings.HasPrefix(inner, "[") && strings.HasSuffix(inner, "]") {
		if key := inner[1 : len(inner)-1]; key != "" && !strings.ContainsAny(key, "[]") {
			return key
		}
	}
	return inner
}

// hasName reports whether the Map holds a value under a name like "k" or "[a][b]".
func hasName(t *Tree, name string) bool {
	if strings.Contains(name, "[]") {
		return false
	}
	for key := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '[' || r == ']' }) {
		i := t.find(key)
		if i < 0 {
			return false
		}
		t = t.fields.pairs[i].value
	}
	return true
}

// child gives the Map or List under key, making it when there is none.
func child(params *Tree, key string, kind Kind, from Source) (*Tree, error) {
	have := params.Get(key)
	switch {
	case have == nil || have.Kind == Null:
		made := &Tree{Kind: kind, Form: true}
		if kind == Map {
			made.fields = &fields{}
		}
		params.put(key, made, from)
		return made, nil
	case have.Kind != kind:
		return nil, ci.BadParam(fmt.Sprintf("expected %s (got %s) for param `%s'", rubyClass(kind), rubyClass(have.Kind), shown(key)))
	}
	return have, nil
}

func rubyClass(k Kind) string {
	switch k {
	case List:
		return "Array"
	case Map:
		return "Hash"
	}
	return "String"
}

// shown is a name as an error may repeat it. A name that is no plain word may be
// a whole body that was sent under the wrong type, with a token in it.
func shown(name string) string {
	if len(name) > 80 || strings.Trim(name, plainLetters+"[]") != "" {
		return "?"
	}
	return name
}
