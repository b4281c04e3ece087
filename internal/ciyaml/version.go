package ciyaml

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	versionRE = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})$`)
	partialRE = regexp.MustCompile(`^\d{1,9}(?:\.\d{1,9})?$`)
)

// latest is the version of a component that means the newest one.
const latest = "~latest"

// isVersion reports whether a component's version is one that the project's
// tags decide on.
func isVersion(version string) bool { return version == latest || partialRE.MatchString(version) }

// LatestVersion returns the tag with the highest version that begins with
// want: all of them for ~latest, those of 1.2 for 1.2. Tags that are no
// semantic versions do not count, nor do versions before a release (1.0.0-rc1).
func LatestVersion(tags []string, want string) (tag string, found bool) {
	prefix := want + "."
	if want == latest {
		prefix = ""
	}
	var best []int
	for _, candidate := range tags {
		m := versionRE.FindStringSubmatch(candidate)
		if m == nil || !strings.HasPrefix(strings.TrimPrefix(candidate, "v"), prefix) {
			continue
		}
		numbers := make([]int, 3)
		for i := range numbers {
			n, err := strconv.Atoi(m[i+1])
			if err != nil {
				return "", false
			}
			numbers[i] = n
		}
		if !found || slices.Compare(numbers, best) > 0 {
			tag, best, found = candidate, numbers, true
		}
	}
	return tag, found
}
