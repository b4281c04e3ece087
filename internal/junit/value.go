package junit

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number is the part of a text that Ruby's to_f reads.
var number = regexp.MustCompile(`^\s*([+-]?[0-9](?:_?[0-9])*(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9]+)?|[+-]?\.[0-9](?:_?[0-9])*)`)

// maxSeconds keeps the sum of all times a number.
const maxSeconds = 1e12

// seconds reads a time as far as it is a number, as GitLab does; 0 otherwise.
func seconds(text string) float64 {
	if len(text) > 64 {
		text = text[:64]
	}
	if value, err := strconv.ParseFloat(text, 64); err == nil && value >= 0 && value <= maxSeconds { // nearly always
		return value
	}
	found := number.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(strings.ReplaceAll(found[1], "_", ""), 64)
	if err != nil {
		return 0 // out of range
	}
	return min(max(value, -maxSeconds), maxSeconds)
}

// upper are the characters 0x80 to 0x9f of Windows-1252; those that it lacks are
// control characters, as browsers read them.
const upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"

// charset gives the characters of a file that says it is not UTF-8. A file that
// says it has 16 bits each has not, or its first line could not be read: programs
// write that by mistake into UTF-8.
func charset(label string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "utf-16", "us-ascii", "ascii":
		return input, nil
	case "iso-8859-1", "latin1", "windows-1252", "cp1252":
		return &western{from: bufio.NewReader(input)}, nil
	}
	return nil, fmt.Errorf("unsupported encoding %s", label)
}

// A western reader turns single bytes into UTF-8.
type western struct {
	from  *bufio.Reader
	rest  []byte // of a character, still to be given
	space [utf8.UTFMax]byte
}

// upperRunes are the characters of upper.
var upperRunes = []rune(upper)

// Read implements io.Reader.
func (w *western) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(w.rest) > 0 {
			moved := copy(p[n:], w.rest)
			n, w.rest = n+moved, w.rest[moved:]
			continue
		}
		if n > 0 && w.from.Buffered() == 0 {
			return n, nil
		}
		b, err := w.from.ReadByte()
		if err != nil {
			return n, err
		}
		if b < utf8.RuneSelf {
			p[n] = b
			n++
			continue
		}
		r := rune(b)
		if b < 0xa0 {
			r = upperRunes[b-0x80]
		}
		w.rest = utf8.AppendRune(w.space[:0], r)
	}
	return n, nil
}
