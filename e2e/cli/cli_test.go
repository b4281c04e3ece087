// Package cli tests the command line of the built program: what is typed, what is
// printed, and how it ends.
package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-ci/lanyard/e2e/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// A program is a run of `lanyard`.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  output // standard output
	err  output // standard error
	done chan struct{}
}

// patience is how long a program may take before a test gives it up.
const patience = 90 * time.Second

// begin runs the program with arguments and, beside PATH and HOME, variables
// written NAME=value. It is killed when the test ends.
func begin(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	return beginBinary(t, process.Binary(t), env, args...)
}

func beginBinary(t *testing.T, binary string, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		var exit *exec.ExitError
		if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Errorf("lanyard %v: %v", args, err)
		}
	}()
	t.Cleanup(func() {
		if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("kill lanyard: %v", err)
		}
		<-p.done
		if t.Failed() {
			t.Logf("lanyard %s\n%s%s", strings.Join(args, " "), p.out.String(), p.err.String())
		}
	})
	return p
}

// end waits for the end and gives the exit code; -1 after a signal.
func (p *program) end() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("it did not end in %v", patience)
		return -1
	}
}

// signal sends a signal.
func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// waitFor waits until standard output has a text.
func (p *program) waitFor(text string) {
	p.t.Helper()
	process.Eventually(p.t, "output "+text, func() (bool, string) {
		select {
		case <-p.done:
			if !strings.Contains(p.out.String(), text) {
				p.t.Fatalf("it ended without saying %q", text)
			}
		default:
		}
		return strings.Contains(p.out.String(), text), p.out.String()
	})
}

// run runs the program to its end.
func run(t *testing.T, env []string, args ...string) (code int, out, errOut string) {
	t.Helper()
	p := begin(t, env, args...)
	code = p.end()
	return code, p.out.String(), p.err.String()
}

// An output may be written and read at once.
type output struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
