package junit

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// A kind is what an element means at the place where it stands.
type kind int

const (
	other   kind = iota // nothing: what is in it is not looked at
	suites              // testsuites, at the root
	suite               // testsuite, at the root or in one of those
	test                // testcase in a suite
	failure             // these are in a testcase
	errored
	skipped
	systemOut
	systemErr
)

// below says what the elements in an element mean. The root lies in outside.
var below = map[kind]map[string]kind{
	suites: {"testcase": test, "testsuite": suite},
	suite:  {"testcase": test, "testsuite": suite},
	test: {
		"failure": failure, "error": errored, "skipped": skipped,
		"system-out": systemOut, "system_out": systemOut, "system-err": systemErr, "system_err": systemErr,
	},
}

// roots are the elements that a report may have at its root. Another root is a
// report without cases.
var roots = map[string]kind{"testsuites": suites, "testsuite": suite}

// An element is open.
type element struct {
	name    xml.Name
	line    int
	kind    kind
	suite   string // attribute name of a suite
	message string // attribute message of a failure, error or skip
	text    strings.Builder
}

// A draft is the case that is being read.
type draft struct {
	Case
	empty bool              // it has no attributes and no elements so far
	parts map[kind][]string // texts of what is in it; nil for most
	notes map[kind][]string // their messages, of those that have one
}

// A parser reads one file.
type parser struct {
	upload *upload
	xml    *xml.Decoder
	open   []*element
	draft  *draft // nil outside of cases
	rooted bool   // there was a root
}

func newParser(u *upload, r io.Reader) *parser {
	text := bufio.NewReader(r)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = text.Discard(3) // they were peeked at
	}
	d := xml.NewDecoder(text)
	d.CharsetReader = charset
	return &parser{upload: u, xml: d}
}

// A syntaxError says where a file is no XML, in the form of Nokogiri's.
type syntaxError struct {
	line, column int
	message      string
}

// Error implements error.
func (e *syntaxError) Error() string {
	return fmt.Sprintf("%d:%d: FATAL: %s", e.line, e.column, e.message)
}

// syntax makes an error at the place where the parser stands.
func (p *parser) syntax(format string, args ...any) error {
	line, column := p.xml.InputPos()
	return &syntaxError{line, column, fmt.Sprintf(format, args...)}
}

// parse reads to the end.
func (p *parser) parse() error {
	for {
		token, err := p.xml.RawToken()
		if errors.Is(err, io.EOF) {
			return p.end()
		}
		if err == nil {
			err = p.token(token)
		}
		if err != nil {
			return p.worded(err)
		}
	}
}

// end checks that the file may end here. Nothing at all is a report without cases.
func (p *parser) end() error {
	switch {
	case len(p.open) > 0:
		last := p.open[len(p.open)-1]
		return p.syntax("Premature end of data in tag %s line %d", last.name.Local, last.line)
	case !p.rooted && p.xml.InputOffset() > 0:
		return p.syntax("Document is empty")
	}
	return nil
}

// worded gives the decoder's errors a place and the words of libxml2.
func (p *parser) worded(err error) error {
	broken := (*xml.SyntaxError)(nil)
	switch {
	case !errors.As(err, &broken):
		return err
	case broken.Msg == "unexpected EOF" && len(p.open) > 0:
		return p.end()
	}
	return p.syntax("%s", broken.Msg)
}

// token takes the next piece of the file.
func (p *parser) token(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		return p.start(token)
	case xml.EndElement:
		return p.close(token)
	case xml.CharData:
		return p.text(token)
	}
	return nil // comments, instructions and document types say nothing
}

func (p *parser) start(token xml.StartElement) error {
	line, _ := p.xml.InputPos()
	e := &element{name: token.Name, line: line}
	switch depth := len(p.open); {
	case depth >= maxDepth:
		return p.syntax("Excessive depth in document: %d", maxDepth)
	case depth > 0:
		e.kind = below[p.open[depth-1].kind][token.Name.Local]
	case p.rooted:
		return p.syntax("Extra content at the end of the document")
	default:
		e.kind, p.rooted = roots[token.Name.Local], true
	}
	if p.draft != nil {
		p.draft.empty = false
	}
	switch e.kind {
	case suites, suite:
		e.suite = attribute(token, "name")
	case test:
		p.draft = &draft{empty: len(token.Attr) == 0, Case: Case{
			Suite: p.open[len(p.open)-1].suite, Name: attribute(token, "name"), Classname: attribute(token, "classname"),
			File: attribute(token, "file"), Time: seconds(attribute(token, "time")),
		}}
	case failure, errored, skipped:
		e.message = attribute(token, "message")
	case other, systemOut, systemErr:
	}
	p.open = append(p.open, e)
	return nil
}

// attribute is the value of an attribute, "" for one that is not there.
func attribute(token xml.StartElement, name string) string {
	for _, a := range token.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

func (p *parser) text(data xml.CharData) error {
	if len(p.open) == 0 {
		switch {
		case strings.TrimSpace(string(data)) == "":
			return nil
		case p.rooted:
			return p.syntax("Extra content at the end of the document")
		}
		return p.syntax("Start tag expected, '<' not found")
	}
	if e := p.open[len(p.open)-1]; e.kind >= failure {
		e.text.Write(data)
	}
	return nil
}

func (p *parser) close(token xml.EndElement) error {
	if len(p.open) == 0 {
		return p.syntax("Extra content at the end of the document")
	}
	e := p.open[len(p.open)-1]
	if e.name != token.Name {
		return p.syntax("Opening and ending tag mismatch: %s line %d and %s", e.name.Local, e.line, token.Name.Local)
	}
	p.open = p.open[:len(p.open)-1]
	switch {
	case e.kind == test:
		d := p.draft
		p.draft = nil
		if d.empty {
			return nil
		}
		return p.upload.add(d.finish())
	case e.kind >= failure:
		p.draft.put(e)
	}
	return nil
}

// put takes a failure, or whatever else is in a case. One without a text has its
// message for it.
func (d *draft) put(e *element) {
	text := e.text.String()
	if strings.TrimSpace(text) == "" && e.message != "" {
		text = e.message
	}
	if d.parts == nil {
		d.parts, d.notes = make(map[kind][]string), make(map[kind][]string)
	}
	d.parts[e.kind] = append(d.parts[e.kind], text)
	if e.message != "" {
		d.notes[e.kind] = append(d.notes[e.kind], e.message)
	}
}

// attachment finds the file that a test says it has written.
var attachment = regexp.MustCompile(`\[\[ATTACHMENT\|(.+?)\]\]`)

// finish makes the case of what was read. A failure counts before an error, and
// that before a skip; what a case printed is shown of the first two only.
func (d *draft) finish() Case {
	c := d.Case
	for _, end := range []struct {
		kind   kind
		status Status
	}{{failure, Failed}, {errored, Error}, {skipped, Skipped}} {
		parts, there := d.parts[end.kind]
		if !there {
			continue
		}
		c.Status, c.Message = end.status, strings.Join(d.notes[end.kind], "\n\n")
		if end.status == Skipped {
			c.Output = strings.Join(parts, "\n\n")
			return c
		}
		if out, there := d.parts[systemOut]; there {
			text := strings.Join(out, "\n\n")
			parts = append(parts, "System Out:\n\n"+text)
			if found := attachment.FindStringSubmatch(text); found != nil {
				c.Attachment = found[1]
			}
		}
		if out, there := d.parts[systemErr]; there {
			parts = append(parts, "System Err:\n\n"+strings.Join(out, "\n\n"))
		}
		c.Output = strings.Join(parts, "\n\n")
		return c
	}
	c.Status = Success
	return c
}
