package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Version of this build, set by the linker for releases.
var buildVersion = "0.1.0-dev"

// version says which build this is.
func version() ci.Build {
	b := ci.Build{Version: buildVersion, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
		for _, dep := range info.Deps {
			if dep.Path == "modernc.org/sqlite" {
				b.Database = "modernc.org/sqlite " + dep.Version
			}
		}
	}
	return b
}

// versionCommand prints versions.
type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(term *terminal) error {
	b := version()
	_, err := fmt.Fprintf(term.out, "lanyard %s\ncommit   %s\ngo       %s %s\ndatabase %s\n", b.Version, b.Commit, b.Go, b.Platform, b.Database)
	return err
}
