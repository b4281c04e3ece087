// Package expand replaces references to variables in texts, the way GitLab's
// server does it for fields such as tags, include:local or workflow:name.
//
// A reference is $NAME, ${NAME} or %NAME%, where NAME is a letter or an
// underscore followed by letters, digits and underscores. $$ and %% are left
// as they are, and so is the name after them: undoing the escape is the work
// of the runner's shell. A value that is put in is not looked at again; values
// that refer to other variables are brought into order by Sort first.
//
// A short text can ask for a very long one: references beyond 128 KiB of
// result, which is more than an environment can carry, are left as they stand.
package expand

import (
	"slices"
	"strings"
)

// Lookup returns the value of a variable and whether it is set.
type Lookup = func(name string) (value string, set bool)

// maxResult is the length of a result from which references are left alone.
const maxResult = 128 << 10

// All replaces every reference, unknown ones by nothing.
func All(s string, lookup Lookup) string {
	return replace(s, func(name, _ string) string {
		value, _ := lookup(name)
		return value
	})
}

// Existing replaces the references to variables that are set and leaves the
// others as they stand.
func Existing(s string, lookup Lookup) string {
	return replace(s, func(name, reference string) string {
		if value, set := lookup(name); set {
			return value
		}
		return reference
	})
}

// Names returns the names that s refers to, in order of first appearance, once
// each.
func Names(s string) []string {
	var names []string
	var seen map[string]bool // once there are many
	for at := 0; ; {
		start, end, name := find(s, at)
		if start < 0 {
			return names
		}
		at = end
		if name == "" || seen[name] || seen == nil && slices.Contains(names, name) {
			continue
		}
		names = append(names, name)
		if seen == nil && len(names) == 16 {
			seen = map[string]bool{}
			for _, n := range names {
				seen[n] = true
			}
		}
		if seen != nil {
			seen[name] = true
		}
	}
}

// replace calls with for each reference in s and puts its answer in place.
func replace(s string, with func(name, reference string) string) string {
	if !strings.ContainsAny(s, "$%") {
		return s
	}
	var b strings.Builder
	at := 0
	for {
		start, end, name := find(s, at)
		if start < 0 {
			if at == 0 {
				return s
			}
			b.WriteString(s[at:])
			return b.String()
		}
		b.WriteString(s[at:start])
		put := s[start:end]
		if name != "" {
			put = with(name, put)
		}
		if b.Len()+len(put) > maxResult {
			put = s[start:end]
		}
		b.WriteString(put)
		at = end
	}
}

// find returns the first reference, or escape ($$ or %%, without a name), of s
// from offset at on; start is -1 if there is none.
func find(s string, at int) (start, end int, name string) {
	for ; ; at++ {
		i := strings.IndexAny(s[at:], "$%")
		if i < 0 {
			return -1, -1, ""
		}
		at += i
		rest := s[at+1:]
		switch {
		case rest == "":
			return -1, -1, ""
		case rest[0] == s[at]:
			return at, at + 2, ""
		case s[at] == '%':
			if n := nameLen(rest); n > 0 && n < len(rest) && rest[n] == '%' {
				return at, at + n + 2, rest[:n]
			}
		case rest[0] == '{':
			if n := nameLen(rest[1:]); n > 0 && n+1 < len(rest) && rest[n+1] == '}' {
				return at, at + n + 3, rest[1 : n+1]
			}
		default:
			if n := nameLen(rest); n > 0 {
				return at, at + n + 1, rest[:n]
			}
		}
	}
}

// nameLen returns the length of the variable name at the start of s.
func nameLen(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
