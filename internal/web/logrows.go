package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// A logRow is a line of a log as it is shown.
type logRow struct {
	Number  int64  // of the line, from 1
	Depth   int    // how many sections it is in
	Section bool   // it is the head of a section
	Closed  bool   // of one that is shown folded
	Time    string // when it was written, if the runner says so
	Took    string // of a section that has ended, how long it was open
	Spans   []span
}

// A sectionEnd says how long a section was open whose head was shown before.
type sectionEnd struct {
	Number int64  `json:"n"`
	Took   string `json:"k"`
}

// A section is one that is open.
type section struct {
	Name  string `json:"n"`
	Start int64  `json:"t"` // seconds since 1970
	Line  int64  `json:"l"` // of its head
}

// A logCursor is a place in a log, at the beginning of a line, with all that is
// needed to go on from there. A browser carries it between two connections.
type logCursor struct {
	Offset   int64     `json:"o"`
	Line     int64     `json:"n"` // of the line that begins here
	Style    style     `json:"s"`
	Sections []section `json:"q,omitempty"`
	Skipping bool      `json:"k,omitempty"` // in a line that was too long, to its end
}

// Limits of what is shown.
const (
	maxLine     = 16 << 10 // bytes of one line
	maxSections = 12       // one in the other
	maxName     = 100      // bytes of the name of a section
	maxCursor   = 4 << 10  // bytes of a cursor
)

// text gives the cursor as a browser carries it.
func (c *logCursor) text() string {
	data, err := json.Marshal(c)
	if err != nil { // cannot happen: numbers and texts always marshal
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// errCursor says that a cursor is not one of ours.
var errCursor = errors.New("not a place in a log")

// parseCursor reads a cursor back. Whatever is in it can only change how the log
// looks to whoever made it up.
func parseCursor(text string) (*logCursor, error) {
	if len(text) > maxCursor {
		return nil, errCursor
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, errCursor
	}
	c := &logCursor{}
	if err := json.Unmarshal(data, c); err != nil || c.Offset < 0 || c.Line < 1 || len(c.Sections) > maxSections || c.Style.Fore > 16 || c.Style.Back > 16 {
		return nil, errCursor
	}
	return c, nil
}

// rows shows what a log has from the cursor on and moves the cursor behind the last
// whole line. A last line that has not ended is shown, but stays to be shown again.
func (c *logCursor) rows(data []byte) (rows []logRow, ends []sectionEnd) {
	for len(data) > 0 {
		length := bytes.IndexByte(data, '\n')
		if length < 0 {
			if len(data) <= maxLine {
				if !c.Skipping {
					peek := *c
					peek.Sections = append([]section(nil), c.Sections...)
					rows, ends = peek.row(data, rows, ends)
				}
				return withoutBlank(rows, c.Line), ends
			}
			// It is too long to wait for its end: it is shown cut, and the rest is passed over.
			if !c.Skipping {
				rows, ends = c.row(data, rows, ends)
			}
			c.Offset, c.Skipping = c.Offset+int64(len(data)), true
			return rows, ends
		}
		if !c.Skipping {
			rows, ends = c.row(data[:length], rows, ends)
		}
		c.Offset, c.Line, c.Skipping = c.Offset+int64(length)+1, c.Line+1, false
		data = data[length+1:]
	}
	return rows, ends
}

// withoutBlank drops a last line that shows nothing and has not ended: runners end
// logs with a reset of colours behind the last line.
func withoutBlank(rows []logRow, line int64) []logRow {
	last := len(rows) - 1
	if last >= 0 && rows[last].Number == line && len(rows[last].Spans) == 0 && !rows[last].Section {
		return rows[:last]
	}
	return rows
}

// marker is what runners write around a section: section_start:TIME:NAME[OPTIONS]
// and a carriage return.
var marker = regexp.MustCompile(`section_(start|end):(\d{1,12}):([A-Za-z0-9_.-]+)(\[[^\]\r\n]*\])?\r`)

// stamp is what runners write before each line when they are told to: the time, the
// stream, and whether the line goes on with the one before.
var stamp = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z) [0-9a-fA-F]{2}[OE][ +]`)

// row shows one line.
func (c *logCursor) row(line []byte, rows []logRow, ends []sectionEnd) ([]logRow, []sectionEnd) {
	cut := len(line) > maxLine
	if cut {
		line = line[:maxLine]
	}
	text := string(line)
	row := logRow{Number: c.Line, Depth: len(c.Sections)}
	if m := stamp.FindStringSubmatch(text); m != nil {
		row.Time, text = m[1], text[len(m[0]):]
	}
	marked := false
	for {
		place := marker.FindStringSubmatchIndex(text)
		if place == nil {
			break
		}
		marked = true
		row.Spans = append(row.Spans, c.Style.spans(overwritten(text[:place[0]]))...)
		word := func(n int) string {
			if place[2*n] < 0 {
				return ""
			}
			return text[place[2*n]:place[2*n+1]]
		}
		when, err := strconv.ParseInt(word(2), 10, 64)
		if err == nil && word(1) == "start" {
			c.open(&row, word(3), word(4), when)
		} else if err == nil {
			ends = c.close(&row, rows, ends, word(3), when)
		}
		text = text[place[1]:]
	}
	row.Spans = append(row.Spans, c.Style.spans(overwritten(text))...)
	if cut {
		row.Spans = append(row.Spans, span{"d", " … (the line goes on: see the whole log)"})
	}
	if marked && len(row.Spans) == 0 && !row.Section {
		return rows, ends
	}
	return append(rows, row), ends
}

// open begins a section, whose head is this row.
func (c *logCursor) open(row *logRow, name, options string, when int64) {
	if len(c.Sections) >= maxSections || len(name) > maxName {
		return
	}
	if len(row.Spans) == 0 {
		row.Depth = len(c.Sections)
	}
	row.Section = true
	row.Closed = strings.Contains(options, "collapsed=true")
	c.Sections = append(c.Sections, section{name, when, row.Number})
}

// close ends a section, and those in it that were forgotten.
func (c *logCursor) close(row *logRow, rows []logRow, ends []sectionEnd, name string, when int64) []sectionEnd {
	for i := len(c.Sections) - 1; i >= 0; i-- {
		s := c.Sections[i]
		if s.Name != name {
			continue
		}
		c.Sections = c.Sections[:i]
		if len(row.Spans) == 0 {
			row.Depth = i
		}
		took := wholeSeconds(when - s.Start)
		for j := len(rows) - 1; j >= 0; j-- {
			if rows[j].Number == s.Line {
				rows[j].Took = took
				return ends
			}
		}
		return append(ends, sectionEnd{s.Line, took})
	}
	return ends
}

// overwritten is what a line shows at its end: a carriage return begins it anew, as
// progress bars do.
func overwritten(line string) string {
	line = strings.TrimRight(line, "\r")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		return line[i+1:]
	}
	return line
}
