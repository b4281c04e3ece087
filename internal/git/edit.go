package git

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Modes as tree objects spell them.
const (
	modeFile       = "100644"
	modeExecutable = "100755"
	modeFolder     = "40000"
	modeSubmodule  = "160000"
)

// An editor changes a tree without unpacking it: it reads only the folders that a
// change goes through and makes new objects only for those.
type editor struct {
	read    func(sha string) ([]byte, error) // reads a tree object
	root    *folder
	objects []object // new blobs, then, after finish, new trees
}

// A folder is a tree object in memory.
type folder struct {
	entries map[string]*node
	changed bool
}

// A node is one entry of a folder.
type node struct {
	mode string
	sha  string
	sub  *folder // of a folder that was opened; then it counts, not sha
}

var errOccupied = errors.New("a file is in the way")

// newEditor starts from a tree, or from nothing when tree is empty.
func newEditor(tree string, read func(sha string) ([]byte, error)) (*editor, error) {
	e := &editor{read: read, root: &folder{entries: map[string]*node{}}}
	if tree == "" {
		return e, nil
	}
	var err error
	e.root, err = e.load(tree)
	return e, err
}

func (e *editor) load(sha string) (*folder, error) {
	raw, err := e.read(sha)
	if err != nil {
		return nil, err
	}
	f := &folder{entries: map[string]*node{}}
	for len(raw) > 0 {
		head, rest, ok := bytes.Cut(raw, []byte{0})
		mode, name, spaced := strings.Cut(string(head), " ")
		if !ok || !spaced || len(rest) < 20 {
			return nil, errors.New("tree " + sha + " is malformed")
		}
		f.entries[name] = &node{mode: mode, sha: hex.EncodeToString(rest[:20])}
		raw = rest[20:]
	}
	return f, nil
}

func (n *node) isFolder() bool { return n.mode == modeFolder || n.mode == "040000" }

// open reads a folder when it is needed for the first time.
func (e *editor) open(n *node) (*folder, error) {
	if n.sub != nil {
		return n.sub, nil
	}
	var err error
	n.sub, err = e.load(n.sha)
	return n.sub, err
}

// find returns what is at a path, or nil.
func (e *editor) find(path string) (*node, error) {
	f := e.root
	for {
		name, rest, deeper := strings.Cut(path, "/")
		n := f.entries[name]
		if !deeper || n == nil {
			return n, nil
		}
		if !n.isFolder() {
			return nil, nil
		}
		var err error
		if f, err = e.open(n); err != nil {
			return nil, err
		}
		path = rest
	}
}

// put places a file, making the folders on its way.
func (e *editor) put(path, mode, sha string) error { return e.putIn(e.root, path, mode, sha) }

func (e *editor) putIn(f *folder, path, mode, sha string) error {
	f.changed = true
	name, rest, deeper := strings.Cut(path, "/")
	if !deeper {
		f.entries[name] = &node{mode: mode, sha: sha}
		return nil
	}
	n := f.entries[name]
	if n == nil {
		n = &node{mode: modeFolder, sub: &folder{entries: map[string]*node{}}}
		f.entries[name] = n
	}
	if !n.isFolder() {
		return errOccupied
	}
	sub, err := e.open(n)
	if err != nil {
		return err
	}
	return e.putIn(sub, rest, mode, sha)
}

// remove takes away a file that find has found, and the folders that it leaves empty.
func (e *editor) remove(path string) error { return e.removeIn(e.root, path) }

func (e *editor) removeIn(f *folder, path string) error {
	f.changed = true
	name, rest, deeper := strings.Cut(path, "/")
	if !deeper {
		delete(f.entries, name)
		return nil
	}
	sub, err := e.open(f.entries[name])
	if err != nil {
		return err
	}
	if err := e.removeIn(sub, rest); err != nil {
		return err
	}
	if len(sub.entries) == 0 {
		delete(f.entries, name)
	}
	return nil
}

// blob adds a new file's content and returns its name.
func (e *editor) blob(content []byte) string {
	o := newObject("blob", content)
	e.objects = append(e.objects, o)
	return o.sha
}

// finish makes the objects of all changed folders and returns the root's name. The
// root is made even when nothing changed, since it may be new.
func (e *editor) finish() string { return e.finishFolder(e.root) }

func (e *editor) finishFolder(f *folder) string {
	for _, n := range f.entries {
		if n.sub != nil && n.sub.changed {
			n.sha = e.finishFolder(n.sub)
		}
	}
	// Git sorts folders as if their names ended in a slash.
	key := func(name string) string {
		if f.entries[name].isFolder() {
			return name + "/"
		}
		return name
	}
	names := slices.SortedFunc(maps.Keys(f.entries), func(a, b string) int { return strings.Compare(key(a), key(b)) })
	var data bytes.Buffer
	for _, name := range names {
		n := f.entries[name]
		sha, _ := hex.DecodeString(n.sha) // made by load or newObject: always 40 digits
		data.WriteString(n.mode + " " + name + "\x00")
		data.Write(sha)
	}
	o := newObject("tree", data.Bytes())
	e.objects = append(e.objects, o)
	return o.sha
}
