package tree

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// syntaxError puts the library's error in Psych's words. Lines count from the
// start of the file, although GitLab, which parses the pieces of a file apart,
// counts from the start of the piece: a line number that leads nowhere helps
// nobody. Pos is the place where reading stopped; the place in the message is
// where the construct in question began.
func syntaxError(file string, lines int, err error) *Error {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return &Error{Pos: Pos{File: file}, Message: "(<unknown>): " + err.Error()}
	}
	pos := Pos{File: file, Line: lines + le.Mark.Line, Col: le.Mark.Column}
	if strings.Contains(le.Message, "exceeded max depth") || strings.Contains(le.Message, "excessive aliasing") {
		return &Error{Pos: pos, Message: tooBig}
	}
	if name, ok := strings.CutPrefix(le.Message, "unknown anchor '"); ok {
		name, _ = strings.CutSuffix(name, "' referenced")
		if !validAnchor(name) {
			return anchorError(pos, "an alias")
		}
		return &Error{Pos: pos, Message: "Unknown alias: " + name}
	}
	what, at := le.Message, le.Mark
	if le.ContextMsg != "" {
		what += " " + le.ContextMsg
		at = le.ContextMark
	}
	if words, ok := libyamlWords[what]; ok {
		what = words
	}
	return &Error{
		Pos:     pos,
		Message: fmt.Sprintf("(<unknown>): %s at line %d column %d", what, lines+at.Line, at.Column),
	}
}

// libyamlWords are the sentences in which the library departs from libyaml,
// whose spelling is kept.
var libyamlWords = map[string]string{
	"found unknown escape character while scanning a quoted scalar":              "found unknown escape character while parsing a quoted scalar",
	"found invalid Unicode character escape code while scanning a quoted scalar": "found invalid Unicode character escape code while parsing a quoted scalar",
	"did not find expected hexadecimal number while scanning a quoted scalar":    "did not find expected hexdecimal number while parsing a quoted scalar",
	"found a tab character where an indentation space is expected":               "found character that cannot start any token while scanning for the next token",
}

// validAnchor reports whether libyaml takes the name of an anchor or alias:
// the library takes more.
func validAnchor(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func anchorError(pos Pos, what string) *Error {
	return &Error{Pos: pos, Message: fmt.Sprintf("(<unknown>): did not find expected alphabetic or numeric character"+
		" while scanning %s at line %d column %d", what, pos.Line, pos.Col)}
}
