//go:build unix && !linux

package runner

import (
	"errors"
	"io/fs"
	"os/exec"
	"syscall"
)

// account is never made here: other systems have no file rights for one thread alone.
type account struct{ uid, gid int }

func lookupAccount(name string, _ int) (*account, error) {
	if name != "" {
		return nil, errors.New("running jobs as another account needs Linux")
	}
	return nil, nil
}

func (a *account) do(f func() error) error { return f() }

func (a *account) endStragglers() {}

func (a *account) ownedBy(fs.FileInfo) bool { return true }

func sysProcAttr(*account) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }

// sessionMembers gives the group as a whole, in the form that kill takes, while anything of it lives.
func sessionMembers(leader int) []int {
	if syscall.Kill(-leader, 0) != nil {
		return nil
	}
	return []int{-leader}
}

func endOrphans(string) error { return nil }

func hideFromJobs() error { return nil }
