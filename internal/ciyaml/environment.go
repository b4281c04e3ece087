package ciyaml

import (
	"cmp"
	"crypto/sha256"
	"math/big"
	"regexp"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
)

const (
	maxEnvironmentSlug = 24
	slugHead           = 17 // of a name whose slug gets a suffix
	slugSuffix         = 6
)

var (
	notInSlug = regexp.MustCompile(`[^a-z0-9]`)
	dashes    = regexp.MustCompile(`-+`)
)

// EnvironmentSlug is CI_ENVIRONMENT_SLUG: GitLab's form of the name of an
// environment for host names, at most 24 of a-z, 0-9 and hyphens, beginning with
// a letter. A name that is not its own slug gets a suffix made of the whole name,
// so that slugs of two names differ (contract 5.5).
func EnvironmentSlug(name string) string {
	slug := notInSlug.ReplaceAllString(strings.ToLower(name), "-")
	if slug == "" || slug[0] < 'a' || slug[0] > 'z' {
		slug = "env-" + slug
	}
	slug = dashes.ReplaceAllString(slug, "-")
	if len(slug) <= maxEnvironmentSlug && slug == name {
		return strings.TrimSuffix(slug, "-")
	}
	slug = strings.TrimSuffix(slug[:min(len(slug), slugHead)], "-")
	digest := sha256.Sum256([]byte(name))
	number := new(big.Int).SetBytes(digest[:]).Text(36)
	return slug + "-" + number[max(0, len(number)-slugSuffix):]
}

// tiers are what the names of environments say about them, in GitLab's order.
var tiers = []struct {
	name  *regexp.Regexp
	value string
}{
	{regexp.MustCompile(`(?i)dev|review|trunk`), "development"},
	{regexp.MustCompile(`(?i)test|tst|int|ac(ce|)pt|qa|qc|control|quality`), "testing"},
	{regexp.MustCompile(`(?i)st(a|)g|mod(e|)l|pre|demo|non`), "staging"},
	{regexp.MustCompile(`(?i)pr(o|)d|live`), "production"},
}

// EnvironmentTier is CI_ENVIRONMENT_TIER of an environment that does not say
// which tier it is of (contract 7.5).
func EnvironmentTier(name string) string {
	for _, tier := range tiers {
		if tier.name.MatchString(name) {
			return tier.value
		}
	}
	return "other"
}

// environmentVariable gives a predefined variable of the job's environment whose
// name or tier has variables.
func (s *scope) environmentVariable(key string) *Variable {
	if s.job.job.Environment == nil || !s.job.placed {
		return nil
	}
	v := &Variable{Key: key, Raw: true}
	switch key {
	case "CI_ENVIRONMENT_NAME":
		v.Value = s.environmentName()
	case "CI_ENVIRONMENT_SLUG":
		v.Value = EnvironmentSlug(s.environmentName())
	case "CI_ENVIRONMENT_TIER":
		v.Value = cmp.Or(expand.All(s.job.job.Environment.Tier, s.expanded(0)), EnvironmentTier(s.environmentName()))
	default:
		return nil
	}
	return v
}

// settled is the environment with the variables in its texts replaced, and with
// what follows from its name.
func (e *Environment) settled(name string, lookup expand.Lookup) *Environment {
	out := *e
	out.Name = name
	out.AutoStopIn = expand.All(e.AutoStopIn, lookup)
	out.Tier = expand.All(e.Tier, lookup)
	out.derive()
	return &out
}

// derive sets what follows from the name.
func (e *Environment) derive() {
	e.Slug = EnvironmentSlug(e.Name)
	e.Tier = cmp.Or(e.Tier, EnvironmentTier(e.Name))
}
