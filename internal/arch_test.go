package internal_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lanyard-ci/lanyard/"

// allowed lists, for every package, the packages of this module it may import.
// Adding an arrow here is a design decision: say why in the commit message.
var allowed = map[string][]string{
	"internal/ci":              {},
	"internal/ciyaml/tree":     {},
	"internal/ciyaml/expr":     {},
	"internal/ciyaml/expand":   {},
	"internal/ciyaml/glob":     {},
	"internal/ciyaml/duration": {},
	"internal/ciyaml/inputs":   {"internal/ciyaml/tree", "internal/ciyaml/expr", "internal/ciyaml/expand"},
	// The files that include:template names are part of the program.
	"internal/ciyaml/templates": {},
	"internal/ciyaml": {
		"internal/ciyaml/tree", "internal/ciyaml/expr", "internal/ciyaml/expand", "internal/ciyaml/glob", "internal/ciyaml/duration",
		"internal/ciyaml/inputs", "internal/ciyaml/templates",
	},
	"internal/junit":           {},
	"internal/flow":            {"internal/ci"},
	"internal/store":           {"internal/ci"},
	"internal/store/storetest": {"internal/ci", "internal/store"},
	// It starts a server for tests and knows nothing of what is in it.
	"internal/store/storetest/postgres": {},
	"internal/blob":                     {"internal/ci"},
	"internal/blob/disk":                {"internal/ci", "internal/blob"},
	"internal/blob/s3":                  {"internal/ci", "internal/blob"},
	// It is an object store for tests and knows nothing of who uses it.
	"internal/blob/s3/s3test": {},
	"internal/blob/blobtest":  {"internal/ci", "internal/blob"},
	"internal/git":            {"internal/ci"},
	"internal/git/gittest":    {"internal/ci", "internal/git"},
	"internal/auth":           {"internal/ci"},
	"internal/hub":            {"internal/ci"},
	"internal/trace":          {"internal/ci", "internal/blob", "internal/store"},
	// duration and expand are small languages of the configuration that live on in
	// artifacts and variables; junit reads the reports among the artifacts.
	"internal/engine": {
		"internal/ci", "internal/ciyaml", "internal/ciyaml/duration", "internal/ciyaml/expand", "internal/flow", "internal/store",
		"internal/git", "internal/blob", "internal/auth", "internal/hub", "internal/trace", "internal/junit",
	},
	"internal/engine/enginetest": {
		"internal/ci", "internal/auth", "internal/blob/disk", "internal/engine", "internal/git", "internal/hub", "internal/store",
		"internal/trace", "internal/wire",
	},
	"internal/wire":      {"internal/ci"},
	"internal/api":       slices.Concat(edge, []string{"internal/ciyaml", "internal/junit"}), // to show what lint found and tests reported
	"internal/runnerapi": edge,
	"internal/githttp":   edge,
	"internal/web":       slices.Concat(edge, []string{"internal/ciyaml"}), // for the lint page
	"internal/runner":    {},
	// It answers in the words that the compiler has for a remote file.
	"internal/remote": {"internal/ciyaml"},
	// It is told of everything through plain functions that daemon hands out.
	"internal/telemetry": {},
	"internal/client":    {},
	"internal/daemon": {
		"internal/ci", "internal/auth", "internal/blob", "internal/blob/disk", "internal/blob/s3", "internal/git", "internal/hub", "internal/trace", "internal/store",
		"internal/engine", "internal/wire", "internal/api", "internal/runnerapi", "internal/githttp", "internal/web", "internal/runner", "internal/remote", "internal/telemetry",
	},
	// ci and store give the command line a build's description and the error of a
	// database that is too new.
	"internal/cli": {"internal/remote", "internal/ci", "internal/store", "internal/daemon", "internal/ciyaml", "internal/runner", "internal/client"},
	"cmd/lanyard":  {"internal/cli"},
}

// edge is what an HTTP edge may import.
var edge = []string{
	"internal/ci", "internal/auth", "internal/engine", "internal/store", "internal/blob", "internal/git", "internal/trace", "internal/hub", "internal/wire",
}

// pure packages compute; they must not reach the network, the disk or a database.
var pure = []string{
	"internal/ci", "internal/flow", "internal/junit", "internal/ciyaml", "internal/ciyaml/tree", "internal/ciyaml/expr", "internal/ciyaml/expand",
	"internal/ciyaml/glob", "internal/ciyaml/duration", "internal/ciyaml/inputs", "internal/ciyaml/templates",
}
var impure = []string{"database/sql", "net/http", "net", "os", "os/exec", "crypto/rand", "math/rand", "math/rand/v2"}

// TestImportArrows holds the table above.
func TestImportArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "e2e") || strings.HasPrefix(name, "bench") || name == "internal" {
			continue
		}
		arrows, known := allowed[name]
		if !known {
			t.Errorf("%s has no row in the table of arrows", name)
		}
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours && !slices.Contains(arrows, to) {
				t.Errorf("%s must not import %s", name, to)
			}
			if slices.Contains(pure, name) && slices.Contains(impure, imp) {
				t.Errorf("%s is pure and must not import %s", name, imp)
			}
		}
	}
}

// TestOnlyOneReaderOfEnvironment holds that nothing but cli reads the environment.
func TestOnlyOneReaderOfEnvironment(t *testing.T) {
	out, err := exec.Command("git", "grep", "-nE", `os\.(Getenv|LookupEnv|Environ|ExpandEnv)\(`, "--", "*.go", ":!*_test.go", ":!../e2e", ":!../bench").Output()
	if err != nil && len(out) == 0 {
		t.Fatalf("search sources: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "cli/") {
			t.Errorf("reads the environment outside cli: %s", line)
		}
	}
}

// TestPureRoomsReadNoClock holds what imports cannot show.
func TestPureRoomsReadNoClock(t *testing.T) {
	for _, room := range []string{"ci", "flow", "junit", "ciyaml"} {
		out, err := exec.Command("git", "grep", "-nE", `time\.(Now|Since|Until|After|Sleep)\(`, "--", room+"/*.go", ":!*_test.go").Output()
		if err == nil && len(out) > 0 {
			t.Errorf("%s reads a clock:\n%s", room, out)
		}
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "../...").Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d packages", len(all))
	}
	return all
}
