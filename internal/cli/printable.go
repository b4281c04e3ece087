package cli

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sequences are what a terminal acts on and a reader does not need: the markers of
// a log's sections, and escape sequences (ECMA-48: control sequences, strings, and
// the rest).
var sequences = regexp.MustCompile(`section_(?:start|end):[0-9]+:[^\r\n]*\r` +
	`|\x1b\[[0-?]*[ -/]*[@-~]` +
	`|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?` +
	`|\x1b[ -/]*[0-~]`)

// printable makes text from elsewhere, one line of it, safe and readable on any
// terminal: without escape sequences and control characters, which could do more
// than show something. Of a line that was overwritten the last state is kept, as on
// a terminal.
func printable(line string) string {
	line = strings.TrimRight(sequences.ReplaceAllString(line, ""), "\r\n")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, line)
	return strings.TrimRight(line, " \t")
}
