package githttp

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

// options are what a user said with git push -o.
type options struct {
	skip       bool // ci.skip: a pipeline that is skipped
	noPipeline bool // ci.no_pipeline: none at all
	variables  []ci.Variable
	inputs     []ci.Input
	ignored    []string // messages about options that have no effect here
}

// parseOptions reads push options. Those that are not about pipelines belong to
// other programs and are passed over; a variable without a value is refused, since
// the pipeline would not do what was meant.
func parseOptions(list []string) (options, error) {
	var o options
	for _, option := range list {
		name, value, _ := strings.Cut(option, "=")
		switch {
		case option == "ci.skip":
			o.skip = true
		case option == "ci.no_pipeline":
			o.noPipeline = true
		case name == "ci.variable":
			key, value, ok := strings.Cut(unquote(value), "=")
			if !ok || !ci.ValidKey(key) {
				return o, &ci.Error{Kind: ci.KindInvalid, Message: `Push option ci.variable must look like -o ci.variable="KEY=value".`}
			}
			o.variables = append(o.variables, ci.Variable{Key: key, Value: value})
		case name == "ci.input":
			key, value, ok := strings.Cut(unquote(value), "=")
			if !ok || key == "" {
				return o, &ci.Error{Kind: ci.KindInvalid, Message: `Push option ci.input must look like -o ci.input="name=value".`}
			}
			o.inputs = append(o.inputs, ci.TextInput(key, value))
		case strings.HasPrefix(name, "ci."):
			o.ignored = append(o.ignored, "Push option "+shown(name)+" is not known here and has no effect.")
		}
	}
	return o, nil
}

// unquote takes away quotes that the shell did not.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// shown is a name that somebody else made up, fit for a terminal.
func shown(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), 40)]
}
