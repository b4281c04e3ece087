// Package disk keeps blobs as files: blob ab12… is the file "ab/ab12…" below one
// folder.
//
// A blob is written to a temporary file in its own folder, flushed, renamed to its
// name and made durable by flushing the folder, so that a crash at any moment leaves
// either the whole blob or a temporary file, which Sweep removes later. Temporary
// files can never be taken for blobs: their names are not hexadecimal.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyard-ci/lanyard/internal/blob"
)

const (
	fanOut     = 2 // digits of the key that name the folder
	tempPrefix = "tmp-"
)

// A Store is a blob.Store on one folder. Several processes may share the folder.
type Store struct{ root string }

// Open makes the folder when it is missing.
func Open(root string) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	return &Store{root: root}, nil
}

// file is the place of a key that has been checked.
func (s *Store) file(key string) string { return filepath.Join(s.root, key[:fanOut], key) }

// Put implements blob.Store. The folder is flushed before it returns.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := blob.CheckKey(key); err != nil {
		return 0, err
	}
	source := &source{ctx: ctx, r: r}
	size, err := s.put(key, source)
	if source.err != nil {
		return 0, source.err
	}
	if err != nil {
		return 0, fmt.Errorf("put blob %s: %w", key, err)
	}
	return size, nil
}

func (s *Store) put(key string, r *source) (int64, error) {
	file := s.file(key)
	dir := filepath.Dir(file)
	if err := s.makeFolder(dir); err != nil {
		return 0, err
	}
	temp, size, err := writeTemp(dir, r)
	if err != nil {
		return 0, err
	}
	if err := os.Rename(temp, file); err != nil {
		return 0, errors.Join(err, os.Remove(temp))
	}
	if err := syncFolder(dir); err != nil {
		return 0, errors.Join(err, os.Remove(file))
	}
	return size, nil
}

// writeTemp writes a flushed temporary file, or none.
func writeTemp(dir string, r *source) (name string, size int64, err error) {
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return "", 0, err
	}
	size, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), size, nil
}

// makeFolder makes one of the 256 folders and its name durable.
func (s *Store) makeFolder(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(s.root)
}

// A source is the caller's reader; it stops with ctx and remembers its own error, so
// that this can be told from one of the disk.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Get implements blob.Store. The reader can be copied to a network connection without
// passing through memory.
func (s *Store) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := blob.CheckKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fmt.Errorf("get blob %s: offset %d", key, offset)
	}
	f, err := os.Open(s.file(key))
	if err != nil {
		return nil, fmt.Errorf("get blob %s: %w", key, orNotExist(err))
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("get blob %s: %w", key, errors.Join(err, f.Close()))
	}
	if length < 0 {
		return f, nil
	}
	return &part{LimitedReader: io.LimitedReader{R: f, N: length}, file: f}, nil
}

// A part reads some bytes of a file.
type part struct {
	io.LimitedReader
	file *os.File
}

// WriteTo hands io.Copy the plain limited file, which the kernel can send by itself.
func (p *part) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &p.LimitedReader) }

func (p *part) Close() error { return p.file.Close() }

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key string) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return blob.Info{}, err
	}
	info, err := os.Stat(s.file(key))
	if err != nil {
		return blob.Info{}, fmt.Errorf("stat blob %s: %w", key, orNotExist(err))
	}
	return blob.Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Delete implements blob.Store. It does not flush: a blob that a crash brings back is
// deleted again by whoever repeats the deletion.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(s.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob %s: %w", key, err)
	}
	return nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, prefix string, f func(blob.Info) error) error {
	if err := blob.CheckPrefix(prefix); err != nil {
		return err
	}
	return s.eachFile(ctx, prefix, func(_ string, e fs.DirEntry) error {
		name := e.Name()
		if !strings.HasPrefix(name, prefix) || blob.CheckKey(name) != nil {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		return f(blob.Info{Key: name, Size: info.Size(), Modified: info.ModTime()})
	})
}

// Ready reports why the folder cannot be opened.
func (s *Store) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	folder, err := os.Open(s.root)
	if err != nil {
		return fmt.Errorf("open blobs: %w", err)
	}
	return folder.Close()
}

// Sweep removes temporary files that were last written more than olderThan before now:
// what a crash left of a Put. It returns how many. olderThan must be longer than the
// slowest Put, since other processes may be writing.
func (s *Store) Sweep(ctx context.Context, olderThan time.Duration, now time.Time) (int, error) {
	before, removed := now.Add(-olderThan), 0
	err := s.eachFile(ctx, "", func(dir string, e fs.DirEntry) error {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			return nil
		}
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			if err = os.Remove(filepath.Join(dir, e.Name())); err == nil {
				removed++
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sweep blobs: %w", err)
		}
		return nil
	})
	return removed, err
}

// eachFile goes through the folders that keys with this prefix can be in, in order.
func (s *Store) eachFile(ctx context.Context, prefix string, f func(dir string, e fs.DirEntry) error) error {
	if len(prefix) > fanOut {
		prefix = prefix[:fanOut]
	}
	folders, err := os.ReadDir(s.root)
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	for _, folder := range folders {
		name := folder.Name()
		if len(name) != fanOut || !folder.IsDir() || !strings.HasPrefix(name, prefix) {
			continue
		}
		dir := filepath.Join(s.root, name)
		files, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		for _, file := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(dir, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// orNotExist gives a missing file the name that callers know.
func orNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return blob.ErrNotExist
	}
	return err
}

var _ blob.Store = (*Store)(nil)
