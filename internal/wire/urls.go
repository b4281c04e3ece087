package wire

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// URLs builds every URL that leaves the server: links in answers, clone URLs,
// pagination, variables of jobs. Nothing else joins the external URL with a path.
// Project paths are given in full, like "group/sub/project".
type URLs struct {
	External *url.URL // scheme, host and perhaps a path; no slash at the end
}

// ParseURLs reads the external URL of the server, such as https://host/ci.
func ParseURLs(external string) (URLs, error) {
	u, err := url.Parse(external)
	if err != nil {
		return URLs{}, fmt.Errorf("external URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return URLs{}, fmt.Errorf("external URL %q: the scheme must be http or https", external)
	case u.Host == "":
		return URLs{}, fmt.Errorf("external URL %q: the host is missing", external)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return URLs{}, fmt.Errorf("external URL of host %s: only scheme, host and path belong into it", u.Host)
	}
	path, err := repair("/"+strings.Trim(u.EscapedPath(), "/"), "")
	if err != nil {
		return URLs{}, fmt.Errorf("external URL %q: bad path", external)
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return URLs{}, fmt.Errorf("external URL %q: %w", external, err)
	}
	clean := &url.URL{Scheme: u.Scheme, Host: u.Host}
	if path != "/" {
		clean.Path, clean.RawPath = plain, path
	}
	return URLs{External: clean}, nil
}

// Base is the external URL without a slash at its end.
func (u URLs) Base() string {
	if u.External == nil {
		return ""
	}
	return strings.TrimSuffix(u.External.String(), "/")
}

// Prefix is the path of the external URL, escaped, without a slash at its end:
// "/ci" or "".
func (u URLs) Prefix() string {
	if u.External == nil {
		return ""
	}
	return strings.TrimSuffix(u.External.EscapedPath(), "/")
}

// Abs is the URL of an escaped path of this server, which begins with a slash.
func (u URLs) Abs(path string) string { return u.Base() + path }

// Path is what a page links to: an escaped path with the prefix before it.
func (u URLs) Path(path string) string { return u.Prefix() + path }

// API is the root of the REST API, without a slash at its end.
func (u URLs) API() string { return u.Abs("/api/v4") }

// Project is the page of a project or group.
func (u URLs) Project(fullPath string) string { return u.Abs("/" + EscapePath(fullPath)) }

// Pipeline is the page of a pipeline.
func (u URLs) Pipeline(project string, id int64) string {
	return u.Project(project) + "/-/pipelines/" + strconv.FormatInt(id, 10)
}

// Job is the page of a job.
func (u URLs) Job(project string, id int64) string {
	return u.Project(project) + "/-/jobs/" + strconv.FormatInt(id, 10)
}

// Commit is the page of a commit.
func (u URLs) Commit(project, sha string) string {
	return u.Project(project) + "/-/commit/" + url.PathEscape(sha)
}

// Blob is the page of a file at a commit.
func (u URLs) Blob(project, sha, path string) string {
	return u.Project(project) + "/-/blob/" + url.PathEscape(sha) + "/" + EscapePath(path)
}

// Raw is the content of a file at a commit.
func (u URLs) Raw(project, sha, path string) string {
	return u.Project(project) + "/-/raw/" + url.PathEscape(sha) + "/" + EscapePath(path)
}

// User is the page of a user.
func (u URLs) User(username string) string { return u.Abs("/" + url.PathEscape(username)) }

// Clone is what git clone takes.
func (u URLs) Clone(project string) string { return u.Project(project) + ".git" }

// CloneAs is Clone with credentials in it, for the runner only: the result is a
// secret and must not be logged.
func (u URLs) CloneAs(user, password, project string) string {
	c := url.URL{User: url.UserPassword(user, password)}
	if u.External != nil {
		c.Scheme, c.Host = u.External.Scheme, u.External.Host
	}
	return c.String() + u.Prefix() + "/" + EscapePath(project) + ".git"
}

// EscapePath escapes each segment of a path and keeps the slashes between them.
func EscapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
