package ciyaml

import (
	"context"
	"errors"
)

// What a Source wraps when it does not give a file that it was asked for.
var (
	ErrNotExist = errors.New("no such file in this commit")
	ErrTooLarge = errors.New("file is larger than any configuration may be")
)

// Source reads the files of commits. It is declared here so that the compiler
// runs over git, a directory or a map alike.
type Source interface {
	// ReadFile returns the content of path at commit sha of project. The error
	// satisfies errors.Is(err, ErrNotExist) when the file is not there, and
	// errors.Is(err, ErrTooLarge) when it is beyond what the Source reads; every
	// other error is a failure that says nothing about the configuration.
	ReadFile(ctx context.Context, project, sha, path string) ([]byte, error)
	// Paths lists every file of that commit, sorted.
	Paths(ctx context.Context, project, sha string) ([]string, error)
}

// LoadInput says which configuration Load compiles.
type LoadInput struct {
	Project string // full path of the project
	SHA     string // commit that the file is read at
	Path    string // configuration file, from the root of the repository
	// Content, unless it is nil, is the configuration instead of what the file at
	// Path has; Path then only gives places their name. Reads do not tell such
	// contents apart: do not cache what comes of them.
	Content []byte
	// Variables looks up those usable in include (contract 3.2); nil means
	// none. Their values can appear in diagnostics, as part of a location, so
	// secret ones must be left out.
	Variables func(name string) (value string, set bool)
}

func (in LoadInput) variable(name string) (string, bool) {
	if in.Variables == nil {
		return "", false
	}
	return in.Variables(name)
}

// Reads is everything that a call of Load consumed, in the order of first use.
// A cached result of Load is as good as a new one while Match holds. Variables
// hold values: keep them out of logs.
type Reads struct {
	Files     []FileRead // the configuration file first
	Lists     []ListRead
	Variables []VariableRead
}

// FileRead is a file that Load asked for, whether it was there or not.
type FileRead struct {
	Project, SHA, Path string
	Found              bool
}

// ListRead is a commit of which Load asked the list of files.
type ListRead struct{ Project, SHA string }

// VariableRead is a variable that Load looked up and what it found.
type VariableRead struct {
	Name, Value string
	Set         bool
}

// Match reports whether Load, given in, would consume the same again: the
// project, commit and path are the same, and the variables looked up have the
// same values. Files of a commit do not change.
func (r Reads) Match(in LoadInput) bool {
	if len(r.Files) == 0 {
		return false
	}
	if f := r.Files[0]; f.Project != in.Project || f.SHA != in.SHA || f.Path != in.Path {
		return false
	}
	for _, v := range r.Variables {
		if value, set := in.variable(v.Name); set != v.Set || value != v.Value {
			return false
		}
	}
	return true
}
