package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An excerpt shows people the line that a finding is about, with a caret below the
// place. Columns are those of a terminal.
type excerpt struct {
	width int  // of the terminal, in columns
	color bool // escape sequences are welcome
}

// tabWidth is how far tabs go in an excerpt.
const tabWidth = 4

// cut marks where a line goes on that is too long to be shown.
const cut = "…"

// of gives the two lines for the character col, counted from 1, of a line of a
// file. A place behind the end of the line is its end.
func (e excerpt) of(number int, line string, col int) string {
	margin := fmt.Sprintf("%5d | ", number)
	shown, at := e.window(cells(line), max(col, 1)-1, max(e.width-len(margin), 20))
	return margin + shown + "\n" + strings.Repeat(" ", len(margin)-2) + "| " + strings.Repeat(" ", at) + e.paint("1;32", "^") + "\n"
}

// paint gives a text a colour.
func (e excerpt) paint(code, text string) string {
	if !e.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// A cell is a character with what it takes on a terminal.
type cell struct {
	text  string
	width int
}

// cells makes a line safe to show and measures it: tabs become blanks, control
// characters a mark of their own.
func cells(line string) []cell {
	line = strings.TrimSuffix(line, "\r")
	out := make([]cell, 0, len(line))
	column := 0
	for _, r := range line {
		c := cell{string(r), runeWidth(r)}
		switch {
		case r == '\t':
			c.width = tabWidth - column%tabWidth
			c.text = strings.Repeat(" ", c.width)
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			c = cell{"\ufffd", 1}
		}
		column += c.width
		out = append(out, c)
	}
	return out
}

// window cuts a line round a character to the width, and gives the column of that
// character in it.
func (e excerpt) window(line []cell, at, width int) (shown string, column int) {
	at = min(at, len(line))
	first, last := 0, len(line)
	if measure(line) > width {
		first, last = at, at
		room := width - 2 - measure(line[at:min(at+1, len(line))])
		if at < len(line) {
			last = at + 1
		}
		for before := room / 2; first > 0 && before >= line[first-1].width; first-- {
			before -= line[first-1].width
			room -= line[first-1].width
		}
		for ; last < len(line) && room >= line[last].width; last++ {
			room -= line[last].width
		}
		for ; first > 0 && room >= line[first-1].width; first-- {
			room -= line[first-1].width
		}
	}
	var b strings.Builder
	if first > 0 {
		b.WriteString(cut)
		column = 1
	}
	for i := first; i < last; i++ {
		if i < at {
			column += line[i].width
		}
		b.WriteString(line[i].text)
	}
	if last < len(line) {
		b.WriteString(cut)
	}
	return strings.TrimRight(b.String(), " "), column
}

func measure(line []cell) int {
	n := 0
	for _, c := range line {
		n += c.width
	}
	return n
}

// wide are the characters that take two columns: those of East Asian scripts and
// pictures (Unicode's East Asian Width, W and F).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x231a, 0x231b, 1}, {0x2329, 0x232a, 1}, {0x23e9, 0x23ec, 1}, {0x25fd, 0x25fe, 1}, {0x2614, 0x2615, 1},
		{0x2648, 0x2653, 1}, {0x26a1, 0x26a1, 1}, {0x2705, 0x2705, 1}, {0x270a, 0x270b, 1}, {0x2728, 0x2728, 1}, {0x274c, 0x274c, 1},
		{0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2795, 0x2797, 1}, {0x2b1b, 0x2b1c, 1}, {0x2b50, 0x2b50, 1}, {0x2e80, 0x303e, 1},
		{0x3041, 0x33ff, 1}, {0x3400, 0x4dbf, 1}, {0x4e00, 0xa4cf, 1}, {0xa960, 0xa97c, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1},
		{0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x1f000, 0x1f02f, 1}, {0x1f0cf, 0x1f0cf, 1}, {0x1f18e, 0x1f19a, 1}, {0x1f200, 0x1f265, 1}, {0x1f300, 0x1f64f, 1},
		{0x1f680, 0x1f6ff, 1}, {0x1f7e0, 0x1f7eb, 1}, {0x1f90c, 0x1f9ff, 1}, {0x1fa70, 0x1faff, 1}, {0x20000, 0x3fffd, 1},
	},
}

// runeWidth is how many columns a character takes.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
