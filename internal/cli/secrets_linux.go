package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// secretsFD names the descriptor that hands secrets to the program after it has
// replaced itself.
const secretsFD = "LANYARD_SECRETS_FD"

// shedSecrets gets secrets out of the environment and the command line. Unsetting a
// variable leaves it in /proc/PID/environ, where a job of the same account could
// read it; so the program starts itself again without them, in the same process,
// and gets them through a file in memory.
func shedSecrets(args []string) error {
	if fd := os.Getenv(secretsFD); fd != "" {
		return takeSecrets(fd)
	}
	p := apart(args, os.Environ())
	if len(p.secrets) == 0 {
		return nil
	}
	fd, err := unix.MemfdCreate("secrets", 0) // open after exec
	if err != nil {
		return fmt.Errorf("make a place for secrets: %w", err)
	}
	for rest := []byte(strings.Join(p.secrets, "\x00")); len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil {
			return fmt.Errorf("hand over secrets: %w", err)
		}
		rest = rest[n:]
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	err = unix.Exec(program, append([]string{os.Args[0]}, p.args...), append(p.env, secretsFD+"="+strconv.Itoa(fd)))
	return fmt.Errorf("start again without secrets in the environment: %w", err)
}

// takeSecrets reads what shedSecrets handed over.
func takeSecrets(text string) error {
	fd, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s is for this program's own use: %w", secretsFD, err)
	}
	file := os.NewFile(uintptr(fd), "secrets")
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20))
	if err != nil {
		return fmt.Errorf("take secrets: %w", err)
	}
	if err := os.Unsetenv(secretsFD); err != nil {
		return fmt.Errorf("take secrets: %w", err)
	}
	return setSecrets(strings.Split(string(data), "\x00"))
}

// hideProcess keeps other processes of the same account out of this one's memory
// and /proc entry, and forgets the secrets that have been read by now.
func hideProcess() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide process: %w", err)
	}
	return forgetSecrets()
}
