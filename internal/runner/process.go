//go:build unix

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// run starts the program in a session of its own and waits until the session is empty. When ctx ends first, the
// session gets SIGTERM, and SIGKILL after what grace allows for the cause; the error is that cause then. A program
// that fails by itself gives *exitError, a signal counting as 128 and its number, as in a shell.
func (p program) run(ctx context.Context, grace func(cause error) time.Duration, linger time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// The kernel sends Pdeathsig when the thread that forked ends, so this one must outlive the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	defer reader.Close()
	cmd := &exec.Cmd{
		Path: p.path, Args: append([]string{p.path}, p.args...), Dir: p.dir, Env: append([]string{}, p.env...),
		Stdout: writer, Stderr: writer, SysProcAttr: sysProcAttr(p.as),
	}
	err = cmd.Start()
	_ = writer.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	// Without the mark only a crash of the runner would be cleaned up less well.
	_ = os.WriteFile(p.mark, strconv.AppendInt(nil, int64(cmd.Process.Pid), 10), 0o600)
	defer os.Remove(p.mark)
	var copied sync.WaitGroup
	copied.Go(func() { _, _ = io.Copy(p.out, reader) })

	stopped := superviseSession(ctx, cmd, grace, linger)
	_ = reader.SetReadDeadline(drainDeadline())
	copied.Wait()
	if stopped != nil {
		return stopped
	}
	return exitStatus(cmd)
}

// drainDeadline bounds how long output is awaited once the session is gone: only what left it can hold the pipe open.
func drainDeadline() time.Time { return time.Now().Add(500 * time.Millisecond) }

func exitStatus(cmd *exec.Cmd) error {
	state := cmd.ProcessState
	if state == nil {
		return errors.New("lost track of " + cmd.Path)
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case state.Success():
		return nil
	case ok && status.Signaled():
		return &exitError{128 + int(status.Signal())}
	}
	return &exitError{state.ExitCode()}
}

// superviseSession returns when the command and everything in its session is gone. It gives the cause of ctx if that
// is why the command ended. The leader is reaped last, so that its number cannot become somebody else's meanwhile.
func superviseSession(ctx context.Context, cmd *exec.Cmd, grace func(error) time.Duration, linger time.Duration) error {
	leader := cmd.Process.Pid
	over := make(chan struct{})
	var watcher sync.WaitGroup
	var stopped error
	deadline := time.Time{}
	watcher.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		stopped = context.Cause(ctx)
		wait := grace(stopped)
		deadline = time.Now().Add(wait)
		if wait > 0 {
			signalSession(leader, syscall.SIGTERM)
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-over:
				return
			case <-timer.C:
			}
		}
		signalSession(leader, syscall.SIGKILL)
	})
	awaitExit(cmd)
	close(over)
	watcher.Wait()
	if deadline.IsZero() {
		deadline = time.Now().Add(linger)
	}
	endSession(leader, deadline)
	_ = cmd.Wait() // what it says is in ProcessState
	return stopped
}

// endSession asks what is left of a session to end, and insists after the deadline.
func endSession(leader int, deadline time.Time) {
	if len(sessionMembers(leader)) == 0 {
		return
	}
	signalSession(leader, syscall.SIGTERM)
	for time.Now().Before(deadline) {
		if len(sessionMembers(leader)) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	// SIGKILL cannot be refused, but a member may fork between the look and the signal, or hang in the kernel.
	for range 200 {
		signalSession(leader, syscall.SIGKILL)
		if len(sessionMembers(leader)) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// signalSession reaches the leader's group and the groups that its members made.
func signalSession(leader int, sig syscall.Signal) {
	_ = syscall.Kill(-leader, sig)
	for _, pid := range sessionMembers(leader) {
		_ = syscall.Kill(pid, sig)
	}
}
