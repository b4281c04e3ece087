package process

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// ends has the servers of each data folder that is checked when its test ends.
var ends = struct {
	sync.Mutex // protects servers
	servers    map[string][]*Server
}{servers: map[string][]*Server{}}

// checkAtEnd has the data of a server checked when the test has ended and all of
// its servers have.
func (s *Server) checkAtEnd() {
	ends.Lock()
	defer ends.Unlock()
	ends.servers[s.Data] = append(ends.servers[s.Data], s)
	if len(ends.servers[s.Data]) > 1 {
		return
	}
	s.t.Cleanup(func() {
		ends.Lock()
		servers := ends.servers[s.Data]
		delete(ends.servers, s.Data)
		ends.Unlock()
		// What a crash leaves is put in order by the next start.
		last := servers[len(servers)-1]
		crashed := killed(last.Stop())
		for _, server := range servers {
			crashed = crashed || s.database != "" && killed(server.Stop()) // the next may have been there before
		}
		if crashed {
			again := start(s.t, last.Data, last.database, last.args)
			again.waitReady()
			if err := again.Stop(); err != nil {
				s.t.Errorf("start after a crash and stop: %v\n%s", err, again.Log())
			}
		}
		check(s.t, s.Data, s.database, last.args...)
	})
}

// CheckAtEnd has a data folder checked when the test ends, for servers that the
// test starts in another way than by Start.
func CheckAtEnd(t testing.TB, data string) {
	t.Cleanup(func() { check(t, data, "") })
}

// check holds that `lanyard check` finds nothing. Of the arguments of the server, it
// takes those that say where artifacts and logs are.
func check(t testing.TB, data, database string, args ...string) {
	t.Helper()
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !strings.HasPrefix(arg, "--blob-") })
	cmd := exec.Command(Binary(t), append([]string{"check", "--deep", "--data", data}, args...)...)
	cmd.Env = append(os.Environ(), "LANYARD_DATABASE_URL="+database)
	out, err := cmd.CombinedOutput()
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
