package runner

import (
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxEnv is how long one "KEY=value" may be: a single string that Linux passes to a program (MAX_ARG_STRLEN).
const maxEnv = 128<<10 - 1

// variables are a job's, ready for use: of several with one key the last counts, references among them are
// resolved once, and a file variable's value is the path of its file.
type variables struct {
	values map[string]string
	files  map[string]string // key → content, to be written to <dir>/<key>
	masked []string
}

// newVariables resolves the list. dir is where the files of file variables will lie. References ($KEY, ${KEY})
// are replaced in every value that is not raw, in one pass, by what the list gives for the key; unknown keys give
// nothing and $$ gives $, as gitlab-runner has it.
func newVariables(list []variable, dir string) *variables {
	last := map[string]variable{}
	for _, v := range list {
		if usableKey(v.Key) {
			last[v.Key] = v
		}
	}
	lookup := func(key string) string {
		v, ok := last[key]
		switch {
		case key == "$":
			return "$"
		case ok && v.File:
			return filepath.Join(dir, key)
		}
		return v.Value
	}
	vars := &variables{values: map[string]string{}, files: map[string]string{}}
	for key, v := range last {
		value := v.Value
		if !v.Raw {
			value = os.Expand(value, lookup)
		}
		if v.Masked {
			vars.masked = append(vars.masked, value)
		}
		if v.File {
			vars.files[key] = value
			value = filepath.Join(dir, key)
		}
		vars.values[key] = value
	}
	return vars
}

// usableKey keeps out what no environment can hold and what would leave the folder of file variables.
func usableKey(key string) bool {
	return key != "" && key != "." && key != ".." && !strings.ContainsAny(key, "=/\\\x00")
}

func (v *variables) get(key string) string { return v.values[key] }

// is reports whether a switch among the variables is on.
func (v *variables) is(key string) bool {
	value := strings.ToLower(v.values[key])
	return value == "true" || value == "1" || value == "yes"
}

// expand replaces references in a text of the job: a cache key, an artifact's path or name.
func (v *variables) expand(s string) string {
	return os.Expand(s, func(key string) string {
		if key == "$" {
			return "$"
		}
		return v.values[key]
	})
}

func (v *variables) expandAll(list []string) []string {
	expanded := make([]string, len(list))
	for i, s := range list {
		expanded[i] = v.expand(s)
	}
	return expanded
}

// environ gives "KEY=value" pairs, sorted, over the base; keys whose value no process can be given are named in left.
func (v *variables) environ(base map[string]string) (env, left []string) {
	all := maps.Clone(v.values)
	for key, value := range base {
		if _, own := all[key]; !own {
			all[key] = value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		pair := key + "=" + all[key]
		if len(pair) > maxEnv || strings.ContainsRune(pair, 0) {
			left = append(left, key)
			continue
		}
		env = append(env, pair)
	}
	return env, left
}

// secrets is all that must not appear in the job's log: masked values and the job's tokens, also as git sends them.
func (p *payload) secrets(v *variables) []string {
	secrets := slices.Clone(v.masked)
	add := func(token string) {
		if token != "" {
			secrets = append(secrets, token, base64.StdEncoding.EncodeToString([]byte("gitlab-ci-token:"+token)))
		}
	}
	add(p.Token)
	for _, d := range p.Dependencies {
		add(d.Token)
	}
	return secrets
}
