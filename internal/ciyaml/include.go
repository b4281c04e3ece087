package ciyaml

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/expand"
	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

// maxIncludes counts every inclusion, nested and repeated ones too.
const maxIncludes = 150

const subkeys = "`local`, `project`, `remote`, `template`, `artifact`, `component`"

// includeKinds are the keys of which each include has exactly one.
var includeKinds = []string{"local", "project", "remote", "template", "artifact", "component"}

// includeModifiers are keys that change what an include does.
var includeModifiers = []string{"rules", "inputs", "with", "cache", "integrity"}

// location is one file to include and the place that asks for it.
type location struct {
	text string
	pos  tree.Pos
}

// include returns root over everything it includes, without the key include
// (contract, section 3). Of one level, first all locations are counted, then
// each file is read, its own includes with it, so the message of the limit
// comes before those of the files.
func (l *loader) include(root *tree.Node) (*tree.Node, Diagnostics) {
	value := root.Get("include")
	own := without(root, "include")
	if value.IsNull() {
		return own, nil
	}
	locations, diags := l.locations(value)
	if diags != nil {
		return nil, diags
	}
	for i := range locations {
		at := &locations[i]
		at.text = strings.TrimLeft(expand.All(at.text, l.variable), "/")
		if l.includes++; l.includes > maxIncludes {
			return nil, configError(at.pos, fmt.Sprintf("Maximum of %d nested includes are allowed!", maxIncludes))
		}
	}
	var merged *tree.Node
	for _, at := range locations {
		content, diags := l.local(at)
		if diags != nil {
			return nil, diags
		}
		l.included = append(l.included, Include{
			Kind: "local", Location: at.text, Project: l.in.Project, SHA: l.in.SHA, Path: at.text,
			ContextProject: l.in.Project, ContextSHA: l.in.SHA,
		})
		if content, diags = l.include(content); diags != nil {
			return nil, diags
		}
		merged = tree.Merge(merged, content)
	}
	return tree.Merge(merged, own), nil
}

// locations reads the value of include, in any of its forms, and expands
// patterns.
func (l *loader) locations(value *tree.Node) ([]location, Diagnostics) {
	items := []*tree.Node{value}
	if value.Kind == tree.Seq {
		items = value.Items
	}
	var out []location
	for _, item := range items {
		at, diags := includeLocation(item)
		if diags != nil {
			return nil, diags
		}
		if !strings.Contains(at.text, "*") {
			out = append(out, at)
			continue
		}
		paths, err := l.list()
		if err == nil {
			err = l.ctx.Err() // a long list of patterns over many files takes its time
		}
		if err != nil {
			return nil, l.failure(at.pos, err)
		}
		pattern := strings.TrimLeft(at.text, "/")
		for _, p := range paths {
			if matchInclude(pattern, p) {
				out = append(out, location{p, at.pos})
			}
		}
	}
	return out, nil
}

// includeLocation reads one element of include.
func includeLocation(item *tree.Node) (location, Diagnostics) {
	switch item.Kind {
	case tree.String:
		if lower := strings.ToLower(item.Text); strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://") {
			return location{}, Diagnostics{unsupported(item.Pos, "include:remote")}
		}
		return location{item.Text, item.Pos}, nil
	case tree.Map:
		return includeMap(item)
	}
	return location{}, notString(item)
}

func includeMap(item *tree.Node) (location, Diagnostics) {
	var kinds, modifiers []tree.Pair
	for _, p := range item.Pairs {
		switch {
		case p.Value.IsNull():
		case slices.Contains(includeKinds, p.Key):
			kinds = append(kinds, p)
		case slices.Contains(includeModifiers, p.Key):
			modifiers = append(modifiers, p)
		}
	}
	switch {
	case len(kinds) == 0:
		d := configError(item.Pos, fmt.Sprintf("`%s` does not have a valid subkey for include. Valid subkeys are: %s", inline(item), subkeys))
		if len(item.Pairs) > 0 {
			d[0].Pos = item.Pairs[0].KeyPos
			d[0].Hint = didYouMean(item.Pairs[0].Key, includeKinds)
		}
		return location{}, d
	case len(kinds) > 1:
		return location{}, configError(kinds[1].KeyPos, "Each include must use only one of: "+subkeys)
	case kinds[0].Key != "local":
		return location{}, Diagnostics{unsupported(kinds[0].KeyPos, "include:"+kinds[0].Key)}
	case len(modifiers) > 0:
		return location{}, Diagnostics{unsupported(modifiers[0].KeyPos, "include:"+modifiers[0].Key)}
	}
	value := kinds[0].Value
	if value.Kind != tree.String {
		return location{}, notString(value)
	}
	return location{value.Text, value.Pos}, nil
}

func notString(n *tree.Node) Diagnostics {
	return configError(n.Pos, fmt.Sprintf("Included file `%s` needs to be a string", inline(n)))
}

// local reads and parses a file of the same commit. Errors about the file as a
// whole are placed at the include that asks for it.
func (l *loader) local(at location) (*tree.Node, Diagnostics) {
	if ext := strings.ToLower(path.Ext(at.text)); ext != ".yml" && ext != ".yaml" {
		return nil, configError(at.pos, fmt.Sprintf("Included file `%s` does not have YAML extension!", at.text))
	}
	missing := fmt.Sprintf("Local file `%s` does not exist!", at.text)
	if slices.Contains(strings.Split(at.text, "/"), "..") {
		return nil, configError(at.pos, missing) // no repository has such a path
	}
	content, err := l.read(at.text)
	switch {
	case errors.Is(err, ErrNotExist):
		return nil, configError(at.pos, missing)
	case errors.Is(err, ErrTooLarge):
		return nil, configError(at.pos, fmt.Sprintf("`%s`: %s", at.text, errTextTooBig))
	case err != nil:
		return nil, l.failure(at.pos, err)
	}
	var doc *tree.Node
	if !blank(content) {
		var diags Diagnostics
		if doc, diags = l.parse(at.text, content); diags != nil {
			return nil, diags
		}
	}
	if doc == nil {
		return nil, configError(at.pos, fmt.Sprintf("Local file `%s` is empty!", at.text))
	}
	return doc, nil
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

// inline writes n on one line as JSON, at most some 200 bytes of it, as
// GitLab's messages quote values.
func inline(n *tree.Node) string {
	var b strings.Builder
	writeInline(&b, n)
	return b.String()
}

func writeInline(b *strings.Builder, n *tree.Node) {
	if b.Len() > 200 {
		return
	}
	list := func(open, shut string, count int, write func(i int)) {
		b.WriteString(open)
		for i := range count {
			if i > 0 {
				b.WriteByte(',')
			}
			if b.Len() > 200 {
				b.WriteString("...")
				break
			}
			write(i)
		}
		b.WriteString(shut)
	}
	switch {
	case n.IsNull():
		b.WriteString("null")
	case n.Kind == tree.Map:
		list("{", "}", len(n.Pairs), func(i int) {
			fmt.Fprintf(b, "%q:", n.Pairs[i].Key)
			writeInline(b, n.Pairs[i].Value)
		})
	case n.Kind == tree.Reference:
		b.WriteString("!reference ")
		fallthrough
	case n.Kind == tree.Seq:
		list("[", "]", len(n.Items), func(i int) { writeInline(b, n.Items[i]) })
	case n.Kind == tree.String:
		fmt.Fprintf(b, "%q", n.Text)
	default:
		b.WriteString(n.Text)
	}
}
