package inputs

import (
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// A Problem is one thing that is wrong, in GitLab's words. The file's name
// before it is for the caller to add.
type Problem struct {
	Pos     tree.Pos
	Message string
}

// shown is how many problems of a file GitLab reports.
const shown = 3

// Join makes one message of the first three problems, at the place of the
// first that has one. The list must not be empty.
func Join(problems []Problem) Problem {
	first := problems[0]
	var texts []string
	for _, p := range problems[:min(len(problems), shown)] {
		texts = append(texts, p.Message)
	}
	if i := slices.IndexFunc(problems, func(p Problem) bool { return p.Pos.File != "" }); i >= 0 {
		first.Pos = problems[i].Pos
	}
	first.Message = strings.Join(texts, ", ")
	return first
}
