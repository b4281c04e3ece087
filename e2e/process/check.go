package process

import (
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// ends has the last Server of each data folder that is checked when its test ends.
var ends = struct {
	sync.Mutex // protects last
	last       map[string]*Server
}{last: map[string]*Server{}}

// checkAtEnd has the data of a server checked when the test has ended and all of
// its servers have.
func (s *Server) checkAtEnd() {
	ends.Lock()
	defer ends.Unlock()
	_, registered := ends.last[s.Data]
	ends.last[s.Data] = s
	if registered {
		return
	}
	s.t.Cleanup(func() {
		ends.Lock()
		last := ends.last[s.Data]
		delete(ends.last, s.Data)
		ends.Unlock()
		// What a crash leaves is put in order by the next start.
		if killed(last.Stop()) {
			again := start(s.t, last.Data, last.args)
			again.waitReady()
			if err := again.Stop(); err != nil {
				s.t.Errorf("start after a crash and stop: %v\n%s", err, again.Log())
			}
		}
		check(s.t, s.Data)
	})
}

// CheckAtEnd has a data folder checked when the test ends, for servers that the
// test starts in another way than by Start.
func CheckAtEnd(t testing.TB, data string) {
	t.Cleanup(func() { check(t, data) })
}

// check holds that `lanyard check` finds nothing.
func check(t testing.TB, data string) {
	t.Helper()
	out, err := exec.Command(Binary(t), "check", "--deep", "--data", data).CombinedOutput()
	if err != nil {
		t.Errorf("lanyard check --deep: %v\n%s", err, out)
	}
}

// killed reports whether a process ended by SIGKILL.
func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
