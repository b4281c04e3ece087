package ciyaml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-ci/lanyard/internal/ciyaml/tree"
)

const subkeys = "`local`, `project`, `remote`, `template`, `artifact`, `component`"

// includeKinds are the keys of which each include has exactly one, and
// specKinds those that spec:include may have.
var (
	includeKinds = []string{"local", "project", "remote", "template", "artifact", "component"}
	specKinds    = []string{"local", "project", "remote"}
)

// readInclude reads one element of include; a list of files is as many
// inclusions.
func readInclude(item *tree.Node, from origin, kinds []string) ([]inclusion, Diagnostics) {
	switch item.Kind {
	case tree.String:
		at := inclusion{kind: "local", text: item.Text, pos: item.Pos, origin: from}
		if isAddress(item.Text) {
			at.kind = "remote"
		}
		return []inclusion{at}, nil
	case tree.Map:
		return readIncludeMap(item, from, kinds)
	}
	return nil, notString(item)
}

func isAddress(text string) bool {
	lower := strings.ToLower(text)
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
}

func readIncludeMap(item *tree.Node, from origin, kinds []string) ([]inclusion, Diagnostics) {
	var found []tree.Pair
	for _, p := range item.Pairs {
		if slices.Contains(kinds, p.Key) && !empty(p.Value) && (p.Key != "project" || !empty(item.Get("file"))) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return nil, noKind(item, kinds)
	case 1:
	default:
		return nil, configError(found[1].KeyPos, "Each include must use only one of: "+subkeys)
	}
	at := inclusion{kind: found[0].Key, pos: found[0].Value.Pos, origin: from, rules: given(item, "rules")}
	if v := given(item, "integrity"); v != nil {
		at.integrity = v.Text
	}
	var diags Diagnostics
	if at.inputs, diags = includeInputs(item); diags != nil {
		return nil, diags
	}
	if at.kind == "artifact" {
		return nil, configError(found[0].KeyPos, "Including configs from artifacts is only allowed when triggering child pipelines")
	}
	if at.kind == "project" {
		return readProjectInclude(item, at)
	}
	return fileInclusions(found[0].Value, at)
}

func noKind(item *tree.Node, kinds []string) Diagnostics {
	d := configError(item.Pos, fmt.Sprintf("`%s` does not have a valid subkey for include. Valid subkeys are: %s", inline(item), subkeys))
	if len(item.Pairs) > 0 {
		d[0].Pos = item.Pairs[0].KeyPos
		d[0].Hint = didYouMean(item.Pairs[0].Key, kinds)
	}
	if !empty(item.Get("project")) {
		d[0].Hint = "an include of a project names a file, too"
	}
	return d
}

// includeInputs reads inputs, which were called with before.
func includeInputs(item *tree.Node) ([]tree.Pair, Diagnostics) {
	for _, key := range []string{"inputs", "with"} {
		switch v := given(item, key); {
		case v == nil:
		case v.Kind != tree.Map:
			return nil, configError(v.Pos, "include inputs should be a hash")
		default:
			return v.Pairs, nil
		}
	}
	return nil, nil
}

func readProjectInclude(item *tree.Node, at inclusion) ([]inclusion, Diagnostics) {
	project := item.Get("project")
	if project.Kind >= tree.Seq {
		return nil, notString(project)
	}
	at.project = project.Text
	if ref := given(item, "ref"); ref != nil {
		if ref.Kind >= tree.Seq {
			return nil, notString(ref)
		}
		at.ref = ref.Text
	}
	files := item.Get("file")
	if files.Kind != tree.Seq {
		at.pos = files.Pos
		return fileInclusions(files, at)
	}
	var out []inclusion
	for _, f := range files.Items {
		at.pos = f.Pos
		one, diags := fileInclusions(f, at)
		if diags != nil {
			return nil, diags
		}
		out = append(out, one...)
	}
	return out, nil
}

// fileInclusions completes an inclusion with the text of its location.
func fileInclusions(value *tree.Node, at inclusion) ([]inclusion, Diagnostics) {
	if value.Kind != tree.String {
		return nil, notString(value)
	}
	at.text = value.Text
	return []inclusion{at}, nil
}

func notString(n *tree.Node) Diagnostics {
	return configError(n.Pos, fmt.Sprintf("Included file `%s` needs to be a string", inline(n)))
}
