package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// dispatch repairs the path of r, which is this Edge's own copy, and passes it to
// the API or to the rest.
func (e *Edge) dispatch(w http.ResponseWriter, r *http.Request) error {
	path, err := repair(r.URL.EscapedPath(), e.prefix)
	if err != nil {
		return err
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return fmt.Errorf("unescape path: %w", err) // repair has looked at every segment
	}
	u := *r.URL
	u.Path, u.RawPath = plain, path
	r.URL = &u
	switch {
	case strings.HasPrefix(path, apiRoot):
		return e.api(w, r, path)
	case e.cfg.Rest == nil:
		return unknownRoute()
	}
	e.cfg.Rest.ServeHTTP(w, r)
	return nil
}

// api serves a request for the API. The mux would answer unknown routes and
// wrong methods in plain text; here they get GitLab's bodies.
func (e *Edge) api(w http.ResponseWriter, r *http.Request, path string) error {
	if path == "/api/v3" || strings.HasPrefix(path, "/api/v3/") {
		return &routeError{status: http.StatusGone, message: "API V3 is no longer supported. Use API V4 instead."}
	}
	fallback, pattern := e.cfg.API.Handler(r)
	if pattern != "" {
		e.cfg.API.ServeHTTP(w, r)
		return nil
	}
	var answer discard
	fallback.ServeHTTP(&answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		return &routeError{status: answer.status, message: "405 Not Allowed", allow: answer.Header().Get("Allow")}
	}
	return unencodedProject(path)
}

func unknownRoute() *routeError {
	return &routeError{status: http.StatusNotFound, message: "404 Not Found"}
}

// unencodedProject is the answer to an unknown route. The most common cause is a
// project path whose slash was not encoded, which the request alone can show.
func unencodedProject(path string) *routeError {
	e := unknownRoute()
	below, ok := strings.CutPrefix(path, "/api/v4/projects/")
	if !ok {
		return e
	}
	segments := strings.Split(below, "/")
	if len(segments) < 3 || !plainName(segments[0]) || !plainName(segments[1]) || strings.Trim(segments[0], "0123456789") == "" {
		return e
	}
	e.code = "project_path_not_encoded"
	e.hint = "A project path is one segment of the URL. Encode its slashes: /projects/" + segments[0] + "%2F" + segments[1]
	return e
}

// plainName reports whether s is short and of characters that project paths have,
// so that it may be shown.
func plainName(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	return strings.Trim(s, plainLetters) == ""
}

const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

// discard is a ResponseWriter that keeps the header and status only.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header {
	if d.header == nil {
		d.header = make(http.Header)
	}
	return d.header
}

func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
