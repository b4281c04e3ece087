package ciyaml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/inputs"
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
// like a right one; only a result with CodeInternal or CodeTimeout must not be.
func Load(ctx context.Context, src Source, in LoadInput) (*Config, Reads, Diagnostics) {
	l := newLoader(ctx, src, in)
	config, diags := l.load()
	return config, l.reads, diags
}

func (l *loader) load() (*Config, Diagnostics) {
	root, diags := l.rootFile()
	if diags != nil {
		return nil, diags
	}
	own := root.Pos
	if root, diags = l.include(root, origin{project: l.in.Project, sha: l.in.SHA}); diags != nil {
		return nil, diags
	}
	if root.Pos != own { // nothing but includes: it is still this file that makes a pipeline
		moved := *root
		moved.Pos, root = own, &moved
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
	asked     map[FileRead]bool      // in reads.Files
	variables map[string]int         // names in reads.Variables
	refs      map[Reference]RefRead  // in reads.Refs
	paths     map[ListRead][]string  // of commits that were listed
	remotes   map[string]*remoteFile // by address
	files     map[fileKey]*file      // that were parsed

	includes int // so far, nested ones and repetitions included
	bytes    int // read so far

	merged   *tree.Node // what is compiled, for Inspect
	included []Include
}

func newLoader(ctx context.Context, src Source, in LoadInput) *loader {
	return &loader{
		ctx: ctx, src: src, in: in, maxBytes: maxTotalBytes, reads: Reads{Inputs: inputsDigest(in.Inputs)},
		asked: map[FileRead]bool{}, variables: map[string]int{}, refs: map[Reference]RefRead{},
		paths: map[ListRead][]string{}, remotes: map[string]*remoteFile{}, files: map[fileKey]*file{},
	}
}

// rootFile reads the file that the input names and puts in its inputs.
func (l *loader) rootFile() (*tree.Node, Diagnostics) {
	start := tree.Pos{File: l.in.Path, Line: 1, Col: 1}
	own := origin{project: l.in.Project, sha: l.in.SHA}
	if l.in.Content != nil {
		return l.givenFile(start, l.in.Content)
	}
	content, err := l.read(own, l.in.Path)
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
	f, diags := l.parse(fileKey{own, l.in.Path, l.in.Path}, l.in.Path, content)
	switch {
	case diags != nil:
		return nil, diags
	case f.content == nil:
		return nil, configError(start, fmt.Sprintf("`%s`: %s", l.in.Path, errFormat))
	}
	return l.fillRoot(f)
}

// fillRoot puts the inputs of the caller into the configuration file.
func (l *loader) fillRoot(f *file) (*tree.Node, Diagnostics) {
	given, err := l.in.given()
	if err != nil {
		return nil, l.fileError(f, tree.Pos{}, inputs.Problem{Message: "Given inputs must be a hash"})
	}
	own := origin{project: l.in.Project, sha: l.in.SHA}
	return l.fill(f, inclusion{origin: own, inside: own}, given)
}

// treeError turns an error of package tree about the merged configuration into
// a diagnostic, or about one file, which is shown under a name. GitLab puts the
// name before what it says of a file, except before the size of the
// configuration file itself.
func (l *loader) treeError(err error, shown string) Diagnostics {
	var te *tree.Error
	if !errors.As(err, &te) {
		return Diagnostics{{Pos: tree.Pos{File: l.in.Path, Line: 1, Col: 1}, Code: CodeInternal, Message: err.Error()}}
	}
	pos := te.Pos
	if pos.File == "" {
		pos.File = l.in.Path
	}
	pos.Line, pos.Col = max(pos.Line, 1), max(pos.Col, 1)
	message := te.Message
	if shown != "" && (pos.File != l.in.Path || !strings.HasSuffix(message, " YAML is too big")) {
		message = fmt.Sprintf("`%s`: %s", shown, message)
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
func (l *loader) read(at origin, path string) ([]byte, error) {
	content, err := l.src.ReadFile(l.ctx, at.project, at.sha, path)
	told := err == nil || errors.Is(err, ErrNotExist) || errors.Is(err, ErrTooLarge)
	read := FileRead{at.project, at.sha, path, !errors.Is(err, ErrNotExist)}
	if told && !l.asked[read] {
		l.asked[read] = true
		l.reads.Files = append(l.reads.Files, read)
	}
	return content, err
}

// list asks the Source for the files of a commit, once. Where there is no
// commit there are no files.
func (l *loader) list(at origin) ([]string, error) {
	key := ListRead{at.project, at.sha}
	paths, listed := l.paths[key]
	if listed || at.project == "" {
		return paths, nil
	}
	paths, err := l.src.Paths(l.ctx, at.project, at.sha)
	if err != nil {
		return nil, err
	}
	l.paths[key] = paths
	l.reads.Lists = append(l.reads.Lists, key)
	return paths, nil
}

// resolve asks the Source for a reference, once.
func (l *loader) resolve(r Reference) (RefRead, error) {
	if read, ok := l.refs[r]; ok {
		return read, nil
	}
	read, err := resolveRef(l.ctx, l.src, r)
	if err != nil {
		return RefRead{}, err
	}
	l.refs[r] = read
	l.reads.Refs = append(l.reads.Refs, read)
	return read, nil
}

// variable looks up a variable usable in include and notes its value.
func (l *loader) variable(name string) (string, bool) {
	if i, ok := l.variables[name]; ok {
		return l.reads.Variables[i].Value, l.reads.Variables[i].Set
	}
	value, set := l.in.variable(name)
	l.variables[name] = len(l.reads.Variables)
	l.reads.Variables = append(l.reads.Variables, VariableRead{name, value, set, l.in.masked(name)})
	return value, set
}

// unmasked is variable for what ends up in the configuration, where everybody who
// may see a job reads it: the values of masked variables stay out.
func (l *loader) unmasked(name string) (string, bool) {
	value, set := l.variable(name)
	if l.in.masked(name) {
		return "", false
	}
	return value, set
}

// failure reports an error of the Source, which is nobody's configuration.
func (l *loader) failure(pos tree.Pos, err error) Diagnostics {
	d := Diagnostic{Pos: pos, Code: CodeInternal, Message: fmt.Sprintf("read configuration: %v", err)}
	if errors.Is(err, context.DeadlineExceeded) {
		d.Code, d.Message = CodeTimeout, errTimeout
	}
	return Diagnostics{d}
}

func blank(content []byte) bool { return len(bytes.TrimSpace(content)) == 0 }
