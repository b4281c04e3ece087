package ciyaml

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// Severity says whether a diagnostic prevents the pipeline.
type Severity uint8

// The severities. A Config, and a Plan, exists only without an Error.
const (
	Error Severity = iota
	Warning
)

// The codes of diagnostics.
const (
	CodeConfig           = "config_error"      // the configuration is wrong; Message is GitLab's
	CodeUnsupported      = "unsupported"       // a keyword that GitLab has and this compiler does not have yet
	CodeMissingConfig    = "missing_config"    // no configuration file at this commit
	CodeWorkflowFiltered = "workflow_filtered" // workflow:rules want no pipeline
	CodeRulesFiltered    = "rules_filtered"    // no job is left for the pipeline
	CodeTimeout          = "timeout"           // what is included took too long to read; try again
	CodeInternal         = "internal"          // the Source or the Input failed; try again
)

// Diagnostic is one thing to say about a configuration. Message is GitLab's
// sentence word for word, since clients compare it; Hint, which may be empty,
// is an addition of ours.
type Diagnostic struct {
	Pos      tree.Pos
	Severity Severity
	Code     string
	Message  string
	Hint     string
}

// String returns "file:line:col: message".
func (d Diagnostic) String() string { return d.Pos.String() + ": " + d.Message }

// Diagnostics are in the order in which GitLab reports them.
type Diagnostics []Diagnostic

// Failed reports whether d contains an Error.
func (d Diagnostics) Failed() bool {
	for i := range d {
		if d[i].Severity == Error {
			return true
		}
	}
	return false
}

// First returns the first Error, which is the only one that creating a
// pipeline reports. It is the zero Diagnostic when there is none.
func (d Diagnostics) First() Diagnostic {
	for i := range d {
		if d[i].Severity == Error {
			return d[i]
		}
	}
	return Diagnostic{}
}

// configError makes the diagnostics of a step that stops at its first error.
func configError(pos tree.Pos, message string) Diagnostics {
	return Diagnostics{{Pos: pos, Code: CodeConfig, Message: message}}
}

// unsupported refuses a keyword, which is written with its parents when it
// means nothing alone: "include:project".
func unsupported(pos tree.Pos, keyword string) Diagnostic {
	return Diagnostic{Pos: pos, Code: CodeUnsupported, Message: `keyword "` + keyword + `" is not supported yet`}
}

// maxHint is the length of a hint in bytes.
const maxHint = 200

// short cuts a hint that quotes too much.
func short(hint string) string {
	if len(hint) <= maxHint {
		return hint
	}
	return strings.ToValidUTF8(hint[:maxHint-3], "") + "..."
}

// didYouMean returns a hint that names the candidate nearest to word, or "" when
// none is near.
func didYouMean(word string, candidates []string) string {
	if near := nearest(word, candidates); near != "" && near != word {
		return short(`did you mean "` + near + `"?`)
	}
	return ""
}

// nearest returns the candidate with the fewest typing mistakes, the first of
// equals; a quarter of the letters may be mistaken. Very short and very long
// words have no neighbours.
func nearest(word string, candidates []string) string {
	if len(word) < 3 || len(word) > 64 {
		return ""
	}
	best, most := "", max(1, len(word)/4)
	for _, c := range candidates {
		if len(c) > len(word)+most || len(word) > len(c)+most {
			continue
		}
		if d := mistakes(strings.ToLower(word), strings.ToLower(c)); d <= most {
			if best, most = c, d-1; most < 0 {
				break
			}
		}
	}
	return best
}

// mistakes counts the letters added, lost, changed or swapped with their
// neighbour between a and b.
func mistakes(a, b string) int {
	var before, prev, row []int
	prev = make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		row = make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(prev[j]+cost, prev[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
