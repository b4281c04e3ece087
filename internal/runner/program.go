package runner

import (
	"fmt"
	"io"
)

// program is one process of a job, with all that it starts.
type program struct {
	path string
	args []string
	dir  string
	env  []string
	out  io.Writer // standard output and error
	as   *account  // nil: the runner's own account
	mark string    // file that holds the number of the session while it lasts, for endOrphans
}

// exitError is a program that ended by itself, but not well.
type exitError struct{ code int }

// Error is gitlab-runner's wording, which people search logs for.
func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }
