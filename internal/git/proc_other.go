//go:build !unix

package git

import (
	"io/fs"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func programNames(name string) []string { return []string{name, name + ".exe"} }

func isProgram(info fs.FileInfo) bool { return info.Mode().IsRegular() }

// syncPath does nothing: folders cannot be flushed here.
func syncPath(string) error { return nil }
