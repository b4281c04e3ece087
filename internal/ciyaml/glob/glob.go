// Package glob matches paths against the patterns of rules:changes,
// rules:exists and include:local: the dialect of Ruby's File.fnmatch with
// PATHNAME, DOTMATCH and EXTGLOB.
//
//   - any run of characters without "/", leading dots too
//     **/        zero or more directories; "**" elsewhere is like "*"
//     ?          one character other than "/"
//     [a-z]      one character of a set; [^a] and [!a] one outside it
//     {a,b}      either alternative; may be nested and may contain "/"
//     \x         the character x itself
//
// So "a/**" matches one level below a only, and "a/**/*" everything below it.
// A pattern with unbalanced "{" matches nothing, as in Ruby.
package glob

import "strings"

// These bound what braces may expand to, in texts and in bytes copied on the
// way: {a,b}{a,b}… doubles with every pair. A pattern beyond them matches
// nothing.
const (
	maxAlternatives = 1000
	maxCopied       = 4 << 20
)

// Match reports whether pattern matches the whole of path.
func Match(pattern, path string) bool {
	return Compile(pattern).Match(path)
}

// Pattern is a pattern with its braces expanded, for use on many paths. The
// zero Pattern matches nothing.
type Pattern struct {
	alternatives []string
}

// Compile prepares a pattern. Every text is a pattern.
func Compile(pattern string) Pattern {
	if strings.IndexByte(pattern, '{') < 0 {
		return Pattern{alternatives: []string{pattern}}
	}
	var e expander
	if !e.expand(pattern) {
		return Pattern{}
	}
	return Pattern{alternatives: e.alternatives}
}

// Match reports whether the pattern matches the whole of path.
func (p Pattern) Match(path string) bool {
	for _, alternative := range p.alternatives {
		if matchPath(alternative, path) {
			return true
		}
	}
	return false
}

// matchPath matches a pattern without braces, one directory after the other.
func matchPath(pattern, path string) bool {
	// Where to go on when a directory does not match: after the last "**/",
	// with one more directory skipped.
	var retry bool
	var retryPattern, retryPath string
	for {
		for strings.HasPrefix(pattern, "**/") {
			pattern = pattern[len("**/"):]
			retry, retryPattern, retryPath = true, pattern, path
		}
		restPattern, restPath, ok := matchName(pattern, path)
		if ok {
			if restPattern == "" && restPath == "" {
				return true
			}
			if restPattern != "" && restPath != "" {
				pattern, path = restPattern[1:], restPath[1:]
				continue
			}
		}
		if !retry {
			return false
		}
		slash := strings.IndexByte(retryPath, '/')
		if slash < 0 {
			return false
		}
		retryPath = retryPath[slash+1:]
		pattern, path = retryPattern, retryPath
	}
}
