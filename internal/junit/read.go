package junit

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits bound what one upload may cost.
type Limits struct {
	Bytes int64 // of all its files, unpacked
	Cases int   // of all its files
}

// maxDepth is how deep elements may lie in each other: libxml2's limit.
const maxDepth = 256

// Read adds an upload to the suite and gives the number of unpacked bytes that it
// took. r gives gzip members, one for each file, or one file that is not packed.
// origin is put into each case. The only errors are those of r: whatever is wrong
// with what it gives goes into s.Error.
func (s *Suite) Read(r io.Reader, origin int64, l Limits) (int64, error) {
	source := &source{from: r}
	u := upload{suite: s, origin: origin, limits: l, left: l.Bytes, cases: l.Cases}
	u.read(bufio.NewReader(source))
	return l.Bytes - max(0, u.left), source.err
}

// A source remembers the error of a reader, which is the caller's matter and not
// that of the report.
type source struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// An upload is being read.
type upload struct {
	suite  *Suite
	origin int64
	limits Limits
	left   int64 // bytes; negative once there were too many
	cases  int   // left
}

// read reads all files. The last one that is broken is the one that the suite
// tells of, as it is in GitLab.
func (u *upload) read(packed *bufio.Reader) {
	magic, err := packed.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		u.readFile(packed)
		return
	}
	files, err := gzip.NewReader(packed)
	for ; err == nil; err = files.Reset(packed) {
		files.Multistream(false)
		u.readFile(files)
		if u.left < 0 || u.cases < 0 {
			return
		}
		if _, err := io.Copy(io.Discard, u.limited(files)); err != nil { // what a broken file has left
			u.fail(err)
			return
		}
	}
	if !errors.Is(err, io.EOF) {
		u.fail(err)
	}
}

// readFile reads one file. The time of one that is no XML does not count, since
// GitLab reads no case of it.
func (u *upload) readFile(r io.Reader) {
	before := u.suite.Time
	err := newParser(u, u.limited(r)).parse()
	if syntax := (*syntaxError)(nil); errors.As(err, &syntax) {
		u.suite.Time = before
	}
	if err != nil {
		u.fail(err)
	}
}

// fail makes the suite a broken one, in GitLab's words.
func (u *upload) fail(err error) {
	what := "data"
	if syntax := (*syntaxError)(nil); errors.As(err, &syntax) {
		what = "XML"
	}
	text := err.Error() // may quote the file, a name of any length say
	if len(text) > maxError {
		text = text[:maxError] + "…"
	}
	u.suite.Error = fmt.Sprintf("JUnit %s parsing failed: %s", what, strings.ToValidUTF8(text, "�"))
}

// maxError is how much of an error is kept, in bytes.
const maxError = 500

// add adds a case to the suite.
func (u *upload) add(c Case) error {
	if u.cases--; u.cases < 0 {
		return fmt.Errorf("number of test cases exceeded the limit of %d", u.limits.Cases)
	}
	c.Origin = u.origin
	u.suite.Add(c)
	return nil
}

// limited counts the bytes of r.
func (u *upload) limited(r io.Reader) io.Reader { return &limited{u, r} }

// A limited reader fails when the upload has given too many bytes.
type limited struct {
	upload *upload
	from   io.Reader
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	u := l.upload
	if u.left >= 0 && int64(len(p)) > u.left+1 {
		p = p[:u.left+1]
	}
	n, err := l.from.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, fmt.Errorf("size exceeded the limit of %d bytes", u.limits.Bytes)
	}
	return n, err
}
