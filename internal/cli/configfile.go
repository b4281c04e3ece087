package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// loadConfig is kong's loader for --config: a flat YAML mapping with the flags'
// names, `-` written as `_`. Unknown keys are errors that name the nearest key.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	known := configKeys()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, key) {
			return nil, unknownKey(key, known)
		}
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		value, there := values[strings.ReplaceAll(flag.Name, "-", "_")]
		if !there || flag.Name == "config" || inEnvironment(flag) {
			return nil, nil // kong's word for: not from here
		}
		return value, nil
	}), nil
}

// inEnvironment reports whether a variable gives the flag, or names a file that
// does. kong itself would let the file win.
func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, there := os.LookupEnv(name)
		_, named := os.LookupEnv(name + "_FILE")
		return there || named
	})
}

// configKeys lists the keys of the configuration file: the flags of serve.
func configKeys() []string {
	var keys []string
	for _, of := range []reflect.Type{reflect.TypeFor[serverFlags](), reflect.TypeFor[serveCommand]()} {
		for _, field := range reflect.VisibleFields(of) {
			env := field.Tag.Get("env")
			if key := strings.ToLower(strings.TrimPrefix(env, "LANYARD_")); env != "" && key != "config" {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// unknownKey names the key that may have been meant.
func unknownKey(key string, known []string) error {
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(key, a) - distance(key, b) })
	if distance(key, nearest) <= max(2, len(key)/3) {
		return fmt.Errorf("configuration file: unknown key %q: did you mean %q?", key, nearest)
	}
	return fmt.Errorf("configuration file: unknown key %q, expected one of %s", key, strings.Join(known, ", "))
}

// distance is how many bytes must be added, removed or replaced to turn a into b
// (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
