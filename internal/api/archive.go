package api

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// maxDirectory is how large the directory of an archive may be that is looked
// into, in bytes: some hundred thousand files. It has to fit into memory.
const maxDirectory = 16 << 20

// checkDirectory reads from the end of a zip file how large its directory is, and
// refuses one that is too large before all of it is read.
func checkDirectory(file io.ReaderAt, size int64) error {
	const record, comment = 22, 1<<16 - 1 // of the end record, and what may follow it
	tail := make([]byte, min(size, record+comment))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return fmt.Errorf("read end of archive: %w", err)
	}
	i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if i < 0 || len(tail)-i < record {
		return notAnArchive(zip.ErrFormat)
	}
	if binary.LittleEndian.Uint32(tail[i+12:]) > maxDirectory {
		return ci.BadRequest("The archive has too many files to look into")
	}
	return nil
}

// notAnArchive is the answer when a file is asked for out of what is no zip file.
func notAnArchive(cause error) error {
	return &ci.Error{Kind: ci.KindNotFound, Message: "404 Not Found", Err: fmt.Errorf("open archive: %w", cause)}
}

// insideArchive reports whether name can be a file of an archive: it climbs
// nowhere.
func insideArchive(name string) bool {
	return name != "" && name == path.Clean(name) && name[0] != '/' && name != ".." && !strings.HasPrefix(name, "../") && name != "."
}

// treeEntry is a line of the tree of an archive.
type treeEntry struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Type string `json:"type"`
	Size *int64 `json:"size"`
	Mode string `json:"mode"`
}

// archiveTree gives the entries below a folder, sorted by path. Folders that the
// archive only implies are entries too.
func archiveTree(files []*zip.File, folder string, recursive bool) []treeEntry {
	entries := map[string]treeEntry{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name, "/")
		below, ok := name, folder == ""
		if !ok {
			below, ok = strings.CutPrefix(name, folder+"/")
		}
		if !ok || below == "" {
			continue
		}
		parts := strings.Split(below, "/")
		for i := range parts {
			if i > 0 && !recursive {
				break
			}
			full := path.Join(folder, strings.Join(parts[:i+1], "/"))
			if i < len(parts)-1 || f.Mode().IsDir() {
				entries[full] = treeEntry{Name: parts[i], Path: full + "/", Type: "directory", Mode: "040755"}
				continue
			}
			size := int64(f.UncompressedSize64)
			entries[full] = treeEntry{Name: parts[i], Path: full, Type: "file", Size: &size, Mode: fmt.Sprintf("10%04o", f.Mode().Perm())}
		}
	}
	list := make([]treeEntry, 0, len(entries))
	for _, e := range entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b treeEntry) int { return strings.Compare(a.Path, b.Path) })
	return list
}
