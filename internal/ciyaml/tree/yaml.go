package tree

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// YAML writes n as a document, the way Psych dumps it: block style, lists not
// indented below their key, strings quoted only where they must be, long lines
// folded at a blank behind column 80. Reading the text gives the same values.
// It is not ok when the text would be longer than limit bytes, since shared
// nodes are written each time they are met.
func (n *Node) YAML(limit int) (text string, ok bool) {
	w := &yamlWriter{limit: limit}
	w.write("---")
	w.value(n, 0, atRoot)
	w.write("\n")
	return w.String(), w.Len() <= limit
}

// lineWidth is the column behind which a blank may become a line break.
const lineWidth = 80

// yamlStep is how far a level is indented.
const yamlStep = 2

// longestKey is the length in bytes up to which a key stands before its colon;
// a longer one is written after a question mark.
const longestKey = 128

// A yamlWriter is one document on its way out.
type yamlWriter struct {
	strings.Builder
	limit  int
	column int // in characters
}

func (w *yamlWriter) write(s string) {
	w.WriteString(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		w.column, s = 0, s[i+1:]
	}
	w.column += utf8.RuneCountInString(s)
}

func (w *yamlWriter) newLine(indent int) { w.write("\n" + strings.Repeat(" ", indent)) }

// A yamlPlace says what a value is written behind.
type yamlPlace int

const (
	atRoot yamlPlace = iota
	afterKey
	afterDash
)

// value writes a value behind "---", "key:" or "-", whose own line is indented
// by indent.
func (w *yamlWriter) value(n *Node, indent int, at yamlPlace) {
	if w.Len() > w.limit {
		return
	}
	switch {
	case n.IsNull():
	case n.Kind == Map && len(n.Pairs) == 0:
		w.write(" {}")
	case n.Kind == Map:
		w.pairs(n, indent, at)
	case n.Kind == Seq && len(n.Items) == 0:
		w.write(" []")
	case n.Kind == Seq:
		w.items(n.Items, indent, at)
	case n.Kind == Reference:
		w.write(" !reference")
		w.items(n.Items, indent, afterKey)
	default:
		w.write(" ")
		w.scalar(n, indent+yamlStep)
	}
}

// inner is the indentation of what belongs to a line that is indented by indent.
func inner(indent int, at yamlPlace) int {
	if at == atRoot {
		return indent
	}
	return indent + yamlStep
}

func (w *yamlWriter) pairs(n *Node, indent int, at yamlPlace) {
	indent = inner(indent, at)
	for i, p := range n.Pairs {
		if i == 0 && at == afterDash {
			w.write(" ")
		} else {
			w.newLine(indent)
		}
		w.key(p.Key, indent)
		w.value(p.Value, indent, afterKey)
	}
}

func (w *yamlWriter) items(items []*Node, indent int, at yamlPlace) {
	if at == afterDash {
		indent += yamlStep
	}
	for i, item := range items {
		if i == 0 && at == afterDash {
			w.write(" ")
		} else {
			w.newLine(indent)
		}
		w.write("-")
		w.value(item, indent, afterDash)
	}
}

// key writes a key with its colon. Keys are strings to GitLab, whatever they look
// like.
func (w *yamlWriter) key(key string, indent int) {
	shape := analyze(key)
	if len(key) > longestKey || shape.breaks {
		w.write("? ")
		w.text(key, shape, indent+yamlStep, true)
		w.newLine(indent)
		w.write(":")
		return
	}
	style := shape.choose(key)
	if key == "" || style == literal {
		style = singleQuoted
	}
	w.styled(key, style, indent, false)
	w.write(":")
}

func (w *yamlWriter) scalar(n *Node, indent int) {
	if n.Kind != String {
		w.write(plainScalar(n))
		return
	}
	w.text(n.Text, analyze(n.Text), indent, true)
}

// plainScalar writes a boolean or a number.
func plainScalar(n *Node) string {
	switch {
	case n.Kind != Float:
	case n.Text == "Infinity":
		return ".inf"
	case n.Text == "-Infinity":
		return "-.inf"
	case n.Text == "NaN":
		return ".nan"
	}
	return n.Text
}

func (w *yamlWriter) text(s string, shape textShape, indent int, fold bool) {
	w.styled(s, shape.choose(s), indent, fold)
}

func (w *yamlWriter) styled(s string, style scalarStyle, indent int, fold bool) {
	switch style {
	case plainStyle:
		w.folded(s, indent, fold, "")
	case singleQuoted:
		w.write("'")
		w.folded(strings.ReplaceAll(s, "'", "''"), indent, fold, "'")
		w.write("'")
	case doubleQuoted:
		w.escaped(s, indent, fold)
	case literal:
		w.block(s, indent)
	}
}

// folded writes a plain or quoted text. A line break in it is written twice,
// since one alone reads as a blank.
func (w *yamlWriter) folded(s string, indent int, fold bool, quote string) {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if i > 0 {
			if lines[i-1] != "" || i == 1 {
				w.write("\n")
			}
			w.write("\n")
			if line != "" || i == len(lines)-1 {
				w.write(strings.Repeat(" ", indent))
			}
		}
		w.words(line, indent, fold, quote != "")
	}
}

// words writes one line of a text, with a line break for a single blank behind
// the width.
func (w *yamlWriter) words(line string, indent int, fold, quoted bool) {
	start := 0
	for i := 0; i < len(line); i++ {
		if line[i] != ' ' {
			continue
		}
		alone := (i == 0 || line[i-1] != ' ') && i+1 < len(line) && line[i+1] != ' '
		if quoted && i == 0 {
			alone = false
		}
		width := w.column + utf8.RuneCountInString(line[start:i])
		if fold && alone && width > lineWidth {
			w.write(line[start:i])
			w.newLine(indent)
			start = i + 1
		}
	}
	w.write(line[start:])
}

// escapes are the short forms of characters in double quotes.
var escapes = map[rune]string{
	0: `\0`, 7: `\a`, 8: `\b`, 9: `\t`, 10: `\n`, 11: `\v`, 12: `\f`, 13: `\r`, 0x1b: `\e`, '"': `\"`, '\\': `\\`,
	0x85: `\N`, 0xa0: `\_`, 0x2028: `\L`, 0x2029: `\P`,
}

// escaped writes a text in double quotes.
func (w *yamlWriter) escaped(s string, indent int, fold bool) {
	w.write(`"`)
	blank := false // the character before was one
	for i, r := range s {
		escape, short := escapes[r]
		switch {
		case short && (r != 0xa0):
			w.write(escape)
		case r == ' ' && fold && !blank && w.column > lineWidth && i > 0 && i < len(s)-1:
			w.newLine(indent)
			if s[i+1] == ' ' {
				w.write(`\`)
			}
		case printable(r):
			w.write(string(r))
		case r > 0xffff:
			w.write(fmt.Sprintf(`\U%08X`, r))
		case r > 0xff:
			w.write(fmt.Sprintf(`\u%04X`, r))
		default:
			w.write(fmt.Sprintf(`\x%02X`, r))
		}
		blank = r == ' '
	}
	w.write(`"`)
}

// block writes a text as it is, behind a bar.
func (w *yamlWriter) block(s string, indent int) {
	w.write("|")
	if s[0] == ' ' || s[0] == '\n' {
		w.write(fmt.Sprint(yamlStep))
	}
	body, ends := strings.CutSuffix(s, "\n")
	switch {
	case !ends:
		w.write("-")
	case strings.HasSuffix(body, "\n"):
		w.write("+")
	}
	lines := strings.Split(body, "\n")
	if strings.HasSuffix(body, "\n") { // what follows supplies the last break
		lines = lines[:len(lines)-1]
		defer w.write("\n")
	}
	for _, line := range lines {
		w.write("\n")
		if line != "" {
			w.write(strings.Repeat(" ", indent) + line)
		}
	}
}

// A scalarStyle is how a string is written.
type scalarStyle int

const (
	plainStyle scalarStyle = iota
	singleQuoted
	doubleQuoted
	literal
)

// A textShape says in which styles a string can be written, as libyaml finds it.
type textShape struct {
	plain, single, block bool
	breaks               bool // it has line breaks
}

// analyze looks a string through.
func analyze(s string) textShape {
	if s == "" {
		return textShape{plain: true, single: true}
	}
	t := textShape{plain: !indicates(s), single: true, block: true}
	var before rune
	for _, r := range s {
		switch {
		case r == '\n':
			t.breaks, t.plain = true, false
			if before == ' ' { // no style but the last keeps that blank
				t.single, t.block = false, false
			}
		case r == ' ' && before == '\n':
			t.plain, t.single = false, false
		case !printable(r):
			t.plain, t.single, t.block = false, false, false
		}
		before = r
	}
	if s[0] == ' ' || before == ' ' || before == '\n' {
		t.plain = false
	}
	t.block = t.block && before != ' '
	return t
}

// indicates reports whether a plain string in block style would read as something
// else than a string of these characters.
func indicates(s string) bool {
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		return true
	}
	blank := func(i int) bool { return i >= len(s) || strings.IndexByte(" \t\n\r", s[i]) >= 0 }
	switch c := s[0]; {
	case strings.IndexByte("#,[]{}&*!|>'\"%@`", c) >= 0, strings.IndexByte("?:-", c) >= 0 && blank(1):
		return true
	}
	for i := 1; i < len(s); i++ {
		if s[i] == ':' && blank(i+1) || s[i] == '#' && blank(i-1) {
			return true
		}
	}
	return false
}

// printable reports whether libyaml writes a character as it is. What is beyond
// the first plane it escapes.
func printable(r rune) bool {
	switch {
	case r == '\n', r >= 0x20 && r <= 0x7e, r == 0x85:
		return true
	case r >= 0xa0 && r <= 0xd7ff:
		return true
	}
	return r >= 0xe000 && r <= 0xfffd && r != 0xfeff
}

var (
	// innerBreak is a line break that more text follows.
	innerBreak = regexp.MustCompile(`\n(?:[^\n]|\n[^\n]|\n\n)`)
	// oddStart is a line that starts with no letter, digit or underscore and has
	// no double quote.
	oddStart = regexp.MustCompile(`(?m)^[^\pL\pM\pN\p{Pc}"][^"\n]*$`)
	// octalLike is what other readers than Psych take for a number.
	octalLike = regexp.MustCompile(`^0[0-7]*\.[0-9]`)
)

// choose is Psych's choice of a style, made possible by libyaml's.
func (t textShape) choose(s string) scalarStyle {
	style := wanted(s)
	if style == plainStyle && !t.plain {
		style = singleQuoted
	}
	if style == literal && !t.block || style == singleQuoted && !t.single {
		style = doubleQuoted
	}
	return style
}

// wanted is the style that Psych asks for.
func wanted(s string) scalarStyle {
	switch {
	case innerBreak.MatchString(s):
		return literal
	case s == "<<":
		return singleQuoted
	case s == "y", s == "Y", s == "n", s == "N", oddStart.MatchString(s):
		return doubleQuoted
	case !readsAsItself(s), octalLike.MatchString(s):
		return singleQuoted
	}
	return plainStyle
}

// readsAsItself reports whether a plain scalar of these characters is this string.
func readsAsItself(s string) bool {
	kind, text, class := resolve(s)
	return kind == String && class == "" && text == s
}
