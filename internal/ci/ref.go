package ci

import "strings"

// A Ref is a branch or a tag with the commit that it names. Name is the full
// name: "refs/heads/main", "refs/tags/v1".
type Ref struct {
	ProjectID ProjectID
	Name      string
	SHA       string // of the commit; an annotated tag is peeled
}

// Prefixes of full ref names.
const (
	BranchPrefix = "refs/heads/"
	TagPrefix    = "refs/tags/"
)

// Tag reports whether the ref is a tag.
func (r Ref) Tag() bool { return strings.HasPrefix(r.Name, TagPrefix) }

// Short is the name without its prefix.
func (r Ref) Short() string { return ShortRef(r.Name) }

// ShortRef strips refs/heads/, refs/tags/ or refs/remotes/ from name.
func ShortRef(name string) string {
	for _, prefix := range []string{BranchPrefix, TagPrefix, "refs/remotes/"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

// A Protection protects branches or tags whose names match Pattern, where `*`
// stands for any text. Levels hold the least role for each action; NoRole means
// nobody.
type Protection struct {
	ID         int64
	ProjectID  ProjectID
	Tag        bool
	Pattern    string
	PushLevel  Role // branches: who may push; tags: who may create
	MergeLevel Role // branches only
	ForcePush  bool
}

// Covers reports whether the protection holds for the short name of a ref.
func (p Protection) Covers(name string) bool { return wildcard(p.Pattern, name) }

// wildcard matches name against a pattern in which `*` is any text.
func wildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[len(parts)-1])
}
