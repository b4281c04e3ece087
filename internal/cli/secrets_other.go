//go:build !linux

package cli

import "os"

// shedSecrets has nothing to do where other processes cannot read an environment.
func shedSecrets() error { return nil }

// hideProcess forgets the secrets that have been read by now.
func hideProcess() error {
	for _, name := range []string{"LANYARD_ROOT_PASSWORD", "LANYARD_ROOT_TOKEN"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}
