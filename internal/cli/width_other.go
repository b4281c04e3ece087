//go:build !unix

package cli

import "os"

// columns is how wide a terminal is, 0 when it does not say.
func columns(*os.File) int { return 0 }
