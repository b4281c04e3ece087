package git

import (
	"bufio"
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A catFile is one running `git cat-file --batch-command`: a name goes in on a line,
// what it stands for comes out. It re-reads refs and packs on every question, so it
// sees pushes, gc and deletions without being started again.
type catFile struct {
	project int64
	cmd     *exec.Cmd
	in      io.WriteCloser
	pipe    *os.File // the reading end of out
	out     *bufio.Reader

	used    bool // has been idle at least once: it may have died since
	spoiled bool // unread output is left; it must not be used again

	// The fields below belong to the pool, under its lock.
	element *list.Element // in pool.order while idle, else nil
	timer   *time.Timer
}

// A header is the first line of an answer.
type header struct {
	sha  string
	kind string // blob, tree, commit or tag
	size int64
}

// A brokenError says that the process itself, not the question, is at fault.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return "cat-file: " + e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

func (s *Server) startCatFile(project int64) (*catFile, error) {
	if err := s.check(project); err != nil {
		return nil, err
	}
	dir := s.Path(project)
	// Not tied to a request: the process outlives it, and use kills it when it must.
	cmd := s.command(context.Background(), dir, "--git-dir="+dir, "cat-file", "--batch-command")
	cmd.Cancel, cmd.WaitDelay = nil, 0
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start cat-file: %w", err)
	}
	pipe, end, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start cat-file: %w", err), in.Close())
	}
	// Complaints come on the same pipe, hence in order: of a damaged object git says
	// "missing" like of one that was never there, but an "error:" line goes before it.
	cmd.Stdout, cmd.Stderr = end, end
	err = cmd.Start()
	if err = errors.Join(err, end.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start cat-file: %w", err), pipe.Close())
	}
	return &catFile{project: project, cmd: cmd, in: in, pipe: pipe, out: bufio.NewReaderSize(pipe, 32<<10)}, nil
}

// kill may be called at any time, more than once and concurrently.
func (c *catFile) kill() { _ = c.cmd.Process.Kill() } // an error means that it has ended already

// close ends the process and waits for it. It only ever reads, so killing does no harm.
func (c *catFile) close() {
	c.kill()
	_ = c.in.Close()
	_ = c.pipe.Close()
	_ = c.cmd.Wait() // "signal: killed"
}

// use runs f with a process for the project. When a process has died while it was
// idle, f runs again with another one; when ctx ends during f, the process is killed,
// so that no question waits forever.
func (s *Server) use(ctx context.Context, project int64, f func(c *catFile) error) error {
	for {
		c, err := s.pool.acquire(ctx, project)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, c.kill)
		err = f(c)
		killed := !stop()
		var broken *brokenError
		sound := !errors.As(err, &broken)
		if sound && !killed && !c.spoiled {
			s.pool.release(c)
			return err
		}
		c.close()
		s.pool.discard(c)
		switch {
		case sound:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !c.used:
			return err
		}
	}
}

// info asks for the headers of several names in one round trip. A name that stands
// for nothing leaves a header without sha.
func (c *catFile) info(names ...string) ([]header, error) {
	var lines bytes.Buffer
	for _, name := range names {
		if strings.ContainsAny(name, "\n\r\x00") {
			return nil, fmt.Errorf("cat-file: name %q holds a line break", name)
		}
		lines.WriteString("info " + name + "\n")
	}
	if _, err := c.in.Write(lines.Bytes()); err != nil {
		return nil, &brokenError{err}
	}
	headers := make([]header, len(names))
	for i := range names {
		h, err := c.header()
		if err != nil && !errors.Is(err, ErrNotExist) {
			return nil, err
		}
		headers[i] = h
	}
	return headers, nil
}

// contentsOf reads an object of one kind, up to limit bytes; one of another kind is
// ErrNotExist.
func (c *catFile) contentsOf(kind, name string, limit int64) (header, []byte, error) {
	h, body, err := c.contents(name, limit)
	if h.kind != "" && h.kind != kind && (err == nil || errors.Is(err, ErrTooLarge)) {
		return header{}, nil, ErrNotExist
	}
	return h, body, err
}

func (c *catFile) contents(name string, limit int64) (header, []byte, error) {
	if strings.ContainsAny(name, "\n\r\x00") {
		return header{}, nil, fmt.Errorf("cat-file: name %q holds a line break", name)
	}
	if _, err := io.WriteString(c.in, "contents "+name+"\n"); err != nil {
		return header{}, nil, &brokenError{err}
	}
	h, err := c.header()
	if err != nil {
		return h, nil, err
	}
	if h.size > limit {
		c.spoiled = true // cheaper to end the process than to read it all
		return h, nil, fmt.Errorf("%s of %d bytes: %w", h.kind, h.size, ErrTooLarge)
	}
	body := make([]byte, h.size+1)
	if _, err := io.ReadFull(c.out, body); err != nil {
		return h, nil, &brokenError{err}
	}
	if body[h.size] != '\n' {
		return h, nil, &brokenError{errors.New("answer is longer than announced")}
	}
	return h, body[:h.size:h.size], nil
}

// header reads "<sha> <type> <size>", or "<name> missing" and the like, and the
// complaints before it.
func (c *catFile) header() (header, error) {
	line, complaint, err := c.answer()
	if err != nil {
		return header{}, err
	}
	if strings.HasSuffix(line, " missing") || strings.HasSuffix(line, " ambiguous") || strings.HasSuffix(line, " submodule") {
		if complaint != "" {
			return header{}, &brokenError{errors.New(complaint)}
		}
		return header{}, ErrNotExist
	}
	fields := strings.Split(line, " ")
	if len(fields) == 3 && IsSHA(fields[0]) {
		if size, err := strconv.ParseInt(fields[2], 10, 64); err == nil && size >= 0 {
			return header{sha: fields[0], kind: fields[1], size: size}, nil
		}
	}
	return header{}, &brokenError{fmt.Errorf("unexpected answer %q", printable(line))}
}

// answer reads a line that is not a complaint, and the first complaint that speaks of
// damage before it.
func (c *catFile) answer() (line, complaint string, err error) {
	for {
		raw, err := c.out.ReadSlice('\n')
		if err != nil && complaint != "" {
			return "", "", &brokenError{fmt.Errorf("%s: %w", complaint, err)}
		}
		if err != nil {
			return "", "", &brokenError{err}
		}
		line = string(raw[:len(raw)-1])
		switch {
		case strings.HasPrefix(line, "hint: "), strings.HasPrefix(line, "warning: "):
		case strings.HasPrefix(line, "error: short object ID "): // several commits begin like this
		case strings.HasPrefix(line, "error: ") && strings.Contains(line, "^{commit}: expected commit type, "):
		case strings.HasPrefix(line, "error: "), strings.HasPrefix(line, "fatal: "):
			if complaint == "" {
				complaint = printable(line)
			}
		default:
			return line, complaint, nil
		}
	}
}
