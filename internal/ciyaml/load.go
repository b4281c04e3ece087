package ciyaml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

const (
	errTooBig     = "The parsed YAML is too big"
	errTextTooBig = "The provided YAML is too big"
	errTotalSize  = "Total size of combined CI/CD configuration is too big"
	errFormat     = "Invalid configuration format"
	errTimeout    = "Request timed out when fetching configuration files."
)

// maxTotalBytes bounds the configuration with everything it includes.
const maxTotalBytes = 314_572_800

// Load compiles the configuration that in names, as far as no event is needed
// to do so (see the package comment). The Config is nil when the diagnostics
// have an Error. YAML, include, extends and !reference stop at their first
// error; all errors of the entries are reported together; the checks of
// stages, dependencies and needs, which follow only if the entries have none,
// stop at the first again (contract, section 0).
//
// Reads is complete in any case, so that a wrong configuration can be cached
// like a right one; only a result with CodeInternal must not be.
func Load(ctx context.Context, src Source, in LoadInput) (*Config, Reads, Diagnostics) {
	l := newLoader(ctx, src, in)
	config, diags := l.load()
	return config, l.reads, diags
}

func newLoader(ctx context.Context, src Source, in LoadInput) *loader {
	return &loader{
		ctx: ctx, src: src, in: in, maxBytes: maxTotalBytes,
		docs: map[string]*tree.Node{}, asked: map[string]bool{}, variables: map[string]int{},
	}
}

func (l *loader) load() (*Config, Diagnostics) {
	root, diags := l.rootFile()
	if diags != nil {
		return nil, diags
	}
	if root, diags = l.include(root); diags != nil {
		return nil, diags
	}
	if root, diags = resolveExtends(root); diags != nil {
		return nil, diags
	}
	root, err := tree.ResolveReferences(root)
	if err != nil {
		return nil, l.treeError(err, "")
	}
	l.merged = root
	return compile(root)
}

// A loader is one call of Load.
type loader struct {
	ctx      context.Context
	src      Source
	in       LoadInput
	maxBytes int

	reads     Reads
	asked     map[string]bool // paths in reads.Files
	variables map[string]int  // names in reads.Variables

	docs     map[string]*tree.Node // parsed files by path
	paths    []string              // of the commit, once listed
	listed   bool
	includes int // so far, nested ones and repetitions included
	bytes    int // read so far

	merged   *tree.Node // what is compiled, for Inspect
	included []Include
}

// rootFile reads and parses the file that the input names.
func (l *loader) rootFile() (*tree.Node, Diagnostics) {
	start := tree.Pos{File: l.in.Path, Line: 1, Col: 1}
	if l.in.Content != nil {
		return l.givenFile(start, l.in.Content)
	}
	content, err := l.read(l.in.Path)
	switch {
	case errors.Is(err, ErrNotExist):
		return nil, Diagnostics{{
			Pos: start, Code: CodeMissingConfig, Message: "Missing CI config file",
			Hint: fmt.Sprintf("there is no %q at commit %s", l.in.Path, l.in.SHA),
		}}
	case errors.Is(err, ErrTooLarge):
		return nil, configError(start, errTextTooBig)
	case err != nil:
		return nil, l.failure(start, err)
	case blank(content):
		return nil, configError(start, fmt.Sprintf("Local file `%s` is empty!", l.in.Path))
	}
	root, diags := l.parse(l.in.Path, content)
	if diags == nil && root == nil {
		diags = configError(start, fmt.Sprintf("`%s`: %s", l.in.Path, errFormat))
	}
	return root, diags
}

// parse returns the content of a file, nil when it has none but comments.
func (l *loader) parse(file string, content []byte) (*tree.Node, Diagnostics) {
	if l.bytes += len(content); l.bytes > l.maxBytes {
		return nil, configError(tree.Pos{File: file, Line: 1, Col: 1}, errTotalSize)
	}
	if doc, ok := l.docs[file]; ok {
		return doc, nil
	}
	docs, err := tree.Parse(file, content, tree.DefaultLimits())
	if err != nil {
		diags := l.treeError(err, file)
		diags[0].Pos = clamp(diags[0].Pos, content)
		return nil, diags
	}
	if len(docs) == 0 {
		l.docs[file] = nil
		return nil, nil
	}
	doc := docs[0]
	if len(docs) > 1 && doc.Kind == tree.Map {
		for _, p := range doc.Pairs {
			if p.Key == "spec" {
				return nil, Diagnostics{unsupported(p.KeyPos, "spec")}
			}
		}
	}
	if doc.Kind != tree.Map {
		return nil, configError(doc.Pos, fmt.Sprintf("`%s`: %s", file, errFormat))
	}
	l.docs[file] = doc
	return doc, nil
}

// treeError turns an error of package tree into a diagnostic. GitLab puts the
// file's name before what it says of a file, except before the size of the
// configuration file itself.
func (l *loader) treeError(err error, file string) Diagnostics {
	var te *tree.Error
	if !errors.As(err, &te) {
		return Diagnostics{{Pos: tree.Pos{File: file, Line: 1, Col: 1}, Code: CodeInternal, Message: err.Error()}}
	}
	pos := te.Pos
	if pos.File == "" {
		pos.File = l.in.Path
	}
	pos.Line, pos.Col = max(pos.Line, 1), max(pos.Col, 1)
	message := te.Message
	if file != "" && (file != l.in.Path || !strings.HasSuffix(message, " YAML is too big")) {
		message = fmt.Sprintf("`%s`: %s", file, message)
	}
	return configError(pos, message)
}

// clamp moves a place behind the end of a text, where a parser may have given
// up, to its end.
func clamp(pos tree.Pos, content []byte) tree.Pos {
	lines := bytes.Split(content, []byte("\n"))
	if pos.Line > len(lines) {
		pos.Line, pos.Col = len(lines), utf8.RuneCount(lines[len(lines)-1])+1
	}
	return pos
}

// read asks the Source for a file and notes that it did.
func (l *loader) read(path string) ([]byte, error) {
	content, err := l.src.ReadFile(l.ctx, l.in.Project, l.in.SHA, path)
	told := err == nil || errors.Is(err, ErrNotExist) || errors.Is(err, ErrTooLarge)
	if told && !l.asked[path] {
		l.asked[path] = true
		l.reads.Files = append(l.reads.Files, FileRead{l.in.Project, l.in.SHA, path, !errors.Is(err, ErrNotExist)})
	}
	return content, err
}

// list asks the Source for the files of the commit, once.
func (l *loader) list() ([]string, error) {
	if !l.listed {
		paths, err := l.src.Paths(l.ctx, l.in.Project, l.in.SHA)
		if err != nil {
			return nil, err
		}
		l.paths, l.listed = paths, true
		l.reads.Lists = append(l.reads.Lists, ListRead{l.in.Project, l.in.SHA})
	}
	return l.paths, nil
}

// variable looks up a variable usable in include and notes its value.
func (l *loader) variable(name string) (string, bool) {
	if i, ok := l.variables[name]; ok {
		return l.reads.Variables[i].Value, l.reads.Variables[i].Set
	}
	value, set := l.in.variable(name)
	l.variables[name] = len(l.reads.Variables)
	l.reads.Variables = append(l.reads.Variables, VariableRead{name, value, set})
	return value, set
}

// failure reports an error of the Source, which is nobody's configuration.
func (l *loader) failure(pos tree.Pos, err error) Diagnostics {
	d := Diagnostic{Pos: pos, Code: CodeInternal, Message: fmt.Sprintf("read configuration: %v", err)}
	if errors.Is(err, context.DeadlineExceeded) {
		d.Message = errTimeout
	}
	return Diagnostics{d}
}

func blank(content []byte) bool { return len(bytes.TrimSpace(content)) == 0 }
