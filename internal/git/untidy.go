package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// When a repository is worth packing: git's own limits (gc.auto, gc.autoPackLimit).
const (
	manyLoose   = 6700
	manyPacks   = 50
	looseFan    = 256  // objects lie in as many folders, by their first byte
	looseSample = "17" // the folder that is counted for all
)

// Untidy reports whether Pack is worth its while for a repository. It looks into two
// folders: the number of loose objects is judged by one of the folders they are
// spread over.
func (s *Server) Untidy(project int64) (bool, error) {
	objects := filepath.Join(s.Path(project), "objects")
	loose, err := os.ReadDir(filepath.Join(objects, looseSample))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("count objects of project %d: %w", project, err)
	}
	packs, err := os.ReadDir(filepath.Join(objects, "pack"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("count packs of project %d: %w", project, err)
	}
	count := 0
	for _, e := range packs {
		if strings.HasSuffix(e.Name(), ".pack") {
			count++
		}
	}
	return len(loose) > manyLoose/looseFan || count > manyPacks, nil
}
