package engine

import (
	"errors"
	"testing"

	"github.com/lanyard-ci/lanyard/internal/ci"
	"github.com/lanyard-ci/lanyard/internal/ciyaml"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// TestRefusalHint holds that a refusal says where in the configuration to look, if
// it is a place that is at fault.
func TestRefusalHint(t *testing.T) {
	at := tree.Pos{File: "ci/rules.yml", Line: 7, Col: 3}
	for _, tt := range []struct {
		name string
		d    ciyaml.Diagnostic
		want string
	}{
		{"workflow rule", ciyaml.Diagnostic{Code: ciyaml.CodeWorkflowFiltered, Pos: at, Hint: "no rule matches"}, "See ci/rules.yml:7:3: no rule matches"},
		{"no job", ciyaml.Diagnostic{Code: ciyaml.CodeRulesFiltered, Pos: at, Hint: "none of 2 jobs is in"}, "none of 2 jobs is in"},
		{"error", ciyaml.Diagnostic{Code: ciyaml.CodeConfig, Pos: at}, "See ci/rules.yml:7:3"},
		{"error with a hint", ciyaml.Diagnostic{Code: ciyaml.CodeConfig, Pos: at, Hint: `did you mean "script"?`}, `See ci/rules.yml:7:3: did you mean "script"?`},
		{"no place", ciyaml.Diagnostic{Code: ciyaml.CodeConfig, Hint: "h"}, "h"},
		{"name that is not shown", ciyaml.Diagnostic{Code: ciyaml.CodeConfig, Pos: tree.Pos{File: "a\nb.yml", Line: 1, Col: 1}, Hint: "h"}, "h"},
	} {
		err := refusalOf(tt.d)
		got := ""
		if kept := (*keptRefusal)(nil); errors.As(err, &kept) {
			got = kept.hint
		} else if refused := (*ci.Error)(nil); errors.As(err, &refused) {
			got = refused.Hint
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
