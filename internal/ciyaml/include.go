package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// maxIncludes counts every inclusion, nested and repeated ones too.
const maxIncludes = 150

// An origin is what a file is part of, from where its own includes start: a
// commit of a project, or nothing for a remote file or a template.
type origin struct{ project, sha string }

// none reports whether there is no project, so that only what everybody may
// read can be included.
func (o origin) none() bool { return o.project == "" }

// An inclusion is one file to include.
type inclusion struct {
	kind      string // the key: local, project, remote, template, component, artifact
	text      string // the file, address or name
	pos       tree.Pos
	origin    origin // of the file that includes it
	project   string // of include:project
	ref       string
	integrity string
	rules     *tree.Node
	inputs    []tree.Pair

	inside    origin     // of the file itself, once it is open
	path      string     // there
	component *component // that it turned out to be
}

// seen is the inclusion for those who show it.
func (at *inclusion) seen() Include {
	kind := at.kind
	if kind == "project" {
		kind = "file"
	}
	return Include{
		Kind: kind, Location: at.shown(), Project: at.inside.project, SHA: at.inside.sha, Path: at.path,
		ContextProject: at.origin.project, ContextSHA: at.origin.sha, FromProject: at.project, FromRef: at.ref,
	}
}

// include returns root over everything it includes, without the key include
// (contract, section 3). Of one level, first all locations are counted, then
// each file is read, its own includes with it, so the message of the limit
// comes before those of the files.
func (l *loader) include(root *tree.Node, from origin) (*tree.Node, Diagnostics) {
	value := root.Get("include")
	own := without(root, "include")
	if value.IsNull() {
		return own, nil
	}
	list, diags := l.level(value, from, includeKinds)
	if diags != nil {
		return nil, diags
	}
	var merged *tree.Node
	for i := range list {
		at := &list[i]
		f, diags := l.open(at)
		if diags != nil {
			return nil, diags
		}
		l.included = append(l.included, at.seen())
		content, diags := l.fill(f, *at, at.inputs)
		if diags != nil {
			return nil, diags
		}
		if content, diags = l.include(content, at.inside); diags != nil {
			return nil, diags
		}
		merged = tree.Merge(merged, content)
	}
	return tree.Merge(merged, own), nil
}

// level reads the value of include, counts the inclusions in it and fetches those
// that have an address. They are ready to be opened.
func (l *loader) level(value *tree.Node, from origin, kinds []string) ([]inclusion, Diagnostics) {
	list, diags := l.inclusions(value, from, kinds)
	if diags != nil {
		return nil, diags
	}
	for i := range list {
		if diags := l.count(&list[i]); diags != nil {
			return nil, diags
		}
	}
	return list, l.fetchAll(list)
}

// inclusions reads the value of include, in any of its forms: rules decide
// which elements count, then patterns and lists of files become several, then
// variables are expanded, in GitLab's order.
func (l *loader) inclusions(value *tree.Node, from origin, kinds []string) ([]inclusion, Diagnostics) {
	items := []*tree.Node{value}
	if value.Kind == tree.Seq {
		items = value.Items
	}
	var out []inclusion
	for _, item := range items {
		found, diags := readInclude(item, from, kinds)
		if diags != nil {
			return nil, diags
		}
		if len(found) == 0 {
			continue
		}
		included, diags := l.admit(found[0].rules, from)
		if diags != nil {
			return nil, diags
		}
		if !included {
			continue
		}
		if found, diags = l.matches(found); diags != nil {
			return nil, diags
		}
		for _, at := range found {
			l.expand(&at)
			out = append(out, at)
		}
	}
	return out, nil
}

// expand puts the values of variables into the location.
func (l *loader) expand(at *inclusion) {
	at.text = expand.All(at.text, l.variable)
	switch at.kind {
	case "local":
		at.text = strings.TrimLeft(at.text, "/")
	case "project":
		at.text = strings.TrimLeft(at.text, "/")
		at.project = strings.ToLower(strings.Trim(expand.All(at.project, l.variable), "/"))
		at.ref = expand.All(at.ref, l.variable)
	}
}

// count holds the limit of includes.
func (l *loader) count(at *inclusion) Diagnostics {
	if l.includes++; l.includes > maxIncludes {
		return configError(at.pos, fmt.Sprintf("Maximum of %d nested includes are allowed!", maxIncludes))
	}
	return nil
}

// matches replaces a local pattern by the files of the commit that it matches.
func (l *loader) matches(list []inclusion) ([]inclusion, Diagnostics) {
	if len(list) != 1 || list[0].kind != "local" || !strings.Contains(list[0].text, "*") {
		return list, nil
	}
	at := list[0]
	paths, err := l.list(at.origin)
	if err == nil {
		err = l.ctx.Err() // a long list of patterns over many files takes its time
	}
	if err != nil {
		return nil, l.failure(at.pos, err)
	}
	var out []inclusion
	pattern := strings.TrimLeft(at.text, "/")
	for _, p := range paths {
		if matchInclude(pattern, p) {
			at.text = p
			out = append(out, at)
		}
	}
	return out, nil
}

// matchInclude matches the patterns of include, which have nothing but "*",
// any run without a slash, and "**", any run. So "ci/**.yml" takes all files
// below ci and "ci/**/*.yml" only those in its folders. It takes time in
// proportion to both lengths multiplied.
func matchInclude(pattern, name string) bool {
	// ends[i] says that the pattern so far matches the first i bytes of name.
	ends := make([]bool, len(name)+1)
	ends[0] = true
	for p := 0; p < len(pattern); {
		star := pattern[p] == '*'
		deep := strings.HasPrefix(pattern[p:], "**")
		if p++; deep {
			p++
		}
		if !star {
			for i := len(name); i > 0; i-- {
				ends[i] = ends[i-1] && name[i-1] == pattern[p-1]
			}
			ends[0] = false
			continue
		}
		for i := range len(name) {
			ends[i+1] = ends[i+1] || ends[i] && (deep || name[i] != '/')
		}
	}
	return ends[len(name)]
}

// without returns the map n with no pair of that key.
func without(n *tree.Node, key string) *tree.Node {
	i := slices.IndexFunc(n.Pairs, func(p tree.Pair) bool { return p.Key == key })
	if i < 0 {
		return n
	}
	pairs := slices.Concat(n.Pairs[:i], n.Pairs[i+1:])
	return &tree.Node{Kind: tree.Map, Pos: n.Pos, Pairs: pairs}
}
