package inputs

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// functionRE is a function of a block with its arguments.
var functionRE = regexp.MustCompile(`^([a-z_]+)(?:\((.*)\))?$`)

// apply calls a function of a block on a value. It is not ok when there is no
// such function for these arguments and this type.
func apply(call string, value *tree.Node, variables expand.Lookup) (*tree.Node, bool) {
	m := functionRE.FindStringSubmatch(call)
	if m == nil || value.IsNull() || value.Kind != tree.String {
		return nil, false
	}
	name, arguments, s := m[1], strings.TrimSpace(m[2]), value.Text
	bare := !strings.HasSuffix(call, ")")
	switch {
	case name == "expand_vars" && bare:
		return put(value, expand.Existing(s, variables)), true
	case name == "posix_escape" && bare:
		return put(value, posixEscape(s)), true
	case name == "posix_quote" && bare:
		return put(value, "'"+strings.ReplaceAll(s, "'", `'\''`)+"'"), true
	case name == "truncate":
		cut, ok := truncate(s, arguments)
		return put(value, cut), ok
	case name == "split":
		return split(value, arguments)
	}
	return nil, false
}

func put(at *tree.Node, s string) *tree.Node {
	return &tree.Node{Kind: tree.String, Pos: at.Pos, Text: s}
}

var truncateRE = regexp.MustCompile(`^(\d{1,9})\s*,\s*(\d{1,9})$`)

// truncate cuts out length characters from offset on.
func truncate(s, arguments string) (string, bool) {
	m := truncateRE.FindStringSubmatch(arguments)
	if m == nil {
		return "", false
	}
	offset, errOffset := strconv.Atoi(m[1])
	length, errLength := strconv.Atoi(m[2])
	if errOffset != nil || errLength != nil {
		return "", false
	}
	runes := []rune(s)
	offset = min(offset, len(runes))
	return string(runes[offset:min(offset+length, len(runes))]), true
}

// posixEscape puts a backslash before everything that a POSIX shell might take
// for more than a character, as Ruby's Shellwords does.
func posixEscape(s string) string {
	if s == "" {
		return "''"
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("'\n'")
			continue
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', strings.ContainsRune("_-.,:+/@", r):
		default:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxParts bounds what split makes.
const maxParts = 1000

// split cuts a text at a separator, which may stand in quotes, into a list.
func split(value *tree.Node, separator string) (*tree.Node, bool) {
	if n := len(separator); n >= 2 && (separator[0] == '"' || separator[0] == '\'') && separator[n-1] == separator[0] {
		separator = separator[1 : n-1]
	}
	if separator == "" {
		return nil, false
	}
	parts := strings.SplitN(value.Text, separator, maxParts+1)
	if len(parts) > maxParts {
		return nil, false
	}
	out := &tree.Node{Kind: tree.Seq, Pos: value.Pos}
	for _, part := range parts {
		out.Items = append(out.Items, put(value, part))
	}
	return out, true
}
