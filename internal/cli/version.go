package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// Version of this build, set by the linker for releases.
var buildVersion = "0.1.0-dev"

// version says which build this is.
func version() ci.Build {
	b := ci.Build{
		Version: buildVersion, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Database: "SQLite " + sqlite3.SQLITE_VERSION,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed && b.Commit != "" {
		b.Commit += "-dirty"
	}
	for _, dep := range info.Deps {
		if dep.Path == "modernc.org/sqlite" {
			b.Database += " (" + dep.Path + " " + dep.Version + ")"
		}
	}
	return b
}

// versionCommand prints versions.
type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(term *terminal) error {
	b := version()
	if b.Commit == "" {
		b.Commit = "unknown"
	}
	_, err := fmt.Fprintf(term.out, "lanyard  %s\ncommit   %s\ngo       %s %s\ndatabase %s\n", b.Version, b.Commit, b.Go, b.Platform, b.Database)
	return err
}
