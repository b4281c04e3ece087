//go:build unix

package daemon

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes the lock that keeps a second process off the same data, or, where
// it is shared, one that does not share it: errLocked. The system gives it back when the
// process ends, however it ends.
func lockFile(path string, shared bool) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, usage("data directory: %v", err)
	}
	kind := unix.LOCK_EX
	if shared {
		kind = unix.LOCK_SH
	}
	err = unix.Flock(int(file.Fd()), kind|unix.LOCK_NB)
	if err == nil || shared && (errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS)) {
		return file, nil // some network file systems have no locks, and what is shared needs none
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errLocked
	} else {
		err = fmt.Errorf("lock data directory: %w", err)
	}
	return nil, errors.Join(err, file.Close())
}
