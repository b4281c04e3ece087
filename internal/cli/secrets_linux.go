package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// secretVariables hold secrets that no child process may find.
var secretVariables = []string{"LANYARD_ROOT_PASSWORD", "LANYARD_ROOT_TOKEN", "LANYARD_RUNNER_TOKEN"}

// secretsFD names the descriptor that hands secrets to the program after it has
// replaced itself.
const secretsFD = "LANYARD_SECRETS_FD"

// shedSecrets gets secrets out of the environment. Unsetting a variable leaves it
// in /proc/PID/environ, where a job of the same account could read it; so the
// program starts itself again without them, in the same process, and gets them
// through a pipe.
func shedSecrets() error {
	if fd := os.Getenv(secretsFD); fd != "" {
		return takeSecrets(fd)
	}
	var secrets, rest []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(secretVariables, name) {
			secrets = append(secrets, pair)
		} else {
			rest = append(rest, pair)
		}
	}
	if len(secrets) == 0 {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	fd, err := unix.MemfdCreate("secrets", 0)
	if err != nil {
		return fmt.Errorf("make a place for secrets: %w", err)
	}
	if _, err := unix.Write(fd, []byte(strings.Join(secrets, "\x00"))); err != nil {
		return fmt.Errorf("hand over secrets: %w", err)
	}
	return fmt.Errorf("start again without secrets in the environment: %w",
		unix.Exec(program, os.Args, append(rest, fmt.Sprintf("%s=%d", secretsFD, fd))))
}

// takeSecrets reads what shedSecrets handed over and sets it for this process; a
// variable set so is in no /proc entry.
func takeSecrets(text string) error {
	var fd int
	if _, err := fmt.Sscan(text, &fd); err != nil {
		return fmt.Errorf("read %s: %w", secretsFD, err)
	}
	data := make([]byte, 64<<10)
	n, err := unix.Pread(fd, data, 0)
	if err != nil {
		return fmt.Errorf("take secrets: %w", err)
	}
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("take secrets: %w", err)
	}
	for pair := range strings.SplitSeq(string(data[:n]), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("take secrets: %w", err)
		}
	}
	return os.Unsetenv(secretsFD)
}

// hideProcess keeps other processes of the same account out of this one's memory
// and /proc entry, and forgets the secrets that have been read by now.
func hideProcess() error {
	for _, name := range secretVariables {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("forget %s: %w", name, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide process: %w", err)
	}
	return nil
}
