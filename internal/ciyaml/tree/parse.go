package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	tooBig       = "The parsed YAML is too big"
	textTooBig   = "The provided YAML is too big"
	tooManyDocs  = "The parsed YAML has too many documents"
	documentLine = "---"
)

// Limits bounds what Parse accepts (contract 2.2).
type Limits struct {
	Bytes     int // of the text
	Nodes     int // values and keys of one document, aliases expanded
	Depth     int // of nesting, aliases expanded
	Documents int
}

// DefaultLimits returns GitLab's limits. GitLab bounds the memory of the
// parsed tree (2 MiB), in which no string takes fewer than 40 bytes; Nodes is
// that bound as a round number that refuses nothing GitLab accepts.
func DefaultLimits() Limits {
	return Limits{Bytes: 2 << 20, Nodes: 100_000, Depth: 100, Documents: 2}
}

// Parse reads the documents of a file, as Ruby's Psych would (see the package
// comment). A file without any value gives no document. The error is an
// *Error.
func Parse(file string, src []byte, lim Limits) ([]*Node, error) {
	if len(src) > lim.Bytes {
		return nil, &Error{Pos: Pos{File: file, Line: 1, Col: 1}, Message: textTooBig}
	}
	var docs []*Node
	for _, piece := range cut(bytes.TrimPrefix(src, []byte("\ufeff"))) {
		doc, err := parseDocument(file, piece, lim)
		if err != nil {
			return nil, err
		}
		if doc == nil {
			continue
		}
		if len(docs) == lim.Documents {
			return nil, &Error{Pos: doc.Pos, Message: tooManyDocs}
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// piece is the text between two document lines and the number of lines before.
type piece struct {
	text  []byte
	lines int
}

// cut divides the text at the lines that are exactly "---", wherever they
// stand: GitLab does so before any YAML parser sees the text.
func cut(src []byte) []piece {
	var out []piece
	start, startLine, line := 0, 0, 0
	add := func(end int) {
		if len(bytes.TrimSpace(src[start:end])) > 0 {
			out = append(out, piece{src[start:end], startLine})
		}
	}
	for at := 0; at < len(src); {
		end := len(src)
		if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
			end = at + i
		}
		next := min(end+1, len(src))
		line++
		if string(src[at:end]) == documentLine {
			add(at)
			start, startLine = next, line
		}
		at = next
	}
	add(len(src))
	return out
}

// parseDocument returns the first document of the piece, nil if there is none.
func parseDocument(file string, p piece, lim Limits) (*Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(p.text))
	if err != nil {
		return nil, fmt.Errorf("open YAML loader: %w", err)
	}
	var doc yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxError(file, p.lines, err)
	}
	root := &doc
	if doc.Kind == yaml.DocumentNode {
		root = doc.Content[0]
	}
	b := builder{file: file, lines: p.lines, limits: lim, anchors: map[*yaml.Node]*anchored{}}
	node, err := b.node(root, 1)
	if err != nil {
		return nil, err
	}
	if node.IsNull() {
		return nil, nil
	}
	return node, nil
}

// syntaxError puts the library's error in Psych's words.
func syntaxError(file string, lines int, err error) *Error {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return &Error{Pos: Pos{File: file}, Message: "(<unknown>): " + err.Error()}
	}
	if le.Stage == "composer" {
		if name, ok := strings.CutPrefix(le.Message, "unknown anchor '"); ok {
			name, _ = strings.CutSuffix(name, "' referenced")
			return &Error{
				Pos:     Pos{File: file, Line: lines + le.Mark.Line, Col: le.Mark.Column},
				Message: "Unknown alias: " + name,
			}
		}
	}
	what, at := le.Message, le.Mark
	if le.ContextMsg != "" {
		what += " " + le.ContextMsg
		at = le.ContextMark
	}
	return &Error{
		Pos:     Pos{File: file, Line: lines + le.Mark.Line, Col: le.Mark.Column},
		Message: fmt.Sprintf("(<unknown>): %s at line %d column %d", what, lines+at.Line, at.Column),
	}
}
