package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sweep deletes what crashes left behind and what was last touched more than
// olderThan before now: removed repositories, half made ones, temporary objects and
// packs, half received pushes, and lock files, which would block their ref for ever.
// It returns how many it deleted. Other processes may be at work in the same folder,
// so olderThan must be longer than any push takes.
func (s *Server) Sweep(ctx context.Context, olderThan time.Duration, now time.Time) (int, error) {
	sw := &sweeper{before: now.Add(-olderThan)}
	sw.each(filepath.Join(s.root, trashName), func(string) bool { return true })
	for _, fan := range sw.folders(s.root) {
		if len(filepath.Base(fan)) != 2 {
			continue
		}
		sw.each(fan, func(name string) bool { return strings.Contains(name, newMark) })
		for _, dir := range sw.folders(fan) {
			if err := ctx.Err(); err != nil {
				return sw.removed, err
			}
			if strings.HasSuffix(dir, ".git") {
				sw.repository(dir)
			}
		}
	}
	if sw.err != nil {
		return sw.removed, fmt.Errorf("sweep repositories: %w", sw.err)
	}
	return sw.removed, nil
}

// A sweeper counts and collects errors on its way.
type sweeper struct {
	before  time.Time
	removed int
	err     error
}

// note remembers an error; that something is gone already is none.
func (sw *sweeper) note(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		sw.err = errors.Join(sw.err, err)
	}
}

func (sw *sweeper) repository(dir string) {
	isLock := func(name string) bool { return strings.HasSuffix(name, ".lock") }
	sw.each(dir, isLock)
	sw.each(filepath.Join(dir, "objects"), func(name string) bool { return strings.HasPrefix(name, "tmp_") })
	sw.each(filepath.Join(dir, "objects", "pack"), func(name string) bool { return strings.HasPrefix(name, "tmp_") })
	err := filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			sw.each(path, isLock)
		}
		sw.note(err)
		return nil
	})
	sw.note(err)
}

// each removes the entries of one folder that are ours and old.
func (sw *sweeper) each(dir string, ours func(name string) bool) {
	entries, err := os.ReadDir(dir)
	sw.note(err)
	for _, e := range entries {
		if !ours(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			sw.note(err)
			continue
		}
		if info.ModTime().After(sw.before) {
			continue
		}
		err = os.RemoveAll(filepath.Join(dir, e.Name()))
		sw.note(err)
		if err == nil {
			sw.removed++
		}
	}
}

// folders lists the folders in dir.
func (sw *sweeper) folders(dir string) []string {
	entries, err := os.ReadDir(dir)
	sw.note(err)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names
}
