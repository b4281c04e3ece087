package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxOutput bounds what one git process may answer into memory: two million paths.
const maxOutput = 256 << 20

// stopDelay is how long git may clean up after SIGTERM before it is killed.
const stopDelay = 5 * time.Second

// An exitError is a git process that ended with a status other than 0.
type exitError struct {
	command string
	code    int    // -1 when a signal ended it
	stderr  string // the end of what it wrote there
}

func (e *exitError) Error() string {
	return fmt.Sprintf("git %s: exit status %d: %s", e.command, e.code, e.stderr)
}

// environment is everything git gets to see. Nothing is inherited: no hooks, no
// configuration of the machine or the user, no replacement objects, no pathspec
// magic, no prompt, and no transport that git could open by itself. The settings
// here beat those in a repository's own file.
func environment(c Config, root string) []string {
	config := [][2]string{
		{"core.hooksPath", "/dev/null"},
		{"core.warnAmbiguousRefs", "false"},
		{"core.filesRefLockTimeout", "2000"}, // milliseconds; two pushes to one ref wait, not fail
		{"safe.directory", "*"},
		{"protocol.allow", "never"},
		{"protocol.file.allow", "never"},
		{"protocol.ext.allow", "never"},
		{"gc.auto", "0"},
		{"maintenance.auto", "false"},
	}
	if c.MaxPush > 0 {
		config = append(config, [2]string{"receive.maxInputSize", strconv.FormatInt(c.MaxPush, 10)})
	}
	if c.NoSync {
		config = append(config, [2]string{"core.fsync", "none"})
	} else {
		// Git leaves loose objects unflushed by default: a power cut then leaves a ref to an empty file.
		config = append(config, [2]string{"core.fsync", "objects,derived-metadata,reference"})
	}
	env := []string{
		"PATH=" + c.Path,
		"HOME=" + root,
		"LC_ALL=C",
		"TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_CONFIG_COUNT=" + strconv.Itoa(len(config)),
	}
	for i, pair := range config {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, pair[1]))
	}
	return env
}

// find looks a program up in path, since exec.LookPath would read our own environment.
func find(program, path string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) {
		return filepath.Abs(program)
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		for _, name := range programNames(program) {
			file := filepath.Join(dir, name)
			if info, err := os.Stat(file); err == nil && isProgram(info) {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("program %q is in none of %s", program, path)
}

// command prepares git inside dir, in a process group of its own: a Ctrl-C at the
// server's terminal must not tear a push apart, and stopping git stops its children.
func (s *Server) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.git, args...)
	cmd.Dir = dir
	cmd.Env = s.env
	ownGroup(cmd)
	cmd.Cancel = func() error { return terminate(cmd) }
	cmd.WaitDelay = stopDelay
	return cmd
}

// run lets git do one thing in a project's repository and returns what it printed.
func (s *Server) run(ctx context.Context, project int64, stdin io.Reader, args ...string) ([]byte, error) {
	if err := s.check(project); err != nil {
		return nil, err
	}
	dir := s.Path(project)
	return s.runIn(ctx, dir, stdin, append([]string{"--git-dir=" + dir}, args...)...)
}

// check gives the plain error for a repository that is not there, which git would
// report in many ways.
func (s *Server) check(project int64) error {
	_, err := os.Stat(filepath.Join(s.Path(project), "HEAD"))
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoRepository
	}
	return err
}

func (s *Server) runIn(ctx context.Context, dir string, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := s.command(ctx, dir, args...)
	stdout := &boundedBuffer{max: maxOutput}
	stderr := &tailBuffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err := cmd.Run()
	if stdout.full {
		return nil, ErrTooLarge
	}
	if err := explain(ctx, err, args, stderr); err != nil {
		return nil, err
	}
	return stdout.buf.Bytes(), nil
}

// explain turns the end of a process into our errors: a withdrawn caller first, then
// git's own words.
func explain(ctx context.Context, err error, args []string, stderr *tailBuffer) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	name := args[0]
	if strings.HasPrefix(name, "--git-dir=") {
		name = args[1]
	}
	return &exitError{command: name, code: exit.ExitCode(), stderr: stderr.String()}
}

// A boundedBuffer takes up to max bytes and refuses the rest, which ends the writer.
type boundedBuffer struct {
	buf  bytes.Buffer
	max  int
	full bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > b.max {
		b.full = true
		return 0, ErrTooLarge
	}
	return b.buf.Write(p)
}

// A tailBuffer keeps the last bytes of a process's complaints. It is read only after
// the process has ended.
type tailBuffer struct{ b []byte }

const tailSize = 2048

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string { return strings.TrimSpace(strings.ToValidUTF8(string(t.b), "?")) }
