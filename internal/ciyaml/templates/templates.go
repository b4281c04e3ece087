// Package templates holds the files that include:template names.
//
// They are small and say what most projects want said: which events make a
// pipeline, and how to build or test a program in a few languages. A template
// is included under its path below files, such as
// Workflows/Branch-Pipelines.gitlab-ci.yml.
package templates

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

//go:embed files
var files embed.FS

const folder = "files/"

// Read returns the template of that name, and whether there is one.
func Read(name string) ([]byte, bool) {
	if !strings.HasSuffix(name, ".gitlab-ci.yml") || !fs.ValidPath(name) {
		return nil, false
	}
	content, err := files.ReadFile(folder + name)
	return content, err == nil
}

// Names lists the templates in alphabetical order. The caller must not change
// the list.
var Names = sync.OnceValue(func() []string {
	var names []string
	// An embedded tree can be walked, and the walk returns no error of its own.
	_ = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(path, folder))
		}
		return err
	})
	slices.Sort(names)
	return names
})
