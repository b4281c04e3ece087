package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// ParseJSON reads a JSON value into a Tree, within the limits of depth and
// count. It serves values that are JSON inside a parameter, such as inputs[k] of
// a form.
func ParseJSON(text string, limits Limits) (*Tree, error) {
	b := builder{limits: limits.withDefaults()}
	return b.json([]byte(text))
}

// json reads a whole JSON text. encoding/json checks the syntax; what is left to
// do here is to keep the order of keys and the digits of numbers.
func (b *builder) json(data []byte) (*Tree, error) {
	if !utf8.Valid(data) {
		return nil, errBytes
	}
	if !json.Valid(data) {
		e := ci.BadParam("message body does not match declared format")
		return nil, e.WithHint("invalid_json", jsonHint(data))
	}
	r := jsonReader{b: b, data: data}
	return r.value(0)
}

// jsonHint says where the syntax broke, without repeating what was sent.
func jsonHint(data []byte) string {
	var first json.RawMessage
	err := json.NewDecoder(bytes.NewReader(data)).Decode(&first)
	if err == nil {
		return "There is more than one JSON value in the body. Send exactly one object."
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return "The body is not JSON: it ends too early. Check that all of it is sent."
	}
	line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	return fmt.Sprintf("The body is not JSON: byte %d, line %d. Check quotes and commas there.", syntax.Offset, line)
}

// A jsonReader walks over JSON that is known to be well formed.
type jsonReader struct {
	b    *builder
	data []byte
	pos  int
}

// next skips white space and gives the byte that follows.
func (r *jsonReader) next() byte {
	for {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
}

func (r *jsonReader) value(depth int) (*Tree, error) {
	switch r.next() {
	case '{':
		return r.object(depth + 1)
	case '[':
		return r.array(depth + 1)
	case '"':
		s, err := r.string()
		if err != nil {
			return nil, err
		}
		return NewString(s), nil
	}
	start := r.pos
	for r.pos < len(r.data) && !strings.ContainsRune(" \t\r\n,]}", rune(r.data[r.pos])) {
		r.pos++
	}
	switch word := string(r.data[start:r.pos]); word {
	case "null":
		return &Tree{}, nil
	case "true", "false":
		return &Tree{Kind: Bool, Text: word}, nil
	default:
		return &Tree{Kind: Number, Text: word}, nil
	}
}

func (r *jsonReader) object(depth int) (*Tree, error) {
	if depth > r.b.limits.Depth {
		return nil, errTooDeep
	}
	t := NewMap()
	r.pos++
	for r.next() != '}' {
		if r.data[r.pos] == ',' {
			r.pos++
			r.next()
		}
		if err := r.b.countKey(); err != nil {
			return nil, err
		}
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		r.next()
		r.pos++ // the colon
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		t.put(key, value, FromBody)
	}
	r.pos++
	return t, nil
}

func (r *jsonReader) array(depth int) (*Tree, error) {
	if depth > r.b.limits.Depth {
		return nil, errTooDeep
	}
	t := &Tree{Kind: List}
	r.pos++
	for r.next() != ']' {
		if r.data[r.pos] == ',' {
			r.pos++
		}
		if err := r.b.countItem(); err != nil {
			return nil, err
		}
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, value)
	}
	r.pos++
	return t, nil
}

// string reads the string at pos, which stands at its first quote.
func (r *jsonReader) string() (string, error) {
	start := r.pos
	escaped := false
	for r.pos++; r.data[r.pos] != '"'; r.pos++ {
		if r.data[r.pos] == '\\' {
			escaped = true
			r.pos++
		}
	}
	r.pos++
	raw := r.data[start:r.pos]
	if !escaped {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", ci.BadParam("message body does not match declared format")
	}
	return s, checkText(s)
}
