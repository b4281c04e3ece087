package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FromJSON reads one JSON value, as Ruby would hold it: 3 is an Int, 3.0 and
// 1e3 are Floats, the last of equal keys wins at the place of the first. All
// nodes get the place pos. The limits are those of Parse; the error is about
// the text, never about a file.
func FromJSON(pos Pos, src []byte, lim Limits) (*Node, error) {
	if len(src) > lim.Bytes {
		return nil, errors.New("JSON value is too large")
	}
	decoder := json.NewDecoder(bytes.NewReader(src))
	decoder.UseNumber()
	r := jsonReader{decoder: decoder, pos: pos, limits: lim}
	node, err := r.value(1)
	if err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("more than one JSON value")
	}
	return node, nil
}

type jsonReader struct {
	decoder *json.Decoder
	pos     Pos
	limits  Limits
	nodes   int
}

func (r *jsonReader) value(depth int) (*Node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("read JSON value: %w", err)
	}
	if r.nodes++; r.nodes > r.limits.Nodes || depth > r.limits.Depth {
		return nil, errors.New("JSON value is too large")
	}
	switch token := token.(type) {
	case nil:
		return &Node{Pos: r.pos}, nil
	case bool:
		return &Node{Kind: Bool, Pos: r.pos, Text: strconv.FormatBool(token)}, nil
	case json.Number:
		return r.number(string(token)), nil
	case string:
		return &Node{Kind: String, Pos: r.pos, Text: token}, nil
	case json.Delim:
		if token == '[' {
			return r.list(depth)
		}
	}
	return r.object(depth)
}

func (r *jsonReader) number(text string) *Node {
	if !strings.ContainsAny(text, ".eE") {
		return &Node{Kind: Int, Pos: r.pos, Text: text}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f = math.Inf(1) // out of range, as in Ruby
		if strings.HasPrefix(text, "-") {
			f = math.Inf(-1)
		}
	}
	return &Node{Kind: Float, Pos: r.pos, Text: formatFloat(f)}
}

func (r *jsonReader) list(depth int) (*Node, error) {
	n := &Node{Kind: Seq, Pos: r.pos}
	for r.decoder.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	_, err := r.decoder.Token()
	return n, err
}

func (r *jsonReader) object(depth int) (*Node, error) {
	out := newPairs(0)
	for r.decoder.More() {
		key, err := r.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read JSON key: %w", err)
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out.set(Pair{Key: key.(string), KeyPos: r.pos, Value: value})
	}
	_, err := r.decoder.Token()
	return &Node{Kind: Map, Pos: r.pos, Pairs: out.list}, err
}

// JSON writes the node as compact JSON. Numbers that JSON does not have, such
// as infinity, become strings; a Reference is the list of its path.
func (n *Node) JSON() string {
	return string(n.appendJSON(nil))
}

func (n *Node) appendJSON(b []byte) []byte {
	switch {
	case n.IsNull():
		return append(b, "null"...)
	case n.Kind == Map:
		b = append(b, '{')
		for i, p := range n.Pairs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, p.Key), ':')
			b = p.Value.appendJSON(b)
		}
		return append(b, '}')
	case n.Kind >= Seq:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case n.Kind != String && json.Valid([]byte(n.Text)):
		return append(b, n.Text...)
	}
	return appendString(b, n.Text)
}

func appendString(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == '"' || r == '\\' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
	}) {
		return append(append(append(b, '"'), s...), '"')
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil { // a string is always valid
		return b
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}
