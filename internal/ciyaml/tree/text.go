package tree

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// checkText refuses the characters that libyaml's reader refuses. Psych gives
// all of them the same place, the start; Pos has the true one.
func checkText(file string, src []byte) error {
	for at := 0; at < len(src); {
		c := src[at]
		if c >= 0x20 && c < 0x7f || c == '\n' || c == '\t' || c == '\r' {
			at++
			continue
		}
		r, n := utf8.DecodeRune(src[at:])
		problem := ""
		switch {
		case r == utf8.RuneError && n == 1:
			problem = badUTF8(src[at:])
		case r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			problem = "control characters are not allowed"
		}
		if problem != "" {
			return &Error{
				Pos:     posOf(file, src, at),
				Message: fmt.Sprintf("(<unknown>): %s at line 1 column 1", problem),
			}
		}
		at += n
	}
	return nil
}

// badUTF8 says what is wrong with the sequence at the start of src.
func badUTF8(src []byte) string {
	length := 0
	switch c := src[0]; {
	case c&0xe0 == 0xc0:
		length = 2
	case c&0xf0 == 0xe0:
		length = 3
	case c&0xf8 == 0xf0:
		length = 4
	default:
		return "invalid leading UTF-8 octet"
	}
	if len(src) < length {
		return "incomplete UTF-8 octet sequence"
	}
	for _, c := range src[1:length] {
		if c&0xc0 != 0x80 {
			return "invalid trailing UTF-8 octet"
		}
	}
	if length == 3 && src[0] == 0xed || length == 4 && src[0] >= 0xf4 {
		return "invalid Unicode character"
	}
	return "invalid length of a UTF-8 sequence"
}

// posOf returns the place of an offset.
func posOf(file string, src []byte, at int) Pos {
	before := src[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Pos{
		File: file,
		Line: 1 + bytes.Count(before, []byte{'\n'}),
		Col:  1 + utf8.RuneCount(before[start:]),
	}
}

// offsetOf returns the offset of a place in src, or -1.
func offsetOf(src []byte, mark yaml.Mark) int {
	at := 0
	for range mark.Line - 1 {
		i := bytes.IndexByte(src[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	for range mark.Column - 1 {
		_, n := utf8.DecodeRune(src[at:])
		at += n
	}
	if at >= len(src) {
		return -1
	}
	return at
}
