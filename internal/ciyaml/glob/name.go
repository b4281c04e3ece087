package glob

import (
	"strings"
	"unicode/utf8"
)

// matchName matches pattern against path up to the next "/" or end of both,
// and returns what is left of them from there.
func matchName(pattern, path string) (restPattern, restPath string, ok bool) {
	// Where to go on when a character does not match: after the last "*", which
	// then takes one character more.
	var star bool
	var starPattern, starPath string
	for {
		if strings.HasPrefix(pattern, "*") {
			pattern = strings.TrimLeft(pattern, "*")
			if atEnd(unescape(pattern)) {
				return unescape(pattern), fromSlash(path), true
			}
			if atEnd(path) {
				return "", "", false
			}
			star, starPattern, starPath = true, pattern, path
			continue
		}
		if atEnd(unescape(pattern)) && atEnd(path) {
			return unescape(pattern), path, true
		}
		if p, s, ok := matchOne(pattern, path); ok {
			pattern, path = p, s
			continue
		}
		if !star || atEnd(starPath) {
			return "", "", false
		}
		starPath = skip(starPath)
		pattern, path = starPattern, starPath
	}
}

// matchOne matches the first character of path and returns what follows.
func matchOne(pattern, path string) (restPattern, restPath string, ok bool) {
	if atEnd(path) || pattern == "" {
		return "", "", false
	}
	switch pattern[0] {
	case '?':
		return pattern[1:], skip(path), true
	case '[':
		r, n := utf8.DecodeRuneInString(path)
		rest, ok := matchSet(pattern[1:], r)
		return rest, path[n:], ok
	}
	pattern = unescape(pattern)
	if atEnd(pattern) {
		return "", "", false
	}
	_, n := utf8.DecodeRuneInString(pattern)
	if !strings.HasPrefix(path, pattern[:n]) {
		return "", "", false
	}
	return pattern[n:], path[n:], true
}

// matchSet matches r against the set whose "[" was just read and returns what
// follows the "]". An empty or unclosed set matches nothing.
func matchSet(pattern string, r rune) (rest string, ok bool) {
	negated := pattern != "" && (pattern[0] == '!' || pattern[0] == '^')
	if negated {
		pattern = pattern[1:]
	}
	found := false
	for !strings.HasPrefix(pattern, "]") {
		low, rest, ok := setChar(pattern)
		if !ok {
			return "", false
		}
		high := low
		if len(rest) >= 2 && rest[0] == '-' && rest[1] != ']' {
			if high, rest, ok = setChar(rest[1:]); !ok {
				return "", false
			}
		}
		pattern = rest
		found = found || low <= r && r <= high
	}
	return pattern[1:], found != negated
}

// setChar returns the character at the start of pattern, escape undone.
func setChar(pattern string) (r rune, rest string, ok bool) {
	pattern = strings.TrimPrefix(pattern, `\`)
	if pattern == "" {
		return 0, "", false
	}
	r, n := utf8.DecodeRuneInString(pattern)
	return r, pattern[n:], true
}

func atEnd(s string) bool { return s == "" || s[0] == '/' }

// unescape drops the backslash before the next character; one at the very end
// stands for nothing.
func unescape(s string) string { return strings.TrimPrefix(s, `\`) }

func skip(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[n:]
}

func fromSlash(s string) string {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[i:]
	}
	return ""
}
