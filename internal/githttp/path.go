package githttp

import (
	"strings"

	"github.com/lanyard-ci/lanyard/internal/git"
)

// infoRefs is the endpoint with which git clients begin.
const infoRefs = "info/refs"

// A place is what a path leads to.
type place struct {
	project  string // full path
	endpoint string // infoRefs, one of git's services, or something else below .git/
	suffixed bool   // .git stands behind the project
}

// parsePath takes a path apart: /group/project.git/ENDPOINT, and with .git left
// away the three endpoints that clients know. A project has a group in front.
// Everything behind /-/ and /api/ belongs to others.
func parsePath(path string) (place, bool) {
	path, ok := strings.CutPrefix(path, "/")
	if !ok || strings.HasPrefix(path, "api/") || strings.HasPrefix(path, "-/") || strings.Contains(path, "/-/") {
		return place{}, false
	}
	if project, endpoint, ok := strings.Cut(path, ".git/"); ok {
		return place{project, endpoint, true}, isProject(project)
	}
	for _, endpoint := range []string{infoRefs, git.UploadPackService, git.ReceivePackService} {
		if project, ok := strings.CutSuffix(path, "/"+endpoint); ok {
			return place{project, endpoint, false}, isProject(project)
		}
	}
	return place{}, false
}

// isProject reports whether a path can be a project's: a group and a name at least.
func isProject(path string) bool {
	return strings.Contains(path, "/") && !strings.HasPrefix(path, "/") && !strings.HasSuffix(path, "/")
}

// pattern is the path for logs: a project's name may be a secret of its own.
func (p place) pattern() string {
	suffix := ""
	if p.suffixed {
		suffix = ".git"
	}
	switch p.endpoint {
	case infoRefs, git.UploadPackService, git.ReceivePackService:
		return "/{project}" + suffix + "/" + p.endpoint
	}
	return "/{project}" + suffix + "/{file...}"
}
