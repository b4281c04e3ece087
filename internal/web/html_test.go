package web_test

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A node is an element of a page, or a text when it has no name.
type node struct {
	name     string
	attrs    map[string]string
	content  string
	parent   *node
	children []*node
}

var (
	voids     = []string{"meta", "link", "input", "img", "br", "hr"}
	tag       = regexp.MustCompile(`^<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s=>/]+(?:="[^"]*")?)*)\s*(/?)>`)
	attribute = regexp.MustCompile(`([^\s=>/]+)(?:="([^"]*)")?`)
)

// parseHTML reads a page. It is stricter than browsers: every element is closed in
// its turn, every attribute is quoted, so whatever breaks out of its place fails the
// test.
func parseHTML(t testing.TB, text string) *node {
	t.Helper()
	root := &node{name: "document"}
	here := root
	text = strings.TrimPrefix(text, "<!doctype html>")
	for text != "" {
		if text[0] != '<' {
			end := strings.IndexByte(text, '<')
			if end < 0 {
				end = len(text)
			}
			here.children = append(here.children, &node{content: html.UnescapeString(text[:end]), parent: here})
			text = text[end:]
			continue
		}
		m := tag.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("not HTML: %.80s", text)
		}
		text = text[len(m[0]):]
		if m[1] == "/" {
			if here.name != m[2] {
				t.Fatalf("</%s> closes <%s>, before: %.80s", m[2], here.name, text)
			}
			here = here.parent
			continue
		}
		n := &node{name: m[2], attrs: map[string]string{}, parent: here}
		for _, a := range attribute.FindAllStringSubmatch(m[3], -1) {
			n.attrs[a[1]] = html.UnescapeString(a[2])
		}
		here.children = append(here.children, n)
		if m[4] == "" && !slices.Contains(voids, n.name) {
			here = n
		}
	}
	if here != root {
		t.Fatalf("<%s> is not closed", here.name)
	}
	return root
}

func (n *node) attr(name string) string { return n.attrs[name] }

// text is what is shown of an element, spaces made one.
func (n *node) text() string { return strings.Join(strings.Fields(n.raw()), " ") }

func (n *node) raw() string {
	if n.name == "" {
		return n.content
	}
	var b strings.Builder
	for _, c := range n.children {
		b.WriteString(c.raw())
	}
	return b.String()
}

var step = regexp.MustCompile(`^([a-zA-Z0-9]*)((?:[.#][A-Za-z0-9_-]+|\[[a-z_-]+(?:="[^"]*"|=[^\]]*)?\])*)$`)
var condition = regexp.MustCompile(`([.#])([A-Za-z0-9_-]+)|\[([a-z_-]+)(?:=("[^"]*"|[^\]]*))?\]`)

// find gives the elements for a selector: names, .classes, #ids and [attributes],
// one inside the other where there is a space.
func (n *node) find(selector string) []*node {
	found := []*node{n}
	for _, part := range strings.Fields(selector) {
		var next []*node
		for _, from := range found {
			from.each(func(c *node) {
				if c != from && c.matches(part) && !slices.Contains(next, c) {
					next = append(next, c)
				}
			})
		}
		found = next
	}
	return found
}

func (n *node) each(f func(*node)) {
	f(n)
	for _, c := range n.children {
		if c.name != "" {
			c.each(f)
		}
	}
}

func (n *node) matches(part string) bool {
	m := step.FindStringSubmatch(part)
	if m == nil {
		panic("selector " + part)
	}
	if m[1] != "" && m[1] != n.name {
		return false
	}
	for _, c := range condition.FindAllStringSubmatch(m[2], -1) {
		value, there := n.attrs[c[3]]
		switch {
		case c[1] == "." && !slices.Contains(strings.Fields(n.attrs["class"]), c[2]),
			c[1] == "#" && n.attrs["id"] != c[2],
			c[3] != "" && !there,
			c[3] != "" && c[4] != "" && value != strings.Trim(c[4], `"`):
			return false
		}
	}
	return true
}

// checkPage holds what every page has, whoever looks at it in whatever way.
func checkPage(t *testing.T, r *reply) {
	t.Helper()
	doc := r.doc(t)
	count := func(selector string, want int) {
		t.Helper()
		if got := len(doc.find(selector)); got != want {
			t.Errorf("%d of %s, want %d", got, selector, want)
		}
	}
	count("html[lang=en]", 1)
	count("h1", 1)
	count("main", 1)
	count("title", 1)
	count("a.skip", 1)
	count("style", 0)
	count("iframe", 0)
	ids := map[string]bool{}
	labels := map[string]bool{}
	for _, label := range doc.find("label") {
		labels[label.attr("for")] = true
	}
	doc.each(func(n *node) {
		if id, ok := n.attrs["id"]; ok {
			if id == "" || strings.ContainsAny(id, " #") || ids[id] {
				t.Errorf("id %q is there twice, or is none", id)
			}
			ids[id] = true
		}
		for name := range n.attrs {
			if name == "style" || strings.HasPrefix(name, "on") {
				t.Errorf("<%s> has the attribute %s, which the policy does not allow", n.name, name)
			}
		}
		checkElement(t, n, labels)
	})
	for _, n := range doc.find("[aria-labelledby]") {
		if !ids[n.attr("aria-labelledby")] {
			t.Errorf("<%s> is labelled by %q, which is not there", n.name, n.attr("aria-labelledby"))
		}
	}
	for _, n := range doc.find("use") {
		if !ids[strings.TrimPrefix(n.attr("href"), "#")] {
			t.Errorf("there is no shape %s", n.attr("href"))
		}
	}
	checkHeaders(t, r)
}

func checkHeaders(t *testing.T, r *reply) {
	t.Helper()
	policy := r.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("policy %q does not say %s", policy, part)
		}
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("X-Request-Id") == "" || r.Header.Get("Cache-Control") == "" {
		t.Errorf("no request id or cache control: %v", r.Header)
	}
}

func checkElement(t *testing.T, n *node, labels map[string]bool) {
	t.Helper()
	switch n.name {
	case "a":
		if _, ok := n.attrs["href"]; !ok || n.text() == "" {
			t.Errorf("link to %q says %q", n.attr("href"), n.text())
		}
	case "button", "h1", "h2", "h3", "caption", "summary", "th", "dt":
		if n.text() == "" {
			t.Errorf("<%s> is empty", n.name)
		}
	case "input", "select":
		if n.attr("type") != "hidden" && !labels[n.attr("id")] && n.parent.name != "label" {
			t.Errorf("<%s name=%s> has no label", n.name, n.attr("name"))
		}
	case "table":
		if len(n.find("caption")) != 1 || len(n.find("thead th[scope=col]")) == 0 {
			t.Errorf("a table has no caption, or no heads")
		}
	case "img":
		if _, ok := n.attrs["alt"]; !ok {
			t.Errorf("image %s has no alt", n.attr("src"))
		}
	case "svg":
		if n.attr("aria-hidden") != "true" {
			t.Errorf("a drawing is not hidden from screen readers")
		}
	case "form":
		if n.attr("method") == "post" && len(n.find("input[name=form_token]")) != 1 {
			t.Errorf("form %s has no token", n.attr("action"))
		}
	case "script":
		if n.text() != "" || !strings.Contains(n.attr("src"), "/-/static/app.") {
			t.Errorf("script %q %q", n.attr("src"), n.text())
		}
	}
}
