package ciyaml

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/inputs"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

const errNoSpec = "Given inputs not defined in the `spec` section of the included configuration file"

// A fileKey tells files apart: one of a commit, or one with an address, and by
// the name in messages that an include gives it.
type fileKey struct {
	origin origin
	path   string
	shown  string
}

// A file is one file as it was parsed, before inputs are put in.
type file struct {
	shown   string     // name in messages
	header  *tree.Node // document with the key spec; nil: there is none
	content *tree.Node // nil: there is none
}

// parse reads the documents of a file: a header, if the first of two has the
// key spec, and the content. Positions name the file as label.
func (l *loader) parse(key fileKey, label string, content []byte) (*file, Diagnostics) {
	if l.bytes += len(content); l.bytes > l.maxBytes {
		return nil, configError(tree.Pos{File: label, Line: 1, Col: 1}, errTotalSize)
	}
	if f, ok := l.files[key]; ok {
		return f, nil
	}
	digest := keyOf(label, key.shown, content)
	if l.in.Parsed != nil {
		if f := l.in.Parsed.get(digest); f != nil {
			l.files[key] = f
			return f, nil
		}
	}
	text, shield := content, &inputs.Shield{}
	if bytes.Contains(content, []byte("$[[")) && beginsWithHeader(content) { // elsewhere blocks mean nothing
		text, shield = inputs.NewShield(content)
	}
	docs, err := tree.Parse(label, text, tree.DefaultLimits())
	if err != nil {
		diags := l.treeError(err, key.shown)
		diags[0].Message = shield.Text(diags[0].Message)
		diags[0].Pos = clamp(diags[0].Pos, content)
		return nil, diags
	}
	f := &file{shown: key.shown}
	if hasHeader(docs) {
		f.header, docs = shield.Lift(docs[0]), docs[1:]
	}
	if len(docs) > 0 {
		f.content = shield.Lift(docs[0])
		if f.content.Kind != tree.Map {
			return nil, configError(f.content.Pos, fmt.Sprintf("`%s`: %s", key.shown, errFormat))
		}
	}
	l.files[key] = f
	if l.in.Parsed != nil {
		l.in.Parsed.put(digest, f, len(content))
	}
	return f, nil
}

// hasHeader reports whether the first of two documents is a header.
func hasHeader(docs []*tree.Node) bool { return len(docs) > 1 && isHeader(docs[0]) }

func isHeader(doc *tree.Node) bool { return doc.Kind == tree.Map && hasKey(doc, "spec") }

// beginsWithHeader reports whether the first document of a text, as GitLab
// cuts it, is a header, whatever the rest of it is.
func beginsWithHeader(content []byte) bool {
	var piece []byte
	for line := range bytes.Lines(content) {
		if strings.TrimSuffix(string(line), "\n") != "---" {
			piece = append(piece, line...)
			continue
		}
		text, _ := inputs.NewShield(piece)
		docs, err := tree.Parse("", text, tree.DefaultLimits())
		if err != nil {
			return false
		}
		if len(docs) > 0 {
			return isHeader(docs[0])
		}
		piece = piece[:0]
	}
	return false
}

func hasKey(n *tree.Node, key string) bool {
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			return true
		}
	}
	return false
}

// fill puts the given inputs into a file: of the content, every block that
// names an input or the component is replaced. A file without a header takes
// no inputs, and its blocks are left as they are.
func (l *loader) fill(f *file, at inclusion, given []tree.Pair) (*tree.Node, Diagnostics) {
	if f.header == nil {
		if len(given) > 0 {
			return nil, l.fileError(f, at.pos, inputs.Problem{Pos: given[0].KeyPos, Message: errNoSpec})
		}
		return f.content, nil
	}
	included, diags := l.specIncludes(f, at)
	if diags != nil {
		return nil, diags
	}
	spec, problems := inputs.ParseSpec(f.header, included)
	if len(problems) > 0 {
		return nil, l.fileError(f, at.pos, inputs.Join(problems))
	}
	values := inputs.Values{Variables: l.unmasked}
	if values.Inputs, problems = spec.Resolve(given, at.pos); len(problems) > 0 {
		return nil, l.fileError(f, at.pos, inputs.Join(problems))
	}
	if at.component != nil {
		values.Component = map[string]*tree.Node{}
		for _, field := range spec.Component {
			values.Component[field] = at.component.field(field)
		}
	}
	content, problems := values.Interpolate(f.content)
	if len(problems) > 0 {
		return nil, l.fileError(f, at.pos, inputs.Join(problems))
	}
	if content.IsNull() || content.Kind != tree.Map {
		return nil, l.fileError(f, at.pos, inputs.Problem{Pos: f.content.Pos, Message: errFormat})
	}
	return content, nil
}

// fileError is a problem of one file, named as GitLab names it.
func (l *loader) fileError(f *file, at tree.Pos, p inputs.Problem) Diagnostics {
	pos := p.Pos
	if pos.File == "" {
		pos = at
	}
	if pos.File == "" {
		pos = tree.Pos{File: l.in.Path, Line: 1, Col: 1}
	}
	return configError(pos, fmt.Sprintf("`%s`: %s", f.shown, p.Message))
}

// specIncludes reads the inputs of the files that spec:include names. They may
// have nothing but inputs.
func (l *loader) specIncludes(f *file, at inclusion) ([]tree.Pair, Diagnostics) {
	value := f.header.Get("spec").Get("include")
	if value.IsNull() {
		return nil, nil
	}
	list, diags := l.level(value, at.inside, specKinds)
	if diags != nil {
		return nil, diags
	}
	var pairs []tree.Pair
	for i := range list {
		included, diags := l.open(&list[i])
		if diags != nil {
			return nil, diags
		}
		for _, p := range included.content.Pairs {
			if p.Key != "inputs" {
				return nil, l.fileError(included, p.KeyPos, inputs.Problem{
					Pos: p.KeyPos, Message: "header:spec:include config contains unknown keys: " + p.Key,
				})
			}
		}
		if own := included.content.Get("inputs"); !own.IsNull() {
			pairs = append(pairs, own.Pairs...)
		}
	}
	return pairs, nil
}
