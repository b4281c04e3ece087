package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages has a template set for each page, by its name: the base, the parts that
// pages share, and the page.
type pages map[string]*template.Template

// shared are the files that belong to every page.
var shared = []string{"templates/base.html", "templates/parts.html"}

// parsePages parses all pages, so that a broken one keeps the server from starting.
func parsePages() (pages, error) {
	base, err := template.New("base").ParseFS(templateFiles, shared...)
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	all := pages{}
	for _, file := range files {
		if file == shared[0] || file == shared[1] {
			continue
		}
		set, err := base.Clone()
		if err == nil {
			_, err = set.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("parse template: %w", err)
		}
		all[strings.TrimSuffix(path.Base(file), ".html")] = set
	}
	return all, nil
}

// fragment renders one part of a page.
func (p pages) fragment(page, part string, view any) ([]byte, error) {
	set, ok := p[page]
	if !ok {
		return nil, fmt.Errorf("no page %q", page)
	}
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, part, view); err != nil {
		return nil, fmt.Errorf("render page %s: %w", page, err)
	}
	return out.Bytes(), nil
}

// show answers with a page. Nothing is sent unless all of it could be rendered.
func (v *visit) show(status int, page string, view any) error {
	body, err := v.web.pages.fragment(page, "base.html", view)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	v.w.WriteHeader(status)
	if _, err := v.w.Write(body); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// policy lets a page have nothing but what this server gives it: no script, style
// or frame of anybody else, no script inside the page, forms for this server only.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// setHeaders sets what every answer of this package carries.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// sandbox is the policy of what jobs made: even opened by itself it can do nothing
// in this server's name.
const sandbox = "default-src 'none'; sandbox; frame-ancestors 'none'"
