package ciyaml

import (
	"context"
	"errors"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// What a Source wraps when it does not give what it was asked for.
var (
	ErrNotExist = errors.New("no such file in this commit")
	ErrTooLarge = errors.New("file is larger than any configuration may be")

	// Of Resolve, and ErrNoRef of an Input, too.
	ErrNoProject  = errors.New("no such project, or nobody may read it")
	ErrNoRef      = errors.New("no such branch, tag or commit")
	ErrNoVersions = errors.New("project has no versions")
)

// Source reads the files of commits, and what else a configuration can
// include. It is declared here so that the compiler runs over git, a directory
// or a map alike. A Source stands for one user: what that user may not read is
// not there.
type Source interface {
	// ReadFile returns the content of path at commit sha of project. The error
	// satisfies errors.Is(err, ErrNotExist) when the file is not there, and
	// errors.Is(err, ErrTooLarge) when it is beyond what the Source reads; every
	// other error is a failure that says nothing about the configuration.
	ReadFile(ctx context.Context, project, sha, path string) ([]byte, error)
	// Paths lists every file of that commit, sorted.
	Paths(ctx context.Context, project, sha string) ([]string, error)
	// Resolve finds the commit that a reference means now, if the user may read
	// the code of its project. Its errors wrap ErrNoProject, ErrNoRef or, for a
	// version, ErrNoVersions; others are failures.
	Resolve(ctx context.Context, r Reference) (Commit, error)
	// Fetch returns what is at an address of include:remote. The error is a
	// *RemoteError, or a failure.
	Fetch(ctx context.Context, address string) ([]byte, error)
}

// Reference names a commit of another project, as an include writes it.
type Reference struct {
	Project string // full path
	Ref     string // branch, tag or commit; "" is the head of the default branch
	// Version says that Ref is ~latest or a part of a semantic version, such as
	// 1 or 1.2, which means the newest version that begins like it: see
	// LatestVersion.
	Version bool
	// Public says that nobody in particular asks: only what everybody may read
	// counts. It is so for what a remote file or a template includes.
	Public bool
}

// Commit is a commit of a project.
type Commit struct {
	Project string // full path
	SHA     string
	Name    string // of the tag that a version was found in
}

// RemoteError says why a remote file could not be had. Its text is the end of
// GitLab's sentence, such as "HTTP code `404` error!".
type RemoteError struct{ Problem string }

// Error returns the problem.
func (e *RemoteError) Error() string { return "fetch remote file: " + e.Problem }

// The problems of a RemoteError that have no number in them.
const (
	RemoteSocket  = "could not be fetched because of a socket error!"
	RemoteTimeout = "could not be fetched because of a timeout error!"
	RemoteHTTP    = "could not be fetched because of HTTP error!"
	RemoteBlocked = "could not be fetched because URL is blocked: Requests to the local network are not allowed!"
)

// LoadInput says which configuration Load compiles.
type LoadInput struct {
	Project string // full path of the project
	SHA     string // commit that the file is read at
	Path    string // configuration file, from the root of the repository
	// Content, unless it is nil, is the configuration instead of what the file at
	// Path has; Path then only gives places their name. Reads do not tell such
	// contents apart: do not cache what comes of them.
	Content []byte
	Host    string // of this server, with the port if it has one: what include:component begins with
	// Inputs are the values for spec:inputs of the configuration file.
	Inputs []InputValue
	// Parsed remembers files that were parsed before; nil remembers none.
	Parsed *FileCache
	// Variables looks up those usable in include (contract 3.2); nil means
	// none. Their values can appear in diagnostics, as part of a location, so
	// secret ones must be left out.
	Variables func(name string) (value string, set bool)
	// Masked reports whether a variable is a masked one, which interpolation leaves
	// alone; nil means that none is.
	Masked func(name string) bool
	// Modified lists the files that the event changed, for changes in
	// include:rules; nil means that it is unknown.
	Modified func() (paths []string, known bool, err error)
}

// InputValue is one input as a caller gives it.
type InputValue struct {
	Name string
	JSON string // any JSON value
}

func (in LoadInput) variable(name string) (string, bool) {
	if in.Variables == nil {
		return "", false
	}
	return in.Variables(name)
}

func (in LoadInput) masked(name string) bool { return in.Masked != nil && in.Masked(name) }

// given returns the inputs as values without a place.
func (in LoadInput) given() ([]tree.Pair, error) {
	var out []tree.Pair
	for _, input := range in.Inputs {
		value, err := tree.FromJSON(tree.Pos{}, []byte(input.JSON), tree.DefaultLimits())
		if err != nil {
			return nil, err
		}
		out = append(out, tree.Pair{Key: input.Name, Value: value})
	}
	return out, nil
}
