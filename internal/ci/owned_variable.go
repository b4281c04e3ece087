package ci

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// AnyEnvironment is the scope of a variable that every job sees, those without an
// environment too.
const AnyEnvironment = "*"

// A VariableOwner is what an OwnedVariable belongs to: a project, a group or, when both
// are zero, the instance.
type VariableOwner struct {
	ProjectID   ProjectID
	NamespaceID NamespaceID
}

// An OwnedVariable is a CI/CD variable that a project, a group or the instance
// keeps for all jobs in it (contract/trigger-api.md 6.3). Its value lies sealed in
// the database; Variable.Value is filled by who opens it.
type OwnedVariable struct {
	Variable // Key, File, Raw, Masked; Value once it is opened

	ID          int64
	Owner       VariableOwner
	Scope       string // of environments: a name, or a pattern with *
	Sealed      []byte
	Protected   bool // only for jobs on protected refs
	Hidden      bool // its value is never shown again; Masked too, then
	Description string
	CreatedAt   time.Time
}

var (
	scopePattern = regexp.MustCompile(`^[a-zA-Z0-9_/${}. *-]+$`)
	plainSecret  = regexp.MustCompile(`^[a-zA-Z0-9_+=/@:.~-]{8,}$`)
	rawSecret    = regexp.MustCompile(`^\S{8,}$`)
)

// maxVariableText is the longest scope or description of a variable, in
// characters.
const maxVariableText = 255

// Problems says what is wrong with an opened variable, by field and in GitLab's
// words; nil when nothing is.
func (v OwnedVariable) Problems() map[string][]string {
	problems := map[string][]string{}
	add := func(wrong bool, field, text string) {
		if wrong {
			problems[field] = append(problems[field], text)
		}
	}
	add(strings.TrimSpace(v.Key) == "", "key", "can't be blank")
	add(utf8.RuneCountInString(v.Key) > MaxVariableKey, "key", "is too long (maximum is 255 characters)")
	add(!variableKey.MatchString(v.Key), "key", "can contain only letters, digits and '_'.")
	add(strings.TrimSpace(v.Scope) == "", "environment_scope", "can't be blank")
	add(utf8.RuneCountInString(v.Scope) > maxVariableText, "environment_scope", "is too long (maximum is 255 characters)")
	add(!scopePattern.MatchString(v.Scope), "environment_scope",
		"can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces")
	add(utf8.RuneCountInString(v.Description) > maxVariableText, "description", "is too long (maximum is 255 characters)")
	add(v.Masked && !v.maskable(), "value", "is invalid")
	add(v.Hidden && !v.Masked, "masked", "should be true when variable is hidden")
	if len(problems) == 0 {
		return nil
	}
	return problems
}

// maskable reports whether logs can hide the value: one line of at least eight
// characters without blanks, and without what a shell or another variable might
// change (contract/ci-yaml.md 5.4).
func (v OwnedVariable) maskable() bool {
	if v.Raw {
		return rawSecret.MatchString(v.Value)
	}
	return plainSecret.MatchString(v.Value)
}

// InScope reports whether a job with this environment sees the variable. A job
// without one ("") sees those for every environment.
func (v OwnedVariable) InScope(environment string) bool {
	if v.Scope == AnyEnvironment || environment == "" {
		return v.Scope == AnyEnvironment
	}
	parts := strings.Split(v.Scope, "*")
	rest, found := strings.CutPrefix(environment, parts[0])
	if !found || len(parts) == 1 {
		return found && rest == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}

// specificity orders scopes that match the same environment: its very name, then
// those that spell out more of it, then all environments.
func (v OwnedVariable) specificity() int {
	if !strings.Contains(v.Scope, "*") {
		return maxVariableText + 1
	}
	return len(v.Scope) - strings.Count(v.Scope, "*")
}

// VariablesFor picks of one owner's variables those that a job sees, at most one
// of each key: of several scopes the most specific one. The order is that of keys.
func VariablesFor(list []OwnedVariable, protected bool, environment string) []OwnedVariable {
	var out []OwnedVariable
	for _, v := range list {
		if v.InScope(environment) && (protected || !v.Protected) {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b OwnedVariable) int {
		if order := strings.Compare(a.Key, b.Key); order != 0 {
			return order
		}
		return b.specificity() - a.specificity()
	})
	return slices.CompactFunc(out, func(a, b OwnedVariable) bool { return a.Key == b.Key })
}
