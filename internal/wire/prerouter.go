package wire

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const apiRoot = "/api/"

// repair turns the escaped path of a request into the one that routes are written
// for: without the prefix of the external URL, without empty segments, and with
// raw slashes inside a ref or a file path encoded, so that the mux sees them as
// one segment. Paths that step upwards are unknown, since nothing that clients
// send needs them and caches and proxies read them differently. A request that
// already lost the prefix in a proxy is taken as it is.
func repair(escaped, prefix string) (string, error) {
	if !strings.HasPrefix(escaped, "/") {
		return "", unknownRoute()
	}
	path := collapse(escaped)
	if rest, ok := strings.CutPrefix(path, prefix); ok && prefix != "" && (rest == "" || rest[0] == '/') {
		path = "/" + strings.TrimPrefix(rest, "/")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		switch {
		case err != nil || !utf8.ValidString(plain) || strings.IndexByte(plain, 0) >= 0:
			return "", &routeError{status: http.StatusBadRequest, message: "400 Bad Request"}
		case plain == "." || plain == "..":
			return "", unknownRoute()
		}
	}
	if strings.HasPrefix(path, apiRoot) && len(path) > len(apiRoot) {
		path = joinSegments(strings.TrimSuffix(path, "/"))
	}
	return path, nil
}

// collapse makes one slash of several. The mux would redirect instead, to an
// address that is escaped twice (golang/go#79897).
func collapse(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// A wideRoute is a route below a project with a segment that clients also send
// with raw slashes. What follows before, up to after, is that segment.
type wideRoute struct {
	before string
	after  []string // what may end the path; the first that fits counts
	middle string   // or: what separates the segment from a path that stays as it is
	bare   bool     // whether the segment may also end the path
}

var wideRoutes = []wideRoute{
	{before: "ref/", after: []string{"/trigger/pipeline"}},
	{before: "jobs/artifacts/", after: []string{"/download"}, middle: "/raw/"},
	{before: "repository/files/", after: []string{"/raw", "/blame"}, bare: true},
	{before: "repository/commits/", after: []string{"/statuses", "/refs", "/diff", "/comments"}, bare: true},
	{before: "repository/branches/", after: []string{"/protect", "/unprotect"}, bare: true},
}

// joinSegments encodes the raw slashes of the wide segment of path, if its route
// has one. A name that itself ends like a route (a branch "fix/diff") must come
// encoded, as GitLab's documentation asks for all of them.
func joinSegments(path string) string {
	const projects = "/api/v4/projects/"
	below, ok := strings.CutPrefix(path, projects)
	if !ok {
		return path
	}
	id, tail, ok := strings.Cut(below, "/")
	if !ok {
		return path
	}
	for _, route := range wideRoutes {
		rest, ok := strings.CutPrefix(tail, route.before)
		if !ok {
			continue
		}
		if segment, after, ok := route.split(rest); ok {
			return projects + id + "/" + route.before + strings.ReplaceAll(segment, "/", "%2F") + after
		}
	}
	return path
}

// split cuts what follows a route's beginning into the wide segment and the rest.
func (w wideRoute) split(rest string) (segment, after string, ok bool) {
	if w.middle != "" {
		if segment, path, ok := strings.Cut(rest, w.middle); ok && segment != "" && path != "" {
			return segment, w.middle + path, true
		}
	}
	for _, after := range w.after {
		if segment, ok := strings.CutSuffix(rest, after); ok && segment != "" {
			return segment, after, true
		}
	}
	return rest, "", w.bare && rest != ""
}
