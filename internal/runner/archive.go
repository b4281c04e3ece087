package runner

import (
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// openRegular opens a file that a job made. A pipe in its place neither blocks nor counts.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// writeZip archives files, folders and links, with their modes and times; anything else is passed to skipped.
func writeZip(out io.Writer, root *os.Root, names []string, skipped func(name string)) error {
	archive := zip.NewWriter(out)
	for _, name := range names {
		fi, err := root.Lstat(name)
		if err != nil {
			return fmt.Errorf("archive %s: %w", name, err)
		}
		switch mode := fi.Mode(); {
		case mode.IsRegular(), mode.IsDir(), mode&fs.ModeSymlink != 0:
			err = addToZip(archive, root, name, fi)
		default:
			skipped(name)
		}
		if err != nil {
			return fmt.Errorf("archive %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func addToZip(archive *zip.Writer, root *os.Root, name string, fi fs.FileInfo) error {
	header, err := zip.FileInfoHeader(fi)
	if err != nil {
		return err
	}
	header.Name = name
	switch {
	case fi.IsDir():
		header.Name += "/"
		_, err = archive.CreateHeader(header)
		return err
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = io.WriteString(entry, target)
		return err
	}
	f, _, err := openRegular(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	header.Method = zip.Deflate
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(entry, f)
	return err
}

// writeGzip writes one gzip member a file, each with its path in the header, as reports travel. Folders are left out.
func writeGzip(out io.Writer, root *os.Root, names []string) error {
	for _, name := range names {
		f, fi, err := openRegular(root, name)
		if err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
		member := gzip.NewWriter(out)
		member.Name, member.Comment, member.ModTime = latin1(path.Base(name)), latin1(name), fi.ModTime()
		_, err = io.Copy(member, f)
		_ = f.Close()
		if err == nil {
			err = member.Close()
		}
		if err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
	}
	return nil
}

// latin1 keeps a gzip header valid, which allows no other characters.
func latin1(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0 || r > 0xff {
			return '_'
		}
		return r
	}, s)
}

// errUnsafe is an archive that would write outside of the project.
var errUnsafe = errors.New("archive entry leads out of the project")

// extractZip unpacks into root and replaces what is in the way. An entry whose name leads out of root, by itself or
// through a link, ends the extraction with an error before a byte of it is written: root refuses to follow such
// links, and the archive's own links are made last. Set-user-id bits are dropped.
func extractZip(archive *zip.Reader, root *os.Root) error {
	for _, f := range archive.File {
		if name := strings.TrimSuffix(f.Name, "/"); name == "" || !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00") {
			return fmt.Errorf("extract %q: %w", f.Name, errUnsafe)
		}
	}
	var dirs, links []*zip.File
	for _, f := range archive.File {
		var err error
		switch mode := f.Mode(); {
		case mode&fs.ModeSymlink != 0:
			links = append(links, f)
		case mode.IsDir():
			dirs = append(dirs, f)
			err = root.MkdirAll(path.Clean(f.Name), 0o755)
		case mode.IsRegular():
			err = extractFile(f, root)
		}
		if err != nil {
			return fmt.Errorf("extract %q: %w", f.Name, err)
		}
	}
	for _, f := range links {
		if err := extractLink(f, root); err != nil {
			return fmt.Errorf("extract %q: %w", f.Name, err)
		}
	}
	// Modes last and innermost first, since a folder may be read-only.
	slices.SortFunc(dirs, func(a, b *zip.File) int { return len(b.Name) - len(a.Name) })
	for _, f := range dirs {
		if err := root.Chmod(path.Clean(f.Name), f.Mode().Perm()|0o700); err != nil {
			return fmt.Errorf("extract %q: %w", f.Name, err)
		}
	}
	return nil
}

func extractFile(f *zip.File, root *os.Root) (err error) {
	name := path.Clean(f.Name)
	if err := clearWay(root, name); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Chmod(f.Mode().Perm() | 0o600); err != nil {
		return err
	}
	return root.Chtimes(name, f.Modified, f.Modified)
}

// maxTarget is how long a link's target may be (PATH_MAX).
const maxTarget = 4096

func extractLink(f *zip.File, root *os.Root) error {
	name := path.Clean(f.Name)
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	target, err := io.ReadAll(io.LimitReader(in, maxTarget+1))
	if err != nil {
		return err
	}
	if len(target) == 0 || len(target) > maxTarget {
		return errors.New("link without a usable target")
	}
	if err := clearWay(root, name); err != nil {
		return err
	}
	return root.Symlink(string(target), name)
}

// clearWay makes the folders above name and removes a file or link in its place, so that nothing is written through it.
func clearWay(root *os.Root, name string) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
