package ciyaml

import (
	"regexp"
	"strings"
)

// compileRegexp compiles a pattern of RE2 with flags out of "ismU".
func compileRegexp(body, flags string) (*regexp.Regexp, error) {
	if flags != "" {
		body = "(?" + flags + ")" + body
	}
	return regexp.Compile(body)
}

// patternLiteral cuts /body/flags, and reports whether s has that form.
func patternLiteral(s string) (body, flags string, ok bool) {
	rest, found := strings.CutPrefix(s, "/")
	end := strings.LastIndexByte(rest, '/')
	if !found || end < 0 || strings.Trim(rest[end+1:], "ismU") != "" {
		return "", "", false
	}
	return rest[:end], rest[end+1:], true
}
