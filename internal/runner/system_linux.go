package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstSlotGroup is the number of slot 0's group. The numbers up to 65533 are reserved and used by nobody.
const (
	firstSlotGroup = 65000
	maxSlots       = 500
)

// account is who a slot's jobs run as. Each slot has a group of its own: slots share the user, but the folder of a
// slot can be entered by its group only, and the kernel lets a process read another's environment only if the groups
// are the same too.
type account struct {
	name   string
	uid    int
	gid    int
	groups []int // of the user
}

// lookupAccount finds the user for a slot; nil for an empty name.
func lookupAccount(name string, slot int) (*account, error) {
	if name == "" {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("running jobs as %s needs root", name)
	}
	if slot >= maxSlots {
		return nil, fmt.Errorf("at most %d jobs at once as another account", maxSlots)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("account for jobs: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil || uid == 0 {
		return nil, fmt.Errorf("account for jobs: %s is root or has no number", name)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", name, err)
	}
	a := &account{name: name, uid: uid, gid: firstSlotGroup + slot}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			a.groups = append(a.groups, n)
		}
	}
	return a, nil
}

// do runs f with the account's rights to files, on a thread that ends with it. What f opens, makes and follows is
// then what a job could have opened itself, so a job's links and pipes cannot lend it the runner's rights. f must do
// its file work in the calling goroutine.
func (a *account) do(f func() error) error {
	if a == nil {
		return f()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread is thrown away with the rights that it gets here
		if unix.Gettid() == os.Getpid() {
			// Only the main thread cannot be thrown away. While it is held here, another one is taken.
			defer runtime.UnlockOSThread()
			result <- a.do(f)
			return
		}
		if err := a.assume(); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

func (a *account) assume() error {
	if err := unix.Setgroups(append([]int{a.gid}, a.groups...)); err != nil {
		return fmt.Errorf("take groups of %s: %w", a.name, err)
	}
	_, _ = unix.SetfsgidRetGid(a.gid) // these two answer with the old number, whatever happens
	_, _ = unix.SetfsuidRetUid(a.uid)
	gid, _ := unix.SetfsgidRetGid(-1)
	uid, _ := unix.SetfsuidRetUid(-1)
	if uid != a.uid || gid != a.gid {
		return errors.New("take rights of " + a.name + ": refused")
	}
	return nil
}

func sysProcAttr(a *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
		for _, g := range a.groups {
			attr.Credential.Groups = append(attr.Credential.Groups, uint32(g))
		}
	}
	return attr
}

// awaitExit returns when the command has ended and leaves it to be reaped.
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// sessionMembers lists the living processes of a session or group.
func sessionMembers(leader int) []int {
	return processes(func(pid int) bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return false
		}
		// pid (name) state ppid pgrp session …; the name may hold anything
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 4 || fields[0] == "Z" || fields[0] == "X" {
			return false
		}
		want := strconv.Itoa(leader)
		return fields[2] == want || fields[3] == want
	})
}

func processes(match func(pid int) bool) []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read is looked at
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && match(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// endOrphans kills what a session of the slot left behind when the runner was killed: the session's leader went with
// it, the rest did not. The number may be another session's by now, so the slot has to be in the environment too.
func endOrphans(slot string) error {
	mark := filepath.Join(slot, sessionFile)
	number, err := os.ReadFile(mark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for orphans: %w", err)
	}
	leader, err := strconv.Atoi(string(number))
	if err != nil {
		return os.Remove(mark)
	}
	ours := []byte("CI_BUILDS_DIR=" + slot + "\x00")
	for _, pid := range sessionMembers(leader) {
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if err == nil && bytes.Contains(environ, ours) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
	return os.Remove(mark)
}

// endStragglers kills what still runs with the slot's group: it left its session, and must not meet the next job.
func (a *account) endStragglers() {
	if a == nil {
		return
	}
	for range 200 {
		pids := processes(a.owns)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		runtime.Gosched()
	}
}

// owns reports whether a living process has the account's user and the slot's group.
func (a *account) owns(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil || pid == os.Getpid() || bytes.Contains(status, []byte("\nState:\tZ")) {
		return false
	}
	user, group := false, false
	for line := range strings.Lines(string(status)) {
		key, rest, _ := strings.Cut(line, ":")
		ids := strings.Fields(rest)
		switch key {
		case "Uid": // real, effective, saved, for files
			user = len(ids) > 0 && ids[0] == strconv.Itoa(a.uid)
		case "Gid", "Groups":
			group = group || slices.Contains(ids, strconv.Itoa(a.gid))
		}
	}
	return user && group
}

// hideFromJobs takes /proc/PID of this process away from everybody but root.
func hideFromJobs() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// ownedBy reports whether a file is the account's, which every file is for the runner's own account.
func (a *account) ownedBy(fi fs.FileInfo) bool {
	stat, ok := fi.Sys().(*syscall.Stat_t)
	return a == nil || ok && int(stat.Uid) == a.uid
}
