package web

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A span is a piece of a line of a log that looks the same all along. Class holds
// names of the style sheet and nothing that a job wrote; Text is plain.
type span struct {
	Class string
	Text  string
}

// A style is how the text of a log looks from some point on: the part of the
// terminal's sequences for colours that pages know. Colours are 1 + the number in
// the palette of sixteen; 0 stands for none.
type style struct {
	Bold      bool  `json:"b,omitempty"`
	Faint     bool  `json:"d,omitempty"`
	Italic    bool  `json:"i,omitempty"`
	Underline bool  `json:"u,omitempty"`
	Inverse   bool  `json:"r,omitempty"`
	Strike    bool  `json:"x,omitempty"`
	Fore      uint8 `json:"f,omitempty"`
	Back      uint8 `json:"g,omitempty"`
}

// class gives the names for the style sheet.
func (s style) class() string {
	if s == (style{}) {
		return ""
	}
	var names []string
	for _, flag := range []struct {
		on   bool
		name string
	}{{s.Bold, "b"}, {s.Faint, "d"}, {s.Italic, "i"}, {s.Underline, "u"}, {s.Strike, "x"}} {
		if flag.on {
			names = append(names, flag.name)
		}
	}
	fore, back := s.Fore, s.Back
	if s.Inverse {
		names = append(names, "r")
	}
	if fore > 0 && fore <= 16 {
		names = append(names, "f"+strconv.Itoa(int(fore-1)))
	}
	if back > 0 && back <= 16 {
		names = append(names, "g"+strconv.Itoa(int(back-1)))
	}
	return strings.Join(names, " ")
}

// spans takes a line apart. It understands colours and nothing else of what
// terminals do: every other sequence, and every control character, is left out. The
// style goes on with the next line.
func (s *style) spans(line string) []span {
	var out []span
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, span{s.class(), text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == 0x1b:
			length, colours, ok := escape(line[i:])
			if ok {
				flush()
				s.apply(colours)
			}
			i += length
		case c == '\t' || c >= 0x20 && c < 0x7f:
			text.WriteByte(c)
			i++
		case c < 0x20 || c == 0x7f:
			i++
		default:
			r, size := utf8.DecodeRuneInString(line[i:])
			if shown(r) {
				text.WriteRune(r) // what is not UTF-8 becomes U+FFFD
			}
			i += size
		}
	}
	flush()
	return out
}

// shown leaves out characters that are commands: C1 controls, and those that turn
// the direction of a text, with which a log could show what it does not say.
func shown(r rune) bool {
	return r > 0x9f && (r < 0x202a || r > 0x202e) && (r < 0x2066 || r > 0x2069) && r != 0x2028 && r != 0x2029
}

// escape measures the sequence that begins a text, and gives the parameters of one
// that sets colours. A sequence that is cut off takes the rest of the text.
func escape(text string) (length int, colours string, ok bool) {
	if len(text) < 2 {
		return len(text), "", false
	}
	switch text[1] {
	case '[':
		for i := 2; i < len(text); i++ {
			switch c := text[i]; {
			case c >= 0x40 && c <= 0x7e:
				return i + 1, text[2:i], c == 'm'
			case c < 0x20 || c > 0x3f: // not a sequence after all
				return i, "", false
			}
		}
		return len(text), "", false
	case ']', 'P', 'X', '^', '_': // a string up to its end: titles, links, what not
		for i := 2; i < len(text); i++ {
			if text[i] == 0x07 {
				return i + 1, "", false
			}
			if text[i] == 0x1b && i+1 < len(text) && text[i+1] == '\\' {
				return i + 2, "", false
			}
		}
		return len(text), "", false
	}
	i := 1
	for i < len(text) && text[i] >= 0x20 && text[i] <= 0x2f {
		i++
	}
	if i < len(text) && text[i] < 0x80 {
		i++
	}
	return i, "", false
}

// apply changes the style by the parameters of a sequence.
func (s *style) apply(parameters string) {
	numbers := strings.FieldsFunc(parameters+";", func(r rune) bool { return r == ';' || r == ':' })
	if strings.Trim(parameters, ";0") == "" {
		*s = style{}
		return
	}
	for i := 0; i < len(numbers); i++ {
		n, err := strconv.Atoi(numbers[i])
		if err != nil {
			return
		}
		switch {
		case n == 38 || n == 48:
			colour, used := wideColour(numbers[i+1:])
			if n == 38 {
				s.Fore = colour
			} else {
				s.Back = colour
			}
			i += used
		case n >= 30 && n <= 37:
			s.Fore = uint8(n - 30 + 1)
		case n >= 90 && n <= 97:
			s.Fore = uint8(n - 90 + 9)
		case n >= 40 && n <= 47:
			s.Back = uint8(n - 40 + 1)
		case n >= 100 && n <= 107:
			s.Back = uint8(n - 100 + 9)
		default:
			s.flag(n)
		}
	}
}

// flag applies a parameter that is not a colour.
func (s *style) flag(n int) {
	switch n {
	case 0:
		*s = style{}
	case 1:
		s.Bold = true
	case 2:
		s.Faint = true
	case 3:
		s.Italic = true
	case 4:
		s.Underline = true
	case 7:
		s.Inverse = true
	case 9:
		s.Strike = true
	case 21, 22:
		s.Bold, s.Faint = false, false
	case 23:
		s.Italic = false
	case 24:
		s.Underline = false
	case 27:
		s.Inverse = false
	case 29:
		s.Strike = false
	case 39:
		s.Fore = 0
	case 49:
		s.Back = 0
	}
}

// wideColour reads the colour behind 38 or 48, of the palette of 256 or of red,
// green and blue, and gives the nearest of the sixteen that the style sheet has
// with enough contrast.
func wideColour(numbers []string) (colour uint8, used int) {
	at := func(i int) int {
		if i >= len(numbers) {
			return 0
		}
		n, err := strconv.Atoi(numbers[i])
		if err != nil {
			return 0
		}
		return min(max(n, 0), 255)
	}
	switch at(0) {
	case 5:
		return palette(at(1)), min(2, len(numbers))
	case 2:
		return nearest(at(1), at(2), at(3)), min(4, len(numbers))
	}
	return 0, min(1, len(numbers))
}

// palette gives the nearest of the sixteen for a colour of the palette of 256.
func palette(n int) uint8 {
	switch {
	case n < 16:
		return uint8(n + 1)
	case n >= 232:
		grey := 8 + 10*(n-232)
		return nearest(grey, grey, grey)
	}
	steps := [6]int{0, 95, 135, 175, 215, 255}
	n -= 16
	return nearest(steps[n/36], steps[n/6%6], steps[n%6])
}

// nearest gives the one of the sixteen that is nearest in hue: a bit for each of
// red, green and blue, and the bright half for light colours.
func nearest(r, g, b int) uint8 {
	most := max(r, g, b)
	if most < 48 {
		return 1
	}
	if most-min(r, g, b) < 32 { // grey
		switch {
		case most < 128:
			return 9
		case most < 224:
			return 8
		}
		return 16
	}
	colour := 0
	for bit, part := range []int{r, g, b} {
		if part*2 > most {
			colour |= 1 << bit
		}
	}
	if most >= 224 {
		colour += 8
	}
	return uint8(colour + 1)
}
