package engine

import (
	"strings"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
)

func TestRefHint(t *testing.T) {
	project := ci.Project{FullPath: "demo/hello", DefaultBranch: "master"}
	refs := []ci.Ref{
		{Name: "refs/heads/master"}, {Name: "refs/heads/maint"}, {Name: "refs/heads/feature/login"},
		{Name: "refs/tags/v1.0"}, {Name: "refs/heads/\u00fcber"},
	}
	tests := []struct {
		name string
		refs []ci.Ref
		want string
	}{
		{"main", refs, "No branch or tag named 'main' in demo/hello. Default branch is 'master'. Did you mean: maint?"},
		{"mastre", refs, "No branch or tag named 'mastre' in demo/hello. Default branch is 'master'. Did you mean: master?"},
		{"feature", refs, "No branch or tag named 'feature' in demo/hello. Default branch is 'master'. Did you mean: feature/login?"},
		{"refs/tags/v1", refs, "No branch or tag named 'refs/tags/v1' in demo/hello. Default branch is 'master'. Did you mean: v1.0?"},
		{"origin/master", refs, "Send the name without the remote: master"},
		{"91e2711a93e5d9e8dddfeb6d003b636b25bf6fc9", refs, "Refs are branches or tags; to pin a commit, push a tag for it or send it as a variable."},
		{"main", nil, "No branch or tag named 'main' in demo/hello. The repository is empty: push a branch first."},
		{"ma in\n", refs, "No such branch or tag in demo/hello. Default branch is 'master'. Did you mean: maint?"},
		{strings.Repeat("x", 300), refs, "No such branch or tag in demo/hello. Default branch is 'master'."},
	}
	for _, tt := range tests {
		got := refHint(project, tt.name, tt.refs)
		if got != tt.want {
			t.Errorf("hint for %q is\n%q, want\n%q", tt.name, got, tt.want)
		}
		if len(got) > maxHint {
			t.Errorf("hint for %q has %d bytes", tt.name, len(got))
		}
	}
}

func BenchmarkRefHint(b *testing.B) {
	refs := make([]ci.Ref, maxCompared)
	for i := range refs {
		refs[i].Name = "refs/heads/" + strings.Repeat("b", 40) + string(rune('a'+i%26))
	}
	for b.Loop() {
		refHint(ci.Project{FullPath: "a/b", DefaultBranch: "main"}, strings.Repeat("a", 60), refs)
	}
}
