package ci

import (
	"fmt"
	"regexp"
	"strings"
)

// groupSuffix is what GitLab cuts off a name to get the name of a group of jobs:
// "1/3", "[linux, amd64]".
var groupSuffix = regexp.MustCompile(`(?:[\x08\s:]+(?:\[.*\]|\d+[\s:/\\]+\d+))+\s*$`)

// TestSuite is the name under which the tests of the job are listed, as GitLab
// chooses it: jobs that share one by parallel or by their names, as in "rspec 1/3",
// are one suite; each job of a matrix is its own.
func (j *Job) TestSuite() string {
	p := &j.Plan
	if p.NodeTotal > 0 && j.Name != fmt.Sprintf("%s %d/%d", p.Group, p.NodeIndex, p.NodeTotal) {
		return j.Name
	}
	return strings.TrimSpace(groupSuffix.ReplaceAllString(j.Name, ""))
}
