package ciyaml

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Reads is everything that a call of Load consumed, in the order of first use.
// A cached result of Load is as good as a new one while Current holds.
// Variables hold values: keep them out of logs.
type Reads struct {
	Files     []FileRead // the configuration file first
	Lists     []ListRead
	Variables []VariableRead
	Inputs    string // digest of the inputs given; "" without any
	Changes   string // digest of the modified files, if a rule asked for them
	Refs      []RefRead
	Remotes   []RemoteRead
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
	Set, Masked bool
}

// RefRead is a reference to another project and what it meant. Problem is
// ErrNoProject, ErrNoRef or ErrNoVersions when it meant nothing.
type RefRead struct {
	Reference Reference
	Commit    Commit
	Problem   error
}

// RemoteRead is a remote file and the digest of what was there, or why nothing
// was.
type RemoteRead struct{ Address, Digest string }

// Match reports whether Load, given in, would begin like the call that these
// are the reads of: the project, commit, path and inputs are the same, and the
// variables looked up have the same values. Files of a commit do not change.
func (r Reads) Match(in LoadInput) bool {
	if len(r.Files) == 0 {
		return false
	}
	if f := r.Files[0]; f.Project != in.Project || f.SHA != in.SHA || f.Path != in.Path {
		return false
	}
	for _, v := range r.Variables {
		if value, set := in.variable(v.Name); set != v.Set || value != v.Value || in.masked(v.Name) != v.Masked {
			return false
		}
	}
	return r.Inputs == inputsDigest(in.Inputs)
}

// Current reports whether Load would consume the same again, now and for the
// user that src stands for: Match holds, the event changed the same files, all
// references mean the same commits and may still be read, and remote files are
// what they were. An error is a failure of src.
func (r Reads) Current(ctx context.Context, src Source, in LoadInput) (bool, error) {
	if !r.Match(in) {
		return false, nil
	}
	if r.Changes != "" {
		digest, err := changesDigest(in)
		if err != nil || digest != r.Changes {
			return false, err
		}
	}
	for _, ref := range r.Refs {
		now, err := resolveRef(ctx, src, ref.Reference)
		if err != nil || now != ref {
			return false, err
		}
	}
	for _, remote := range r.Remotes {
		_, now, err := fetchRemote(ctx, src, remote.Address)
		if err != nil || now.Digest != remote.Digest {
			return false, err
		}
	}
	return true, nil
}

// Superseded reports whether a call with these reads need not be remembered once
// one with the other is: both began alike, and what they found elsewhere, if it
// differs, differs because time has passed.
func (r Reads) Superseded(by Reads) bool {
	if r.Inputs != by.Inputs || r.Changes != by.Changes || len(r.Refs) != len(by.Refs) || !slices.Equal(r.Variables, by.Variables) {
		return false
	}
	for i, ref := range r.Refs {
		if ref.Reference != by.Refs[i].Reference || (ref.Problem == nil) != (by.Refs[i].Problem == nil) {
			return false
		}
	}
	return slices.EqualFunc(r.Remotes, by.Remotes, func(a, b RemoteRead) bool { return a.Address == b.Address })
}

// resolveRef asks for a reference. What it does not mean is part of the answer.
func resolveRef(ctx context.Context, src Source, r Reference) (RefRead, error) {
	commit, err := src.Resolve(ctx, r)
	if err == nil {
		return RefRead{Reference: r, Commit: commit}, nil
	}
	for _, problem := range []error{ErrNoProject, ErrNoRef, ErrNoVersions} {
		if errors.Is(err, problem) {
			return RefRead{Reference: r, Problem: problem}, nil
		}
	}
	return RefRead{}, err
}

// fetchRemote asks for a remote file. That it cannot be had is part of the
// answer; else the content is not nil.
func fetchRemote(ctx context.Context, src Source, address string) ([]byte, RemoteRead, error) {
	content, err := src.Fetch(ctx, address)
	var remote *RemoteError
	switch {
	case errors.As(err, &remote):
		return nil, RemoteRead{address, remote.Problem}, nil
	case err != nil:
		return nil, RemoteRead{}, err
	}
	digest := sha256.Sum256(content)
	return append([]byte{}, content...), RemoteRead{address, hex.EncodeToString(digest[:])}, nil
}

// inputsDigest tells sets of inputs apart; the order of their names does not
// matter.
func inputsDigest(inputs []InputValue) string {
	if len(inputs) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(inputs), func(a, b InputValue) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, input := range sorted {
		writeField(h, input.Name)
		writeField(h, input.JSON)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// changesDigest is what an event changed.
func changesDigest(in LoadInput) (string, error) {
	paths, known, err := in.modified()
	switch {
	case err != nil:
		return "", err
	case !known:
		return "unknown", nil
	}
	h := sha256.New()
	for _, path := range paths {
		writeField(h, path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (in LoadInput) modified() (paths []string, known bool, err error) {
	if in.Modified == nil {
		return nil, false, nil
	}
	return in.Modified()
}

func writeField(h hash.Hash, s string) { fmt.Fprintf(h, "%d:%s", len(s), s) } // a hash never fails
