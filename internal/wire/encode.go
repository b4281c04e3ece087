package wire

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// MarshalJSON writes t in the order of arrival, numbers as they were sent, and
// <, >, &, U+2028 and U+2029 escaped, as Rails does.
func (t *Tree) MarshalJSON() ([]byte, error) {
	return t.appendJSON(make([]byte, 0, 256)), nil
}

func (t *Tree) appendJSON(b []byte) []byte {
	switch {
	case t == nil || t.Kind == Null:
		return append(b, "null"...)
	case t.Kind == String:
		return appendString(b, t.Text)
	case t.Kind == List:
		b = append(b, '[')
		for i, item := range t.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case t.Kind == Map:
		return t.appendPairs(b, nil)
	}
	return append(b, t.Text...)
}

// appendPairs writes a Map without the keys that skip names.
func (t *Tree) appendPairs(b []byte, skip func(key string) bool) []byte {
	b = append(b, '{')
	first := true
	for key, value := range t.All() {
		if skip != nil && skip(key) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, key), ':')
		b = value.appendJSON(b)
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexDigits[s[i+2]&0xf])
			i += 3
			start = i
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		b = appendEscape(append(b, s[start:i]...), c)
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// queryOf writes a Map as a query string in the way of Rails' to_query: a[b]=c
// and a[]=c, each level sorted, and without the keys that skip names.
func queryOf(t *Tree, skip func(key string) bool) string {
	parts := make([]string, 0, t.Len())
	for key, value := range t.All() {
		if skip != nil && skip(key) {
			continue
		}
		if part := queryPart(key, value); part != "" {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

func queryPart(key string, t *Tree) string {
	var parts []string
	switch t.Kind {
	case List:
		for _, item := range t.items {
			parts = append(parts, queryPart(key+"[]", item))
		}
	case Map:
		for child, value := range t.All() {
			if part := queryPart(key+"["+child+"]", value); part != "" {
				parts = append(parts, part)
			}
		}
		slices.Sort(parts)
	default:
		for _, earlier := range t.items {
			parts = append(parts, queryPart(key, earlier))
		}
		parts = append(parts, url.QueryEscape(key)+"="+url.QueryEscape(t.Text))
	}
	return strings.Join(parts, "&")
}
