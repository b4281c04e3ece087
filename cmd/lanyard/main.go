// Command lanyard is the server and its command line in one program.
package main

import (
	"os"

	"github.com/lanyard-ci/lanyard/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
