//go:build !linux

package cli

// shedSecrets has nothing to do where other processes cannot read an environment.
func shedSecrets([]string) error { return nil }

// hideProcess forgets the secrets that have been read by now.
func hideProcess() error { return forgetSecrets() }
