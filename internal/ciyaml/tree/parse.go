package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v4"
)

const (
	tooBig      = "The parsed YAML is too big"
	textTooBig  = "The provided YAML is too big"
	tooManyDocs = "The parsed YAML has too many documents"
)

// Limits bounds what Parse accepts (contract 2.2).
type Limits struct {
	Bytes     int // of the text, and of all scalars, aliases expanded
	Nodes     int // values and keys of one document, aliases expanded
	Depth     int // of lists and maps one in another, aliases expanded
	Documents int
}

// DefaultLimits returns GitLab's limits. GitLab bounds the memory of the
// parsed tree (2 MiB), in which no string takes fewer than 40 bytes; Nodes is
// that bound as a round number, high enough to refuse nothing that GitLab
// accepts.
func DefaultLimits() Limits {
	return Limits{Bytes: 2 << 20, Nodes: 100_000, Depth: 100, Documents: 2}
}

// Parse reads the documents of a file, the way that the package comment tells.
// A byte order mark is dropped. The text is cut at lines that are exactly
// "---"; of what is left of a piece only the first document is read, as in
// GitLab. Pieces without any value are no documents, so a file of comments
// gives none. The file name only serves positions. The error is an *Error.
func Parse(file string, src []byte, lim Limits) ([]*Node, error) {
	if len(src) > lim.Bytes {
		return nil, &Error{Pos: Pos{File: file, Line: 1, Col: 1}, Message: textTooBig}
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if err := checkText(file, src); err != nil {
		return nil, err
	}
	var docs []*Node
	for _, p := range cut(src) {
		doc, err := parseDocument(file, p, lim)
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

// piece is the text between two cuts and the number of lines before it.
type piece struct {
	text  []byte
	lines int
}

// cut divides the text at the lines that are exactly "---", even inside a
// block scalar: GitLab does so before any YAML parser sees the text.
func cut(src []byte) []piece {
	var out []piece
	start, startLine, line := 0, 0, 0
	add := func(end int) {
		if len(bytes.TrimSpace(src[start:end])) > 0 {
			out = append(out, piece{src[start:end], startLine})
		}
	}
	for at := 0; at < len(src); {
		end, next := len(src), len(src)
		if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
			end, next = at+i, at+i+1
		}
		line++
		if string(src[at:end]) == "---" {
			add(at)
			start, startLine = next, line
		}
		at = next
	}
	add(len(src))
	return out
}

// parseDocument returns the first document of the piece, nil if it has none or
// an empty one.
func parseDocument(file string, p piece, lim Limits) (*Node, error) {
	doc, err := load(p.text)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, syntaxError(file, p.lines, err)
	}
	if doc.Kind == yaml.DocumentNode {
		doc = doc.Content[0]
	}
	b := builder{file: file, lines: p.lines, limits: lim, anchors: map[*yaml.Node]*anchored{}}
	node, err := b.node(doc, 1)
	if err != nil || node.IsNull() {
		return nil, err
	}
	return node, nil
}

// maxRepairs is how many comments of one document load puts a blank before,
// and maxRepaired how many bytes it reads again for that.
const (
	maxRepairs  = 20
	maxRepaired = 1 << 20
)

// load lets the library read one document. The library refuses a comment that
// touches the value before it ('x'#c), which libyaml reads.
func load(text []byte) (*yaml.Node, error) {
	for repairs := 0; ; repairs++ {
		loader, err := yaml.NewLoader(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("open YAML loader: %w", err)
		}
		var doc yaml.Node
		err = loader.Load(&doc)
		if err == nil {
			return &doc, nil
		}
		var le *yaml.LoadError
		if !errors.As(err, &le) || le.Message != "found a comment without preceding whitespace" ||
			repairs == maxRepairs || repairs*len(text) > maxRepaired {
			return nil, err
		}
		at := offsetOf(text, le.Mark)
		if at < 0 || text[at] != '#' {
			return nil, err
		}
		text = slices.Insert(bytes.Clone(text), at, ' ')
	}
}
